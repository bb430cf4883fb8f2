"""Revisions, masters and counts, each case told as a few files; sections 11 and 12 in all orders: test/semantics."""

from decimal import Decimal
from pathlib import Path

import pytest

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_order_independence import assert_same, load
from test.run_warehouse import RunWarehouse


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("contracts"))


AT = "2025-02-01T09:00:00"


def stock(warehouse: RunWarehouse) -> dict[tuple[str, str], Decimal]:
    return {(p, place): q for p, place, q in warehouse.rows(
        "select product_code, location_code, on_hand from gold.stock_on_hand"
    )}  # fmt: skip


def reasons(warehouse: RunWarehouse) -> list[str]:
    return [r for (r,) in warehouse.rows("select reason from gold.quarantine order by file_name, line_no")]


def move(doc: str, at: str, quantity: int, *, rev: int = 1, sku: str = "A", place: str = "W1", **cells: str) -> str:
    unit, kind, status = cells.get("unit", ""), cells.get("kind", "adj"), cells.get("status", "")
    return f"{doc},1,{rev},{sku},{place},{at},{quantity},{unit},{kind},{status}\n"


def count(doc: str, at: str, quantity: int, *, rev: int = 1, sku: str = "A", place: str = "W1", **cells: str) -> str:
    scope, absence, status = cells.get("scope", "item"), cells.get("absence", "unknown"), cells.get("status", "")
    return f"{doc},{rev},{sku},{place},{at},{quantity},{scope},{absence},{status}\n"


def test_a_back_dated_receipt_before_a_count_explains_it_and_adds_nothing(make_warehouse, contracts, tmp_path):
    """The well-known wrong answer is 42: the receipt was counted already, so 1 is right."""
    counted = {"count_2025-02-03.csv": count("C1", "2025-02-02T12:00:00", 1)}
    received_late = {"move_2025-02-09.csv": move("D1", "2025-02-01T09:00:00", 41, kind="in")}

    warehouse = load(make_warehouse, contracts, tmp_path, [MASTERS | counted, received_late])

    assert stock(warehouse) == {("A", "W1"): 1}
    at_once = load(make_warehouse, contracts, tmp_path, [MASTERS | counted | received_late])
    assert_same(at_once, warehouse)


def test_after_a_back_dated_count_stock_is_the_count_plus_what_came_after_it(make_warehouse, contracts, tmp_path):
    moved = {"move_2025-02-05.csv": move("D1", "2025-02-01T09:00:00", 10) + move("D2", "2025-02-04T09:00:00", -3)}
    counted_before = {"count_2025-02-09.csv": count("C1", "2025-02-02T09:00:00", 8)}

    warehouse = load(make_warehouse, contracts, tmp_path, [MASTERS | moved, counted_before])

    assert stock(warehouse) == {("A", "W1"): 5}


def test_a_movement_at_the_very_instant_of_a_count_belongs_to_the_count(make_warehouse, contracts, tmp_path):
    at = "2025-02-02T12:00:00"
    files = {
        "count_2025-02-03.csv": count("C1", at, 7),
        "move_2025-02-03.csv": move("D1", at, -2) + move("D2", "2025-02-02T12:00:01", -1),
    }

    assert stock(load(make_warehouse, contracts, tmp_path, [MASTERS | files])) == {("A", "W1"): 6}


