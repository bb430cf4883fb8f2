"""Numbers are exact or they are not read at all."""

import string
from decimal import Context, Decimal, localcontext

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_pipeline.silver_layer.numbers import calculate, narrow, parse_numbers

pytestmark = pytest.mark.fast


def read(text: str | None, decimal: str = ".", thousands: str = "") -> Decimal | None:
    value = parse_numbers(pa.array([text], pa.string()), decimal, thousands).values[0].as_py()
    return None if value is None else value.normalize()


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("12", ".", "", "12"), ("-12.50", ".", "", "-12.5"), ("+3", ".", "", "3"), (".5", ".", "", "0.5"),
        ("007", ".", "", "7"), ("12.50-", ".", "", "-12.5"), ("1,234.5", ".", ",", "1234.5"),
        ("1.234.567,89", ",", ".", "1234567.89"), ("1 234,5", ",", " ", "1234.5"), ("12'000", ".", "'", "12000"),
        ("1.2340000000000", ".", "", "1.234"),
        ("999999999999999999.999999999", ".", "", "999999999999999999.999999999"),
    ],
)  # fmt: skip
def test_plain_numbers_read_as_they_are(text, decimal, thousands, value):
    assert read(text, decimal, thousands) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("1,50", ".", ","), ("1.500", ",", ""), ("1.5", ",", "."), ("1,2,3", ".", ","), ("1,00,000", ".", ","),
        ("1234,567", ".", ","), (",", ".", ","), ("1,234", ".", ""), ("abc", ".", ""), ("1-2", ".", ""),
        ("--1", ".", ""),
        ("1.2.3", ".", ""), ("12 EA", ".", ""),
        ("(-12)", ".", ""), ("(12", ".", ""), ("$", ".", ""), ("NaN", ".", ""), ("inf", ".", ""), ("0x10", ".", ""),
        ("1_000", ".", ""), ("\u0661\u0662", ".", ""), ("1.0000000001", ".", ""), ("1234567890123456789", ".", ""),
    ],
)  # fmt: skip
def test_what_could_mean_two_things_or_nothing_is_not_read(text, decimal, thousands):
    """1,50 with thousands `,` was read as 150, and 1.500 with decimal `,` as 1.5."""
    numbers = parse_numbers(pa.array([text]), decimal, thousands)
    assert numbers.values.to_pylist() == [None]
    assert numbers.unreadable.tolist() == [True]


@pytest.mark.parametrize("text", ["3.6E+10", "1e3", "-2,5e7", "1E-3"])
def test_scientific_notation_has_lost_its_digits(text):
    numbers = parse_numbers(pa.array([text]))
    assert (numbers.values.to_pylist(), numbers.digits_lost.tolist(), numbers.unreadable.tolist()) == (
        [None],
        [True],
        [False],
    )


def test_empty_is_neither_a_number_nor_a_fault():
    numbers = parse_numbers(pa.array([None], pa.string()))
    assert (numbers.values.to_pylist(), numbers.unreadable.tolist()) == ([None], [False])


DECIMALS = st.decimals(min_value=-(10**17), max_value=10**17, places=9, allow_nan=False, allow_infinity=False)


@given(DECIMALS)
def test_every_decimal_that_fits_reads_back_exactly(value):
    assert parse_numbers(pa.array([f"{value:f}"])).values[0].as_py() == value


@given(DECIMALS, st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'")]))
def test_the_senders_own_way_of_writing_reads_back_exactly(value, signs):
    decimal, thousands = signs
    text = f"{value:,f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert parse_numbers(pa.array([text]), decimal, thousands).values[0].as_py() == value


@given(
    st.text(alphabet=string.digits + ".,-+eE' ", max_size=12),
    st.sampled_from([(".", ""), (".", ","), (",", "."), (",", "")]),
)
def test_a_text_is_read_as_what_a_careful_reader_would_read_or_not_at_all(text, signs):
    numbers = parse_numbers(pa.array([text or None], pa.string()), *signs)
    value = numbers.values[0].as_py()
    if value is not None:
        digits = text.replace(signs[1], "") if signs[1] else text
        digits = digits.replace(signs[0], ".")
        assert value == Decimal("-" + digits[:-1] if digits.endswith("-") else digits)
    elif text:
        assert numbers.unreadable[0] or numbers.digits_lost[0]


def calc(expression: str, **columns: str | None) -> tuple[Decimal | None, bool]:
    """Value of an expression over one row, and whether it was refused."""
    wide, lost = calculate(expression, 1, lambda name: parse_numbers(pa.array([columns[name]], pa.string())).values)
    values, inexact = narrow(wide)
    return values[0].as_py(), bool(lost[0] or inexact[0])


def test_arithmetic_is_exact_and_follows_the_rules_of_school():
    assert calc("a * b", a="0.1", b="3") == (Decimal("0.3"), False)
    assert calc("a + b * 2 - (a - 1)", a="10", b="0.25") == (Decimal("1.5"), False)
    assert calc("-a", a="5") == (Decimal(-5), False)
    assert calc("`net price` * 1.19", **{"net price": "100"}) == (Decimal(119), False)
    assert calc("a * b", a="2", b=None) == (None, False)


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("a * b", {"a": "0.000000001", "b": "0.1"}),
        ("a * b", {"a": "999999999999999999", "b": "999999999999999999"}),
        ("a * b * c", {"a": "1.1234567", "b": "1.1234567", "c": "3"}),
        ("a * b * c", {"a": "9" * 18, "b": "9" * 18, "c": "9" * 18}),
        ("a * a * a * a - a * a * a * a", {"a": "9" * 18}),
        ("a * a * a * 0", {"a": "0.000000001"}),
    ],
)
def test_a_result_that_cannot_be_written_exactly_is_refused_and_stops_nothing(expression, columns):
    """Any of these stopped the whole run with an error of the arithmetic library."""
    value, refused = calc(expression, **columns)
    assert value is None or not refused
    assert refused


def test_one_bad_row_leaves_the_others_alone():
    columns = {"a": ["2", "0.000000001", None, "3"], "b": ["0.5", "0.1", "1", "7"]}
    wide, lost = calculate("a * b", 4, lambda name: parse_numbers(pa.array(columns[name], pa.string())).values)
    values, inexact = narrow(wide)
    assert values.to_pylist() == [1, None, None, 21]
    assert (lost | inexact).tolist() == [False, True, False, False]


@given(DECIMALS, DECIMALS, DECIMALS)
def test_arithmetic_agrees_with_pythons_decimals_or_is_refused(a, b, c):
    value, refused = calc("a * b + c", a=f"{a:f}", b=f"{b:f}", c=f"{c:f}")
    with localcontext(Context(prec=120)):
        expected = a * b + c
        fits = expected == expected.quantize(Decimal("1e-9")) and abs(expected) <= 10**28
    assert refused is not fits
    if fits:
        assert value == expected


def test_accounting_notations_are_read_as_what_they_mean():
    texts = ["(12.50)", "12.50-", "$12.50", "€ 12.50", "12.50 €", "($12.50)", "-$12.50"]
    numbers = parse_numbers(pa.array(texts))
    assert [str(value.normalize()) for value in numbers.values.to_pylist()] == [
        "-12.5", "-12.5", "12.5", "12.5", "12.5", "-12.5", "-12.5",
    ]  # fmt: skip
