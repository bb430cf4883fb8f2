"""Values of a file that are written another way than its contract says, seen in the records that were set aside."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.drafting_columns import Profile, profile, time_formats
from etl_pipeline.contracts.drifting import Drift, is_time, samples_of, told_values
from etl_pipeline.contracts.expressions import conditions_of, tests_of, values_of
from etl_pipeline.contracts.facts import Column
from etl_pipeline.contracts.model import Contract, Value
from etl_pipeline.contracts.values import Part
from etl_pipeline.silver_layer.numbers import parse_numbers
from etl_pipeline.silver_layer.times import parse_instants

NUMBERS = ("quantity", "money", "number", "integer")
CODES = {"unknown_product": "product_code", "unknown_location": "location_code"}
TELLING = frozenset({"not_a_number", "not_a_time", "unknown_value", "no_rule", *CODES})
MOST_ROWS = 200
LARGE_SHARE = 5
"""One record in so many: a file of which less is unreadable has bad records, not another way of writing."""
FEW = 3
NEAR = timedelta(days=7)
MOST_VALUES, LONGEST_VALUE = 20, 40
SIGNS = ((".", ""), (",", ""), (",", "."), (".", ","), (",", " "), (".", " "), (".", "'"), (",", "'"))


@dataclass
class Faults:
    """Records of one file that were set aside for what a value is: how many by reason, and some of them."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def take(self, part: Part, set_aside: pd.DataFrame) -> None:
        """Add what was set aside of a chunk."""
        telling = set_aside[set_aside["reason"].isin(TELLING)]
        if telling.empty:
            return
        self.counts.update(telling["reason"].tolist())
        few = telling.drop_duplicates("record_no").head(MOST_ROWS - len(self.rows))
        at = np.searchsorted(part.chunk.addresses.record_no, few["record_no"].to_numpy(dtype=np.int64))
        found = part.chunk.text.iloc[at].to_dict("records")
        self.rows += [
            (str(reason), {str(name): str(text) for name, text in row.items()})
            for reason, row in zip(few["reason"], found, strict=True)
        ]

    def add(self, more: "Faults") -> None:
        """Add what was set aside of a later chunk."""
        self.counts.update(more.counts)
        self.rows += more.rows[: MOST_ROWS - len(self.rows)]

    def column(self, reason: str, name: str) -> list[str]:
        """Return the values of a column in the kept records of a reason, trimmed, empty ones left out."""
        found = (row.get(name, "").strip() for why, row in self.rows if why == reason)
        return [text for text in found if text]

    def count(self, reason: str, among: int) -> int:
        """Return of how many records so many of the kept ones of a reason are the sample."""
        kept = sum(why == reason for why, _ in self.rows)
        return round(self.counts[reason] * among / kept) if kept else 0


def value_drifts(contract: Contract, faults: Faults, records: int, near: datetime | None = None) -> Iterator[Drift]:
    """Yield what changed in the way values are written, as far as the records set aside show it.

    Args:
        contract: of the feed.
        faults: what was set aside of one file.
        records: of the file.
        near: the file's own time, which tells 03/04 from 04/03.
    """
    seen: set[tuple[str, str]] = set()
    for _, value, _, column in values_of(contract):
        if not isinstance(value.from_, str) or value.from_.startswith("$") or value.from_ in contract.derive:
            continue
        found = [*_numbers(contract, value, column, faults, records), *_times(contract, value, faults, records, near)]
        for drift in (*found, *_unmapped(contract, value, column, faults, records)):
            if (drift.kind, drift.column) not in seen:
                seen.add((drift.kind, drift.column))
                yield drift
    yield from _no_rule(contract, faults, records)


def _is_much(count: int, records: int, *, few: int = 1) -> bool:
    return count >= few and count * LARGE_SHARE >= records


def _numbers(contract: Contract, value: Value, column: Column | None, faults: Faults, records: int) -> Iterator[Drift]:
    if column is None or column.type not in NUMBERS or value.extract or value.map or value.lookup:
        return
    name, reading = str(value.from_), contract.reading
    texts = [t for t in faults.column("not_a_number", name) if t not in reading.null_tokens and t not in value.null_if]
    bad = [text for text in texts if not _reads(text, reading.decimal, reading.thousands)]
    ways = [
        (decimal, thousands) for decimal, thousands in SIGNS
        if bad and all(_reads(text, decimal, thousands) for text in bad)
    ]  # fmt: skip
    if not _is_much(faults.count("not_a_number", len(bad)), records, few=1 if ways else FEW):
        return
    detail: dict[str, object] = {"expects": f"a number with decimal '{reading.decimal}'", "samples": samples_of(bad)}
    detail["records"] = faults.count("not_a_number", len(bad))
    if ways:
        detail["reads_as"] = {"decimal": ways[0][0], "thousands": ways[0][1]}
        # With whole thousands 1.500 reads two ways; a text that settles it has both signs, or other than three digits.
        is_settled = any(len(t.rpartition(ways[0][0])[2]) != FEW for t in bad)
        detail["is_sure"] = is_settled and _all_read(contract, faults, *ways[0])
    yield Drift(contract.feed, "retyped", name, detail)


def _all_read(contract: Contract, faults: Faults, decimal: str, thousands: str) -> bool:
    """Tell whether the other numbers of the records read with other signs too; they hold for all columns of a feed."""
    reading = contract.reading
    names = {
        value.from_ for _, value, _, column in values_of(contract)
        if isinstance(value.from_, str) and column is not None and column.type in NUMBERS and value.map is None
    }  # fmt: skip
    texts = {text for name in names for text in faults.column("not_a_number", name) if text not in reading.null_tokens}
    return all(_reads(text, decimal, thousands) for text in texts)


