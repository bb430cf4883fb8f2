"""A retailer small enough to reason about: keyed movements, counts, keyless tickets, and every kind of master."""

from pathlib import Path

RETAILER = """
retailer: small
describes: A retailer made up for tests of order, revisions and masters.
zone: Europe/Berlin
currency: EUR
units: {DZ: 12, HALF: "1/2"}
snapshot_days: 0
"""

PRODUCT = """
feed: product
describes: The item master.
source_system: erp
files: {pattern: "product_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: sku}
revision: {updated_at: updated}
yields:
  - fact: product
    columns: {product_code: sku, product_name: name, base_unit: unit}
"""

PLACE = """
feed: place
describes: The stores and warehouses.
source_system: erp
files: {pattern: "place_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: place}
revision: {updated_at: updated}
yields:
  - fact: location
    columns: {location_code: place, location_kind: kind, zone: zone}
"""

KIND = """
feed: kind
describes: What the codes of movements mean.
source_system: erp
files: {pattern: "kind_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: code}
revision: {updated_at: updated}
yields:
  - fact: reference
    set: kind
    columns: {key: code, movement_class: meaning}
"""

ALIAS = """
feed: alias
describes: Other codes of products.
source_system: erp
files: {pattern: "alias_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: other}
revision: {updated_at: updated}
yields:
  - fact: alias
    columns: {alias_code: other, product_code: sku}
"""

PACK = """
feed: pack
describes: How many base units a pack is.
source_system: erp
files: {pattern: "pack_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: [sku, unit]}
revision: {updated_at: updated}
yields:
  - fact: unit_conversion
    columns: {product_code: sku, unit_code: unit, numerator: holds}
"""

MERGE = """
feed: merge
describes: Products that become another from a day on, or themselves again.
source_system: erp
files: {pattern: "merge_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: code, line: since}
revision: {number: rev}
void: {status: void}
yields:
  - fact: alias
    columns: {alias_code: code, product_code: sku, effective_from: since}
"""

SIZE = """
feed: size
describes: How many base units a pack is, from when on.
source_system: erp
files: {pattern: "size_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: [sku, unit], line: since}
yields:
  - fact: unit_conversion
    columns: {product_code: sku, unit_code: unit, numerator: holds, effective_from: since}
"""

MOVE = """
feed: move
describes: Movements with a document, a line and a revision.
source_system: wms
files: {pattern: "move_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: doc, line: line}
revision: {number: rev}
void: {status: void}
reading: {role: authority, future_tolerance_hours: 9000}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      unit_code: unit
      movement_class: {from: kind, lookup: kind.movement_class}
      order_document: doc
"""

COUNT = """
feed: count
describes: Counts of single items and of whole places.
source_system: wms
files: {pattern: "count_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: doc, line: sku}
revision: {number: rev}
void: {status: void}
reading: {role: authority, future_tolerance_hours: 9000}
yields:
  - fact: count
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: {from: qty, sign: not_negative}
      count_document: doc
      scope: scope
      absence: absence
"""

TICKET = """
feed: ticket
describes: Till lines without line numbers.
source_system: pos
files: {pattern: "ticket_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: doc, line: $ordinal}
reading: {role: authority, future_tolerance_hours: 9000}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: {from: at, zone: location}
      movement_class: {const: sale}
      quantity: {from: qty, negate: true}
      order_document: doc
  - fact: sale
    columns:
      product_code: sku
      location_code: place
      event_time: {from: at, zone: location}
      quantity: qty
      net_amount: net
"""

FEEDS = {
    "retailer": RETAILER, "product": PRODUCT, "place": PLACE, "kind": KIND, "alias": ALIAS, "pack": PACK,
    "merge": MERGE, "size": SIZE,
    "move": MOVE, "count": COUNT, "ticket": TICKET,
}  # fmt: skip

HEADERS = {
    "product": "sku,name,unit,updated",
    "place": "place,kind,zone,updated",
    "kind": "code,meaning,updated",
    "alias": "other,sku,updated",
    "pack": "sku,unit,holds,updated",
    "merge": "code,rev,sku,since,status",
    "size": "sku,unit,holds,since",
    "move": "doc,line,rev,sku,place,at,qty,unit,kind,status",
    "count": "doc,rev,sku,place,at,qty,scope,absence,status",
    "ticket": "doc,sku,place,at,qty,net",
}

MASTERS = {
    "product_2025-01-01.csv": "A,Apple,EA,2025-01-01\nB,Bread,EA,2025-01-01\n",
    "place_2025-01-01.csv": "S1,store,,2025-01-01\nW1,warehouse,,2025-01-01\n",
    "kind_2025-01-01.csv": "in,receipt,2025-01-01\nout,shipment,2025-01-01\nadj,adjustment,2025-01-01\n",
}


def write_feeds(folder: Path) -> Path:
    """Write the contracts; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FEEDS.items():
        (folder / f"{name}.yml").write_text(text.lstrip(), encoding="utf-8")
    return folder


def feed_of(name: str) -> str:
    """The feed that a file name belongs to."""
    return name.partition("_")[0]


def write_files(inbox: Path, files: dict[str, str]) -> Path:
    """Write files, each with the header of its feed; return the inbox."""
    inbox.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        (inbox / name).write_text(HEADERS[feed_of(name)] + "\n" + body, encoding="utf-8")
    return inbox
