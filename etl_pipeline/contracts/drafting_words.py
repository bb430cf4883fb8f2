"""What column headers usually mean, in English, German, French, Spanish, and in common systems' own words."""

import re
import unicodedata

# Words are compared without case, accents and separators. Earlier meanings win where two fit equally well.
WORDS: dict[str, str] = {
    "gtin": "gtin ean ean13 eancode barcode upc ean11 gtin13 strichcode codebarres codigobarras",
    "product": (
        "sku skucode itemsku productsku sellersku merchantsku item itemid itemcode itemno itemnumber article "
        "articleid articlecode articleno stockcode product productid productcode productno material "
        "materialnumber matnr artikel artikelnr artikelnummer produkt produktnr produkcode reference "
        "referencia codearticle codeproduit produit codigo articulo codarticulo codigoarticulo producto "
        "codproducto codigoproducto variantid variantsku mproductid asin plu inventoryitemid partnumber "
        "partno part idart idproducto refarticle materialcode"
    ),
    "product_name": (
        "itemname productname articlename description itemdescription productdescription title name "
        "bezeichnung artikelbezeichnung maktx libelle designation descripcion nombre nombreproducto "
        "denominacion kurztext displayname"
    ),
    "category": (
        "category categoryid categorycode productcategory productgroup group department dept class "
        "warengruppe matkl famille categorie categoria familia producttype itemtype rayon mproductcategoryid "
        "subcategoryid"
    ),
    "location": (
        "store storeid storecode storeno storenumber location locationid locationcode warehouse warehouseid "
        "warehousecode whs wh site siteid siteno plant werks branch branchid shop shopid filiale filialnr "
        "markt lager lagerort magasin depot entrepot site tienda codtienda almacen sucursal codalmacen "
        "mwarehouseid outlet whse dc fulfillmentcenter fulfillmentcenterid pos facility bodega"
    ),
    "location_name": "storename locationname warehousename shopname filialname nommagasin nombretienda plantname",
    "bin": (
        "bin bincode locator locatorid mlocatorid lgort storagelocation lagerplatz lgpla shelf emplacement "
        "ubicacion position rack"
    ),
    "lot": "lot lotno lotnumber lotcode batch batchno batchnumber charge charg chargennr lote numerolot serial",
    "on_hand": (
        "onhand qtyonhand quantityonhand onhandquantity stock stockqty stockquantity stocklevel soh available "
        "availablequantity inventory inventoryquantity bestand lagerbestand labst menge lagermenge qtycount "
        "counted countedquantity countedqty quantitycounted zahlmenge istbestand unitsinstock stocktheorique "
        "quantitestock existencias existencia cantidadstock inventario totalquantity fulfillablequantity "
        "contado gezaehlt stockphysique"
    ),
    "quantity": (
        "qty quantity quantities units unitssold qtysold quantitysold orderqty orderquantity qtyordered "
        "movementqty menge anzahl stueck stuck quantite qte cantidad cant unidades uds pieces pcs amountsold "
        "orderedquantity quantityordered shippedquantity quantityshipped receivedqty erfmg kwmeng "
        "movementquantity delta change"
    ),
    "unit": (
        "uom unit unitofmeasure unitcode meins vrkme bstme einheit mengeneinheit me unite unidad um cuomid "
        "measure unidadmedida packunit"
    ),
    "unit_price": (
        "unitprice price sellingprice priceeach itemprice salesprice preis einzelpreis stueckpreis prix "
        "prixunitaire pu precio preciounitario netpr pricestd"
    ),
    "cost": (
        "cost unitcost standardcost costprice purchaseprice buyprice stprs verpr einkaufspreis ek prixachat "
        "coste costo wholesaleprice lastreceiptcost"
    ),
    "list_price": "listprice rrp msrp retailprice uvp prixpublic pvp",
    "net_amount": (
        "netamount net netvalue netwr linetotal amount lineamount total totalprice subtotal extendedprice "
        "salesamount revenue betrag nettobetrag umsatz montant montantht importe total importeneto ventas "
        "netsales linenetamt totalamount sales dmbtr lineprice"
    ),
    "currency": (
        "currency currencycode waers devise waehrung wahrung moneda divisa iso4217 waerk currencyiso ccurrencyid"
    ),
    "customer": (
        "customer customerid customerno customercode kunde kundennr kunnr client codeclient cliente buyer "
        "buyerid shopperid"
    ),
    "supplier": (
        "supplier supplierid suppliercode supplierno vendor vendorid vendorno vendorcode lifnr lieferant "
        "lieferantennr fournisseur codefournisseur proveedor codproveedor cbpartnerid businessentityid "
        "supplierkey"
    ),
    "supplier_name": "suppliername vendorname lieferantenname nomfournisseur nombreproveedor",
    "order_document": (
        "ponumber pono po purchaseorder purchaseorderid purchaseorderno ebeln bestellung bestellnr "
        "bestellnummer commande nocommande pedido numeropedido orderid orderno ordernumber order auftrag "
        "auftragsnr corderid amazonorderid salesorder vbeln"
    ),
    "document": (
        "receipt receiptno receiptnumber receiptid ticket ticketno ticketid ticketnumber transaction "
        "transactionid transactionno invoice invoiceno invoiceid invoicenumber bon bonnr beleg belegnr "
        "belegnummer mblnr belnr document documentno documentid documentnumber docno rechnung rechnungsnr "
        "facture nofacture factura numerofactura recibo basketid saleid voucher movementid messageid msgid "
        "eventid id uuid guid mtransactionid shipmentid deliveryid"
    ),
    "line": (
        "line lineno lineid linenumber linenum ebelp posnr zeile position pos posten ligne noligne linea "
        "numerolinea renglon sequence seq seqno row rowno lineitem orderitemid orderlineid itemposition buzei "
        "orderdetailid purchaseorderdetailid zeile partida"
    ),
    "time": (
        "time timestamp datetime date eventtime eventdate transactiondate transactiontime saledate saletime "
        "orderdate invoicedate receiptdate movementdate movedate soldat occurredat happenedat datum uhrzeit "
        "zeit buchungsdatum budat belegdatum bldat verkaufsdatum fecha fechahora hora fechaventa "
        "fechamovimiento dateheure dateheurevente datevente horodatage jour purchasedate countdate "
        "snapshotdate inventorydate asof asofdate postingdate transactiontimestamp "
        "shippedat processedat"
    ),
    "created": "created createdat createddate creationdate erdat entrydate fechacreacion datecreation",
    "updated": (
        "updatedat updated lastupdated lastmodified modified modifieddate modifiedat changedat updatetime "
        "lastupdate geaendertam aedat datemodification fechamodificacion lastchangedate lastupdatedate "
        "updateddate fivetransynced"
    ),
    "revision": "revision rev version versionno seqrev revisionnumber numeroversion ver",
    "due": (
        "due dueat duedate eta expecteddate expectedat promiseddate datepromised deliverydate deliverydue "
        "eindt liefertermin lieferdatum datelivraison fechaentrega requireddate shipby expectedreceipt "
        "fechaprevista"
    ),
    "event": (
        "type typ transactiontype movementtype movetype eventtype event action kind bwart bewegungsart "
        "vorgangsart typemouvement mouvement tipo tipomovimiento operation recordtype linetype shkzg doctype "
        "reason reasoncode"
    ),
    "status": "status state statut estado docstatus orderstatus zustand etat",
    "lead_time": "leadtime leadtimedays lieferzeit plifz delai plazo averageleadtime delivtime",
    "minimum": (
        "moq minimumorder minimumquantity minorderqty minqty mindestmenge bstmi minimo minimumorderquantity minorder"
    ),
    "pack": "packsize casepack packquantity casesize verpackungseinheit vpe innerpack umrez",
    "safety": (
        "safetystock safetystocklevel eisbe sicherheitsbestand stocksecurite stockseguridad minstock mindestbestand"
    ),
    "reorder": "reorderpoint reorderlevel minbe meldebestand pointcommande puntopedido",
    "zone": "timezone tz zeitzone fuseau zonahoraria ianatimezone",
}
FILE_WORDS: dict[str, str] = {
    "sale": (
        "sale sales pos till ticket tickets receipt receipts invoice invoices verkauf kasse bon vente ventes "
        "caisse venta ventas caja"
    ),
    "count": (
        "count counts stock inventory snapshot onhand bestand inventur bestaende inventaire existencias "
        "inventario stocktake level levels storage balance"
    ),
    "movement": (
        "movement movements transaction transactions wms ledger bewegung bewegungen mouvement mouvements "
        "movimiento movimientos matdoc mseg adjustment adjustments transfer transfers"
    ),
    "supply": (
        "purchase po purchases purchaseorder bestellung bestellungen commande commandes asn notice ekpo ekko "
        "eket inbound compra compras procurement"
    ),
    "demand": (
        "order orders weborder weborders cart carts reservation reservations auftrag auftraege pedido pedidos "
        "basket fulfillment fulfillments checkout vbap"
    ),
    "offer": "offer offers catalog catalogue vendorstock pricelist suppliers offre oferta angebot productvendor",
    "product": (
        "product products item items article articles artikel sku skus produit produits producto productos "
        "mara makt material materials variant variants"
    ),
    "location": (
        "location locations store stores warehouse warehouses filialen magasin magasins tienda tiendas sites plants"
    ),
    "supplier": (
        "supplier suppliers vendor vendors lieferant lieferanten fournisseur fournisseurs proveedor proveedores lfa1"
    ),
}
TECHNICAL = ("_fivetran", "hvr_", "_airbyte", "_sdc_", "_dlt_", "_dataaging")
"""Columns that a copying tool added."""
OTHER_MONEY = {
    "tax",
    "discount",
    "vat",
    "mwst",
    "steuer",
    "rabatt",
    "tva",
    "remise",
    "iva",
    "descuento",
    "freight",
    "tip",
}
"""Words of money that is not the price of goods."""
_BY_WORD: dict[str, list[str]] = {}
for _meaning, _words in WORDS.items():
    for _word in _words.split():
        _BY_WORD.setdefault(_word, []).append(_meaning)
