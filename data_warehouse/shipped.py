"""What a serving warehouse is shipped: every relation that gold reads, and the answers of functions that it calls."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from data_warehouse.gold_compiled import compiled_gold
from data_warehouse.gold_project import PROJECT
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import Schemas

SNAPSHOTS = ("snapshot", "stock_snapshot")
"""Sealed tables of the gold schema that gold's views read."""


@dataclass(frozen=True)
class ShippedName:
    """A relation to ship: where it lies, and the query that gives it where it is a function's answer."""

    schema: str
    name: str
    source: str | None = None


def shipped_names(schemas: Schemas, target_dir: Path) -> list[ShippedName]:
    """Return everything that gold reads of an environment.

    Args:
        schemas: the environment.
        target_dir: a folder of this environment's own for what dbt writes, where it has to compile the project.

    Raises:
        StopRunError: the project cannot be compiled without a database.
    """
    gold = compiled_gold(target_dir)
    if gold is None:
        raise StopRunError(
            "The project of gold asks for what only dbt does, so nobody knows which answers to ship. Take it out of "
            "data_warehouse/gold, or see what is wrong with it: systock gates"
        )
    told = yaml.safe_load((PROJECT / "models" / "sources.yml").read_text(encoding="utf-8"))
    found = [
        ShippedName(getattr(schemas, source["name"]), table["name"])
        for source in told["sources"]
        for table in source["tables"]
    ]
    found += [ShippedName(schemas.gold, name) for name in SNAPSHOTS]
    found += [ShippedName(schemas.gold, answer.name, schemas.render(answer.query)) for answer in gold.answers]
    return found
