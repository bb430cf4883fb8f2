"""Counts that nobody can believe, and goods that are lost between two places (F32, F33, F36; section 5)."""

from decimal import Decimal

import pytest

from test.guards.guarded import MASTERS, deliver, write_contracts

TRANSIT = """
    select order_document, product_code, from_location_code, to_location_code, status, shipped, received, open_quantity,
        age_days, is_overdue
    from gold.in_transit order by 1, 2
"""
BALANCE = """
    select coalesce(sum(open_quantity), 0) = (
        select coalesce(sum(quantity), 0) from silver.account_entry where account = 'transit'
    ) from gold.in_transit
"""
REVIEW = "select document, counted, book_before, is_anchor, on_hand, on_hand_without from gold.count_review order by 1"


@pytest.fixture
def feeds(tmp_path):
    return write_contracts(tmp_path / "feeds")


def test_an_implausible_count_counts_and_both_figures_and_an_alert_are_published(warehouse, feeds, tmp_path):
    files = {
        "count_2025-03-01.csv": "C1,1,A,S1,2025-03-01T08:00Z,40,\nC1,1,B,S1,2025-03-01T08:00Z,400,\n",
        "move/2025-03-03T20.csv": "M1,1,A,S1,2025-03-02T08:00Z,-3,sale,,\nM2,1,A,S1,2025-03-03T19:00Z,-1,sale,,\n",
        "count_2025-03-03.csv": "C2,1,A,S1,2025-03-03T08:00Z,307,\nC2,1,B,S1,2025-03-03T08:00Z,360,\n",
    }
    inbox = deliver(tmp_path / "in", MASTERS | files)
    report = warehouse.run(feeds, inbox)
    assert warehouse.rows(REVIEW) == [("C2", 307, 37, True, 306, 36)]
    assert [a["sentence"] for a in report.alerts if a["kind"] == "count_review"] == [
        "A at S1: counted 307 where the book said 37: count it again. If the count is wrong, void it or send the "
        "right one."
    ]
    deliver(tmp_path / "in", {"count_2025-03-04.csv": "C3,1,A,S1,2025-03-04T08:00Z,35,\n"})
    warehouse.run(feeds, inbox)
    assert warehouse.rows(REVIEW) == [("C2", 307, 37, False, 35, 35), ("C3", 35, 306, True, 35, 306)]
    deliver(tmp_path / "in", {"count_2025-03-05.csv": "C2,2,A,S1,2025-03-03T08:00Z,307,void\n"})
    warehouse.run(feeds, inbox)
    assert warehouse.rows(REVIEW) == []
    assert warehouse.value("select on_hand from gold.stock_on_hand where product_code = 'A'") == 35


def test_a_count_in_the_future_of_its_own_file_is_set_aside_and_anchors_nothing(warehouse, feeds, tmp_path):
    files = {"count_2025-03-01.csv": "C1,1,A,S1,2025-03-01T08:00Z,40,\nC1,1,B,S1,2099-03-01T08:00Z,400,\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | files))
    assert warehouse.rows("select reason, line_no from gold.quarantine") == [("future_time", 3)]
    assert warehouse.rows("select product_code, on_hand from gold.stock_on_hand") == [("A", Decimal(40))]


def test_what_left_and_did_not_arrive_ages_and_what_arrived_twice_is_named(warehouse, feeds, tmp_path):
    out, back = "transfer_out,S1", "transfer_in,W1"
    files = {
        "move/2025-03-03T20.csv": (
            f"O1,1,A,W1,2025-03-01T08:00Z,-10,{out},D1\nO2,1,A,W1,2025-03-01T08:00Z,-10,{out},D2\n"
            f"O3,1,A,W1,2025-03-01T08:00Z,-10,{out},D3\nO4,1,B,W1,2025-03-01T08:00Z,-5,{out},\n"
            f"O5,1,A,W1,2025-03-09T08:00Z,-6,{out},D5\n"
        ),
        "move/2025-03-10T20.csv": (
            f"I1,1,A,S1,2025-03-02T08:00Z,10,{back},D1\nI2,1,A,S1,2025-03-02T09:00Z,4,{back},D2\n"
            f"I3,1,A,S1,2025-03-02T08:00Z,10,{back},D3\nI3b,1,A,S1,2025-03-04T08:00Z,10,{back},D3\n"
            f"I6,1,B,S1,2025-03-10T08:00Z,2,{back},D6\nI7,1,B,S1,2025-03-10T08:00Z,5,receipt,,\n"
        ),
    }
    report = warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | files))
    assert warehouse.rows(TRANSIT) == [
        ("", "B", "W1", "S1", "in_transit", 5, 0, 5, 9, True),
        ("D2", "A", "W1", "S1", "in_transit", 10, 4, 6, 9, True),
        ("D3", "A", "W1", "S1", "received_twice", 10, 20, -10, 9, True),
        ("D5", "A", "W1", "S1", "in_transit", 6, 0, 6, 1, False),
        ("D6", "B", "W1", "S1", "not_shipped", 0, 2, -2, 0, False),
    ]
    assert warehouse.value(BALANCE)
    told = {a["kind"]: a["sentence"] for a in report.alerts}
    assert told["transit_received_twice"] == "20 of A arrived at S1, 10 had left (D3): ask both places."
    assert "6 of A left W1 and did not arrive at S1 in 9 days (D2): ask both places." in [
        a["sentence"] for a in report.alerts
    ]

    late = {"move/2025-03-10T21.csv": f"I8,1,A,S1,2025-03-10T08:00Z,6,{back},D2\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", late))
    assert "D2" not in {row[0] for row in warehouse.rows(TRANSIT)}
    assert warehouse.value(BALANCE)


def test_an_incident_keeps_its_name_as_long_as_it_lasts(warehouse, feeds, tmp_path):
    def ids():
        return {row[0] for row in warehouse.rows("select alert_id from gold.alert where kind like 'feed%%'", ())}

    header = {f"move/2025-03-30T{hour:02}.csv": "" for hour in (1, 2)}
    till = {"till/S1/2025-03-30.csv": ""}
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | header | till))
    first = ids()
    assert len(first) == 1
    warehouse.run(feeds, deliver(tmp_path / "in", {"till/S1/2025-03-31.csv": ""}))
    assert ids() == first
    warehouse.run(feeds, deliver(tmp_path / "in", {"move/2025-03-30T09.csv": ""}))
    assert first < ids()


def test_two_versions_that_both_claim_to_be_the_latest_raise_one_alert(warehouse, feeds, tmp_path):
    files = {
        "move/2025-03-03T20.csv": "M1,1,A,S1,2025-03-02T08:00Z,3,receipt,,\nM1,1,A,S1,2025-03-02T08:00Z,4,receipt,,\n"
    }
    report = warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | files))
    (told,) = [a for a in report.alerts if a["kind"] == "conflict"]
    assert told["subject"] == "move M1"
    assert told["sentence"].startswith("Two versions of M1 claim to be the latest")
