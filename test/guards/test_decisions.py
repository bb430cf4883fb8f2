"""The gate of volume, the bound of quantities, and what people decide about both (F29, F40)."""

from collections import Counter
from decimal import Decimal

import pytest

from etl_pipeline.core.errors import RetryStepError, UsageError
from etl_pipeline.core.names import Schemas
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.decisions import let_in
from pipeline_manager.quarantine_commands import decide
from test.guards.guarded import MASTERS, deliver, write_contracts

COUNTED = {"count_2025-03-01.csv": "C1,1,A,S1,2025-03-01T00:00Z,100,\n"}
STOCK = "select sum(on_hand) from gold.stock_on_hand"


def till(number: int, lines: int) -> dict[str, str]:
    body = "".join(f"T{number}-{n},A,S1,2025-03-0{number}T10:0{n}Z,1\n" for n in range(lines))
    return {f"till/S1/2025-03-0{number}.csv": body}


@pytest.fixture
def feeds(tmp_path):
    return write_contracts(tmp_path / "feeds")


def decided(warehouse, verdict, file, line=None, reason="a person looked at it"):
    connection = connect(warehouse.url)
    try:
        return decide(PostgresWarehouse(connection, Schemas.of(None)), verdict, file, line, reason=reason, by="ann")
    finally:
        connection.close()


def test_ten_times_the_records_are_held_back_and_readers_keep_what_they_had(warehouse, feeds, tmp_path):
    inbox = deliver(tmp_path / "in", MASTERS | COUNTED | till(2, 3))
    warehouse.run(feeds, inbox)
    assert warehouse.value(STOCK) == 97
    report = warehouse.run(feeds, deliver(tmp_path / "in", till(3, 9) | till(4, 1)))
    assert warehouse.value(STOCK) == 97
    held = warehouse.rows("select file_name, reason, records from gold.feed_file where status = 'set_aside' order by 1")
    assert held == [
        ("till/S1/2025-03-03.csv", "unusual_volume", 0),
        ("till/S1/2025-03-04.csv", "unusual_volume", 0),
    ]
    assert report.quarantined == 2
    assert [a["kind"] for a in report.alerts if a["kind"] == "file_set_aside"] == ["file_set_aside"] * 2


def test_a_file_that_a_person_lets_in_is_loaded_by_the_next_run_and_stays(warehouse, feeds, tmp_path):
    inbox = deliver(tmp_path / "in", MASTERS | COUNTED | till(2, 3) | till(3, 9))
    warehouse.run(feeds, inbox)
    decided(warehouse, "accept", "2025-03-03.csv", reason="Black Friday")
    report = warehouse.run(feeds, None)
    assert (warehouse.value(STOCK), report.quarantined) == (88, 0)
    hashes = warehouse.hashes()
    again = warehouse.run(feeds, inbox)
    assert (again.batches, warehouse.hashes()) == (0, hashes)
    assert warehouse.rows("select verdict, reason, decided_by from ops.decision") == [("accept", "Black Friday", "ann")]


def test_the_gate_does_not_depend_on_what_came_before(make_warehouse, feeds, tmp_path):
    files = MASTERS | COUNTED | till(2, 3) | till(3, 9) | till(4, 1) | {"till/S1/2025-03-05.csv": ""}
    found = []
    for number, names in enumerate((list(files), list(reversed(files)))):
        one = make_warehouse()
        for half in (names[:3], names[3:]):
            one.run(feeds, deliver(tmp_path / f"in{number}", {name: files[name] for name in half}))
        found.append(one.hashes())
    assert found[0] == found[1]


def test_an_empty_file_passes_the_gate_unless_the_contract_refuses_it(warehouse, feeds, tmp_path):
    inbox = deliver(tmp_path / "in", MASTERS | COUNTED | {"till/S1/2025-03-02.csv": ""})
    assert warehouse.run(feeds, inbox).quarantined == 0
    strict = write_contracts(tmp_path / "strict", replace={"at_most: 4": "at_most: 4, allow_empty: false"})
    more = deliver(tmp_path / "in2", {"till/S2/2025-03-02.csv": "\n"})
    warehouse.run(strict, more)
    assert warehouse.rows("select reason from gold.feed_file where status = 'set_aside'") == [("unusual_volume",)]