_PREFIXES = ("nr", "no", "num", "numero", "code", "cod", "codigo", "id", "key", "the")


def plain(text: str) -> str:
    """Return a header without case, accents and separators."""
    bare = unicodedata.normalize("NFKD", text)
    return re.sub(r"[^a-z0-9]", "", "".join(char for char in bare if not unicodedata.combining(char)).lower())


def tokens(text: str) -> list[str]:
    """Return the words of a header: cut at separators and at capitals."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [word for part in re.split(r"[^\w]|_", apart) if (word := plain(part))]


def meanings(header: str) -> list[tuple[str, int]]:
    """Return what a header may mean with a strength: 3 the whole header, 2 its end or start, 1 a word of it."""
    last = header.rpartition("/")[2].lstrip("@")
    if last.lower().startswith(TECHNICAL) or set(tokens(last)) & OTHER_MONEY:
        return []
    found: dict[str, int] = {}
    for meaning in _BY_WORD.get(plain(last), []):
        found[meaning] = 3
    words = tokens(last.rpartition(".")[2] or last)
    whole = _BY_WORD.get("".join(words), [])
    for meaning in whole:
        found.setdefault(meaning, 3)
    for size in range(len(words) - 1, 0, -1):
        for part in ("".join(words[-size:]), "".join(words[:size])):
            for meaning in _BY_WORD.get(part, []) if part not in _PREFIXES else []:
                found.setdefault(meaning, 2 if size > 1 else 1)
    return sorted(found.items(), key=lambda pair: -pair[1])
