"""A real shop's invoice lines, one file a trading day, no line numbers: totals, twins, and any order of files."""

import random
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from test.run_warehouse import RunWarehouse, shared_data

CHARGES = ["POST", "DOT", "M", "m", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK"]
BY_MONTH = {
    "2010-12": "748957.02", "2011-01": "560000.26", "2011-02": "498062.65", "2011-03": "683267.08",
    "2011-04": "493207.12", "2011-05": "723333.51", "2011-06": "691123.12",
}  # fmt: skip


@pytest.fixture(scope="module")
def days() -> Path:
    return shared_data("uci_online_retail")


def source(files: list[Path]) -> pd.DataFrame:
    frames = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in files]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(quantity=frame["Quantity"].astype(int), price=frame["UnitPrice"].map(Decimal))


def some_days(days: Path, count: int = 25) -> list[Path]:
    """Days of winter and of summer: the quieter ones, for speed."""
    files = sorted(sorted(days.glob("*.csv"), key=lambda path: path.stat().st_size)[:50])
    return files[:: len(files) // count][:count]


def copied(files: list[Path], inbox: Path) -> Path:
    inbox.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copy(path, inbox / path.name)
    return inbox


def assert_twins_survive(warehouse: RunWarehouse, files: list[Path]) -> None:
    """As many records of each document and content as the files have rows: pandas counts the duplicates."""
    frame = source(files)
    columns = [name for name in frame.columns if name not in ("quantity", "price", "Country")]  # no rule reads Country
    extra = int(frame.duplicated(columns).sum())
    assert extra > 0
    found = warehouse.value(
        "select sum(copies - 1) from (select count(*) as copies from silver.record where is_current "
        "group by feed_id, epoch, document, content_hash) as c"
    )
    assert found == extra
    assert warehouse.value("select count(*) from silver.record where is_current") == len(frame)


@pytest.mark.slow
def test_all_days_at_once_give_every_total_of_the_shop_exactly(warehouse, feeds_unsnapped, days):
    files = sorted(days.glob("*.csv"))
    assert len(files) == 167  # the README says 166; its row count is that of all of them
    report = warehouse.run(feeds_unsnapped / "uci", days)

    assert report.quarantined == 0, report.set_aside
    assert report.broken_laws == []
    sold = warehouse.rows("select sum(quantity), sum(net_amount), count(*) from gold.sale_line")[0]
    written_off = warehouse.rows(
        "select sum(quantity), count(*) from gold.stock_movement where movement_class = 'write_off'"
    )[0]
    assert written_off == (-114_420, 758)
    assert sold[0] + written_off[0] == 2_292_167
    assert sold[1] == Decimal("4397950.761")
    assert sold[2] + written_off[1] == 245_903
    sales_only = warehouse.value(
        "select sum(net_amount) from gold.sale_line where document not like 'C%' and quantity > 0 and unit_price > 0"
    )
    assert sales_only == Decimal("4826466.491")
    assert warehouse.value("select count(distinct document) from silver.record where is_current") == 12_795
    without_customer = warehouse.value("select count(*) from gold.sale_line where customer_code is null")
    assert without_customer + written_off[1] == 69_014
    months = warehouse.rows(
        "select to_char(business_date, 'YYYY-MM'), sum(net_amount) from gold.sales_daily group by 1"
    )
    assert {month: round(value, 2) for month, value in months} == {m: Decimal(v) for m, v in BY_MONTH.items()}

    frame = source(files)
    charged = dict(warehouse.rows("select charge_code, count(*) from gold.sale_line where kind = 'charge' group by 1"))
    expected = Counter(code.upper() for code in frame["StockCode"] if code in CHARGES)
    assert charged == dict(expected)
    assert warehouse.value("select count(*) from gold.product where product_code = any(%s)", (CHARGES,)) == 0
    assert_twins_survive(warehouse, files)
    assert warehouse.books() == []
    assert warehouse.untiled() == []


def test_stock_falls_by_what_was_sold_and_written_off_and_codes_that_differ_by_case_are_one(
    warehouse, feeds_folder, days, tmp_path
):
    files = some_days(days, 10)
    warehouse.run(feeds_folder / "uci", copied(files, tmp_path / "inbox"))

    frame = source(files)
    goods = frame[~frame["StockCode"].isin(CHARGES)]
    is_written_off = ~goods["InvoiceNo"].str.startswith("C") & (goods["quantity"] < 0)
    goods = goods.assign(
        code=goods["StockCode"].str.upper(), change=goods["quantity"].where(is_written_off, -goods["quantity"])
    )
    expected = dict(goods.groupby("code")["change"].sum().items())
    found = dict(warehouse.rows("select product_code, on_hand from gold.stock_on_hand"))
    assert found == expected


def test_order_split_and_repetition_of_the_days_do_not_matter(make_warehouse, feeds_unsnapped, days, tmp_path):
    files = some_days(days)
    all_at_once = make_warehouse()
    all_at_once.run(feeds_unsnapped / "uci", copied(files, tmp_path / "all"))
    assert_twins_survive(all_at_once, files)
    assert all_at_once.books() == []
    expected = all_at_once.hashes()

    chance = random.Random(5)
    shuffled = files[:]
    chance.shuffle(shuffled)
    in_parts = make_warehouse()
    for number, part in enumerate(
        (shuffled[:9], shuffled[9:11] + shuffled[:3], shuffled[11:], chance.sample(files, 6))
    ):
        report = in_parts.run(feeds_unsnapped / "uci", copied(part, tmp_path / f"part_{number}"))
        assert report.batches <= 1, "the shop's lines name its products again and again: that changes no meaning"

    found = in_parts.hashes()
    assert {name for name in expected if expected[name] != found[name]} == set()


def test_a_day_cut_anew_into_overlapping_files_is_counted_once(make_warehouse, feeds_unsnapped, days, tmp_path):
    """The greatest multiplicity wins: twins of one file survive, the overlap of two files does not double."""
    day = max(some_days(days), key=lambda path: path.stat().st_size)
    lines = day.read_text(encoding="utf-8").splitlines(keepends=True)
    whole, cut = make_warehouse(), make_warehouse()
    whole.run(feeds_unsnapped / "uci", copied([day], tmp_path / "whole"))

    third = len(lines) // 3
    for number, part in enumerate((lines[1 : 2 * third], lines[third:])):
        inbox = tmp_path / f"cut_{number}"
        inbox.mkdir()
        (inbox / day.name).write_text(lines[0] + "".join(part), encoding="utf-8")
        cut.run(feeds_unsnapped / "uci", inbox)
    # A part that cuts between twins knows fewer of them; the whole day knows them all.
    cut.run(feeds_unsnapped / "uci", tmp_path / "whole")

    query = "select document, product_code, quantity, net_amount, sold_at from gold.sale_line order by 1, 2, 3, 4, 5"
    assert cut.rows(query) == whole.rows(query)
    stock = "select product_code, on_hand from gold.stock_on_hand order by 1"
    assert cut.rows(stock) == whole.rows(stock)
    assert_twins_survive(cut, [day])
    assert cut.books() == []
