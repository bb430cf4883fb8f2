"""What a serving warehouse is shipped: every relation that gold reads, and the answers of functions that it calls."""

from dataclasses import dataclass

import yaml

from data_warehouse.gold_compiled import SHIPPED, read_compiled
from data_warehouse.gold_project import PROJECT
from etl_pipeline.core.names import Schemas

SNAPSHOTS = ("snapshot", "stock_snapshot")


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
    compiled = read_compiled(SHIPPED)
    answers = compiled.answers if compiled is not None else ()
    found += [ShippedName(schemas.gold, answer.name, schemas.render(answer.query)) for answer in answers]
    return list(dict.fromkeys(found))
