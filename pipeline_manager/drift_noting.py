"""Writes down, with the load that brought them, how the files of a feed differ from the files before them."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from psycopg2 import extensions
from psycopg2.extras import execute_values

from etl_pipeline.bronze_layer.landing import landed_again
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.drifting import (
    Change,
    Drift,
    Shape,
    is_answered,
    likeness,
    pairs,
    samples_of,
    tidy_name,
    used_columns,
)
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import WarehouseError
from etl_pipeline.core.names import Schemas
from etl_pipeline.silver_layer.identity import needed_columns
from pipeline_manager.drift_values import Faults, code_columns, code_drift, value_drifts

log = logging.getLogger(__name__)
HEAD_BYTES, HEAD_ROWS = 256 << 10, 400
PATIENCE = 3
PATIENCE_OF_FOLDERS = 20
"""Files in a row without a drift until it is gone: where every store sends its own, they do not change on one day."""

_SHAPES = "select feed, column_name, files from {{ ops }}.schema_column where feed = any(%s)"
_SHAPES_OF_BEFORE = """
    select d.feed, c.column_name, count(*)
    from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    cross join lateral unnest(array_append(f.columns, '')) as c (column_name)
    where d.feed = any(%s) and f.status = 'loaded' and f.columns is not null and not f.file_id = any(%s)
    group by d.feed, c.column_name
"""
_KEEP_SHAPES = """
    insert into {{ ops }}.schema_column as s (feed, column_name, files) values %s
    on conflict (feed, column_name) do update set files = s.files + excluded.files
"""
_DRIFTS = """
    select feed, kind, column_name, detail, first_file, last_file_id, times, misses, state
    from {{ ops }}.schema_drift where feed = any(%s)
"""
_KEEP_NEW = """
    insert into {{ ops }}.schema_drift
        (feed, kind, column_name, detail, first_file_id, first_file, first_known, last_file_id, times, misses, state)
    values (%(feed)s, %(kind)s, %(column)s, %(detail)s, %(file_id)s, %(file)s, %(known)s, %(last)s, %(times)s,
        %(misses)s, %(state)s)
    on conflict (feed, kind, column_name) do update set
        detail = excluded.detail, last_file_id = excluded.last_file_id, times = excluded.times,
        misses = excluded.misses, state = excluded.state
"""
_EARLIER = """
    select f.sha256, f.name
    from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    where d.feed = %s and f.status = 'loaded' and f.records > f.non_data and f.file_id <> %s
        and (f.columns is null or %s = any(f.columns))
    order by f.file_id desc limit 1
"""


@dataclass
class Seen:
    """What one new file showed.

    Attributes:
        landed: the file.
        file_id: its number.
        columns: that it names, or that its records have.
        records: of data.
        faults: what was set aside of it, for what a value is.
        is_loaded: False if it was set aside whole for a missing column.
    """

    landed: Landed
    file_id: int
    columns: frozenset[str]
    records: int = 0
    faults: Faults | None = None
    is_loaded: bool = True


@dataclass
class _Row:
    """A drift that is known, while a load's files are looked at."""

    drift: Drift
    first_file: str
    file_id: int
    last_file_id: int
    times: int = 1
    misses: int = 0
    state: str = "open"
    is_changed: bool = False

    def hit(self, seen: Seen) -> None:
        if seen.file_id != self.last_file_id:
            self.times += 1
        self.last_file_id, self.misses, self.state, self.is_changed = seen.file_id, 0, "open", True

    def miss(self, patience: int) -> None:
        if self.state == "open":
            self.misses += 1
            self.state = "gone" if self.misses >= patience else "open"
            self.is_changed = True


def _in_order(seen: Seen) -> tuple[bool, datetime | str, str, int]:
    """By the file's own time: a folder of many stores is not read day by day."""
    time = seen.landed.logical_time
    return (time is None, time if time is not None else "", seen.landed.name, seen.file_id)


