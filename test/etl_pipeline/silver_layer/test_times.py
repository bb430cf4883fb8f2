"""A time is an instant, or a local time of a named zone; the hour that does not exist is never guessed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_pipeline.silver_layer.times import Instants, business_dates, is_zone, parse_instants

pytestmark = pytest.mark.fast


def one(text: str | None, formats: list[str] | None = None, zone: str = "Europe/Berlin") -> Instants:
    return parse_instants(pa.array([text], pa.string()), formats or ["iso"], zone)


def instant(text: str, formats: list[str] | None = None, zone: str = "Europe/Berlin") -> str | None:
    value = one(text, formats, zone).values[0].as_py()
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-01-15T09:00:00", "2025-01-15 08:00:00"), ("2025-07-15 09:00", "2025-07-15 07:00:00"),
        ("2025-01-15", "2025-01-14 23:00:00"), ("20250115", "2025-01-14 23:00:00"),
        ("2025-01-15T09:00:00Z", "2025-01-15 09:00:00"), ("2025-01-15T09:00:00+05:30", "2025-01-15 03:30:00"),
        ("2025-01-15T09:00:00-0500", "2025-01-15 14:00:00"), ("2025-01-15 09:00:00+00", "2025-01-15 09:00:00"),
        ("2025-01-15T09:00:00.123456-08", "2025-01-15 17:00:00.123456"),
        ("2013-07-05 00:00:00.0", "2013-07-04 22:00:00"),
    ],
)  # fmt: skip
def test_iso_times_with_and_without_an_offset(text, expected):
    assert instant(text) == expected


def test_offsets_and_local_times_may_stand_in_one_column():
    texts = ["2025-01-15T09:00:00Z", "2025-01-15T09:00:00", None, "nonsense", "2025-01-15T09:00:00+02:00"]
    read = parse_instants(pa.array(texts), ["iso"], "Europe/Berlin")
    hours = [value.hour if value else None for value in read.values.to_pylist()]
    assert hours == [9, 8, None, None, 7]
    assert read.unreadable.tolist() == [False, False, False, True, False]


def test_formats_are_tried_in_order():
    assert instant("03.04.2025 10:00", ["%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M"]) == "2025-04-03 08:00:00"
    assert instant("12/31/25", ["%d/%m/%y", "%m/%d/%y"]) == "2025-12-30 23:00:00"
    assert instant("1741000000", ["iso", "epoch_s"]) == "2025-03-03 11:06:40"
    assert instant("1741000000123", ["epoch_ms"]) == "2025-03-03 11:06:40.123000"


@pytest.mark.parametrize(
    "text", ["2024", "2024-12", "12", "10:00", "2025-02-30", "2025-01-15T24:00:00", "31.12.2025", "1e9"]
)
def test_what_is_no_whole_date_is_not_guessed(text):
    """2024 was read as the first of January."""
    read = one(text)
    assert (read.values.to_pylist(), read.unreadable.tolist()) == ([None], [True])


def test_a_local_time_that_clocks_skipped_is_in_the_gap_and_has_no_instant():
    read = one("2025-03-30T02:30:00")
    assert (read.values.to_pylist(), read.in_gap.tolist(), read.unreadable.tolist()) == ([None], [True], [False])
    assert instant("2025-03-30T02:30:00", zone="America/New_York") == "2025-03-30 06:30:00"
    assert instant("2025-03-30T02:30:00+01:00") == "2025-03-30 01:30:00"


def test_a_local_time_that_exists_twice_is_the_first_of_them_and_flagged():
    read = one("2025-10-26T02:30:00")
    assert read.values[0].as_py() == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert read.ambiguous.tolist() == [True]
    assert one("2025-10-26T03:30:00").ambiguous.tolist() == [False]
    assert one("2025-10-26T02:30:00+01:00").ambiguous.tolist() == [False]


def test_each_row_may_have_a_zone_of_its_own():
    texts = pa.array(["2025-01-15T09:00:00"] * 3)
    read = parse_instants(texts, ["iso"], pa.array(["UTC", "Asia/Tokyo", "America/New_York"]))
    assert [value.hour for value in read.values.to_pylist()] == [9, 0, 14]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("0001-01-01", ["iso"]), ("9999-12-31T23:59:59", ["iso"]), ("0001-01-01T00:00:00+14:00", ["iso"]),
        ("99999999999999", ["epoch_s"]), ("99999999999999", ["epoch_ms"]), ("-5", ["epoch_s"]),
    ],
)  # fmt: skip
def test_a_time_at_the_end_of_the_calendar_stops_nothing(text, formats, zone):
    """A date such as 0001-01-01, common for `never`, stopped the whole run."""
    read = parse_instants(pa.array([text, "2025-01-15T09:00:00Z"]), [*formats, "iso"], zone)
    assert read.values[1].as_py() == datetime(2025, 1, 15, 9, tzinfo=UTC)
    assert read.unreadable[0] or read.values[0].as_py() is not None


def test_the_common_mark_for_never_reads():
    assert instant("9999-12-31", zone="America/New_York") == "9999-12-31 05:00:00"


@given(st.text(max_size=30), st.sampled_from(["Europe/Berlin", "America/St_Johns", "UTC"]))
def test_no_text_makes_reading_fail(text, zone):
    read = parse_instants(pa.array([text]), ["iso", "%d.%m.%Y", "epoch_s", "epoch_ms"], zone)
    known = read.values[0].as_py() is not None
    assert known + bool(read.unreadable[0]) + bool(read.in_gap[0]) == 1


@given(
    st.datetimes(min_value=datetime.fromisoformat("1990-01-01"), max_value=datetime.fromisoformat("2037-01-01")),
    st.sampled_from(["Europe/Madrid", "America/New_York", "Australia/Lord_Howe"]),
)
def test_local_times_agree_with_pythons_own_zones(local, zone):
    read = one(local.isoformat(), zone=zone)
    first = local.replace(tzinfo=ZoneInfo(zone), fold=0)
    second = local.replace(tzinfo=ZoneInfo(zone), fold=1)
    exists = first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    assert read.in_gap[0] == (not exists)
    if exists:
        assert read.values[0].as_py() == first.astimezone(UTC)
        assert read.ambiguous[0] == (first.utcoffset() != second.utcoffset())


def test_a_business_day_is_local_and_ends_when_its_place_closes():
    times = pa.array([datetime(2025, 3, 1, 4, 30, tzinfo=UTC)] * 3 + [None], pa.timestamp("us", "UTC"))
    zones = pa.array(["UTC", "America/New_York", "UTC", "UTC"])
    close = pa.array([None, 0, 300, 0], pa.int64())
    days = business_dates(times, zones, close).to_pylist()
    assert [day and day.isoformat() for day in days] == ["2025-03-01", "2025-02-28", "2025-02-28", None]


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25)])
def test_days_of_23_and_25_hours_keep_all_their_instants(day, hours):
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    times = [start + timedelta(hours=n) for n in range(hours)]
    days = business_dates(
        pa.array(times, pa.timestamp("us", "UTC")), pa.array(["Europe/Berlin"] * hours), pa.nulls(hours, pa.int64())
    )
    assert {d.isoformat() for d in days.to_pylist()} == {day}


def test_zones_are_iana_names():
    assert is_zone("Europe/Berlin")
    assert not is_zone("Europe/Nowhere")
    assert not is_zone("../etc/passwd")
