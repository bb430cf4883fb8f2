"""A small ERP test company, complete with reservations and open orders; the ERP's own sums are the truth."""

import csv
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from test.pipeline_manager.test_openbravo import differences, movements, on_hand, reported
from test.run_warehouse import RunWarehouse, shared_data

ByPlace = dict[tuple[str, str], Decimal]


@pytest.fixture(scope="module")
def extract() -> Path:
    return shared_data("openbravo_qa_testing")


@pytest.fixture(scope="module")
def loaded(make_warehouse: Callable[[], RunWarehouse], feeds_folder, extract) -> RunWarehouse:
    warehouse = make_warehouse()
    report = warehouse.run(feeds_folder / "openbravo_qa", extract)
    assert report.quarantined == 0, report.set_aside
    return warehouse


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def pending(extract: Path, column: str) -> ByPlace:
    """What the ERP itself says is reserved or on order, by product and warehouse."""
    products = {r["M_PRODUCT_ID"]: r["VALUE"] for r in rows(extract / "m_product.csv")}
    places = {r["M_WAREHOUSE_ID"]: r["VALUE"] for r in rows(extract / "m_warehouse.csv")}
    found: ByPlace = defaultdict(Decimal)
    for row in rows(extract / "m_storage_pending.csv"):
        found[products[row["M_PRODUCT_ID"]], places[row["M_WAREHOUSE_ID"]]] += Decimal(row[column])
    return dict(found)


def test_stock_is_what_the_erp_reports_on_every_key(loaded, extract):
    assert movements(loaded) == 215
    assert differences(on_hand(loaded), reported(extract)) == {}
    assert sum(on_hand(loaded).values()) == 300_073
    assert len(reported(extract)) == 62


def test_open_reservations_are_the_erps_reserved_quantity_on_all_ten_keys(loaded, extract):
    ours = {(p, w): q for p, w, q in loaded.rows(
        "select product_code, location_code, sum(open) from gold.open_reservation group by 1, 2"
    )}  # fmt: skip
    theirs = pending(extract, "QTYRESERVED")

    assert len(theirs) == 10
    assert {key: (ours.get(key, 0), value) for key, value in theirs.items() if ours.get(key, 0) != value} == {}
    assert {key for key, quantity in ours.items() if quantity} == {("FGA", "spainEWH")}


def test_open_purchase_order_lines_are_the_erps_ordered_quantity_on_all_ten_keys(loaded, extract):
    ours = {(p, w): q for p, w, q in loaded.rows(
        "select product_code, location_code, sum(open_quantity) from gold.purchase_order_line group by 1, 2"
    )}  # fmt: skip
    theirs = pending(extract, "QTYORDERED")

    assert len(theirs) == 10
    assert {key: (ours.get(key, 0), value) for key, value in theirs.items() if ours.get(key, 0) != value} == {}
    assert {key for key, quantity in ours.items() if quantity} == {("RMA", "spainWH")}


def test_drafts_expect_nothing_and_hold_nothing_back(loaded):
    drafts = loaded.rows(
        "select product_code, ordered, open_quantity from gold.purchase_order_line where status = 'draft'"
    )
    assert sorted(drafts) == [("costingProduct1", 4, 0), ("costingProduct1", 100, 0)]
    drafted = loaded.value(
        "select count(*) from gold.open_reservation where order_line in "
        "(select d.order_line from silver.fact_demand as d where d.role = 'shadow')"
    )
    assert drafted == 0


def test_a_sales_line_is_never_counted_as_supply_nor_a_purchase_line_as_demand(loaded, extract):
    kind = {r["C_ORDER_ID"]: r["ISSOTRX"] for r in rows(extract / "c_order.csv")}
    lines = {r["C_ORDERLINE_ID"]: kind[r["C_ORDER_ID"]] for r in rows(extract / "c_orderline.csv")}

    bought = {line for (line,) in loaded.rows("select order_line from gold.purchase_order_line")}
    sold = {line for (line,) in loaded.rows("select order_line from gold.open_reservation")}

    assert {lines[line] for line in bought} == {"N"}
    assert {lines[line] for line in sold} == {"Y"}
    assert len(bought) == sum(which == "N" for which in lines.values())


def test_every_record_is_accounted_for_and_addressed(loaded, extract):
    assert loaded.books() == []
    assert loaded.untiled() == []
    for file_id, name in loaded.rows("select file_id, name from bronze.file"):
        assert loaded.bytes_of(file_id) == (extract / name).read_bytes(), name


def test_the_order_of_feeds_does_not_matter(make_warehouse, feeds_folder, extract, loaded, tmp_path):
    """Lines before their headers, masters last: everything waits, and then is as if the masters had come first."""
    warehouse = make_warehouse()
    names = sorted((path.name for path in extract.glob("*.csv")), reverse=True)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    half = len(names) // 2
    for part in (names[:half], names[half:]):
        for name in part:
            (inbox / name).write_bytes((extract / name).read_bytes())
        warehouse.run(feeds_folder / "openbravo_qa", inbox)

    expected, found = loaded.hashes(), warehouse.hashes()
    assert {name for name in expected if expected[name] != found[name]} == set()