@dataclass
class DriftNotes:
    """Collects what the files of one load show, and writes it with the load."""

    feeds: Feeds
    bronze: BronzeStore
    seen: list[Seen] = field(default_factory=list)

    def loaded(self, seen: Seen) -> None:
        """Take in a file that was read to its end; one without any column tells nothing."""
        if seen.columns:
            self.seen.append(seen)

    def set_aside(self, landed: Landed, file_id: int, reason: str) -> None:
        """Take in a file that was set aside whole: of its columns, if it lacks some."""
        if reason != "missing_column":
            return
        head = _head(landed, self.feeds.contracts[landed.feed])
        if head:
            self.seen.append(Seen(landed, file_id, frozenset(map(tidy_name, head)), is_loaded=False))

    def write(self, cursor: extensions.cursor, schemas: Schemas, known: int) -> None:
        """Compare the files with those before them, and write down what is new."""
        names = sorted({each.landed.feed for each in self.seen})
        if not names:
            return
        shapes = self._shapes(cursor, schemas, names)
        cursor.execute(schemas.render(_DRIFTS), (names,))
        found: dict[tuple[str, str, str], _Row] = {}
        for feed, kind, column, detail, first, last, times, misses, state in cursor.fetchall():
            drift = Drift(feed, kind, column, detail)
            found[drift.key] = _Row(drift, first, 0, last, times, misses, state)
        for name in names:
            files = sorted((s for s in self.seen if s.landed.feed == name), key=_in_order)
            look = _Look(self.feeds.contracts[name], shapes[name], self.bronze, cursor, schemas)
            for seen in files:
                look.at(seen, {key: row for key, row in found.items() if key[0] == name}, found)
        fresh = [(name, column, n) for name in names for column, n in shapes[name].fresh.items()]
        if fresh:
            execute_values(cursor, schemas.render(_KEEP_SHAPES), fresh)
        for row in found.values():
            if row.is_changed:
                cursor.execute(schemas.render(_KEEP_NEW), _values(row, known))

    def _shapes(self, cursor: extensions.cursor, schemas: Schemas, names: list[str]) -> dict[str, Shape]:
        cursor.execute(schemas.render(_SHAPES), (names,))
        held: dict[str, dict[str, int]] = {name: {} for name in names}
        for feed, column, files in cursor.fetchall():
            held[feed][column] = files
        unknown = [name for name in names if not held[name]]
        shapes = {name: Shape(files) for name, files in held.items()}
        if unknown:  # a warehouse of before, or nothing yet
            cursor.execute(schemas.render(_SHAPES_OF_BEFORE), (unknown, [each.file_id for each in self.seen]))
            for feed, column, files in cursor.fetchall():
                shapes[feed].files[tidy_name(column)] = files
                shapes[feed].fresh[tidy_name(column)] = files
        return shapes


def _values(row: _Row, known: int) -> dict[str, Any]:
    drift = row.drift
    return {
        "feed": drift.feed, "kind": drift.kind, "column": drift.column, "detail": json.dumps(drift.detail),
        "file_id": row.file_id, "file": row.first_file, "known": known, "last": row.last_file_id, "times": row.times,
        "misses": row.misses, "state": row.state,
    }  # fmt: skip


