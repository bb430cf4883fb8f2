"""Compares a serving warehouse with the keeper: counts and contents of every shipped relation."""

from dataclasses import dataclass

from etl_pipeline.core.errors import UsageError
from load.serving_content import content_of
from pipeline_manager.shipping import Target, both_sides, names_of
from pipeline_manager.warehouse import OpenWarehouse


@dataclass(frozen=True)
class Compared:
    """A relation on both sides."""

    relation: str
    kept: int
    served: int
    is_equal: bool


def compare(opened: OpenWarehouse, target: Target) -> list[Compared]:
    """Compare counts and contents of every shipped relation on both sides; all rows are read.

    Raises:
        UsageError: nothing was shipped there.
    """
    with both_sides(opened, target) as (keeper, serving):
        serving.prepare()
        if serving.last_shipments()[0] is None:
            raise UsageError(f"Nothing was shipped to {serving.shown} yet: systock ship")
        compared = []
        there = serving.shipped()
        for name in names_of(opened):
            relation = keeper.relation(name.schema, name.name, name.source)
            kept = content_of(relation, keeper.batches(relation))
            if relation.full_name not in there:
                compared.append(Compared(relation.full_name, kept.rows, 0, False))
                continue
            served = content_of(relation, serving.rows(relation))
            compared.append(Compared(relation.full_name, kept.rows, served.rows, kept.told == served.told))
    return compared
