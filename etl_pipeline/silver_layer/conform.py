"""A chunk of text becomes typed facts. Pure: the same chunk, contract and references give the same answer."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.contracts.model import AuthorityRule, Contract, Fix, Reading, Yield
from etl_pipeline.contracts.values import Addresses, Conformed, Part, References
from etl_pipeline.silver_layer.codes import Known
from etl_pipeline.silver_layer.columns import Columns
from etl_pipeline.silver_layer.conditions import holds, scalar_text
from etl_pipeline.silver_layer.facts import Setting, make_facts
from etl_pipeline.silver_layer.identity import identify
from etl_pipeline.silver_layer.judge import JUDGED_COLUMNS, Judge
from etl_pipeline.silver_layer.lookups import Ask, Lookups
from etl_pipeline.silver_layer.times import INSTANT, parse_instants
from etl_pipeline.silver_layer.values import Bench, as_value, number_of, text_of, within_code_length

OWN_FIRST = {"location": 0, "product": 1}
Counts = dict[str, int]


@dataclass(frozen=True)
class Rules:
    """What a retailer's feeds share: who posts what, the currency and the zone where a record names none."""

    authority: list[AuthorityRule]
    currency: str
    zone: str


def _repeated(values: list[str | None], counts: list[int]) -> pa.Array:
    """Return one text a part as one text a row."""
    return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(counts)), counts)))


