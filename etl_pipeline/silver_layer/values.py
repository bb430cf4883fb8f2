"""One column of a fact from the columns of a record: the steps of a contract's value, in order."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.expressions import extract_pattern
from etl_pipeline.contracts.facts import Column
from etl_pipeline.contracts.model import Contract, Value
from etl_pipeline.silver_layer.columns import Columns
from etl_pipeline.silver_layer.conditions import scalar_text
from etl_pipeline.silver_layer.gtin import whole_gtins
from etl_pipeline.silver_layer.judge import Judge
from etl_pipeline.silver_layer.lookups import Lookups
from etl_pipeline.silver_layer.numbers import DECIMAL, calculate, mask, narrow, parse_numbers
from etl_pipeline.silver_layer.times import Instants, parse_instants

LOST_LETTER = "\ufffd"
MIXED_SCRIPT = r"[\p{Cyrillic}\p{Greek}\p{Armenian}]"
MOST_CODE_BYTES = 400
"""Four such codes still fit together into one row of an index (2,704 bytes)."""
SHOWN_OF_LONG = 60


Made = TypeVar("Made")


@dataclass
class Bench:
    """What is needed to make values of one chunk: its columns, the contract, the masters, the judge."""

    columns: Columns
    contract: Contract
    lookups: Lookups
    judge: Judge
    retailer_zone: str
    made: dict[Hashable, Any] = field(default_factory=dict)

    def narrowed(self, index: np.ndarray) -> "Bench":
        """Return a bench over some of the rows; what was made here is not made for it."""
        columns, judge = self.columns.narrowed(index), self.judge.narrowed(index)
        return Bench(columns, self.contract, self.lookups.narrowed(index), judge, self.retailer_zone)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made under a key before, or make it.

        Several rules often read the same column in the same way over the same records. What is objected to while
        it is made stays objected to.
        """
        if key not in self.made:
            self.made[key] = make()
        found: Made = self.made[key]
        return found


def as_value(mapped: str | Value) -> Value:
    """Return a mapping as a value; a plain text names a column."""
    return Value(from_=mapped) if isinstance(mapped, str) else mapped


def _source(bench: Bench, value: Value) -> pa.Array:
    """Return the text that a value starts from."""
    columns = bench.columns
    if value.from_ is not None:
        names = [value.from_] if isinstance(value.from_, str) else value.from_
        return pc.coalesce(*(columns.get(name) for name in names))
    if value.join is not None:
        parts = [columns.get(name) for name in value.join]
        return pc.binary_join_element_wise(*parts, value.with_, null_handling="skip")
    return pa.repeat(pa.scalar(scalar_text(value.const), pa.string()), columns.rows)


def _cleaned(text: pa.Array, value: Value) -> pa.Array:
    steps = {
        "upper": pc.utf8_upper,
        "lower": pc.utf8_lower,
        "strip_leading_zeros": lambda t: pc.replace_substring_regex(t, pattern=r"^0+(.)", replacement=r"\1"),
        "strip_decimal_zero": lambda t: pc.replace_substring_regex(t, pattern=r"^(\d+)\.0+$", replacement=r"\1"),
        "digits_only": lambda t: pc.replace_substring_regex(t, pattern=r"\D", replacement=""),
        "gtin": whole_gtins,
        "no_blanks": lambda t: pc.replace_substring_regex(t, pattern=r"\s", replacement=""),
    }
    for name in value.clean:
        text = steps[name](text)
    if value.pad:
        text = pc.utf8_lpad(text, width=value.pad, padding="0")
    return text


def _extracted(text: pa.Array, pattern: str) -> pa.Array:
    found = pc.extract_regex(text, pattern=extract_pattern(pattern))
    return pc.utf8_trim_whitespace(pc.struct_field(found, [0]))


def _mapped(bench: Bench, text: pa.Array, value: Value, label: str) -> pa.Array:
    codes = value.map or {}
    keys = pa.array(list(codes), pa.string())
    place = pc.index_in(text, value_set=keys, skip_nulls=True)
    out = pa.array(list(codes.values()), pa.string()).take(place)
    unknown = mask(pc.and_(pc.is_valid(text), pc.is_null(place)))
    if value.map_else is not None:
        other = text if value.map_else == "$keep" else pa.scalar(value.map_else)
        return pc.if_else(pa.array(unknown), other, out)
    bench.judge.object_to(
        unknown,
        "unknown_value",
        lambda bad: [f"{label}: '{text[int(i)].as_py()}' is not in the contract's map; add it there." for i in bad],
    )
    return out


