"""Any Arrow column as text, exactly."""

import base64
import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc


def as_text(column: pa.Array) -> list[str]:
    """Return the values of a column as text; null is an empty text.

    Decimals keep every digit and are never in scientific notation; instants are ISO with Z, local times ISO without;
    booleans are true and false; lists and structures are JSON.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return [""] * len(column)
    if pa.types.is_decimal(column.type):
        return ["" if value is None else format(value, "f") for value in column.to_pylist()]
    if pa.types.is_nested(column.type):
        return [
            "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
            for value in column.to_pylist()
        ]
    if _is_binary(column.type):
        return [_bytes_text(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    text = pc.cast(column, pa.string())
    if pa.types.is_timestamp(column.type):
        text = pc.replace_substring(text, " ", "T", max_replacements=1)
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
        text = pc.replace_substring_regex(text, r"(\.\d*?)0+(Z?)$", r"\1\2")
        text = pc.replace_substring_regex(text, r"\.(Z?)$", r"\1")
    return list(pc.fill_null(text, "").to_pylist())


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _bytes_text(value: bytes | None) -> str:
    """Many writers store text as bytes; what is no UTF-8 is shown as base64."""
    if value is None:
        return ""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return _bytes_text(value) if isinstance(value, bytes) else str(value)
