"""Rows of an Arrow table as PostgreSQL's binary COPY format, a column at a time: no cell passes through Python.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"; of numeric, numeric_recv there.
Every field becomes an array of bytes, its length in front; one join of the arrays, element by element, gives the rows.
"""

import io
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)
EPOCH_MICROSECONDS = 946_684_800_000_000
"""From 1970, where Arrow counts from, to 2000, where the server does."""
EPOCH_DAYS = 10_957
NULL = struct.pack(">i", -1)
DECIMAL = pa.decimal128(38, 9)
GROUP, GROUPS_BEFORE, GROUPS = 10_000, 3, 6
"""Numeric digits are base 10,000: three groups before the point and three behind hold 64 bits of billionths."""
NEGATIVE = 0x4000
A_FEW = 16
"""So few numbers are sooner made one by one."""
FEW = 1_000
"""Below so many rows nothing is gained by looking for equal numbers."""


def _binary(lengths: np.ndarray, data: np.ndarray) -> pa.Array:
    """Return an array of bytes from the length of each element and the bytes of all."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    )


def _is_null(values: pa.Array) -> np.ndarray:
    found: np.ndarray = values.is_null().to_numpy(zero_copy_only=False)
    return found


def _fixed(values: np.ndarray, wire: str, is_null: np.ndarray) -> pa.Array:
    """Return fields of one width, such as `>i8`."""
    cells = np.empty(len(values), dtype=[("size", ">i4"), ("value", wire)])
    width = cells.dtype["value"].itemsize
    cells["size"], cells["value"] = width, values
    if not is_null.any():
        return _binary(np.full(len(values), 4 + width), cells.view(np.uint8))
    cells["size"][is_null] = -1
    rows = cells.view(np.uint8).reshape(len(values), 4 + width)
    lengths = np.where(is_null, 4, 4 + width)
    return _binary(lengths, rows[np.arange(4 + width) < lengths[:, None]])


def _integers(wire: str) -> Callable[[pa.Array], pa.Array]:
    def encode(values: pa.Array) -> pa.Array:
        plain = pc.fill_null(pc.cast(values, pa.int64()), 0).to_numpy()
        return _fixed(plain, wire, _is_null(values))

    return encode


def _instants(values: pa.Array) -> pa.Array:
    micros = pc.cast(pc.cast(values, pa.timestamp("us", "UTC")), pa.int64())
    return _fixed(pc.fill_null(micros, 0).to_numpy() - EPOCH_MICROSECONDS, ">i8", _is_null(values))


def _dates(values: pa.Array) -> pa.Array:
    days = pc.cast(pc.cast(values, pa.date32()), pa.int32())
    return _fixed(pc.fill_null(days, 0).to_numpy() - EPOCH_DAYS, ">i4", _is_null(values))


def _booleans(values: pa.Array) -> pa.Array:
    plain = pc.fill_null(pc.cast(values, pa.bool_()), False).to_numpy(zero_copy_only=False)
    return _fixed(plain, ">i1", _is_null(values))


def _texts(values: pa.Array, mark: bytes = b"") -> pa.Array:
    """Return fields of text; `mark` stands in front of each, as the version of jsonb does."""
    data = pc.cast(pc.cast(values, pa.string()), pa.binary())
    sizes = pc.cast(pc.binary_length(data), pa.int64())
    width = pc.fill_null(pc.add(sizes, len(mark)), -1).to_numpy()
    heads = np.ascontiguousarray(width.astype(">i4")).view(np.uint8)
    head = _binary(np.full(len(data), 4), heads)
    if mark:
        marks = pc.if_else(pc.is_valid(data), pa.scalar(mark, pa.binary()), pa.scalar(b"", pa.binary()))
        return pc.binary_join_element_wise(head, marks, pc.fill_null(data, b""), b"")
    return pc.binary_join_element_wise(head, pc.fill_null(data, b""), b"")


def _json(values: pa.Array) -> pa.Array:
    return _texts(values, b"\x01")


def _uuids(values: pa.Array) -> pa.Array:
    """Return fields of 16 bytes from 32 hex digits each; none is null."""
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int32)[values.offset :][: len(values) + 1]
    digits = values.buffers()[2][int(offsets[0]) : int(offsets[-1])].to_pybytes().decode("ascii")
    raw = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8).reshape(len(values), 16)
    head = np.frombuffer(struct.pack(">i", 16), dtype=np.uint8)
    rows = np.concatenate([np.broadcast_to(head, (len(raw), 4)), raw], axis=1)
    return _binary(np.full(len(raw), 20), rows)


def numeric_bytes(value: Decimal) -> bytes:
    """Return one number as the server's numeric, without zeros at its end: 12.50 and 12.5 are one number."""
    text = f"{value.copy_abs():f}"  # abs() would round to the context
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    scale = len(part)
    whole, part = whole.zfill(-(-len(whole) // 4) * 4), part.ljust(-(-scale // 4) * 4, "0")
    groups = [int((whole + part)[at : at + 4]) for at in range(0, len(whole) + len(part), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups, weight = groups[1:], weight - 1
    while groups and groups[-1] == 0:
        groups = groups[:-1]
    if not groups:
        return struct.pack(">hhhh", 0, 0, 0, 0)
    head = struct.pack(">hhHh", len(groups), weight, NEGATIVE if value < 0 else 0, scale)
    return head + struct.pack(f">{len(groups)}h", *groups)


def _one_by_one(values: pa.Array) -> pa.Array:
    """Return fields of few numbers, or of such as 64 bits of billionths do not hold."""
    fields = []
    for value in values.to_pylist():
        data = None if value is None else numeric_bytes(value)
        fields.append(NULL if data is None else struct.pack(">i", len(data)) + data)
    return pa.array(fields, pa.binary())


def _numbers(values: pa.Array) -> pa.Array:
    """Return fields of numeric, as `numeric_bytes` gives them, all at once where there are many."""
    if len(values) < A_FEW:
        return _one_by_one(values)
    is_null = _is_null(values)
    decimals = pc.fill_null(pc.cast(values, DECIMAL), pa.scalar(Decimal(0), DECIMAL))
    words = np.frombuffer(decimals.buffers()[1], dtype="<i8")[2 * decimals.offset :][: 2 * len(decimals)]
    low, high = words.reshape(-1, 2).T
    if (high != low >> 63).any() or (low == np.iinfo(np.int64).min).any():
        return _one_by_one(values)
    whole, part = np.divmod(np.abs(low), 1_000_000_000)
    groups = np.empty((len(low), GROUPS), dtype=np.int64)
    for place in range(GROUPS_BEFORE):
        groups[:, GROUPS_BEFORE - 1 - place] = whole // GROUP**place % GROUP
        groups[:, GROUPS - 1 - place] = part * 1_000 // GROUP**place % GROUP
    filled = groups != 0
    is_zero = ~filled.any(axis=1)
    first = np.where(is_zero, 0, filled.argmax(axis=1))
    count = np.where(is_zero, 0, GROUPS - filled[:, ::-1].argmax(axis=1) - first)
    cells = np.zeros(len(low), dtype=[("size", ">i4"), ("head", ">u2", 4), ("groups", ">i2", GROUPS)])
    cells["size"] = np.where(is_null, -1, 8 + 2 * count)
    cells["head"][:, 0] = count
    cells["head"][:, 1] = np.where(is_zero, 0, GROUPS_BEFORE - 1 - first) & 0xFFFF
    cells["head"][:, 2] = np.where(low < 0, NEGATIVE, 0)
    cells["head"][:, 3] = 9 - sum(part % 10**zeros == 0 for zeros in range(1, 10))
    shifted = np.minimum(first[:, None] + np.arange(GROUPS), GROUPS - 1)
    cells["groups"] = np.take_along_axis(groups, shifted, axis=1)
    lengths = np.where(is_null, 4, 12 + 2 * count)
    rows = cells.view(np.uint8).reshape(len(low), cells.dtype.itemsize)
    return _binary(lengths, rows[np.arange(cells.dtype.itemsize) < lengths[:, None]])


ENCODERS: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "text": _texts,
    "jsonb": _json,
    "uuid": _uuids,
    "numeric": _numbers,
    "timestamptz": _instants,
    "date": _dates,
    "boolean": _booleans,
    "smallint": _integers(">i2"),
    "integer": _integers(">i4"),
    "bigint": _integers(">i8"),
}
"""Type of a column in the warehouse -> what makes its fields."""


def _fields(values: pa.Array | pa.ChunkedArray, encode: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return the fields of a column; what is the same in all rows is made once, as a scalar.

    Of a column that says few things often, each is made once too.
    """
    plain = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if plain.null_count == len(plain):
        return pa.scalar(NULL, pa.binary())
    if len(plain) == 1:
        return encode(plain)[0]
    first = plain[:1]
    if plain.null_count == 0 and pc.all(pc.equal(plain, first[0])).as_py():
        return encode(first)[0]
    if len(plain) < FEW or not pa.types.is_decimal(plain.type):
        return encode(plain)
    known = plain.dictionary_encode(null_encoding="encode")
    if len(known.dictionary) * 2 > len(plain):
        return encode(plain)
    return encode(known.dictionary).take(known.indices)


def binary_rows(columns: Mapping[str, pa.Array | pa.ChunkedArray], types: Mapping[str, str]) -> io.BytesIO:
    """Return rows in binary COPY format, header and trailer with them, to be read from the start.

    Args:
        columns: name -> values, equally many each; at least one row.
        types: name -> SQL type, one of ENCODERS; in the order of the COPY statement's columns.
    """
    fields = [_fields(columns[name], ENCODERS[sql_type]) for name, sql_type in types.items()]
    rows = len(columns[next(iter(types))])
    starts = pa.scalar(struct.pack(">h", len(types)), pa.binary())
    joined = pc.binary_join_element_wise(pa.repeat(starts, rows), *fields, b"")
    offsets = np.frombuffer(joined.buffers()[1], dtype=np.int32)[joined.offset :][: rows + 1]
    stream = io.BytesIO()
    for part in (COPY_HEADER, joined.buffers()[2][int(offsets[0]) : int(offsets[-1])], COPY_END):
        stream.write(part)
    stream.seek(0)
    return stream