def _looked_up(bench: Bench, text: pa.Array, value: Value, label: str) -> pa.Array:
    steps = [value.lookup] if isinstance(value.lookup, str) else (value.lookup or [])
    for step in steps:
        name, _, attribute = step.rpartition(".")
        out, found = bench.lookups.find(name, attribute, text)
        lost = mask(pc.and_(pc.is_valid(text), pc.invert(found)))
        if value.lookup_else is not None:
            other = text if value.lookup_else == "$keep" else pa.scalar(value.lookup_else)
            text = pc.if_else(pa.array(lost), other, out)
            continue
        before = text
        bench.judge.object_to(
            lost,
            "unknown_reference",
            lambda bad, n=name, b=before: [  # type: ignore[misc]
                f"{label}: '{b[int(i)].as_py()}' is not in '{n}'. Send the feed that fills '{n}'; "
                "the record is judged again then."
                for i in bad
            ],
            (name, lambda bad, b=before: [b[int(i)].as_py() for i in bad]),  # type: ignore[misc]
        )
        text = out
    return text


def text_of(bench: Bench, value: Value, label: str) -> pa.Array:
    """Return the text of a value, null where empty."""
    text = _source(bench, value)
    if value.extract:
        text = _extracted(text, value.extract)
    text = _cleaned(text, value)
    if value.null_if:
        is_empty = pc.is_in(text, value_set=pa.array(value.null_if, pa.string()))
        text = pc.if_else(is_empty, pa.scalar(None, pa.string()), text)
    if value.lookup is not None:
        text = _looked_up(bench, within_code_length(bench, text, label), value, label)
    if value.map is not None:
        text = _mapped(bench, text, value, label)
    if value.default is not None:
        text = pc.coalesce(text, pa.scalar(value.default))
    _refuse_lost_letters(bench, text, label)
    empty = pc.equal(text, "")
    return pc.if_else(pc.fill_null(empty, False), pa.scalar(None, pa.string()), text)


def _refuse_lost_letters(bench: Bench, text: pa.Array, label: str) -> None:
    """Object to U+FFFD: the sender, or one before it, could not read a letter and put that in its place."""
    bench.judge.object_to(
        mask(pc.match_substring(text, LOST_LETTER)),
        "bad_bytes",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()}' has U+FFFD where a letter was lost before it was sent; ask the sender."
            for i in bad
        ],
    )


def within_code_length(bench: Bench, text: pa.Array, label: str) -> pa.Array:
    """Return text, null where it is longer than any code: a quote that nobody closed made it. Those are set aside.

    A longer one would fit in no index, so no load could keep it.
    """
    too_long = mask(pc.greater(pc.binary_length(text), MOST_CODE_BYTES))
    if not too_long.any():
        return text
    bench.judge.object_to(
        too_long,
        "too_long",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()[:SHOWN_OF_LONG]}…' is longer than the {MOST_CODE_BYTES} bytes of a code; "
            "look for a quote or a delimiter that went wrong."
            for i in bad
        ],
    )
    return pc.if_else(pa.array(too_long), pa.scalar(None, pa.string()), text)


def code_of(bench: Bench, value: Value, label: str) -> pa.Array:
    """Return a value as a code: short text that must not mix look-alike letters of several alphabets."""
    text = within_code_length(bench, text_of(bench, value, label), label)
    if pc.all(pc.string_is_ascii(text), min_count=0).as_py():
        return text
    mixed = mask(pc.and_(pc.match_substring_regex(text, MIXED_SCRIPT), pc.match_substring_regex(text, "[A-Za-z0-9]")))
    bench.judge.object_to(
        mixed,
        "mixed_script",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()}' mixes letters of several alphabets; type it anew." for i in bad
        ],
    )
    return text


def instants_of(bench: Bench, text: pa.Array, formats: list[str], zone: pa.Array | str, label: str) -> Instants:
    """Return text read as instants; what is in none of the formats is set aside."""
    read = parse_instants(text, formats, zone)
    bench.judge.object_to(
        read.unreadable,
        "not_a_time",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()}' is in none of the formats {', '.join(formats)}; add its format."
            for i in bad
        ],
    )
    return read


def number_of(bench: Bench, value: Value, label: str) -> pa.Array:
    """Return a value as exact decimals (decimal128(38, 9)), null where empty."""
    reading = bench.contract.reading
    if value.calc is not None:
        wide, lost = calculate(value.calc, bench.columns.rows, lambda name: _plain_number(bench, name))
        values, inexact = narrow(wide)
        inexact = inexact | lost
        bench.judge.object_to(
            inexact,
            "inexact_quantity",
            lambda bad: [f"{label}: '{value.calc}' cannot be written with 9 decimals." for _ in bad],
        )
    else:
        text = text_of(bench, value, label)
        values = _judged_numbers(bench, text, label, reading.decimal if value.from_ else ".", reading.thousands)
    values = _scaled(bench, value, values, label)
    if value.absolute:
        values = pc.abs(values)
    if value.negate:
        values = pc.negate(values)
    return _signed(bench, value, values, label)


