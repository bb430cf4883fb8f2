"""An ERP's masters, purchase orders and bins, tab-delimited without a header: its own sums are the truth."""

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from test.run_warehouse import RunWarehouse, shared_data


@pytest.fixture(scope="module")
def export() -> Path:
    return shared_data("adventureworks")


@pytest.fixture(scope="module")
def loaded(make_warehouse: Callable[[], RunWarehouse], feeds_folder, export) -> RunWarehouse:
    warehouse = make_warehouse()
    report = warehouse.run(feeds_folder / "adventureworks", export)
    assert report.quarantined == 0, report.set_aside
    assert report.broken_laws == []
    return warehouse


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_lines_of_each_of_4012_orders_add_up_to_its_header(loaded, export):
    headers = {row[0]: Decimal(row[8]) for row in rows(export / "PurchaseOrderHeader.csv")}
    ours = dict(loaded.rows("select order_document, sum(net_amount) from gold.purchase_order_line group by 1"))

    assert len(ours) == 4_012
    assert ours == headers
    assert sum(ours.values()) == Decimal("63791994.838")


def test_stocked_is_received_less_rejected_on_every_order_line(loaded, export):
    stocked = {(row[0], row[1]): Decimal(row[9]) for row in rows(export / "PurchaseOrderDetail.csv")}
    ours = {(order, line): quantity for order, line, quantity in loaded.rows(
        "select order_document, order_line, received - rejected from gold.purchase_order_line"
    )}  # fmt: skip

    assert len(ours) == 8_845
    assert ours == stocked


def test_the_status_of_an_order_decides_what_is_still_expected(loaded):
    by_status = dict(
        loaded.rows("select status, count(distinct order_document) from gold.purchase_order_line group by 1")
    )
    assert by_status == {"open": 237, "closed": 3_689, "cancelled": 86}
    assert loaded.value("select sum(open_quantity) from gold.purchase_order_line where status <> 'open'") == 0


def test_stock_of_every_bin_is_what_the_erp_shows(loaded, export):
    products = {row[0]: row[2] for row in rows(export / "Product.csv")}
    theirs = {
        (products[row[0]], row[1], f"{row[2]}/{row[3]}"): Decimal(row[4])
        for row in rows(export / "ProductInventory.csv")
    }
    ours = {(p, place, bin_code): q for p, place, bin_code, q in loaded.rows(
        "select product_code, location_code, bin_code, on_hand from gold.stock_on_hand_detail"
    )}  # fmt: skip

    assert len(ours) == 1_069
    assert ours == theirs
    assert sum(ours.values()) == 335_974


def test_products_below_their_safety_stock_and_reorder_point_and_without_any_stock_row(loaded):
    """The levels are the product's for the whole plant; a product nobody counted is unknown, not below."""
    below_safety, below_reorder, never_counted = loaded.rows(
        """
        with stock as (select product_code, sum(on_hand) as on_hand from gold.stock_on_hand group by product_code)
        select
            count(*) filter (where s.on_hand < p.safety_stock),
            count(*) filter (where s.on_hand < p.reorder_point),
            count(*) filter (where s.product_code is null)
        from gold.product as p left join stock as s on p.product_code = s.product_code
        """
    )[0]
    assert (below_safety, below_reorder, never_counted) == (69, 7, 72)
    short = loaded.rows(
        "select product_code from gold.safety_stock group by product_code having sum(available) < max(configured)"
    )
    planned = loaded.value("select count(distinct product_code) from gold.safety_stock where location_code <> 'PLANT'")
    assert (len(short), planned) == (69, 504 - 72)


def test_what_is_ordered_anew_keeps_to_the_minimum_of_the_cheapest_offer(loaded):
    proposed = loaded.rows(
        "select supplier_code, minimum_quantity, shortfall, order_quantity from gold.reorder_proposal"
    )
    assert proposed
    for supplier, minimum, shortfall, quantity in proposed:
        assert quantity == max(-(-shortfall // 1), minimum or 0), supplier


def test_every_record_is_accounted_for_and_addressed(loaded, export):
    assert loaded.books() == []
    assert loaded.untiled() == []
    for file_id, name in loaded.rows("select file_id, name from bronze.file"):
        assert loaded.bytes_of(file_id) == (export / name).read_bytes(), name


def test_the_same_files_again_change_not_one_byte(loaded, feeds_folder, export):
    before = loaded.total
    assert loaded.run(feeds_folder / "adventureworks", export).batches == 0
    assert loaded.total == before
