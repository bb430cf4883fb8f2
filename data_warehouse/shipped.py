"""What a serving warehouse is shipped: every relation that gold reads, and the answers of functions that it calls."""

from dataclasses import dataclass

import yaml

from data_warehouse.gold_project import PROJECT
from etl_pipeline.core.names import Schemas

SNAPSHOTS = ("snapshot", "stock_snapshot")
FUNCTIONS = {
    "feed_freshness_at": (
        "select f.* from {{ ops }}.latest_window as n cross join lateral {{ gold }}.feed_freshness_at(n.latest_at) as f"
    ),
    "feed_gap_at": (
        "select g.* from {{ ops }}.latest_window as n cross join lateral {{ gold }}.feed_gap_at(n.latest_at) as g"
    ),
    "count_variance": (
        "select v.* from {{ gold }}.count_variance("
        "array(select k.product_code from {{ silver }}.product_key as k)) as v"
    ),
}
"""Functions whose answers gold asks for: shipped as relations of the function's name."""


@dataclass(frozen=True)
class ShippedName:
    """A relation to ship: where it lies, and the query that gives it where it is a function's answer."""

    schema: str
    name: str
    source: str | None = None


def shipped_names(schemas: Schemas) -> list[ShippedName]:
    """Return everything that gold reads of an environment."""
    told = yaml.safe_load((PROJECT / "models" / "sources.yml").read_text(encoding="utf-8"))
    found = [
        ShippedName(getattr(schemas, source["name"]), table["name"])
        for source in told["sources"]
        for table in source["tables"]
    ]
    found += [ShippedName(schemas.gold, name) for name in SNAPSHOTS]
    found += [ShippedName(schemas.gold, name, schemas.render(query)) for name, query in FUNCTIONS.items()]
    return list(dict.fromkeys(found))