def _pseudo_columns(parts: list[Part], addresses: Addresses) -> dict[str, pa.Array]:
    counts = [len(part.chunk.text) for part in parts]
    times = [part.landed.logical_time for part in parts]
    logical = [time.astimezone(UTC).isoformat() if time else None for time in times]
    return {
        "$file.name": _repeated([part.landed.name for part in parts], counts),
        "$file.logical_time": _repeated(logical, counts),
        "$record.no": pc.cast(pa.array(addresses.record_no), pa.string()),
        "$record.line": pc.cast(pa.array(addresses.line_no), pa.string()),
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


def _derive(bench: Bench) -> None:
    """Make the contract's new columns, one after the other."""
    for name, mapped in bench.contract.derive.items():
        value = as_value(mapped)
        if value.calc is not None or value.times is not None or value.over is not None:
            numbers = number_of(bench, value, name).to_pylist()
            texts = [None if number is None else f"{number.normalize():f}" for number in numbers]
            bench.columns.put(name, pa.array(texts, pa.string()))
        else:
            bench.columns.put(name, text_of(bench, value, name))


def _excluded(contract: Contract, columns: Columns, part: np.ndarray, parts: int) -> tuple[np.ndarray, list[Counts]]:
    """Return the mask of records that are no business of the warehouse, and for each part how many by rule."""
    out = np.zeros(columns.rows, dtype=bool)
    counts: list[Counts] = [{} for _ in range(parts)]
    for rule in contract.exclude:
        rows = holds(rule.when, columns, contract.reading) & ~out
        for number in np.unique(part[rows]):
            counts[number][rule.reason] = counts[number].get(rule.reason, 0) + int((part[rows] == number).sum())
        out |= rows
    return out, counts


def _reference_rows(bench: Bench, rule: Yield) -> dict[str, pa.Array]:
    """Return set_name, key and attributes (JSON text) of a rule that fills a lookup set."""
    rows = bench.columns.rows
    texts = {name: text_of(bench, as_value(mapped), f"{rule.set}.{name}") for name, mapped in rule.columns.items()}
    key = within_code_length(bench, texts.pop("key"), f"{rule.set}.key")
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


def _latest(contract: Contract, columns: Columns, part: np.ndarray, zone: str, parts: int) -> list[datetime | None]:
    """Return for each part the greatest value of the column that is the file's own time."""
    logical = contract.files.logical_time
    if logical is None or logical.column is None:
        return [None] * parts
    formats = [logical.format] if "format" in logical.model_fields_set else contract.reading.formats
    own = contract.reading.zone or zone
    read = parse_instants(columns.get(logical.column), formats, zone if own == "location" else own)
    return [pc.max(read.values.filter(pa.array(part == number))).as_py() for number in range(parts)]


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
        part = bench if whole else bench.narrowed(index)
        if rule.fact == "reference":
            made.append((number, rule, index, _reference_rows(part, rule)))
            continue
        there = setting if whole else setting.narrowed(index)
        columns = make_facts(part, there, known, rule)
        made.append((number, rule, index, columns))
        if rule.fact in OWN_FIRST:
            codes = columns[f"{rule.fact}_code"].filter(pa.array(~bench.judge.is_bad[index]))
            own = [known.own[rule.fact], codes] if rule.fact in known.own else [codes]
            known.own[rule.fact] = pc.unique(pa.concat_arrays(own))
    return made, taken


def _whole(parts: list[Part]) -> tuple[pd.DataFrame, Addresses, np.ndarray]:
    """Return text, addresses and part number of every row of the parts."""
    part = np.repeat(np.arange(len(parts)), [len(p.chunk.text) for p in parts])
    if len(parts) == 1:
        return parts[0].chunk.text, parts[0].chunk.addresses, part
    text = pd.concat([p.chunk.text for p in parts], ignore_index=True)
    names = ("record_no", "line_no", "byte_start", "byte_end")
    joined = [np.concatenate([getattr(p.chunk.addresses, name) for p in parts]) for name in names]
    # A column that one file lacks is empty there, as if the file had it without values.
    absent = [name for name in text.columns if text[name].isna().any()]
    for name in absent:
        text[name] = text[name].fillna("")
    return text, Addresses(*joined), part


def _let_in(parts: list[Part], part: np.ndarray, addresses: Addresses) -> np.ndarray:
    """Return the mask of the records that a person has let in."""
    let_in = np.zeros(len(part), dtype=bool)
    for number, one in enumerate(parts):
        if one.accepted:
            let_in |= (part == number) & np.isin(addresses.record_no, list(one.accepted))
    return let_in


def conform(
    parts: list[Part], contract: Contract, rules: Rules, references: References, ask: Ask | None = None
) -> Conformed:
    """Turn text records of one feed into typed facts.

    In:     chunks of one or more files, every column text; references to the codes they use, or `ask`, which has what
            is missing read into them.
    Out:    Conformed; every record of the parts is understood, set aside or excluded.
    Units:  base units of the product; money in its currency; instants in UTC.
    """
    text, addresses, part = _whole(parts)
    columns = Columns(text, contract.reading.null_tokens, _pseudo_columns(parts, addresses))
    _apply_fixes(columns, contract.fixes, contract.reading)
    judge = Judge(columns.rows)
    bench = Bench(columns, contract, Lookups(references, part, ask), judge, rules.zone)
    _derive(bench)
    is_out, excluded = _excluded(contract, columns, part, len(parts))
    identity = identify(bench)
    is_void = holds(contract.void, columns, contract.reading) if contract.void else np.zeros(columns.rows, dtype=bool)
    known = Known()
    times = pa.array([p.landed.logical_time for p in parts], INSTANT).take(pa.array(part))
    setting = Setting(
        rules.authority, contract.reading.currency or rules.currency, times, _let_in(parts, part, addresses)
    )
    made, taken = _yield_all(contract, bench, setting, ~is_out & ~is_void, known)
    if contract.unmatched == "quarantine":
        judge.object_to(
            ~taken & ~is_out & ~is_void,
            "no_rule",
            lambda bad: (
                ["No rule under `yields` speaks about this record; add one, or `unmatched: ignore`."] * len(bad)
            ),
        )
    good = ~judge.is_bad & ~is_out
    places = {"part": pa.array(part), "record_no": pa.array(addresses.record_no)}
    return Conformed(
        records=_records(addresses, part, identity, is_void, good),
        facts=_fact_tables(places, made, good),
        references=_reference_table(places, made, good),
        set_aside=_set_aside(addresses, part, judge, is_out),
        excluded=excluded,
        used=bench.lookups.used,
        used_by=bench.lookups.used_by(),
        led_to=_led_to(part, made, judge.is_bad & ~is_out),
        created=known.created,
        latest=_latest(contract, columns, part, rules.zone, len(parts)),
    )


def _records(
    addresses: Addresses, part: np.ndarray, identity: dict[str, pa.Array], is_void: np.ndarray, good: np.ndarray
) -> pa.Table:
    columns = {name: pa.array(values) for name, values in addresses.frame().items()}
    whole = {"part": pa.array(part)} | columns | identity | {"is_void": pa.array(is_void)}
    return pa.table(whole).filter(pa.array(good))


Made = list[tuple[int, Yield, np.ndarray, dict[str, pa.Array]]]


def _placed(places: dict[str, pa.Array], number: int, index: np.ndarray, columns: dict[str, pa.Array]) -> pa.Table:
    at = pa.array(index)
    address = {name: values.take(at) for name, values in places.items()}
    return pa.table({**address, "fact_no": pa.repeat(pa.scalar(number, pa.int16()), len(index)), **columns})


def _fact_tables(places: dict[str, pa.Array], made: Made, good: np.ndarray) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {}
    for number, rule, index, columns in made:
        if rule.fact != "reference":
            named = {name: columns[name] for name in FACT_KINDS[rule.fact].by_name}
            table = _placed(places, number, index, named).filter(pa.array(good[index]))
            parts.setdefault(rule.fact, []).append(table)
    return {kind: pa.concat_tables(tables) for kind, tables in parts.items()}


def _reference_table(places: dict[str, pa.Array], made: Made, good: np.ndarray) -> pa.Table | None:
    tables = [
        _placed(places, number, index, columns).filter(pa.array(good[index]))
        for number, rule, index, columns in made
        if rule.fact == "reference"
    ]
    return pa.concat_tables(tables) if tables else None


def _led_to(part: np.ndarray, made: Made, bad: np.ndarray) -> set[tuple[int, str, str]]:
    """Return which masters the codes of set aside records led to: no fact remembers them."""
    found: set[tuple[int, str, str]] = set()
    for _, _, index, columns in made:
        rows = bad[index]
        for name in ("product", "location"):
            codes = columns.get(f"{name}_code")
            if codes is not None and rows.any():
                pairs = zip(part[index][rows].tolist(), codes.filter(pa.array(rows)).to_pylist(), strict=True)
                found.update((number, name, code) for number, code in pairs if code is not None)
    return found


def _set_aside(addresses: Addresses, part: np.ndarray, judge: Judge, is_out: np.ndarray) -> pd.DataFrame:
    if not judge.is_bad.any():
        return pd.DataFrame(
            {name: [] for name in ("record_no", "line_no", "byte_start", "byte_end", "part", *JUDGED_COLUMNS[1:])}
        )
    verdicts = judge.verdicts()
    verdicts = verdicts[~is_out[verdicts["row"].to_numpy(dtype=np.int64)]] if len(verdicts) else verdicts
    rows = verdicts["row"].to_numpy(dtype=np.int64)
    places = addresses.take(rows).frame().assign(part=part[rows])
    set_aside: pd.DataFrame = pd.concat([places, verdicts.drop(columns="row").reset_index(drop=True)], axis=1)
    return set_aside
