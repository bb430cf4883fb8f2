"""Demand is measured anew where something changed: what stands is what measuring everything anew would give."""

import itertools
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import given

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.pipeline_manager.test_order_independence import QUICKLY, deliveries
from test.run_warehouse import RunWarehouse, administer

RATES = "select cast(to_jsonb(r) as text) from silver.demand_rate as r order by 1"
_folders = itertools.count(1)


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("contracts"))


def measured_in_full(warehouse: RunWarehouse) -> tuple[list[Any], list[Any]]:
    """What stands, and what measuring everything anew gives; nothing is kept of it."""
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        cursor.execute(RATES)
        stands = cursor.fetchall()
        cursor.execute("delete from silver.demand_rate")
        cursor.execute("delete from silver.rate_basis")
        cursor.execute("select silver.refresh_demand_rate()")
        cursor.execute(RATES)
        anew = cursor.fetchall()
        connection.rollback()
    return stands, anew


def day_passes(day: int) -> dict[str, str]:
    """A file that says nothing new on a day of February."""
    return {f"kind_2025-02-{day:02d}.csv": "in,receipt,2025-01-01\n"}


@QUICKLY
@given(deliveries())
def test_after_each_run_every_rate_is_what_measuring_everything_anew_gives(
    make_warehouse, contracts, tmp_path, postgres_server, delivered
):
    files, order = delivered
    runs = [{name: files[name] for name in run} for run in order]
    runs[0] |= day_passes(5)  # so the window lies behind all that happens, and stays where it is
    warehouse = make_warehouse()
    for told in (*runs, day_passes(6), day_passes(9)):
        warehouse.run(contracts, write_files(tmp_path / f"inbox_{next(_folders)}", told))
        stands, anew = measured_in_full(warehouse)
        assert stands == anew
    administer(postgres_server, f"drop database {warehouse.name} with (force)")


def sold(number: int, sku: str, quantity: int) -> str:
    return move(f"D{number}", "2025-02-02T09:00:00", -quantity, sku=sku, kind="out")


@pytest.fixture
def two_sell(make_warehouse, contracts, tmp_path) -> RunWarehouse:
    warehouse: RunWarehouse = make_warehouse()
    first = MASTERS | day_passes(5) | {"move_2025-02-03.csv": sold(1, "A", 2) + sold(2, "B", 3)}
    warehouse.run(contracts, write_files(tmp_path / "first", first))
    return warehouse


def rates(warehouse: RunWarehouse) -> dict[str, list[Any]]:
    return {
        sku: told
        for sku, *told in warehouse.rows("select product_code, demand, last_day::text from silver.demand_rate")
    }


def test_a_load_has_only_what_it_touched_measured_anew(two_sell, contracts, tmp_path):
    """A wrong rate put there by hand stays: nobody measures it."""
    two_sell.rows("update silver.demand_rate set demand = 77 returning 1")
    two_sell.run(contracts, write_files(tmp_path / "second", {"move_2025-02-04.csv": sold(3, "A", 4)}))
    assert rates(two_sell) == {"A": [6, "2025-02-04"], "B": [77, "2025-02-04"]}
    assert two_sell.rows("select * from silver.rate_due") == []


def test_the_next_day_everything_is_measured_anew(two_sell, contracts, tmp_path):
    two_sell.rows("update silver.demand_rate set demand = 77 returning 1")
    two_sell.run(contracts, write_files(tmp_path / "second", day_passes(6)))
    assert rates(two_sell) == {"A": [2, "2025-02-05"], "B": [3, "2025-02-05"]}


def test_a_rebuild_has_everything_measured_anew(two_sell, contracts, tmp_path):
    two_sell.rows("update silver.demand_rate set demand = 77 returning 1")
    two_sell.rows("select silver.rebuild_stock('by hand')")
    two_sell.run(contracts, write_files(tmp_path / "second", {"move_2025-02-04.csv": sold(3, "A", 4)}))
    assert rates(two_sell) == {"A": [6, "2025-02-04"], "B": [3, "2025-02-04"]}


def test_what_does_not_sell_any_more_has_no_rate(two_sell, contracts, tmp_path):
    void = move("D2", "2025-02-02T09:00:00", -3, sku="B", kind="out", rev=2, status="void")
    two_sell.run(contracts, write_files(tmp_path / "second", {"move_2025-02-04.csv": void}))
    assert rates(two_sell) == {"A": [2, "2025-02-04"]}
