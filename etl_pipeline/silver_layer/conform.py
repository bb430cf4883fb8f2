"""A chunk of text becomes typed facts. Pure: the same chunk, contract and references give the same answer."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.contracts.model import Contract, Fix, Reading, Yield
from etl_pipeline.contracts.values import Conformed, Landed, RecordChunk, References
from etl_pipeline.silver_layer.codes import Known
from etl_pipeline.silver_layer.columns import Columns
from etl_pipeline.silver_layer.conditions import holds, scalar_text
from etl_pipeline.silver_layer.facts import Setting, make_facts
from etl_pipeline.silver_layer.identity import identify
from etl_pipeline.silver_layer.judge import Judge
from etl_pipeline.silver_layer.lookups import Lookups
from etl_pipeline.silver_layer.times import parse_instants
from etl_pipeline.silver_layer.values import Bench, as_value, text_of

OWN_FIRST = {"location": 0, "product": 1}


def _pseudo_columns(chunk: RecordChunk, landed: Landed) -> dict[str, pa.Array]:
    rows = len(chunk.text)
    logical = landed.logical_time.astimezone(UTC).isoformat() if landed.logical_time else None
    return {
        "$file.name": pa.repeat(pa.scalar(landed.name, pa.string()), rows),
        "$file.logical_time": pa.repeat(pa.scalar(logical, pa.string()), rows),
        "$record.no": pc.cast(pa.array(chunk.addresses.record_no), pa.string()),
        "$record.line": pc.cast(pa.array(chunk.addresses.line_no), pa.string()),
    }


def _apply_fixes(columns: Columns, fixes: list[Fix], reading: Reading) -> None:
    """Put the contract's known corrections in, where their guard still holds."""
    for fix in fixes:
        rows = holds(fix.where, columns, reading) & holds(fix.only_while, columns, reading)
        if not rows.any():
            continue
        for name, value in fix.set.items():
            fixed = pc.if_else(pa.array(rows), pa.scalar(scalar_text(value), pa.string()), columns.get(name))
            columns.put(name, fixed)


def _excluded(contract: Contract, columns: Columns) -> tuple[np.ndarray, dict[str, int]]:
    """Return the mask of records that are no business of the warehouse, and how many by rule."""
    out, counts = np.zeros(columns.rows, dtype=bool), {}
    for rule in contract.exclude:
        rows = holds(rule.when, columns, contract.reading) & ~out
        counts[rule.reason] = int(rows.sum())
        out |= rows
    return out, {name: count for name, count in counts.items() if count}


def _reference_rows(bench: Bench, rule: Yield) -> dict[str, pa.Array]:
    """Return set_name, key and attributes (JSON text) of a rule that fills a lookup set."""
    rows = bench.columns.rows
    texts = {name: text_of(bench, as_value(mapped), f"{rule.set}.{name}") for name, mapped in rule.columns.items()}
    key = texts.pop("key")
    bench.judge.object_to(
        pc.is_null(key).to_numpy(zero_copy_only=False),
        "missing_value",
        lambda bad: [f"{rule.set}.key is empty, so nothing can be looked up by it." for _ in bad],
    )
    names = list(texts)
    lists = [values.to_pylist() for values in texts.values()]
    attributes = [json.dumps(dict(zip(names, row, strict=True)), sort_keys=True) for row in zip(*lists, strict=True)]
    return {
        "set_name": pa.repeat(pa.scalar(rule.set, pa.string()), rows),
        "key": key,
        "attributes": pa.array(attributes, pa.string()),
    }


def _latest(contract: Contract, columns: Columns, zone: str) -> datetime | None:
    """Return the greatest value of the column that is the file's own time."""
    logical = contract.files.logical_time
    if logical is None or logical.column is None:
        return None
    formats = [logical.format] if "format" in logical.model_fields_set else contract.reading.formats
    own = contract.reading.zone or zone
    read = parse_instants(columns.get(logical.column), formats, zone if own == "location" else own)
    found = pc.max(read.values).as_py()
    return found if isinstance(found, datetime) else None


