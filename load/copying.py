"""COPY: the only way that rows reach the warehouse."""

import hashlib
import io
import struct
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from psycopg2 import extensions, sql

from load.binary_rows import COPY_END, COPY_HEADER, binary_rows

INT4_OID = 23
AT_ONCE = 1 << 20
"""Bytes that are handed to the connection at once."""
ROWS_AT_ONCE = 40_000
"""Rows that are in memory in binary form at once, beside their chunk."""
NO_HEADER = pacsv.WriteOptions(include_header=False, quoting_style="needed")


def copy_table(cursor: extensions.cursor, target: str, table: pa.Table) -> int:
    """Copy an Arrow table into a temporary table by column name; return the rows.

    Empty text stays empty and null stays null: the writer quotes every text and leaves null bare.
    """
    if not table.num_rows:
        return 0
    plain = [pc.cast(c, pa.string()) if pa.types.is_decimal(c.type) else c for c in table.columns]
    buffer = io.BytesIO()
    pacsv.write_csv(pa.table(plain, names=table.column_names), buffer, NO_HEADER)
    buffer.seek(0)
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        sql.Identifier(target), sql.SQL(", ").join(sql.Identifier(name) for name in table.column_names)
    )
    cursor.copy_expert(statement, buffer, AT_ONCE)
    return int(table.num_rows)


def copy_rows(
    cursor: extensions.cursor, target: sql.Composable, columns: Mapping[str, pa.Array | pa.ChunkedArray],
    types: Mapping[str, str],
) -> None:  # fmt: skip
    """Copy rows in binary form into a table whose columns have these SQL types; see `binary_rows`."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in types)
    statement = sql.SQL("copy {} ({}) from stdin with (format binary)").format(target, names)
    rows = len(columns[next(iter(types))])
    for first in range(0, rows, ROWS_AT_ONCE):
        some = {name: columns[name].slice(first, ROWS_AT_ONCE) for name in types}
        cursor.copy_expert(statement, binary_rows(some, types), AT_ONCE)


def rows_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pa.Table:
    """Return rows as an Arrow table of text; for the few rows that do not come as a frame."""
    return pa.table(
        {
            name: pa.array([None if row[name] is None else str(row[name]) for row in rows], pa.string())
            for name in columns
        }
    )


def _int4_array(values: np.ndarray | None) -> bytes:
    if values is None:
        return struct.pack(">i", -1)
    cells = np.empty(len(values), dtype=[("size", ">i4"), ("value", ">i4")])
    cells["size"], cells["value"] = 4, values
    head = struct.pack(">iiiii", 1, 0, INT4_OID, len(values), 1)
    return struct.pack(">i", len(head) + cells.nbytes) + head + cells.tobytes()


def _field(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def copy_block(
    cursor: extensions.cursor, target: sql.Composable, numbers: Mapping[str, int], places: np.ndarray, content: bytes
) -> bytes:
    """Copy one block of bronze bytes in binary form, so that bytes travel as bytes; return its digest.

    Args:
        cursor: of the batch's transaction.
        target: the quoted block table.
        numbers: file_id, block_no, byte_start, byte_end, first_record_no.
        places: two rows: where each record starts, relative to the block; its physical line.
        content: the bytes.
    """
    starts, lines = places
    first = int(lines[0]) if len(lines) else 0
    is_plain = bool(len(lines)) and bool((lines == first + np.arange(len(lines))).all())
    digest = _block_digest(numbers, first, starts, None if is_plain else lines, content)
    row = struct.pack(">h", 10)
    row += _field(struct.pack(">q", numbers["file_id"])) + _field(struct.pack(">i", numbers["block_no"]))
    for name in ("byte_start", "byte_end", "first_record_no"):
        row += _field(struct.pack(">q", numbers[name]))
    row += _field(struct.pack(">q", first)) + _int4_array(starts) + _int4_array(None if is_plain else lines)
    row += _field(content) + _field(digest)
    statement = sql.SQL(
        "copy {} (file_id, block_no, byte_start, byte_end, first_record_no, first_line_no, record_starts, line_nos,"
        " content, digest) from stdin with (format binary)"
    ).format(target)
    cursor.copy_expert(statement, io.BytesIO(COPY_HEADER + row + COPY_END), AT_ONCE)
    return digest


def _block_digest(
    numbers: Mapping[str, int], first_line: int, starts: np.ndarray, lines: np.ndarray | None, content: bytes
) -> bytes:
    """Return the SHA-256 of a block's bytes and places, as bronze.block_digest of 022_seals.sql computes it again."""
    place = (numbers["byte_start"], numbers["byte_end"], numbers["first_record_no"], first_line)
    digest = hashlib.sha256(struct.pack(">iqqqq", numbers["block_no"], *place))
    for values in (starts, lines):
        digest.update(_int4_array(values)[4 if values is not None else 0 :])
    digest.update(content)
    return digest.digest()
