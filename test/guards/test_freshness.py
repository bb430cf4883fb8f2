"""Which files a feed owed, which came, and what that says about the age of every figure (F2, F16)."""

from datetime import UTC, datetime

import pytest

from test.guards.guarded import MASTERS, deliver, write_contracts

DAY = "T1,A,S1,{day}T10:00Z,1\nT2,A,S1,{day}T11:00Z,1\n"
GAPS = "select series, gap_from, gap_to, windows, is_open from gold.feed_gap where feed = 'till' order by 1, 2"
FRESHNESS = "select status, watermark_at, missing_windows from gold.feed_freshness where feed = 'till' and series = %s"


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2025, 3, number, hour, tzinfo=UTC)


def till(place: str, *days: int) -> dict[str, str]:
    """Two sales of a store on each of these days."""
    return {
        f"till/{place}/2025-03-{d:02}.csv": "".join(
            f"{place}-{d}-{n},A,{place},2025-03-{d:02}T1{n}:00Z,1\n" for n in range(2)
        )
        for d in days
    }


@pytest.fixture
def feeds(tmp_path):
    return write_contracts(tmp_path / "feeds")


def run(warehouse, feeds, inbox, files):
    return warehouse.run(feeds, deliver(inbox, files))


def test_the_watermark_stops_at_a_missing_file_and_the_file_alone_moves_it(warehouse, feeds, tmp_path):
    said = "select alert_id from gold.alert where kind = 'feed_gap'"
    report = run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 2, 4, 5, 6))
    assert warehouse.rows(GAPS) == [("till/S1/", day(3), day(4), 1, False)]
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("gap", day(3), 1)]
    assert [a["subject"] for a in report.alerts if a["kind"] == "feed_gap"] == ["till till/S1/"]
    once = warehouse.rows(said)
    run(warehouse, feeds, tmp_path / "in", till("S1", 7))
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("gap", day(3), 1)]
    assert warehouse.rows(said) == once  # the same incident, and no second one
    run(warehouse, feeds, tmp_path / "in", till("S1", 3))
    assert warehouse.rows(GAPS) == warehouse.rows(said) == []
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("fresh", day(8), 0)]


def test_a_header_without_records_is_no_activity_and_no_bytes_are_no_file(warehouse, feeds, tmp_path):
    files = MASTERS | till("S1", 1, 3, 4) | till("S2", 1, 3, 4)
    run(warehouse, feeds, tmp_path / "in", files | {"till/S1/2025-03-02.csv": "", "till/S2/2025-03-02.csv": None})
    assert warehouse.rows(GAPS) == [("till/S2/", day(2), day(3), 1, False)]
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("fresh", day(5), 0)]
    assert warehouse.rows(FRESHNESS, ("till/S2/",)) == [("gap", day(2), 1)]


def test_f16_records_that_come_after_their_day_was_told_empty_count_and_a_file_without_bytes_is_still_owed(
    warehouse, feeds, tmp_path
):
    stock = "select location_code, on_hand from gold.stock_on_hand order by 1"
    last = {"till/S1/2025-03-02.csv": "", "till/S2/2025-03-02.csv": None}
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1) | till("S2", 1) | last)
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("fresh", day(3), 0)]  # an empty day is a day
    assert warehouse.rows(FRESHNESS, ("till/S2/",)) == [("fresh", day(2), 0)]  # due tomorrow at six
    run(warehouse, feeds, tmp_path / "in", {"move/2025-03-04T00.csv": ""})
    assert warehouse.rows(GAPS) == [("till/S2/", day(2), day(3), 1, True)]

    late = {f"till/{place}/2025-03-02-late.csv": text for place in ("S1", "S2") for text in till(place, 2).values()}
    run(warehouse, feeds, tmp_path / "in", late)
    assert warehouse.rows(stock) == [("S1", -4), ("S2", -4)]
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("fresh", day(3), 0)]  # what came late moves it no further
    assert warehouse.rows(FRESHNESS, ("till/S2/",)) == [("fresh", day(3), 0)]
    sold = "select event_time::date::text, sum(quantity) from gold.stock_movement where location_code = %s group by 1"
    assert sorted(warehouse.rows(sold, ("S1",))) == [("2025-03-01", -2), ("2025-03-02", -2)]


def test_empty_days_have_the_same_bytes_and_each_counts_for_its_own_day(warehouse, feeds, tmp_path):
    empty = {f"till/S1/2025-03-{d:02}.csv": "" for d in (2, 3, 5)}
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 6) | empty)
    assert warehouse.rows(GAPS) == [("till/S1/", day(4), day(5), 1, False)]


def test_yesterdays_sales_under_todays_name_tell_of_no_new_day(warehouse, feeds, tmp_path):
    again = till("S1", 2) | {"till/S1/2025-03-03.csv": till("S1", 2)["till/S1/2025-03-02.csv"]}
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 4) | again)
    assert warehouse.rows(GAPS) == [("till/S1/", day(3), day(4), 1, False)]