def _yield_all(
    contract: Contract, bench: Bench, setting: Setting, live: np.ndarray, known: Known
) -> tuple[list[tuple[int, Yield, np.ndarray, dict[str, pa.Array]]], np.ndarray]:
    """Run every rule over the records it speaks about; return what they made and which records any rule took."""
    made, taken = [], np.zeros(bench.columns.rows, dtype=bool)
    numbered = sorted(enumerate(contract.yields), key=lambda pair: (OWN_FIRST.get(pair[1].fact, 2), pair[0]))
    for number, rule in numbered:
        index = np.flatnonzero(holds(rule.when, bench.columns, contract.reading) & live)
        taken[index] = True
        if not len(index):
            continue
        whole = len(index) == bench.columns.rows
        part = Bench(
            bench.columns if whole else bench.columns.narrowed(index),
            contract,
            bench.lookups,
            bench.judge if whole else bench.judge.narrowed(index),
            bench.retailer_zone,
        )
        if rule.fact == "reference":
            made.append((number, rule, index, _reference_rows(part, rule)))
            continue
        columns = make_facts(part, setting, known, rule)
        made.append((number, rule, index, columns))
        if rule.fact in OWN_FIRST:
            codes = columns[f"{rule.fact}_code"].filter(pa.array(~bench.judge.is_bad[index]))
            own = [known.own[rule.fact], codes] if rule.fact in known.own else [codes]
            known.own[rule.fact] = pc.unique(pa.concat_arrays(own))
    return made, taken


def conform(
    chunk: RecordChunk,
    landed: Landed,
    contract: Contract,
    setting: Setting,
    references: References,
) -> Conformed:
    """Turn a chunk of text records into typed facts.

    In:     a chunk of one file, every column text; references narrowed to the codes it uses.
    Out:    Conformed; every record of the chunk is understood, set aside or excluded.
    Units:  base units of the product; money in its currency; instants in UTC.
    """
    columns = Columns(chunk.text, contract.reading.null_tokens, _pseudo_columns(chunk, landed))
    _apply_fixes(columns, contract.fixes, contract.reading)
    judge = Judge(columns.rows)
    bench = Bench(columns, contract, Lookups(references), judge, setting.zone)
    is_out, excluded = _excluded(contract, columns)
    identity = identify(bench)
    is_void = holds(contract.void, columns, contract.reading) if contract.void else np.zeros(columns.rows, dtype=bool)
    known = Known()
    made, taken = _yield_all(contract, bench, setting, ~is_out & ~is_void, known)
    if contract.unmatched == "quarantine":
        judge.object_to(
            ~taken & ~is_out & ~is_void,
            "no_rule",
            lambda bad: [
                "No rule under `yields` speaks about this record; add one, or `unmatched: ignore`." for _ in bad
            ],
        )
    good = ~judge.is_bad & ~is_out
    return Conformed(
        records=_records(chunk, identity, is_void, good),
        facts=_fact_tables(chunk, made, good),
        references=_reference_table(chunk, made, good),
        set_aside=_set_aside(chunk, judge, is_out),
        excluded=excluded,
        used=bench.lookups.used,
        created=known.created,
        latest=_latest(contract, columns, setting.zone),
    )


def _records(chunk: RecordChunk, identity: dict[str, pa.Array], is_void: np.ndarray, good: np.ndarray) -> pa.Table:
    columns = {name: pa.array(values) for name, values in chunk.addresses.frame().items()}
    return pa.table(columns | identity | {"is_void": pa.array(is_void)}).filter(pa.array(good))


def _fact_tables(
    chunk: RecordChunk, made: list[tuple[int, Yield, np.ndarray, dict[str, pa.Array]]], good: np.ndarray
) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {}
    for number, rule, index, columns in made:
        if rule.fact == "reference":
            continue
        names = list(FACT_KINDS[rule.fact].by_name)
        table = pa.table(
            {
                "record_no": pa.array(chunk.addresses.record_no[index]),
                "fact_no": pa.repeat(pa.scalar(number, pa.int16()), len(index)),
                **{name: columns[name] for name in names},
            }
        ).filter(pa.array(good[index]))
        parts.setdefault(rule.fact, []).append(table)
    return {kind: pa.concat_tables(tables) for kind, tables in parts.items()}


def _reference_table(
    chunk: RecordChunk, made: list[tuple[int, Yield, np.ndarray, dict[str, pa.Array]]], good: np.ndarray
) -> pa.Table | None:
    tables = [
        pa.table(
            {
                "record_no": pa.array(chunk.addresses.record_no[index]),
                "fact_no": pa.repeat(pa.scalar(number, pa.int16()), len(index)),
                **columns,
            }
        ).filter(pa.array(good[index]))
        for number, rule, index, columns in made
        if rule.fact == "reference"
    ]
    return pa.concat_tables(tables) if tables else None


def _set_aside(chunk: RecordChunk, judge: Judge, is_out: np.ndarray) -> pd.DataFrame:
    verdicts = judge.verdicts()
    verdicts = verdicts[~is_out[verdicts["row"].to_numpy(dtype=np.int64)]] if len(verdicts) else verdicts
    addresses = chunk.addresses.take(verdicts["row"].to_numpy(dtype=np.int64)).frame()
    set_aside: pd.DataFrame = pd.concat([addresses, verdicts.drop(columns="row").reset_index(drop=True)], axis=1)
    return set_aside
