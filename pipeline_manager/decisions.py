"""What people decided about files and records set aside; kept by content, so that replays come to the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import extensions

from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.names import Schemas
from load.postgres import ManifestFile, PostgresWarehouse
from pipeline_manager.publishing import rows

_ALL = "select feed, sha256, record_no, verdict, reason, decided_by, decided_at from {{ ops }}.decision"
_KEEP = """
    insert into {{ ops }}.decision (feed, sha256, record_no, verdict, reason, decided_by, decided_at)
    values (%(feed)s, %(sha256)s, %(record_no)s, %(verdict)s, %(reason)s, %(decided_by)s,
        coalesce(%(decided_at)s, clock_timestamp()))
"""
_HOLD = """
    insert into {{ ops }}.decision (feed, sha256, record_no, verdict, reason, decided_by)
    values (%s, %s, 0, 'hold', %s, 'schedule.gate') on conflict do nothing
"""
_ANEW = """
    on conflict (feed, sha256, record_no) do update set verdict = excluded.verdict, reason = excluded.reason,
        decided_by = excluded.decided_by, decided_at = excluded.decided_at
"""
_ONCE = " on conflict do nothing"


@dataclass(frozen=True)
class LetIn:
    """What people let in.

    Attributes:
        files: (feed, content hash) of files whose volume was accepted.
        records: the same -> records whose quantity was accepted.
        held: files that the gate of what is usual held, and nobody let in.
    """

    files: frozenset[tuple[str, str]] = frozenset()
    records: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    held: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def has_file(self, file: Landed | ManifestFile) -> bool:
        """Tell whether a person has let a file in whatever its volume."""
        return (file.feed, file.sha256) in self.files

    def records_of(self, file: Landed) -> frozenset[int]:
        """Return the records of a file that a person has let in whatever their quantity."""
        return self.records.get((file.feed, file.sha256), frozenset())

    def opens(self, file: ManifestFile) -> bool:
        """Tell whether a file was set aside for its volume and has been let in since."""
        return file.status == "set_aside" and file.reason == "unusual_volume" and self.has_file(file)


def let_in(warehouse: PostgresWarehouse) -> LetIn:
    """Read what people let in."""
    files: set[tuple[str, str]] = set()
    records: dict[tuple[str, str], set[int]] = {}
    held: dict[tuple[str, str], str] = {}
    for row in rows(warehouse.connection, warehouse.schemas, _ALL + " where verdict in ('accept', 'hold')"):
        key = (row["feed"], row["sha256"])
        if row["verdict"] == "hold":
            held[key] = str(row["reason"])
        elif row["record_no"] == 0:
            files.add(key)
        else:
            records.setdefault(key, set()).add(int(row["record_no"]))
    return LetIn(frozenset(files), {key: frozenset(numbers) for key, numbers in records.items()}, held)


def all_decisions(warehouse: PostgresWarehouse) -> list[dict[str, Any]]:
    """Return every decision as plain values, for a full refresh; a warehouse of before knows none."""
    there = rows(
        warehouse.connection, warehouse.schemas, "select to_regclass(%s) is not null as is_there",
        (f"{warehouse.schemas.ops}.decision",),
    )  # fmt: skip
    if not there[0]["is_there"]:
        return []
    found = rows(warehouse.connection, warehouse.schemas, _ALL + " order by feed, sha256, record_no")
    return [row | {"decided_at": row["decided_at"].isoformat()} for row in found]


def keep_decisions(warehouse: PostgresWarehouse, decisions: Iterable[Mapping[str, Any]], *, anew: bool) -> None:
    """Write decisions down; `anew`: over what was decided before about the same, which stays otherwise."""
    with warehouse.connection, warehouse.connection.cursor() as cursor:
        for decision in decisions:
            cursor.execute(warehouse.schemas.render(_KEEP + (_ANEW if anew else _ONCE)), decision)


def hold(cursor: extensions.cursor, schemas: Schemas, file: Landed, sentence: str) -> None:
    """Remember, with the load that holds it, that a file is held: a rebuild holds it again."""
    cursor.execute(schemas.render(_HOLD), (file.feed, file.sha256, sentence))
