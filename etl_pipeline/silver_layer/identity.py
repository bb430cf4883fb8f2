"""Who a record is: its business key, its revision, and a hash of its content."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.expressions import as_list, column_uses
from etl_pipeline.contracts.model import Contract
from etl_pipeline.silver_layer.columns import Columns
from etl_pipeline.silver_layer.numbers import mask, parse_numbers
from etl_pipeline.silver_layer.times import INSTANT
from etl_pipeline.silver_layer.values import Bench, as_value, instants_of, text_of, within_code_length

FIELD_END, NO_VALUE = "\x1f", "\x1e"
HASH_KEYS = ("systock identity", "systock contents")
_HEX = np.array([int.from_bytes(b"%02x" % byte, "little") for byte in range(256)], dtype="<u2")
ORDINAL = "$ordinal"


def contract_columns(contract: Contract) -> list[str]:
    """Return every source column that a contract reads, sorted; pseudo-columns apart."""
    return sorted({name for _, name in column_uses(contract) if not name.startswith("$")})


def needed_columns(contract: Contract) -> frozenset[str]:
    """Return the columns without which a file of rows and columns cannot be read.

    A value that may come from several columns needs none of them in particular; in JSON and XML a field that
    is empty is often left out, so there every record is judged by itself.
    """
    if contract.files.format in ("json", "jsonl", "xml"):
        return frozenset()
    optional = {
        name
        for rule in contract.yields
        for mapped in rule.columns.values()
        if isinstance(as_value(mapped).from_, list)
        for name in as_list(as_value(mapped).from_)
    }
    return frozenset(contract_columns(contract)) - optional


def content_hash(columns: Columns, names: list[str]) -> pa.Array:
    """Return a 128-bit hash of the named columns as 32 hex digits a row."""
    filled = [pc.fill_null(columns.get(name), NO_VALUE) for name in names]
    joined = pc.binary_join_element_wise(*filled, FIELD_END)
    texts = joined.to_numpy(zero_copy_only=False)
    halves = [pd.util.hash_array(texts, hash_key=key, categorize=False) for key in HASH_KEYS]
    raw = np.stack(halves, axis=1).astype(">u8").view(np.uint8).reshape(len(texts), 16)
    offsets = np.arange(0, 32 * (len(texts) + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(_HEX[raw]).view(np.uint8))
    )


def _joined(columns: Columns, names: list[str]) -> pa.Array:
    """Return key columns put together; null where all are empty."""
    if not names:
        return pa.repeat(pa.scalar("", pa.string()), columns.rows)
    if len(names) == 1:
        return columns.get(names[0])
    parts = [pc.fill_null(columns.get(name), "") for name in names]
    # A slash in a part is escaped: US/2 + 1 and US + 2/1 are two keys.
    parts = [pc.replace_substring_regex(part, pattern=r"([\\/])", replacement=r"\\\1") for part in parts]
    whole = pc.binary_join_element_wise(*parts, "/")
    empty = pc.equal(pc.binary_join_element_wise(*parts, ""), "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), whole)


def _revision_no(bench: Bench) -> pa.Array:
    """Return the revision numbers, null where the source gives none; what is no number could not be put in order."""
    name = bench.contract.revision.number
    if not name:
        return pa.nulls(bench.columns.rows, pa.decimal128(38, 9))
    text = bench.columns.get(name)
    read = parse_numbers(text)
    bench.judge.object_to(
        read.unreadable | read.digits_lost,
        "not_a_number",
        lambda bad: [
            f"revision: '{text[int(i)].as_py()}' is no number, so the revisions of the record have no order; mend the "
            "record, or take another column for the contract's `revision`."
            for i in bad
        ],
    )
    return read.values


def _updated_at(bench: Bench) -> pa.Array:
    mapped = bench.contract.revision.updated_at
    if mapped is None:
        return pa.nulls(bench.columns.rows, INSTANT)
    value, reading = as_value(mapped), bench.contract.reading
    zone = value.zone or reading.zone or bench.retailer_zone
    text = text_of(bench, value, "updated_at")
    place = bench.retailer_zone if zone == "location" else zone
    return instants_of(bench, text, value.formats or reading.formats, place, "revision").values


def identify(bench: Bench) -> dict[str, pa.Array]:
    """Return epoch, document, line, content_hash, revision_no, updated_at, is_keyless of every record.

    A record without a document is set aside. Without a line of the source's own, the load tells equal records
    of a document apart by number.
    """
    columns, key = bench.columns, bench.contract.key
    document = _joined(columns, as_list(key.document))
    bench.judge.object_to(
        mask(pc.is_null(document)),
        "missing_key",
        lambda bad: [
            f"{' and '.join(as_list(key.document))} is empty, so the record has no business key." for _ in bad
        ],
    )
    is_keyless = key.line == ORDINAL
    line = _joined(columns, [] if is_keyless else as_list(key.line))
    epoch = _joined(columns, as_list(key.epoch))
    document, line, epoch = (within_code_length(bench, part, "key") for part in (document, line, epoch))
    return {
        "epoch": pc.fill_null(epoch, ""),
        "document": pc.fill_null(document, ""),
        "line": pc.fill_null(line, ""),
        "content_hash": content_hash(columns, contract_columns(bench.contract)),
        "revision_no": _revision_no(bench),
        "updated_at": _updated_at(bench),
        "is_keyless": pa.repeat(pa.scalar(is_keyless), columns.rows),
    }
