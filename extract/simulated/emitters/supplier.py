"""The suppliers: advance ship notices in XML (by GTIN), and a weekly price and stock list in Excel."""

from functools import partial

import numpy as np
import pandas as pd

from extract.simulated.catalog import WAREHOUSE
from extract.simulated.clock import HOUR, day_stamp, local_seconds, written
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, cut, fields, numbers, workbook, xml_document
from extract.simulated.world import World

NOTICES, OFFERS = "supplier_notices", "supplier_offers"
IDENTITIES = (
    Identity(NOTICES, key=("../SupplierCode", "../AdviceNo", "@no"), revision="../Revision"),
    Identity(OFFERS, key=("Item no.", "Valid from"), unread=("Description",), head=("preamble", "preamble", "header")),
)
SUPPLIER_ZONE = "Europe/Berlin"
_SEED = 20_250_301  # the offers' own chance: they never touch stock, so the world need not know them


def sheets(world: World) -> list[Sheet]:
    """Return a notice file per supplier and day with notices, and an offer per supplier and week."""
    return _notices(world) + _offers(world)


def _notices(world: World) -> list[Sheet]:
    result = []
    render = xml_document("DespatchAdvices", "Advice", "Line")
    for supplier, rows in world.notices.groupby("supplier", sort=True):
        days = numbers(rows, "day")
        names = {
            int(d): f"supplier/notices/ASN_{supplier}_{day_stamp(world.start, int(d))}.xml" for d in np.unique(days)
        }
        result += cut(NOTICES, rows, days, names, render, make=partial(_notice_lines, world))
    return result


def _notice_lines(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    item = numbers(rows, "item")
    sent = local_seconds(world.start, world.days, 0, SUPPLIER_ZONE)[numbers(rows, "day")] + 9 * HOUR
    products = world.catalog.products
    return fields(
        {
            "../SupplierCode": rows["supplier"].tolist(),
            "../AdviceNo": rows["notice"].tolist(),
            "../Revision": rows["revision"].tolist(),
            "../OrderNo": rows["order"].tolist(),
            "../SentAt": written(sent, SUPPLIER_ZONE, "%Y-%m-%dT%H:%M:%S"),
            "../ExpectedAt": written(numbers(rows, "due_at"), SUPPLIER_ZONE, "%Y-%m-%dT%H:%M:%S"),
            "../ShipTo": [WAREHOUSE] * len(rows),
            "@no": rows["line"].tolist(),
            "Ean": products["gtin"].iloc[item].tolist(),
            "Quantity": (numbers(rows, "quantity") // world.catalog.numbers("pack_quantity")[item]).tolist(),
            "Unit": products["order_unit"].iloc[item].tolist(),
        }
    )


def _offers(world: World) -> list[Sheet]:
    rng = np.random.default_rng(_SEED)
    result = []
    for day in range(0, world.days, 7):
        stamp = day_stamp(world.start, day)
        for supplier in world.catalog.suppliers.itertuples(index=False):
            products = world.catalog.products
            offered = products.loc[products["supplier_code"] == supplier.supplier_code]
            name = f"supplier/offers/offer_{supplier.supplier_code}_{stamp}.xlsx"
            render = workbook("Offer", f"{supplier.supplier_name}: price and stock list")
            result.append(Sheet(OFFERS, name, _offer_lines(rng, offered, stamp), render))
    return result


def _offer_lines(rng: np.random.Generator, offered: pd.DataFrame, stamp: str) -> pd.DataFrame:
    size = len(offered)
    return fields(
        {
            "Item no.": offered["supplier_item"].tolist(),
            "Description": offered["product_name"].tolist(),
            "Valid from": [f"{stamp[6:]}.{stamp[4:6]}.{stamp[:4]}"] * size,
            "Stock (pieces)": rng.integers(0, 900, size=size).tolist(),
            "Price per piece": [cents / 100 for cents in offered["cost_cents"]],
            "Currency": ["EUR"] * size,
            "Lead time (days)": rng.integers(3, 6, size=size).tolist(),
            "Minimum order": offered["pack_quantity"].tolist(),
            "Pieces per pack": offered["pack_quantity"].tolist(),
        }
    )
