"""Tells what has changed in the columns of feeds: to the summary of a run, and as breaches."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg2.extras import RealDictCursor

from etl_pipeline.contracts.drifting import Drift, is_answered, sentence_of
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import PROD
from etl_pipeline.observe.values import Breach
from load.postgres import PostgresWarehouse

MOST_TOLD = 200
SCHEMA_DRIFT = "schema_drift"
"""The kind of its breaches."""
_TOLD = """
    select feed, kind, column_name, detail, first_file, times, state, first_seen_at
    from {{ ops }}.schema_drift where state = 'open'
    order by feed, kind, column_name
"""
_ACCEPT = "update {{ ops }}.schema_drift set state = 'accepted' where feed = %s and kind = %s and column_name = %s"


def told_drift(warehouse: PostgresWarehouse, feeds: Feeds) -> list[dict[str, Any]]:
    """Return what has changed in the feeds and has no answer in their contracts; what has one by now is closed."""
    told = []
    with warehouse.connection, warehouse.connection.cursor(cursor_factory=RealDictCursor) as asking:
        asking.execute("select to_regclass(%s) is not null as is_there", (f"{warehouse.schemas.ops}.schema_drift",))
        is_there = any(row["is_there"] for row in asking.fetchall())  # a warehouse of before has none until a run
        if is_there:
            asking.execute(warehouse.schemas.render(_TOLD))
        found = asking.fetchall() if is_there else []
    for row in found:
        contract = feeds.contracts.get(row["feed"])
        drift = Drift(row["feed"], row["kind"], row["column_name"], row["detail"])
        if contract is None:
            continue
        if is_answered(contract, drift):
            with warehouse.connection, warehouse.connection.cursor() as cursor:
                cursor.execute(warehouse.schemas.render(_ACCEPT), drift.key)
            continue
        told.append(_told(row, drift, warehouse.schemas.env))
    return told[:MOST_TOLD]


def _told(row: Mapping[str, Any], drift: Drift, env: str) -> dict[str, Any]:
    where = "" if env == PROD else f" --env {env}"
    return {
        "feed": drift.feed, "kind": drift.kind, "column": drift.column, "files": int(row["times"]),
        "first_file": row["first_file"], "sentence": printable(sentence_of(drift, row["first_file"])),
        "advice": f"`systock feeds evolve {drift.feed}{where}` proposes a change",
        "detail": drift.detail,
    }  # fmt: skip


def drift_breaches(told: Iterable[Mapping[str, Any]]) -> list[Breach]:
    """Return what `told_drift` found as breaches, one a feed, kind and column."""
    return [
        Breach(
            SCHEMA_DRIFT, f"{row['feed']}/{row['kind']}/{row['column']}", row["sentence"], row["advice"] + ".",
            amount=int(row["files"]),
        )
        for row in told
    ]  # fmt: skip
