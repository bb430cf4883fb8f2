"""Building the plain values that reading hands on, and what every format checks in a record."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.values import NON_DATA_COLUMNS, SET_ASIDE_COLUMNS, Addresses

Int64Array = npt.NDArray[np.int64]
Place = tuple[int, int, int, int]
"""record_no, line_no, byte_start, byte_end."""

MAX_HEX_BYTES = 16


def addresses_of(places: Sequence[Place]) -> Addresses:
    """Return addresses from a list of places."""
    table = np.array(places, dtype=np.int64).reshape(-1, 4)
    return Addresses(*(np.ascontiguousarray(table[:, i]) for i in range(4)))


def text_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table of strings as a frame of Arrow text, without a copy."""
    index = pd.RangeIndex(table.num_rows)  # shared: columns that have one each are first brought into line
    columns = {
        name: pd.Series(pd.arrays.ArrowExtensionArray(table.column(i)), index=index, copy=False)
        for i, name in enumerate(table.column_names)
    }
    return pd.DataFrame(columns, index=index, copy=False)


def text_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> pa.Table:
    """Return rows of text as a table of strings."""
    columns: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pa.table([pa.array(column, type=pa.string()) for column in columns], names=list(names))


def set_aside_frame(rows: Sequence[tuple[int, int, int, int, bytes, str, str]]) -> pd.DataFrame:
    """Return the frame of records set aside; its types hold when it is empty, too."""
    return _typed(rows, SET_ASIDE_COLUMNS)


def non_data_frame(rows: Sequence[tuple[int, int, int, int, str]]) -> pd.DataFrame:
    """Return the frame of non-data records; its types hold when it is empty, too."""
    return _typed(rows, NON_DATA_COLUMNS)


def _typed(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> pd.DataFrame:
    """Build column by column: with a cast of the whole frame small files take twice as long."""
    columns: dict[str, np.ndarray] = {}
    for place, name in enumerate(names):
        kind = np.int64 if name in ("record_no", "line_no", "byte_start", "byte_end") else np.object_
        columns[name] = np.empty(len(rows), dtype=kind)
        columns[name][:] = [row[place] for row in rows]
    return pd.DataFrame(columns)


# Of a file without any, so nearly always; nobody writes into what a chunk holds.
NO_SET_ASIDE, NO_NON_DATA = set_aside_frame([]), non_data_frame([])


def bad_bytes_sentence(raw: bytes, encoding: str) -> str:
    """Say which bytes of a record are not of its encoding."""
    try:
        raw.decode(encoding)
    except UnicodeDecodeError as error:
        shown = raw[error.start : min(error.end, error.start + MAX_HEX_BYTES)].hex(" ").upper()
        return f"has the bytes {shown} at position {error.start + 1}, which are not {encoding}"
    return f"has text that is not {encoding}"


def is_utf8(raw: bytes) -> bool:
    """Tell whether bytes are UTF-8."""
    if raw.isascii():
        return True
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def text_fault(values: Iterable[str]) -> tuple[str, str] | None:
    """Return reason and sentence if a text cannot be kept: a NUL, or half a surrogate pair."""
    for value in values:
        if "\x00" in value:
            return "nul_byte", f"has a NUL character in {value[:40]!a}"
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                return "bad_bytes", f"has text that is not Unicode: {value[:40]!a}"
    return None
