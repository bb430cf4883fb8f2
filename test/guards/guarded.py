"""A retailer of five feeds with schedules and bounds: what a guard looks at, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

RETAILER = """
retailer: guarded
describes: A retailer made up for tests of what guards against bad days.
zone: UTC
currency: EUR
transit_days: 5
snapshot_days: 0
"""

MASTER = """
feed: master
describes: Products and places in one file.
source_system: erp
files: {pattern: "master_*.csv"}
key: {document: [what, code]}
yields:
  - {fact: product, when: {what: product}, columns: {product_code: code}}
  - {fact: location, when: {what: place}, columns: {location_code: code, location_kind: kind, zone: zone}}
"""

TILL = """
feed: till
describes: Sales of the stores, a file a store and day.
source_system: pos
files:
  pattern: "till/*/*.csv"
  logical_time: {path: '(\\d{4}-\\d{2}-\\d{2})'}
  records: {at_least: 2, at_most: 4}
key: {document: doc}
reading: {role: authority, zone: location}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: {from: qty, negate: true}
      movement_class: {const: sale}
schedule: {every_hours: 24, grace_hours: 6, each: folder}
"""

MOVE = """
feed: move
describes: Movements of all kinds, told every hour at its end.
source_system: wms
files: {pattern: "move/*.csv", logical_time: {path: '(\\d{4}-\\d{2}-\\d{2}T\\d{2})', format: "%Y-%m-%dT%H"}}
key: {document: doc}
revision: {number: rev}
reading:
  {role: authority, zone: location, future_tolerance_hours: 900, clock_tolerance_minutes: TOLERANCE,
   plausible: {most: 100000}}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: qty
      movement_class: kind
      counter_location_code: other
      order_document: order
schedule: {every_hours: 1, grace_hours: 0, time_marks: end}
"""

COUNT = """
feed: count
describes: Counts, when somebody counts.
source_system: wms
files: {pattern: "count_*.csv", logical_time: {path: '(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: doc, line: sku}
revision: {number: rev}
void: {status: void}
reading:
  role: authority
  zone: location
  clock_tolerance_minutes: TOLERANCE
  plausible: {most_variance: 50}
yields:
  - fact: count
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: {from: qty, sign: not_negative}
      count_document: doc
"""

HEADERS = {
    "master": "what,code,kind,zone",
    "till": "doc,sku,place,at,qty",
    "move": "doc,rev,sku,place,at,qty,kind,other,order",
    "count": "doc,rev,sku,place,at,qty,status",
}
MASTERS = {
    "master_1.csv": "product,A,,\nproduct,B,,\nplace,S1,store,\nplace,S2,store,\nplace,W1,warehouse,\n"
    "place,BER,store,Europe/Berlin\n"
}


def write_contracts(folder: Path, tolerance: float = 2, replace: Mapping[str, str] | None = None) -> Path:
    """Write the contracts; `replace` are texts put in place of others in all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"retailer": RETAILER, "master": MASTER, "till": TILL, "move": MOVE, "count": COUNT}
    for name, text in texts.items():
        written = text.lstrip().replace("TOLERANCE", str(tolerance))
        for old, new in (replace or {}).items():
            written = written.replace(old, new)
        (folder / f"{name}.yml").write_text(written, encoding="utf-8")
    return folder


def deliver(inbox: Path, files: Mapping[str, str | None]) -> Path:
    """Write files with the header of their feed; None is a file of no bytes."""
    inbox.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        feed = name.split("/")[0].split("_")[0]
        path.write_text("" if body is None else HEADERS[feed] + "\n" + body, encoding="utf-8")
    return inbox
