"""The direct lane: records that nobody told before go straight into silver, numbered here, in binary form.

Nearly every record of a load is one whose key comes for the first time. Nothing has to be decided about it: it is
current, and its facts stand. Nearly every other one says once more what is known, and goes nowhere. Only what is left,
records that change something known or that come twice, goes through the staging tables, where place_records() of
060_apply.sql decides. Which lane a record takes changes nothing that can be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import extensions, sql

from etl_pipeline.contracts.facts import FACT_KINDS, KEYED, FactKind, silver_columns
from etl_pipeline.contracts.values import Conformed
from etl_pipeline.core.names import Schemas
from load.bulk_indexes import BulkIndexes
from load.copying import copy_rows
from load.known import KnownKeys
from load.pieces import Piece

RECORD_TYPES = {
    "record_id": "bigint", "feed_id": "integer", "epoch": "text", "document": "text", "line": "text",
    "content_hash": "uuid", "revision_no": "numeric", "updated_at": "timestamptz", "file_at": "timestamptz",
    "is_void": "boolean", "is_current": "boolean", "file_id": "bigint", "record_no": "bigint", "line_no": "bigint",
    "byte_start": "bigint", "byte_end": "bigint", "known_from": "bigint",
}  # fmt: skip
FACT_TYPES = {"record_id": "bigint", "fact_no": "smallint", "known_from": "bigint", "known_to": "bigint"}
REFERENCE_TYPES = {"set_name": "text", "key": "text", "attributes": "jsonb"}


class DirectLane:
    """Copies records of new keys, and their facts, within a load's transaction.

    Attributes:
        ranges: first and last number of the records copied, chunk by chunk.
        repeated: how many records said only what was known.
    """

    def __init__(self, cursor: extensions.cursor, schemas: Schemas, known: int, indexes: BulkIndexes) -> None:
        """Use the cursor of load `known`."""
        self._cursor = cursor
        self._schemas = schemas
        self._known = known
        self._known_keys = KnownKeys(cursor, schemas, known, indexes)
        self.ranges: list[tuple[int, int]] = []
        self.repeated = 0
        self._codes: dict[str, dict[str, int]] = {"product": {}, "location": {}}
        self._kept = 0

    def keep(self) -> None:
        """A savepoint is set: remember what is told until here."""
        self._kept = len(self.ranges)
        self._known_keys.keep()

    def go_back(self) -> None:
        """The savepoint was gone back to: forget what was told since, and the codes that were numbered."""
        del self.ranges[self._kept :]
        self._known_keys.go_back()
        self._codes = {"product": {}, "location": {}}

    def take(self, pieces: Sequence[Piece], conformed: Conformed) -> np.ndarray:
        """Copy what can be copied of pieces of one feed; return the mask of the records that need no more."""
        records = conformed.records
        nobody = np.zeros(records.num_rows, dtype=bool)
        if not records.num_rows or not all(piece.is_final for piece in pieces) or pc.any(records["is_keyless"]).as_py():
            return nobody
        place = _places(records)
        if (np.diff(place) <= 0).any():
            return nobody
        fresh, again = self._known_keys.sort_out(pieces, records, of_masters=conformed.tells_of_codes)
        self.repeated += int(again.sum())
        if fresh.any():
            self._copy(pieces, conformed, place, fresh)
        taken: np.ndarray = fresh | again
        return taken

    def _copy(self, pieces: Sequence[Piece], conformed: Conformed, place: np.ndarray, fresh: np.ndarray) -> None:
        """Number the records of new keys, and copy them and their facts."""
        records, count = conformed.records, int(fresh.sum())
        first = self._ask("select {{ silver }}.reserve_records(%s)", (count,))[0][0]
        self.ranges.append((first, first + count - 1))
        ids = np.full(records.num_rows, -1, dtype=np.int64)
        ids[fresh] = np.arange(first, first + count)
        self._number_codes(conformed)
        self._copy_records(pieces, records.filter(pa.array(fresh)), ids[fresh])
        for name, table in conformed.facts.items():
            kind = FACT_KINDS[name]
            self._copy_facts(kind.table, dict(silver_columns(kind)), *_of_records(place, ids, table), kind)
        if conformed.references is not None:
            self._copy_facts("fact_reference", REFERENCE_TYPES, *_of_records(place, ids, conformed.references), None)

    def _ask(self, statement: str, arguments: tuple[object, ...]) -> list[tuple[int, ...]]:
        self._cursor.execute(self._schemas.render(statement), arguments)
        return self._cursor.fetchall()

    # -- codes ------------------------------------------------------------------------------------------

    def _number_codes(self, conformed: Conformed) -> None:
        """Learn the numbers of all codes of a chunk; give one to those that it brings itself."""
        for name in self._codes:
            numbers = self._codes[name]
            own = set(conformed.created.get(name, set()))
            if name in conformed.facts:
                own.update(conformed.facts[name][f"{name}_code"].unique().to_pylist())
            used = own.union(
                *(
                    table[f"{name}_code"].unique().to_pylist()
                    for kind, table in conformed.facts.items()
                    if not FACT_KINDS[kind].is_master and f"{name}_code" in table.column_names
                )
            )
            missing = sorted(code for code in used if code is not None and code not in numbers)
            if missing:
                rows = self._ask(
                    "select code, number from {{ silver }}.number_codes(%s, %s, cast(%s as text[]), %s)",
                    (name, missing, [code for code in missing if code in own], self._known),
                )
                numbers.update((str(code), int(number)) for code, number in rows)

    def _numbers_of(self, name: str, codes: pa.ChunkedArray) -> pa.Array:
        """Return the numbers of codes; an empty code has none."""
        found = codes.combine_chunks().dictionary_encode()
        numbers = [self._codes[name].get(code) for code in found.dictionary.to_pylist()]
        if any(number is None for number in numbers):
            raise RuntimeError(f"A record names a {name} without a key; the transform let it pass.")
        return pa.array(numbers, pa.int32()).take(found.indices)

    # -- rows -------------------------------------------------------------------------------------------

    def _table(self, name: str) -> sql.Composable:
        return sql.Identifier(self._schemas.silver, name)

    def _copy_records(self, pieces: Sequence[Piece], records: pa.Table, ids: np.ndarray) -> None:
        part = records["part"].combine_chunks()
        rows = len(ids)
        columns: dict[str, pa.Array | pa.ChunkedArray] = {name: records[name] for name in records.column_names}
        columns |= {
            "record_id": pa.array(ids),
            "feed_id": pa.repeat(pa.scalar(pieces[0].tally.feed_id), rows),
            "file_at": pa.array([piece.logical_time for piece in pieces], pa.timestamp("us", "UTC")).take(part),
            "is_current": pa.repeat(pa.scalar(True), rows),
            "file_id": pa.array([piece.tally.file_id for piece in pieces], pa.int64()).take(part),
            "known_from": pa.repeat(pa.scalar(self._known), rows),
        }
        copy_rows(self._cursor, self._table("record"), columns, RECORD_TYPES)

    def _copy_facts(
        self, table: str, types: Mapping[str, str], facts: pa.Table, ids: np.ndarray, kind: FactKind | None
    ) -> None:
        rows = len(ids)
        if not rows:
            return
        columns: dict[str, pa.Array | pa.ChunkedArray] = {name: facts[name] for name in facts.column_names}
        if kind is not None and not kind.is_master:
            for code, (number, _) in KEYED.items():
                if code in columns:
                    columns[number] = self._numbers_of(code.removesuffix("_code"), columns[code])
        columns |= {
            "record_id": pa.array(ids),
            "known_from": pa.repeat(pa.scalar(self._known), rows),
            "known_to": pa.nulls(rows, pa.int64()),
        }
        copy_rows(self._cursor, self._table(table), columns, FACT_TYPES | dict(types))


def _places(table: pa.Table) -> np.ndarray:
    """Return part and record number of every row as one number; the records of a chunk are in its order."""
    part, record_no = (table[name].to_numpy() for name in ("part", "record_no"))
    places: np.ndarray = part.astype(np.int64) << 40 | record_no
    return places


def _of_records(places: np.ndarray, ids: np.ndarray, facts: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Return the facts whose record has a number, and these numbers."""
    at = np.searchsorted(places, _places(facts))
    numbers = ids[at]
    return facts.filter(pa.array(numbers >= 0)), numbers[numbers >= 0]


def without(conformed: Conformed, taken: np.ndarray) -> Conformed:
    """Return what a chunk became without the records that were taken, and their facts."""
    if not taken.any():
        return conformed
    places, left = _places(conformed.records), ~taken

    def left_of(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(left[np.searchsorted(places, _places(table))]))

    return replace(
        conformed,
        records=conformed.records.filter(pa.array(left)),
        facts={kind: left_of(table) for kind, table in conformed.facts.items()},
        references=None if conformed.references is None else left_of(conformed.references),
    )
