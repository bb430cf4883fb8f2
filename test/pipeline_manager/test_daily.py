"""The daily run comes once after each passing of its time, by the clock of the retailer."""

from datetime import UTC, datetime, time, timedelta

import pytest

from etl_pipeline.core.errors import UsageError
from pipeline_manager.daily import Daily, time_of_day

pytestmark = pytest.mark.fast
NOON = datetime(2025, 3, 29, 12, tzinfo=UTC)


def due_at(daily, hours):
    return [hour for hour in range(hours) if daily.is_due(NOON + timedelta(hours=hour))]


def test_it_is_due_once_a_day_in_the_retailers_zone_and_on_the_day_when_clocks_change_too():
    assert due_at(Daily(time(3), "Europe/Berlin", NOON), 60) == [13, 37]  # 01:00 UTC: the 30th has no 02:30
    assert due_at(Daily(time(3), "UTC", NOON), 60) == [15, 39]


def test_what_was_slept_through_comes_once():
    daily = Daily(time(3), "UTC", NOON)
    assert daily.is_due(NOON + timedelta(days=5))
    assert not daily.is_due(NOON + timedelta(days=5, hours=1))


def test_without_a_time_it_never_comes():
    assert due_at(Daily(None, "UTC", NOON), 60) == []


@pytest.mark.parametrize(
    ("text", "read"), [("03:00", time(3)), ("23:59", time(23, 59)), ("7:05", time(7, 5)), ("", None)]
)
def test_times_are_read(text, read):
    assert time_of_day(text) == read


@pytest.mark.parametrize("text", ["3", "24:00", "03:60", "noon", "03:00:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="no time of a day"):
        time_of_day(text)
