"""A real ERP's own stock ledger, two full extracts; the ERP's reported stock is the truth."""

import csv
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from test.run_warehouse import RunWarehouse, shared_data

Stock = dict[tuple[str, str, str], Decimal]


@pytest.fixture(scope="module")
def extracts() -> Path:
    return shared_data("openbravo_fb_group")


def reported(folder: Path) -> Stock:
    with (folder / "reported_onhand.csv").open(encoding="utf-8", newline="") as stream:
        return {(r["product"], r["locator"], r["lot"]): Decimal(r["QTYONHAND"]) for r in csv.DictReader(stream)}


def on_hand(warehouse: RunWarehouse) -> Stock:
    return {
        (product, bin_code, lot): quantity
        for product, bin_code, lot, quantity in warehouse.rows(
            "select product_code, bin_code, lot_code, sum(on_hand) from gold.stock_on_hand_detail group by 1, 2, 3"
        )
    }


def differences(ours: Stock, theirs: Stock) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
    """Keys on which the two disagree; a key that one side does not have counts as 0 there."""
    nothing = Decimal(0)
    pairs = {key: (ours.get(key, nothing), theirs.get(key, nothing)) for key in ours.keys() | theirs.keys()}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def movements(warehouse: RunWarehouse) -> int:
    query = "select count(*) from silver.fact_movement where known_to is null and role = 'authority'"
    return int(warehouse.value(query))


def test_both_extracts_give_the_stock_that_the_erp_reports_on_every_key(warehouse, feeds_folder, extracts):
    first, second = extracts / "2013-07-05", extracts / "2013-07-17"

    warehouse.run(feeds_folder / "openbravo", first)

    assert differences(on_hand(warehouse), reported(first)) == {}
    assert movements(warehouse) == 2_497
    assert sum(on_hand(warehouse).values()) == 5_720_790

    report = warehouse.run(feeds_folder / "openbravo", second)

    assert differences(on_hand(warehouse), reported(second)) == {}
    assert movements(warehouse) == 2_604
    assert sum(on_hand(warehouse).values()) == 8_070_190
    new = warehouse.value(
        "select count(*) from silver.fact_movement where role = 'authority' and known_from > %s",
        (report.known - report.batches,),
    )
    assert new == 107, "the second extract repeats the first and adds 107 movements"


def test_every_record_of_both_extracts_is_accounted_for_and_addressed(warehouse, feeds_folder, extracts):
    report = warehouse.run(feeds_folder / "openbravo", extracts)

    assert report.quarantined == 0
    assert [law["law"] for law in report.broken_laws] == []
    assert warehouse.books() == []
    assert warehouse.untiled() == []
    for file_id, name in warehouse.rows("select file_id, name from bronze.file"):
        assert warehouse.bytes_of(file_id) == (extracts / name).read_bytes(), name


def test_receipts_shipments_and_count_lines_are_shadows_of_the_ledger_and_never_added(
    warehouse, feeds_folder, extracts
):
    warehouse.run(feeds_folder / "openbravo", extracts / "2013-07-17")

    told = dict(warehouse.rows("select feed, count(*) from gold.stock_movement where not is_counted group by feed"))
    counted = dict(warehouse.rows("select feed, count(*) from gold.stock_movement where is_counted group by feed"))
    assert counted == {"transaction": 2_604}
    assert set(told) == {"inout_line"}
    assert warehouse.value("select count(*) from silver.fact_count where role = 'authority'") == 0


@pytest.mark.slow
def test_any_order_of_the_extracts_gives_the_same_silver_and_gold(
    make_warehouse: Callable[[], RunWarehouse], feeds_unsnapped, extracts, tmp_path
):
    for day in ("2013-07-05", "2013-07-17"):  # alone in an inbox, under the name that it has beside the other
        shutil.copytree(extracts / day, tmp_path / day / day)
    first, second = tmp_path / "2013-07-05", tmp_path / "2013-07-17"
    orders = {
        "at once": [extracts],
        "first, second, first, second": [first, second, first, second],
        "second, second, first, first": [second, second, first, first],
        "at once, then each again": [extracts, second, first],
    }
    found = {}
    for name, inboxes in orders.items():
        warehouse = make_warehouse()
        for inbox in inboxes:
            warehouse.run(feeds_unsnapped / "openbravo", inbox)
        assert differences(on_hand(warehouse), reported(extracts / "2013-07-17")) == {}, name
        found[name] = warehouse.hashes()

    expected = found["at once"]
    for name, hashes in found.items():
        different = {key for key in expected if hashes[key] != expected[key]}
        assert different == set(), name


def test_the_same_extract_again_changes_not_one_byte(warehouse, feeds_folder, extracts):
    warehouse.run(feeds_folder / "openbravo", extracts / "2013-07-05")
    before = warehouse.total

    report = warehouse.run(feeds_folder / "openbravo", extracts / "2013-07-05")

    assert report.batches == 0
    assert sum(line.files_again for line in report.feeds.values()) == 11
    assert warehouse.total == before


def test_bronze_alone_rebuilds_the_same_silver_and_gold(warehouse, feeds_folder, extracts):
    warehouse.run(feeds_folder / "openbravo", extracts)
    before = warehouse.hashes()

    warehouse.run(feeds_folder / "openbravo", None, full_refresh=True)

    after = warehouse.hashes()
    assert {name for name in before if before[name] != after[name]} == set()
