"""Rows in binary form arrive as the same rows written as text."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from load.binary_rows import DECIMAL, ENCODERS, numeric_bytes
from load.copying import copy_rows

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
LARGEST = 10**38 - 1
# From whole numbers: a strategy for decimals rounds its bounds to 28 digits, and then draws what does not fit.
NUMBERS = st.integers(-LARGEST, LARGEST).map(lambda billionths: Decimal(f"{billionths}E-9"))
SMALL_NUMBERS = st.decimals(-9_000_000_000, 9_000_000_000, places=9, allow_nan=False)
INSTANTS = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))
KINDS = {
    "text": (TEXT, pa.string()),
    "numeric": (st.one_of(NUMBERS, SMALL_NUMBERS, st.integers(-10_000, 10_000).map(Decimal)), DECIMAL),
    "timestamptz": (INSTANTS, pa.timestamp("us", "UTC")),
    "date": (st.dates(), pa.date32()),
    "boolean": (st.booleans(), pa.bool_()),
    "smallint": (st.integers(-(2**15), 2**15 - 1), pa.int16()),
    "integer": (st.integers(-(2**31), 2**31 - 1), pa.int32()),
    "bigint": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
}
ROWS = st.lists(st.fixed_dictionaries({k: st.none() | values for k, (values, _) in KINDS.items()}), min_size=1)


@pytest.fixture
def cursor(database_url):
    with (
        closing(psycopg2.connect(database_url, options="-c timezone=UTC")) as connection,
        connection.cursor() as opened,
    ):
        yield opened


def make_table(cursor, types):
    cursor.execute("drop table if exists told")
    columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(t)) for n, t in types.items())
    cursor.execute(sql.SQL("create temporary table told ({})").format(columns))


def sent(cursor, columns, types):
    make_table(cursor, types)
    copy_rows(cursor, sql.Identifier("told"), columns, types)
    cursor.execute(sql.SQL("select {} from told").format(sql.SQL(", ").join(map(sql.Identifier, types))))
    return cursor.fetchall()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([dict.fromkeys(KINDS)])
@example([{"text": "", "numeric": Decimal("-0.5"), "timestamptz": FIRST, "date": date(1970, 1, 1), "boolean": False,
           "smallint": 0, "integer": -1, "bigint": 2**62}] * 3)  # fmt: skip
@given(ROWS)
def test_every_value_arrives_as_it_was(cursor, rows):
    types = {name: name for name in KINDS}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, (_, kind) in KINDS.items()}

    assert sent(cursor, columns, types) == [tuple(row[name] for name in KINDS) for row in rows]


@pytest.mark.parametrize(
    "value",
    ["0", "1", "-1", "0.000000001", "-0.000000001", "10000", "9999.9999", "100000000", "12.50", "0.0001", "0.00001",
     "9223372036.854775807", "-9223372036.854775807", "9223372036.854775808", "123456789012345678901234567.000000001"],
)  # fmt: skip
def test_a_number_loses_the_zeros_at_its_end_and_nothing_else(cursor, value):
    columns = {"n": pa.array([Decimal(value)] * 2 + [None], DECIMAL)}
    make_table(cursor, {"n": "numeric"})
    copy_rows(cursor, sql.Identifier("told"), columns, {"n": "numeric"})
    cursor.execute("select n::text, (select trim_scale(%s::numeric)::text) from told where n is not null", (value,))

    assert {found == expected for found, expected in cursor.fetchall()} == {True}


def test_a_thousand_different_numbers_arrive_whether_they_repeat_or_not(cursor):
    different = [Decimal(n * n * 7919 - 4_000_000) / 1000 for n in range(1_500)]
    for numbers in (different, [*different[:20]] * 75):
        assert [row[0] for row in sent(cursor, {"n": pa.array(numbers, DECIMAL)}, {"n": "numeric"})] == numbers


def test_hashes_and_json_arrive_in_their_own_types(cursor):
    hashes = ["0123456789abcdef0123456789abcdef", "f" * 32, "0" * 32]
    columns = {"h": pa.array(hashes), "j": pa.array(['{"a": "ü"}', None, "{}"])}

    found = sent(cursor, columns, {"h": "uuid", "j": "jsonb"})

    assert [str(row[0]).replace("-", "") for row in found] == hashes
    assert [row[1] for row in found] == [{"a": "ü"}, None, {}]


def test_a_slice_of_an_array_sends_its_own_rows_only(cursor):
    whole = {
        "t": pa.array(["a", "b", "c", "d"]), "n": pa.array([Decimal(n) for n in range(4)], DECIMAL),
        "h": pa.array([digit * 32 for digit in "0123"]),
        "w": pa.array([FIRST + timedelta(n) for n in range(4)], pa.timestamp("us", "UTC")),
    }  # fmt: skip
    types = {"t": "text", "n": "numeric", "w": "timestamptz", "h": "uuid"}

    found = sent(cursor, {name: values.slice(1, 2) for name, values in whole.items()}, types)

    assert [row[:3] for row in found] == [("b", 1, FIRST + timedelta(1)), ("c", 2, FIRST + timedelta(2))]
    assert [str(row[3])[:1] for row in found] == ["1", "2"]


def test_numbers_are_as_short_one_by_one_as_all_at_once():
    values = [Decimal(v) for v in ("0", "12.5", "-10000.0001", "0.00012")]
    fields = ENCODERS["numeric"](pa.array(values, DECIMAL)).to_pylist()

    assert [field[4:] for field in fields] == [numeric_bytes(value) for value in values]