def test_a_correction_wins_over_its_original_whichever_comes_first_and_a_void_takes_the_document_back(
    make_warehouse, contracts, tmp_path
):
    original = {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", -2)}
    corrected = {"move_2025-02-02.csv": move("D1", "2025-02-01T09:00:00", -1, rev=2)}
    void = {"move_2025-02-03.csv": move("D1", "2025-02-01T09:00:00", -1, rev=3, status="void")}

    one = load(make_warehouse, contracts, tmp_path, [MASTERS, original, corrected])
    other = load(make_warehouse, contracts, tmp_path, [corrected, original, MASTERS])
    assert stock(one) == stock(other) == {("A", "W1"): -1}
    assert_same(one, other)
    gone = load(make_warehouse, contracts, tmp_path, [void, original, MASTERS, corrected])
    assert stock(gone).get(("A", "W1"), 0) == 0
    superseded = gone.value("select sum(superseded) from gold.feed_file where feed = 'move'")
    assert superseded == 2


def test_the_same_bytes_for_another_day_say_it_again_for_that_day(make_warehouse, contracts, tmp_path):
    """A full extract that goes back to what it was: X, then Y, then the very bytes of X. The third was ignored."""
    first = {"pack_2025-02-01.csv": "A,CS,6,\n"}
    changed = {"pack_2025-02-03.csv": "A,CS,8,\n"}
    back = {"pack_2025-02-05.csv": "A,CS,6,\n"}
    told = {"move_2025-02-01.csv": move("D1", AT, 2, unit="CS")}

    in_order = load(make_warehouse, contracts, tmp_path, [MASTERS | told, first, changed, back])
    backwards = load(make_warehouse, contracts, tmp_path, [MASTERS | told, back, changed, first])

    assert stock(in_order) == {("A", "W1"): 12}
    assert_same(in_order, backwards)
    again = write_files(tmp_path / "again", first | changed | back | {"move_2025-02-06.csv": move("D2", AT, 1)})
    report = in_order.run(contracts, again, gold_tests=True)
    assert report.batches == 1


def test_rows_that_disagree_under_one_revision_have_one_winner_and_are_flagged(make_warehouse, contracts, tmp_path):
    one = {"move_2025-02-01_1.csv": move("D1", "2025-02-01T09:00:00", 5)}
    other = {"move_2025-02-01_2.csv": move("D1", "2025-02-01T09:00:00", 6)}

    first = load(make_warehouse, contracts, tmp_path, [MASTERS, one, other])
    second = load(make_warehouse, contracts, tmp_path, [other, one, MASTERS])

    assert_same(first, second)
    assert first.value("select count(*) from silver.record where is_conflict and is_current") == 1


def test_a_whole_count_with_absence_zero_empties_what_it_does_not_list_and_only_what_stood_there(
    make_warehouse, contracts, tmp_path
):
    moved = {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5) + move("D2", "2025-02-01T09:00:00", 9, sku="B")
             + move("D3", "2025-02-01T09:00:00", 4, sku="B", place="S1")}  # fmt: skip
    whole = {"count_2025-02-03.csv": count("C1", "2025-02-02T09:00:00", 6, scope="location", absence="zero")}
    later = {"move_2025-02-04.csv": move("D4", "2025-02-03T09:00:00", 2, sku="B")}

    runs = [MASTERS | moved, whole, later]
    warehouse = load(make_warehouse, contracts, tmp_path, runs)

    assert stock(warehouse) == {("A", "W1"): 6, ("B", "W1"): 2, ("B", "S1"): 4}
    assert_same(load(make_warehouse, contracts, tmp_path, runs[::-1]), warehouse)


def test_a_whole_count_with_absence_unknown_says_nothing_about_what_it_does_not_list(
    make_warehouse, contracts, tmp_path
):
    moved = {
        "move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5) + move("D2", "2025-02-01T09:00:00", 9, sku="B")
    }
    whole = {"count_2025-02-03.csv": count("C1", "2025-02-02T09:00:00", 6, scope="location")}

    assert stock(load(make_warehouse, contracts, tmp_path, [MASTERS | moved, whole])) == {
        ("A", "W1"): 6,
        ("B", "W1"): 9,
    }


def test_a_master_that_arrives_later_releases_what_waited_as_if_it_had_come_first(make_warehouse, contracts, tmp_path):
    moved = {
        "move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5, sku="C") + move("D2", "2025-02-01T10:00:00", 1)
    }
    master = {"product_2025-02-05.csv": "C,Cheese,EA,2025-02-05\n"}

    late = load(make_warehouse, contracts, tmp_path, [MASTERS | moved])
    assert reasons(late) == ["unknown_product"]
    assert stock(late) == {("A", "W1"): 1}
    late.run(contracts, write_files(tmp_path / "late", master))

    assert reasons(late) == []
    assert stock(late) == {("A", "W1"): 1, ("C", "W1"): 5}
    assert_same(load(make_warehouse, contracts, tmp_path, [master, MASTERS | moved]), late)


