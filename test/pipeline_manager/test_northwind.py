"""A small ERP read from its own PostgreSQL database by contract."""

import subprocess
from decimal import Decimal

import pytest

from etl_pipeline.core.errors import UsageError
from load.server_binaries import find_binaries
from test.run_warehouse import administer, shared_data


@pytest.fixture(scope="module")
def northwind(postgres_server) -> dict[str, str]:
    """The environment of a run: the address of a database that holds Northwind."""
    script = shared_data("northwind") / "northwind.sql"
    administer(postgres_server, "create database northwind_source")
    url = postgres_server.url("northwind_source")
    subprocess.run(
        [str(find_binaries() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", str(script)],
        check=True, capture_output=True,
    )  # fmt: skip
    return {"NORTHWIND_DATABASE_URL": url}


def test_a_database_is_loaded_by_contract_and_its_revenue_is_right_to_the_cent(
    warehouse, feeds_folder, northwind, tmp_path
):
    report = warehouse.run(feeds_folder / "northwind", tmp_path, environ=northwind)

    assert report.quarantined == 0, report.set_aside
    orders, lines, revenue = warehouse.rows(
        "select count(distinct document), count(*), sum(net_amount) from gold.sale_line"
    )[0]
    assert (orders, lines, round(revenue, 2)) == (830, 2_155, Decimal("1265793.04"))
    by_year = warehouse.rows(
        "select extract(year from business_date)::integer, sum(net_amount) from gold.sales_daily group by 1 order by 1"
    )
    assert [(year, round(value, 2)) for year, value in by_year] == [
        (1996, Decimal("208083.97")), (1997, Decimal("617085.20")), (1998, Decimal("440623.87")),
    ]  # fmt: skip
    assert warehouse.books() == []
    assert warehouse.untiled() == []


def test_a_second_reading_of_an_unchanged_database_changes_nothing(warehouse, feeds_folder, northwind, tmp_path):
    warehouse.run(feeds_folder / "northwind", tmp_path, environ=northwind)
    before = warehouse.total

    report = warehouse.run(feeds_folder / "northwind", tmp_path, environ=northwind)

    assert report.batches == 0
    assert warehouse.total == before


def test_stock_is_the_count_that_the_table_shows(warehouse, feeds_folder, northwind, tmp_path):
    warehouse.run(feeds_folder / "northwind", tmp_path, environ=northwind)

    assert warehouse.rows("select count(*), sum(on_hand) from gold.stock_on_hand where is_anchored") == [(77, 3_119)]


def test_without_the_address_the_run_names_the_variable(warehouse, feeds_folder, tmp_path):
    with pytest.raises(UsageError, match="NORTHWIND_DATABASE_URL is not set"):
        warehouse.run(feeds_folder / "northwind", tmp_path)