def _scaled(bench: Bench, value: Value, values: pa.Array, label: str) -> pa.Array:
    """Return numbers times one column and over another, exactly."""
    if value.times is None and value.over is None:
        return values
    factors = [values if name is None else _plain_number(bench, name) for name in (value.times, value.over)]
    texts = [column.cast(pa.string()).to_pylist() for column in (values, *factors)]
    out: list[str | None] = []
    inexact = np.zeros(len(values), dtype=bool)
    for row, (number, times, over) in enumerate(zip(*texts, strict=True)):
        top = Fraction(times) if value.times is not None and times is not None else Fraction(1)
        bottom = Fraction(over) if value.over is not None and over is not None else Fraction(1)
        is_empty = number is None or (value.times and times is None) or (value.over and over is None)
        scaled = Fraction(0) if is_empty or not bottom else Fraction(number or 0) * top / bottom * 10**9
        inexact[row] = not is_empty and (not bottom or scaled.denominator != 1 or abs(scaled) >= 10**28)
        out.append(None if is_empty or inexact[row] else f"{scaled.numerator}e-9")
    bench.judge.object_to(
        inexact,
        "inexact_quantity",
        lambda bad: [
            f"{label}: {texts[0][int(i)]} times {value.times or 1} over {value.over or 1} is no number of 9 decimals."
            for i in bad
        ],
    )
    return pc.cast(pa.array(out, pa.string()), DECIMAL)


def _plain_number(bench: Bench, name: str) -> pa.Array:
    reading = bench.contract.reading
    return _judged_numbers(bench, bench.columns.get(name), name, reading.decimal, reading.thousands)


def _judged_numbers(bench: Bench, text: pa.Array, label: str, decimal: str, thousands: str) -> pa.Array:
    read = parse_numbers(text, decimal, thousands)
    bench.judge.object_to(
        read.digits_lost,
        "digits_lost",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()}' is in scientific notation, its digits are lost; export it as text."
            for i in bad
        ],
    )
    bench.judge.object_to(
        read.unreadable,
        "not_a_number",
        lambda bad: [
            f"{label}: '{text[int(i)].as_py()}' is no number with decimal sign '{decimal}'; mend the record or the "
            "contract's `decimal` and `thousands`."
            for i in bad
        ],
    )
    return read.values


def _signed(bench: Bench, value: Value, values: pa.Array, label: str) -> pa.Array:
    if value.sign == "any":
        return values
    tests = {"positive": pc.less_equal, "negative": pc.greater_equal, "not_negative": pc.less}
    wrong = mask(tests[value.sign](values, pa.scalar(0, pa.decimal128(38, 9))))
    bench.judge.object_to(
        wrong,
        "wrong_sign",
        lambda bad: [f"{label}: {values[int(i)].as_py().normalize():f} should be {value.sign}." for i in bad],
    )
    return values


def flag_of(bench: Bench, value: Value, label: str) -> pa.Array:
    """Return a value as true, false or null."""
    text = pc.utf8_lower(text_of(bench, value, label))
    yes = pa.array(["true", "t", "yes", "y", "1", "s"], pa.string())
    no = pa.array(["false", "f", "no", "n", "0"], pa.string())
    is_yes, is_no = (
        mask(pc.is_in(text, value_set=yes, skip_nulls=True)),
        mask(pc.is_in(text, value_set=no, skip_nulls=True)),
    )
    unknown = mask(pc.is_valid(text)) & ~is_yes & ~is_no
    bench.judge.object_to(
        unknown,
        "unknown_value",
        lambda bad: [f"{label}: '{text[int(i)].as_py()}' is neither yes nor no; give a `map`." for i in bad],
    )
    return pa.array(is_yes, pa.bool_(), mask=~is_yes & ~is_no)


def check_column(bench: Bench, column: Column, values: pa.Array, label: str) -> None:
    """Object to rows where a required value is empty or a code is outside the column's choices."""
    if column.required:
        bench.judge.object_to(
            mask(pc.is_null(values)),
            "missing_value",
            lambda bad: [f"{label} is empty: {column.meaning}" for _ in bad],
        )
    if column.choices:
        known = pc.is_in(values, value_set=pa.array(column.choices, pa.string()))
        bench.judge.object_to(
            mask(pc.and_(pc.is_valid(values), pc.invert(known))),
            "unknown_value",
            lambda bad: [
                f"{label}: '{values[int(i)].as_py()}' is none of {', '.join(column.choices)}; give a `map`."
                for i in bad
            ],
        )