@pytest.mark.parametrize(
    "case",
    [
        (move("D1", AT, 5, place="S9"), "unknown_location", {"place_2025-02-05.csv": "S9,store,,2025-02-05\n"}),
        (move("D1", AT, 5, unit="CS"), "unknown_unit", {"pack_2025-02-05.csv": "A,CS,6,2025-02-05\n"}),
        (move("D1", AT, 5, kind="new"), "unknown_reference", {"kind_2025-02-05.csv": "new,receipt,2025-02-05\n"}),
        (move("D1", AT, 5, sku="old-A"), "unknown_product", {"alias_2025-02-05.csv": "old-A,A,2025-02-05\n"}),
    ],
    ids=["place", "unit", "lookup", "alias"],
)  # fmt: skip
def test_whatever_a_record_waits_for_releases_it(make_warehouse, contracts, tmp_path, case):
    waiting, reason, release = case
    moved = {"move_2025-02-01.csv": waiting}
    late = load(make_warehouse, contracts, tmp_path, [MASTERS | moved])
    assert reasons(late) == [reason]

    late.run(contracts, write_files(tmp_path / "late", release))

    assert reasons(late) == []
    assert sum(stock(late).values()) in (5, 30)
    assert_same(load(make_warehouse, contracts, tmp_path, [MASTERS | release | moved]), late)


def test_a_code_that_changes_its_meaning_is_judged_again_where_it_was_used(make_warehouse, contracts, tmp_path):
    moved = {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5, kind="in")}
    changed = {"kind_2025-02-05.csv": "in,transfer_in,2025-02-05\n"}

    late = load(make_warehouse, contracts, tmp_path, [MASTERS | moved, changed])

    assert late.rows("select movement_class from gold.stock_movement") == [("transfer_in",)]
    assert_same(load(make_warehouse, contracts, tmp_path, [changed, MASTERS | moved]), late)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pack_2025-02-05.csv": "A,CS,10,2025-02-05\n"}, 20),
        ({"product_2025-02-05.csv": "A,Apple,CS,2025-02-05\n"}, 2),
    ],
    ids=["the case holds more", "the case is the base unit"],
)
def test_units_that_change_are_applied_to_what_was_told_in_them(make_warehouse, contracts, tmp_path, change, expected):
    files = {
        "move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 2, unit="CS"),
        "pack_2025-02-01.csv": "A,CS,6,2025-02-01\n",
    }

    late = load(make_warehouse, contracts, tmp_path, [MASTERS | files, change])

    assert stock(late) == {("A", "W1"): expected}
    assert_same(load(make_warehouse, contracts, tmp_path, [change, MASTERS | files]), late)


def test_a_place_that_changes_its_zone_moves_its_local_times(make_warehouse, contracts, tmp_path):
    files = {"ticket_2025-02-01.csv": "T1,A,S1,2025-02-01T23:30:00,1,9.99\n"}
    change = {"place_2025-02-05.csv": "S1,store,America/New_York,2025-02-05\n"}

    late = load(make_warehouse, contracts, tmp_path, [MASTERS | files, change])

    assert late.value("select sold_at::text from gold.sale_line") == "2025-02-02 04:30:00+00"
    assert_same(load(make_warehouse, contracts, tmp_path, [change, MASTERS | files]), late)


def test_twins_of_one_file_survive_and_the_greatest_multiplicity_over_files_wins(make_warehouse, contracts, tmp_path):
    ticket = "T1,A,S1,2025-02-01T10:00:00,1,9.99\n"
    twins = {"ticket_2025-02-01.csv": ticket * 2 + "T1,B,S1,2025-02-01T10:00:00,1,1.50\n"}
    once = {"ticket_2025-02-02.csv": ticket}
    thrice = {"ticket_2025-02-03.csv": ticket * 3}

    assert stock(load(make_warehouse, contracts, tmp_path, [MASTERS | twins, once])) == {
        ("A", "S1"): -2,
        ("B", "S1"): -1,
    }
    runs = [MASTERS | twins, once, thrice]
    warehouse = load(make_warehouse, contracts, tmp_path, runs)
    assert stock(warehouse) == {("A", "S1"): -3, ("B", "S1"): -1}
    assert warehouse.value("select sum(duplicate) from gold.feed_file") == 3
    assert_same(load(make_warehouse, contracts, tmp_path, runs[::-1]), warehouse)