class _Look:
    """Looks at the files of one feed, one after the other."""

    def __init__(
        self, contract: Contract, shape: Shape, bronze: BronzeStore, cursor: extensions.cursor, schemas: Schemas
    ) -> None:
        self._contract, self._shape, self._bronze = contract, shape, bronze
        self._cursor, self._schemas = cursor, schemas
        self._used = used_columns(contract)
        self._heads: dict[str, Mapping[str, Sequence[str]]] = {}
        self._compared: set[str] = set()
        self._patience = PATIENCE_OF_FOLDERS if contract.schedule.each == "folder" else PATIENCE

    def at(self, seen: Seen, known: dict[tuple[str, str, str], _Row], found: dict[tuple[str, str, str], _Row]) -> None:
        """Compare a file with those before it; `known` are its feed's drifts, `found` takes the new ones."""
        hits = {key for key, row in known.items() if self._shows(seen, row.drift)}
        for drift in (*self._of_columns(seen, known), *self._of_values(seen)):
            if is_answered(self._contract, drift):
                continue
            row = known.get(drift.key)
            if row is None:
                found[drift.key] = _Row(drift, tidy_name(seen.landed.name), seen.file_id, seen.file_id, is_changed=True)
            else:
                row.drift = Drift(drift.feed, drift.kind, drift.column, {**row.drift.detail, **drift.detail})
                hits.add(drift.key)
        for key, row in known.items():
            if key in hits:
                row.hit(seen)
            elif seen.records or drift_is_of_header(row.drift):
                row.miss(self._patience)
        if seen.is_loaded:
            self._shape.take(seen.columns)

    def _shows(self, seen: Seen, drift: Drift) -> bool:
        """Tell whether a file shows a drift of columns that is known already."""
        if is_answered(self._contract, drift):
            return False
        if drift.kind == "added":
            return drift.column in seen.columns
        if drift.kind == "lost":
            is_telling = self._contract.files.name_their_columns or seen.records > 0
            return is_telling and drift.column not in seen.columns
        return drift.kind == "renamed" and drift.column not in seen.columns and drift.detail.get("to") in seen.columns

    def _of_columns(self, seen: Seen, known: Mapping[tuple[str, str, str], _Row]) -> list[Drift]:
        change = self._shape.change(seen.columns, self._contract, seen.records)
        if not seen.is_loaded:
            missing = sorted(needed_columns(self._contract) - seen.columns)
            spare = sorted(seen.columns - self._used - self._shape.files.keys() - set(self._contract.files.ignore))
            is_first = not self._shape.total
            change = Change(tuple(spare) if is_first else change.added, tuple({*missing, *change.lost}))
        renamed = self._renamed(seen, change, known)
        went, came = {one for one, _, _ in renamed}, {other for _, other, _ in renamed}
        for drift in (
            row.drift for row in known.values() if row.drift.kind == "renamed" and self._shows(seen, row.drift)
        ):
            went.add(drift.column)
            came.add(str(drift.detail.get("to")))
        feed = self._contract.feed
        found = [Drift(feed, "renamed", old, detail) for old, _, detail in renamed]
        found += [
            Drift(feed, "lost", name, {"is_used": name in self._used, "is_set_aside": not seen.is_loaded})
            for name in sorted(change.lost) if name not in went
        ]  # fmt: skip
        if self._shape.total:
            head = self._head_of(seen) if set(change.added) - came else {}
            found += [
                Drift(feed, "added", name, {"samples": samples_of(head.get(name, ()))})
                for name in change.added if name not in came
            ]  # fmt: skip
        return found

    def _renamed(
        self, seen: Seen, change: Change, known: Mapping[tuple[str, str, str], _Row]
    ) -> list[tuple[str, str, dict[str, Any]]]:
        lost = [name for name in change.lost if (self._contract.feed, "renamed", name) not in known]
        if not lost or not change.added:
            return []
        now = self._head_of(seen)
        scores, before = {}, {old: set(self._earlier(seen, old)) for old in lost}
        for old in lost:
            for new in change.added:
                scores[old, new] = likeness(old, new, before[old], set(now.get(new, ())))
        return [
            (old, new, {
                "to": new, "likeness": round(score, 2), "is_used": old in self._used,
                "common_values": len(before[old] & set(now.get(new, ()))), "samples": samples_of(now.get(new, ())),
            })
            for old, new, score in pairs(scores)
        ]  # fmt: skip

    def _of_values(self, seen: Seen) -> list[Drift]:
        if seen.faults is None:
            return []
        found = list(value_drifts(self._contract, seen.faults, seen.records, seen.landed.logical_time))
        for name, reason in code_columns(self._contract, seen.faults, seen.records).items():
            if name not in self._compared:  # once a load: whoever sends no masters has many such files
                self._compared.add(name)
                drift = code_drift(self._contract, name, reason, seen.faults, list(self._earlier(seen, name)))
                found += [drift] if drift else []
        return found

    def _head_of(self, seen: Seen) -> Mapping[str, Sequence[str]]:
        return _head(seen.landed, self._contract)

    def _earlier(self, seen: Seen, column: str) -> Sequence[str]:
        """Return values of a column in an earlier file, if its bytes are still kept."""
        self._cursor.execute(self._schemas.render(_EARLIER), (self._contract.feed, seen.file_id, column))
        row = self._cursor.fetchone()
        if row is None:
            return ()
        sha256, name = row
        if sha256 not in self._heads:
            landed = landed_again(self._bronze, self._contract.feed, name, sha256, None)
            self._heads[sha256] = _head(landed, self._contract)
        return self._heads[sha256].get(column, ())


def drift_is_of_header(drift: Drift) -> bool:
    """Tell whether a file without records can show a drift."""
    return drift.kind in ("added", "lost", "renamed")


def _head(landed: Landed, contract: Contract) -> dict[str, list[str]]:
    """Return the columns of a file with their first values; nothing where it cannot be read."""
    found: dict[str, list[str]] = {}
    try:
        for chunk in islice(read_records(landed.path, contract.files, chunk_bytes=HEAD_BYTES), 1):
            found = {tidy_name(name): chunk.text[name].head(HEAD_ROWS).tolist() for name in chunk.text}
    except (WarehouseError, OSError) as error:
        log.info("%s: no sample of its values: %s", landed.name, error)
    return {name: [value for text in texts if (value := text.strip())] for name, texts in found.items()}