def test_f29_999999_beyond_the_bound_of_the_contract_never_reaches_stock_without_a_person(warehouse, feeds, tmp_path):
    moves = {
        "move/2025-03-02T10.csv": "M1,1,A,S1,2025-03-02T09:00Z,5,receipt,,\n"
        "M2,1,A,S1,2025-03-02T09:10Z,999999,receipt,,\nM3,1,B,S1,2025-03-02T09:10Z,-100000,adjustment,,\n"
    }
    inbox = deliver(tmp_path / "in", MASTERS | moves)
    report = warehouse.run(feeds, inbox)
    assert warehouse.rows("select reason, line_no from gold.quarantine") == [("implausible_quantity", 3)]
    assert warehouse.rows("select product_code, on_hand from gold.stock_on_hand order by 1") == [
        ("A", Decimal(5)), ("B", Decimal(-100000))
    ]  # fmt: skip
    assert "100000" in report.set_aside[0]["sentence"] and "accept" in report.set_aside[0]["sentence"]

    decided(warehouse, "accept", "2025-03-02T10.csv", 3)
    warehouse.run(feeds, None)
    assert warehouse.value("select on_hand from gold.stock_on_hand where product_code = 'A'") == 1_000_004
    assert warehouse.books() == []
    assert warehouse.run(feeds, inbox).batches == 0


def test_what_a_person_dismisses_stays_kept_and_counted_and_no_longer_waits(warehouse, feeds, tmp_path):
    bad = {"move/2025-03-02T10.csv": "M1,1,A,S1,2025-03-02T09:00Z,five,receipt,,\nM2,1,A,S1,x,1,receipt,,\n"}
    inbox = deliver(tmp_path / "in", MASTERS | bad | {"till/S1/2025-03-02.csv": None})
    assert warehouse.run(feeds, inbox).quarantined == 3
    decided(warehouse, "dismiss", "move/2025-03-02T10.csv", 2)
    decided(warehouse, "dismiss", "till/S1/2025-03-02.csv")
    report = warehouse.run(feeds, inbox)
    assert report.quarantined == 1
    assert [row["reason"] for row in report.set_aside] == ["not_a_time"]
    assert [a for a in report.alerts if a["kind"] == "file_set_aside"] == []
    kept = "select line_no, is_dismissed, raw_text from gold.quarantine order by 1"
    assert [row[:2] for row in warehouse.rows(kept)] == [(2, True), (3, False)]
    counted = "select quarantined, dismissed from gold.feed_file where feed = 'move'"
    assert warehouse.rows(counted) == [(2, 1)]
    assert warehouse.books() == []


def test_a_full_refresh_forgets_no_decision_not_even_when_it_is_killed(warehouse, feeds, tmp_path, monkeypatch):
    moves = "M1,1,A,S1,2025-03-02T09:00Z,five,receipt,,\nM2,1,B,S1,2025-03-02T09:10Z,999999,receipt,,\n"
    files = MASTERS | COUNTED | till(3, 9) | {"move/2025-03-02T10.csv": moves, "till/S2/2025-03-03.csv": None}
    inbox = deliver(tmp_path / "in", files)
    warehouse.run(feeds, inbox)
    decided(warehouse, "accept", "S1/2025-03-03.csv")
    decided(warehouse, "accept", "2025-03-02T10.csv", 3)
    decided(warehouse, "dismiss", "2025-03-02T10.csv", 2)
    decided(warehouse, "dismiss", "S2/2025-03-03.csv")
    assert warehouse.run(feeds, None).quarantined == 0
    decisions, hashes = warehouse.rows("select * from ops.decision order by 1, 2, 3"), warehouse.hashes()
    assert (len(decisions), warehouse.value(STOCK)) == (4, 91 + 999999)

    with monkeypatch.context() as broken:
        broken.setattr("etl_pipeline.core.failpoints._reached", Counter())
        broken.setenv("SYSTOCK_FAILPOINT", "rebuild.dropped=raise")
        with pytest.raises(RetryStepError, match="Failpoint rebuild"):
            warehouse.run(feeds, inbox, full_refresh=True)
    assert warehouse.value("select to_regclass('ops.decision')") is None
    assert warehouse.run(feeds, None).quarantined == 0
    assert warehouse.rows("select * from ops.decision order by 1, 2, 3") == decisions
    assert warehouse.hashes() == hashes


def test_a_decision_says_what_it_is_about_and_why_or_is_refused(warehouse, feeds, tmp_path):
    bad = {"move/2025-03-02T10.csv": "M1,1,A,S1,2025-03-02T09:00Z,five,receipt,,\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | bad | till(3, 9) | till(4, 9)))
    with pytest.raises(UsageError, match="no decision can mend"):
        decided(warehouse, "accept", "2025-03-02T10.csv")
    with pytest.raises(UsageError, match="means 3 files"):
        decided(warehouse, "dismiss", "csv")
    with pytest.raises(UsageError, match="Nothing of"):
        decided(warehouse, "dismiss", "2025-03-02T10.csv", 77)
    with pytest.raises(UsageError, match="Say why"):
        decided(warehouse, "dismiss", "2025-03-02T10.csv", reason="  ")
    assert warehouse.value("select count(*) from ops.decision") == 0
    connection = connect(warehouse.url)
    assert let_in(PostgresWarehouse(connection, Schemas.of(None))).files == frozenset()
    connection.close()
