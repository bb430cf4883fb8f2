"""A retailer with every kind of feed that sections 11 and 12 of the semantics speak of, for facts told in any order."""

from pathlib import Path

RETAILER = """
retailer: sampled
describes: A retailer made up for the worked example and the named cases, in many copies and many orders.
zone: UTC
currency: EUR
snapshot_days: 0
"""

# Each feed: its source system, what follows the pattern in the contract, and the header of its files.
FEEDS = {
    "product": ("erp", """
key: {document: sku}
revision: {updated_at: updated}
yields:
  - fact: product
    columns: {product_code: sku, product_name: sku, base_unit: unit, gtin: gtin}
""", "sku,unit,gtin,updated"),
    "place": ("erp", """
key: {document: place, line: since}
yields:
  - fact: location
    columns: {location_code: place, location_kind: kind, zone: zone, effective_from: since}
""", "place,kind,zone,since"),
    "alias": ("erp", """
key: {document: code, line: since}
revision: {number: rev}
void: {status: void}
yields:
  - fact: alias
    columns: {alias_code: code, product_code: sku, effective_from: since}
""", "code,rev,sku,since,status"),
    "pack": ("erp", """
key: {document: [sku, unit], line: since}
yields:
  - fact: unit_conversion
    columns: {product_code: sku, unit_code: unit, numerator: holds, effective_from: since}
""", "sku,unit,holds,since"),
    "policy": ("erp", """
key: {document: [sku, place]}
yields:
  - fact: stock_policy
    columns: {product_code: sku, location_code: place, safety_stock: safety}
""", "sku,place,safety"),
    "kit": ("erp", """
key: {document: kit, line: "no"}
yields:
  - fact: reference
    set: kit
    columns: {key: {join: [kit, "no"]}, part: part, pieces: pieces}
""", "kit,no,part,pieces"),
    "move": ("wms", """
reading: {role: authority}
key: {document: doc}
revision: {number: rev}
void: {status: void}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      unit_code: unit
      movement_class: kind
      counter_location_code: other
      lot_code: lot
      order_document: order
      order_line: line
""", "doc,rev,sku,place,at,qty,unit,kind,other,lot,order,line,status"),
    "count": ("wms", """
key: {document: doc, line: [sku, place, bin]}
revision: {number: rev}
void: {status: void}
yields:
  - fact: count
    columns:
      product_code: sku
      location_code: place
      bin_code: bin
      event_time: at
      quantity: {from: qty, sign: not_negative}
      count_document: doc
      scope: scope
      absence: absence
      zone_code: bin
""", "doc,rev,sku,place,bin,at,qty,scope,absence,status"),
    "till": ("pos", """
reading: {zone: location}
key: {document: ticket, line: [sku, place], epoch: [day, till]}
revision: {number: rev}
void: {status: void}
yields:
  - fact: sale
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      net_amount: {const: "0"}
      kind: kind
      order_document: order
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: {from: qty, negate: true}
      movement_class: kind
      order_document: order
""", "ticket,day,till,rev,sku,place,at,qty,kind,order,status"),
    "kit_till": ("pos", """
derive:
  one: {const: "1"}
  two: {const: "2"}
  first: {join: [sku, one]}
  second: {join: [sku, two]}
  first_part: {from: first, lookup: kit.part}
  first_pieces: {from: first, lookup: kit.pieces}
  second_part: {from: second, lookup: kit.part}
  second_pieces: {from: second, lookup: kit.pieces}
key: {document: ticket}
yields:
  - fact: sale
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      net_amount: {const: "0"}
  - fact: movement
    columns:
      product_code: first_part
      location_code: place
      event_time: at
      quantity: {from: qty, times: first_pieces, negate: true}
      movement_class: {const: sale}
  - fact: movement
    columns:
      product_code: second_part
      location_code: place
      event_time: at
      quantity: {from: qty, times: second_pieces, negate: true}
      movement_class: {const: sale}
""", "ticket,sku,place,at,qty"),
    "erp_sale": ("erp", """
key: {document: doc}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      movement_class: {const: sale}
""", "doc,sku,place,at,qty"),
    "order": ("shop", """
key: {document: order, line: [sku, event]}
yields:
  - fact: demand
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      event: event
      order_document: order
      order_line: {const: "1"}
      due_at: due
""", "order,sku,place,at,qty,event,due"),
    "purchase": ("erp", """
key: {document: order, line: [sku, event]}
yields:
  - fact: supply
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      event: event
      order_document: order
      due_at: due
""", "order,sku,place,at,qty,event,due"),
    "notice": ("supplier", """
key: {document: notice, line: sku}
revision: {number: rev}
yields:
  - fact: supply
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      event: {const: notice}
      order_document: order
      notice_document: notice
      due_at: due
""", "notice,rev,order,sku,place,at,qty,due"),
    "receipt": ("store", """
key: {document: doc, line: sku}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      movement_class: {const: receipt}
      order_document: order
  - fact: supply
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      event: {const: receipt}
      order_document: order
""", "doc,order,sku,place,at,qty"),
}  # fmt: skip
CONTRACT = """
feed: {feed}
describes: Facts of the kind {feed}, for tests of meaning.
source_system: {system}
files: {{pattern: "{feed}-*.csv", logical_time: {{path: '-(\\d{{4}}-\\d{{2}}-\\d{{2}})'}}}}
"""
HEADERS = {feed: header for feed, (_, _, header) in FEEDS.items()}


def write_contracts(folder: Path) -> Path:
    """Write the contracts; return their folder."""
    (folder / "retailer.yml").write_text(RETAILER.lstrip(), encoding="utf-8")
    for feed, (system, rest, _) in FEEDS.items():
        text = CONTRACT.format(feed=feed, system=system) + rest
        (folder / f"{feed}.yml").write_text(text.lstrip(), encoding="utf-8")
    return folder


def row(feed: str, **cells: object) -> tuple[str, str]:
    """A fact as (feed, line of its file); what is not given is empty."""
    columns = HEADERS[feed].split(",")
    unknown = set(cells) - set(columns)
    assert not unknown, f"{feed} has no {unknown}"
    return feed, ",".join(str(cells.get(name, "")) for name in columns)