def _reads(text: str, decimal: str, thousands: str) -> bool:
    read = parse_numbers(pa.array([text]), decimal, thousands)
    return not bool(read.unreadable[0] or read.digits_lost[0])


def _times(contract: Contract, value: Value, faults: Faults, records: int, near: datetime | None) -> Iterator[Drift]:
    if value.extract or value.map or value.lookup or not is_time(contract, value):
        return
    name, forms = str(value.from_), value.formats or contract.reading.formats
    texts = list(dict.fromkeys(faults.column("not_a_time", name)))
    if not texts:
        return
    unreadable = parse_instants(pa.array(texts), list(forms), "UTC").unreadable
    bad = [text for text, is_bad in zip(texts, unreadable, strict=True) if is_bad]
    among = sum(text in set(bad) for text in faults.column("not_a_time", name))
    found = _likely_first(time_formats(bad) if bad else [], bad, near)
    is_sure = len(found) == 1 or (near is not None and _is_near(bad, found[:1], near) > _is_near(bad, found[1:], near))
    if not bad or not _is_much(faults.count("not_a_time", among), records, few=1 if found else FEW):
        return
    detail: dict[str, object] = {"expects": f"a time as {', '.join(forms)}", "samples": samples_of(bad)}
    detail["records"] = faults.count("not_a_time", among)
    if found:
        detail |= {"reads_as": {"format": found[0]}, "is_sure": is_sure, "rivals": found[1:4]}
    yield Drift(contract.feed, "retyped", name, detail)


def _likely_first(forms: list[str], texts: list[str], near: datetime | None) -> list[str]:
    return sorted(forms, key=lambda form: -_is_near(texts, [form], near)) if near is not None else forms


def _is_near(texts: list[str], forms: list[str], near: datetime) -> int:
    """Return how many texts, read in the best of these formats, lie within days of a file's own time."""
    most = 0
    for form in forms:
        if "%" in form:
            read = (datetime.strptime(text, form).replace(tzinfo=UTC) for text in texts)
            most = max(most, sum(abs(time - near) <= NEAR for time in read))
    return most


def _unmapped(contract: Contract, value: Value, column: Column | None, faults: Faults, records: int) -> Iterator[Drift]:
    known: set[str] | None = None
    if value.map is not None and value.map_else is None and not (value.extract or value.lookup):
        known = set(value.map)
    elif value.map is None and column is not None and column.choices and not (value.extract or value.lookup):
        known = set(column.choices)
    if known is None:
        return
    texts = [_cleaned(text, value) for text in faults.column("unknown_value", str(value.from_))]
    yield from _new_values(
        contract, str(value.from_), [t for t in texts if t not in known], faults, by="map", records=records
    )


def _cleaned(text: str, value: Value) -> str:
    if "upper" in value.clean:
        return text.upper()
    return text.lower() if "lower" in value.clean else text


def _no_rule(contract: Contract, faults: Faults, records: int) -> Iterator[Drift]:
    if not faults.counts["no_rule"]:
        return
    names = {name for path, when in conditions_of(contract) if path[0] == "yields" for _, name, _ in tests_of((), when)}
    for name in sorted(names):
        known = told_values(contract, name)
        new = [text for text in faults.column("no_rule", name) if text not in known]
        if known:
            yield from _new_values(contract, name, new, faults, by="when", records=records)


def _new_values(
    contract: Contract, name: str, new: Sequence[str], faults: Faults, *, by: str, records: int
) -> Iterator[Drift]:
    """Yield codes that come often enough to be meant: a torn record has something else in each of them."""
    counts = Counter(text for text in new if len(text) <= LONGEST_VALUE)
    reason = "no_rule" if by == "when" else "unknown_value"
    values = sorted(v for v, n in counts.items() if n > 1 or _is_much(faults.count(reason, n), records))[:MOST_VALUES]
    if values:
        count = faults.count(reason, sum(counts[value] for value in values))
        yield Drift(contract.feed, "new_value", name, {"values": samples_of(values), "by": by, "records": count})


def code_columns(contract: Contract, faults: Faults, records: int) -> dict[str, str]:
    """Return the columns of codes of which too many are unknown: name -> reason; their form may have changed."""
    found: dict[str, str] = {}
    for reason, target in CODES.items():
        if _is_much(faults.counts[reason], records, few=FEW):
            for _, value, _, column in values_of(contract):
                if column is not None and column.name == target and isinstance(value.from_, str):
                    found.setdefault(value.from_, reason)
    return found


def code_drift(contract: Contract, name: str, reason: str, faults: Faults, before: Sequence[str]) -> Drift | None:
    """Compare the form of codes with that of an earlier file."""
    now_values = faults.column(reason, name)
    was, now = profile(name, list(before)), profile(name, now_values)
    if not now_values or not was.filled or set(before) & set(now_values) or _form(was) == _form(now):
        return None
    detail: dict[str, object] = {
        "expects": _form(was), "finds": _form(now), "samples": samples_of(now_values), "records": faults.counts[reason]
    }  # fmt: skip
    if now.is_numbered and not was.is_numbered:
        detail |= {"reads_as": {"clean": "strip_decimal_zero"}, "is_sure": True}
    return Drift(contract.feed, "retyped", name, detail)


def _form(look: Profile) -> str:
    """Return in words what the codes of a column look like."""
    if look.is_numbered:
        return "whole numbers with .0 behind"
    if look.kind == "integer":
        return "whole numbers"
    if look.kind == "code" and all(value.isdecimal() for value in look.samples):
        return "digits with leading zeros"
    return "codes with letters" if look.kind == "code" else look.kind