def test_a_store_that_falls_silent_is_late_and_its_file_is_not_missed_before_it_is_due(warehouse, feeds, tmp_path):
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 2) | till("S2", 1, 2, 3))
    assert warehouse.rows(GAPS) == []  # due at 06:00 of the 4th, and the latest file ends at its midnight
    run(warehouse, feeds, tmp_path / "in", till("S2", 4))
    assert warehouse.rows(GAPS) == [("till/S1/", day(3), day(4), 1, True)]
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == [("late", day(3), 1)]
    assert warehouse.rows(FRESHNESS, ("till/S2/",)) == [("fresh", day(5), 0)]
    run(warehouse, feeds, tmp_path / "in", till("S2", 5, 6))
    assert warehouse.rows(GAPS) == [("till/S1/", day(3), day(6), 3, True)]
    assert warehouse.value("select location_code from gold.feed_gap") == "S1"


def test_a_backfill_never_makes_a_feed_fresh(warehouse, feeds, tmp_path):
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 10) | till("S2", 10, 11, 12, 13))
    before = warehouse.rows(FRESHNESS, ("till/S1/",))
    run(warehouse, feeds, tmp_path / "in", till("S1", 8, 9))
    assert warehouse.rows(FRESHNESS, ("till/S1/",)) == before == [("late", day(11), 2)]


def test_a_feed_without_any_file_is_empty_and_not_fresh(warehouse, feeds, tmp_path):
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1))
    status = dict(warehouse.rows("select feed, status from gold.feed_freshness"))
    assert status == {"till": "fresh", "move": "empty"}
    assert warehouse.value("select watermark_at from gold.feed_freshness where feed = 'move'") is None


def test_now_is_an_argument_and_the_clock_decides_nothing_in_gold(warehouse, feeds, tmp_path):
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 2))
    asked = "select gap_from, gap_to, windows from gold.feed_gap_at(%s)"
    assert warehouse.rows(asked, (day(4, 5),)) == []
    assert warehouse.rows(asked, (day(4, 6),)) == [(day(3), day(4), 1)]
    assert warehouse.rows(asked, (day(9, 6),)) == [(day(3), day(9), 6)]
    assert warehouse.rows(asked, ("infinity",)) == []
    live = "select status, watermark_at, behind_hours > 0 from gold.feed_freshness_at(now()) where feed = 'till'"
    assert warehouse.rows(live) == [("late", day(3), True)]
    assert warehouse.value("select max(as_of) from gold.feed_freshness") == day(3)


def test_files_written_at_the_end_of_their_hour_and_a_clock_set_forward_leave_no_false_gap(warehouse, feeds, tmp_path):
    header = {f"move/2025-03-30T{hour:02}.csv": "" for hour in (1, 2, 3, 5)}
    run(warehouse, feeds, tmp_path / "in", MASTERS | header)
    found = warehouse.rows("select gap_from, gap_to, is_open from gold.feed_gap where feed = 'move'")
    assert found == [(day(30, 3), day(30, 4), False)]

    local = write_contracts(
        tmp_path / "local", replace={"{path: '(\\d{4}-\\d{2}-\\d{2})'}\n  records": "{path: '(\\d{4}-\\d{2}-\\d{2})', "
                                     "zone: Europe/Berlin}\n  records"},
    )  # fmt: skip
    assert "Europe/Berlin" in (local / "till.yml").read_text(encoding="utf-8")
    warehouse.run(local, deliver(tmp_path / "in2", till("BER", 27, 28, 29, 30, 31)))
    assert warehouse.rows(GAPS) == []


def test_a_weekly_file_dated_at_its_beginning_makes_no_daily_feed_late(warehouse, feeds, tmp_path):
    weekly = {"\nschedule: {every_hours: 1,": "\nschedule: {every_hours: 168,"}
    feeds = write_contracts(tmp_path / "weekly", replace=weekly | {"time_marks: end": "time_marks: start"})
    run(warehouse, feeds, tmp_path / "in", MASTERS | till("S1", 1, 2, 3) | {"move/2025-03-03T00.csv": ""})
    assert warehouse.rows("select distinct status, as_of from gold.feed_freshness") == [("fresh", day(4))]


def test_gaps_and_freshness_are_the_same_in_every_order_of_arrival(make_warehouse, feeds, tmp_path):
    files = (
        MASTERS | till("S1", 1, 2, 5) | till("S2", 2, 3) | {"till/S2/2025-03-01.csv": "", "till/S1/2025-03-03.csv": ""}
    )
    told = []
    for number, order in enumerate((list(files), list(reversed(files)))):
        one = make_warehouse()
        for names in (order[:4], order[4:]):
            run(one, feeds, tmp_path / f"in{number}", {name: files[name] for name in names})
        told.append(
            [one.rows(f"select {columns} from gold.{view} order by 1, 2, 3") for view, columns in (
                ("feed_gap", "*"), ("feed_freshness", "*"), ("alert", "alert_id, kind, subject, sentence")
            )]
        )  # fmt: skip
    assert told[0] == told[1]
    assert told[0][0] != []
