"""What is said of deliveries: drawn as weeks of counts, judged at an instant."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_pipeline.contracts.schedule import Schedule
from etl_pipeline.observe.judging import Verdict, judge
from etl_pipeline.observe.tables import Counted, tabled
from etl_pipeline.observe.usual import usual
from etl_pipeline.observe.windows import Plan, plan_of
from etl_pipeline.observe.wording import told

pytestmark = pytest.mark.fast
START = date(2025, 1, 6)  # a Monday
DAILY = Plan(24, 12)
NOON = timedelta(hours=12, minutes=1)


def day(number):
    return START + timedelta(days=number)


def counted(number, records=300, *, place="", loaded=None, fresh=None, aside=0, late_hours=0.0):
    """One delivery: it comes at six in the morning after its day."""
    arrived = datetime.combine(day(number + 1), datetime.min.time()) + timedelta(hours=6 + late_hours)
    loaded = records if loaded is None else loaded
    return Counted(place, day(number), arrived, records, loaded, loaded if fresh is None else fresh, aside)


def weeks(count=10, records=300, **more):
    """Every day of some weeks; Sundays bring half."""
    return [counted(n, records // (2 if n % 7 == 6 else 1) + n % 5, **more) for n in range(7 * count)]


def said(rows, plan=DAILY, *, days=71, has_events=True, since=START):
    """What is told at noon after so many days, as (kind, subject, amount)."""
    now = datetime.combine(day(days), datetime.min.time()) + NOON
    known = datetime.combine(since, datetime.min.time())
    places, found = tabled(rows, plan, now, known, has_events=has_events)
    moment = np.datetime64(now, "m")
    looked = told("tills", places, found, judge(found, plan, np.array(moment)), moment)
    return [(b.kind, b.subject, b.amount) for b in looked.breaches], looked


def breaches(rows, plan=DAILY, **more):
    return said(rows, plan, **more)[0]


def test_usual_days_say_nothing():
    assert breaches([*weeks(), counted(70)]) == []


def test_a_file_that_does_not_come_is_told_when_it_is_due():
    assert breaches(weeks()) == [("no_file", "tills", 1)]


def test_a_file_is_waited_for_until_it_is_due():
    assert breaches(weeks(), replace(DAILY, grace_hours=13)) == []


def test_each_day_without_a_file_is_counted():
    assert breaches(weeks(), days=73) == [("no_file", "tills", 3)]


def test_a_file_that_came_late_is_told_once_it_is_there():
    assert breaches([*weeks(), counted(70, late_hours=6.5)], days=72) == [
        ("late", "tills", 1), ("no_file", "tills", 1)
    ]  # fmt: skip


def test_what_was_due_before_the_first_run_came_with_history_and_is_not_late():
    rows = [replace(row, arrived=datetime.combine(day(70), datetime.max.time())) for row in [*weeks(), counted(70)]]
    assert breaches(rows, since=date(2025, 3, 18)) == []


def test_a_file_of_known_records_brings_no_new_events():
    assert breaches([*weeks(), counted(70, loaded=0)]) == [("no_new_events", "tills", 1)]


def test_masters_that_say_the_same_again_are_no_fault():
    assert breaches([*weeks(), counted(70, loaded=0)], has_events=False) != [("no_new_events", "tills", 1)]


def test_a_file_of_earlier_days_is_a_backfill():
    assert breaches([*weeks(), counted(70, fresh=0)]) == [("backfill_only", "tills", 1)]


def test_a_feed_of_revisions_has_no_backfill():
    rows = [counted(n, 300, fresh=0 if n % 2 else 20) for n in range(71)]
    assert breaches(rows) == []


def test_a_file_with_a_third_of_the_usual_records_is_thin():
    found, looked = said([*weeks(), counted(70, 100)])
    assert found == [("thin_file", "tills", 1)]
    assert looked.breaches[0].sentence == "tills: 100 records for 2025-03-17, where about 303 are usual."


def test_a_header_alone_where_hundreds_are_usual_is_thin():
    assert breaches([*weeks(), counted(70, 0)]) == [("thin_file", "tills", 1)]


def test_a_sunday_is_judged_by_sundays():
    sunday = [row for row in weeks(11) if row.day < day(76)]
    assert breaches([*sunday, counted(76, 150)], days=77) == []


def test_records_set_aside_came_all_the_same():
    assert breaches([*weeks(), counted(70, 300, loaded=20, aside=280)]) == []


def test_few_records_say_nothing_and_are_counted_apart():
    found, looked = said([*[counted(n, 6) for n in range(70)], counted(70, 2)])
    assert found == []
    assert [b.kind for b in looked.small] == ["volume_small"]


def test_one_place_that_is_missing_in_a_file_is_told_by_its_name():
    places = [replace(row, place=place) for place in ("S1", "S2", "S3") for row in weeks(records=100)]
    rows = [*weeks(), *places, counted(70, 200), counted(70, 100, place="S1"), counted(70, 100, place="S3")]
    assert breaches(rows) == [("place_missing", "tills/S2", 1)]


def test_a_place_closed_on_sundays_is_not_missed_on_one():
    places = [
        row for place in ("S1", "S2") for row in (replace(r, place=place) for r in weeks(11))
        if place == "S1" or row.day.weekday() < 6
    ]  # fmt: skip
    assert breaches([*weeks(11), *places], days=77) == []


def test_each_folder_owes_a_file_of_its_own():
    each = replace(DAILY, each_place=True)
    places = [replace(row, place=place) for place in ("S1", "S2") for row in weeks(records=150)]
    rows = [*weeks(), *places, counted(70, 150), counted(70, 150, place="S1")]
    assert breaches(rows, each) == [("no_file", "tills/S2", 1)]


def test_a_feed_that_is_missing_whole_is_told_once():
    each = replace(DAILY, each_place=True)
    places = [replace(row, place=place) for place in ("S1", "S2") for row in weeks(records=150)]
    assert breaches([*weeks(), *places], each) == [("no_file", "tills", 1)]


def test_a_closed_day_owes_nothing():
    closed = plan_of(Schedule(every_hours=24, grace_hours=12, closed=[day(70)]))
    assert breaches(weeks(), closed) == []


def test_a_source_that_is_closed_today_is_said_to_be():
    closed = plan_of(Schedule(every_hours=24, grace_hours=12, closed=[day(71)]))
    found, looked = said([*weeks(), counted(70)], closed)
    assert (found, looked.closed_today) == ([], True)


def test_a_weekday_that_is_closed_owes_nothing():
    shut = plan_of(Schedule(every_hours=24, grace_hours=12, open_days=["tue", "wed", "thu", "fri", "sat", "sun"]))
    assert breaches([row for row in weeks() if row.day.weekday()], shut) == []


def test_a_feed_that_has_ended_owes_nothing():
    assert breaches(weeks(8), replace(DAILY, ended=day(55))) == []


def test_what_no_schedule_says_is_learnt_from_the_weekdays_before():
    weekdays_only = [row for row in weeks(10) if row.day.weekday() < 5]
    learnt = plan_of(Schedule())
    assert breaches(weekdays_only, learnt, days=72) == [("no_file", "tills", 1)]  # Monday
    assert breaches([*weekdays_only, *(counted(n) for n in range(70, 75))], learnt, days=77) == []  # the weekend


def test_a_feed_that_comes_now_and_then_is_not_expected():
    assert breaches([counted(n) for n in range(0, 70, 3)], plan_of(Schedule()), days=73) == []


def test_a_weekly_feed_is_judged_by_its_weeks():
    weekly = Plan(168, 48)
    rows = [counted(7 * n, 60) for n in range(12)]
    assert breaches(rows, weekly, days=86) == []
    assert breaches(rows[:-1], weekly, days=86) == [("no_file", "tills", 1)]


def test_a_place_that_is_silent_for_eight_weeks_is_given_up_and_the_feed_is_not():
    each = replace(DAILY, each_place=True)
    first = [replace(row, place="S1") for row in weeks(2)]
    rest = [replace(row, place="S2") for row in weeks(12)]
    assert breaches([*weeks(12), *first, *rest], each, days=84) == []
    assert breaches(weeks(2), days=84) == [("no_file", "tills", 34)]


@given(st.lists(st.integers(0, 900), min_size=60, max_size=90), st.integers(0, 900), st.integers(1, 900))
def test_more_records_never_make_a_file_thin(history, records, more):
    def verdict(last):
        rows = [*(counted(n, r) for n, r in enumerate(history)), counted(len(history), last)]
        return [kind for kind, _, _ in breaches(rows, days=len(history) + 1) if kind == "thin_file"]

    today = [v for v in verdict(records + more) if v]
    assert len(today) <= len(verdict(records))


@given(st.lists(st.integers(0, 900), min_size=30, max_size=90))
def test_a_closed_day_never_alarms(history):
    rows = [counted(n, r) for n, r in enumerate(history)]
    now = datetime.combine(day(len(history) + 1), datetime.min.time()) + NOON
    plan = replace(DAILY, closed=frozenset({day(len(history))}))
    _, found = tabled(rows, plan, now, None, has_events=True)
    judged = judge(found, plan, np.array(np.datetime64(now, "m")))
    assert judged.verdict[0, len(history)] == Verdict.CLOSED_TODAY


@given(st.permutations(range(71)))
def test_the_order_in_which_files_came_does_not_matter(order):
    rows = [*weeks(), counted(70, 90)]
    assert breaches([rows[n] for n in order]) == breaches(rows) == [("thin_file", "tills", 1)]


def test_no_day_is_judged_by_what_came_after_it():
    rows = [*weeks(), counted(70, 100)]
    later = [*rows, *(counted(n, 5_000) for n in range(71, 90))]
    judged = []
    for known in (rows, later):
        now = datetime.combine(day(95), datetime.min.time())
        _, found = tabled(known, DAILY, now, None, has_events=True)
        judged.append(judge(found, DAILY, np.array(np.datetime64(now, "m"))).verdict[0, :71].tolist())
    assert judged[0] == judged[1]


@given(st.integers(0, 10_000))
def test_nothing_is_expected_far_above_the_last_four_weeks(seed):
    level = np.exp(np.random.default_rng(seed).normal(6, 0.5, (3, 120)))
    expected = usual(level).expected
    lately = np.median([level[:, 119 - 7 * k] for k in (1, 2, 3, 4)], axis=0)
    assert np.all(expected[:, 119] <= lately * np.exp(0.1) + 1e-9)
