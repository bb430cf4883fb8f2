"""A column that comes, goes, is renamed or written another way is an event of the load that brought it."""

from datetime import UTC, datetime

import pytest

from etl_pipeline.core.settings import Settings
from pipeline_manager.drift_telling import drift_breaches
from pipeline_manager.environments import lifecycle
from pipeline_manager.telling import breaches_after
from test.pipeline_manager.drifting_shop import Shop


@pytest.fixture
def shop(warehouse, tmp_path):
    return Shop(warehouse, tmp_path)


def test_files_that_look_like_those_before_them_are_no_event(shop):
    report = shop.calm()
    assert (report.drift, shop.drift()) == ([], [])
    files = shop.warehouse.rows("select column_name, files from ops.schema_column where feed = 'sales' order by 1")
    assert files[:2] == [("", 3), ("at", 3)]


def test_columns_in_another_order_are_no_event_and_change_nothing(shop):
    shop.calm()
    shop.put(4, [dict(reversed(line.items())) for line in shop.lines(4)])
    assert shop.run().quarantined == 0
    assert shop.drift() == []


def test_a_new_column_is_told_with_the_file_that_brought_it_and_counted_after_it(shop):
    shop.calm()
    shop.put(4, shop.lines(4, discount="0.{n}"))
    report = shop.run()
    assert shop.drift() == [("added", "discount", "open", 1, shop.name(4))]
    assert report.drift[0]["sentence"] == (f"sales: column 'discount' is new since {shop.name(4)}; nothing reads it.")
    assert "systock feeds evolve sales" in report.drift[0]["advice"]
    assert report.drift[0]["detail"]["samples"] == ["0.0", "0.1", "0.2", "0.3"]
    assert report.as_json()["drift"][0]["column"] == "discount"
    breach = drift_breaches(report.drift)[0]
    assert (breach.kind, breach.subject, breach.amount) == ("schema_drift", "sales/added/discount", 1)
    assert breaches_after(report) == [breach]

    shop.put(5, shop.lines(5, discount="0.{n}"))
    shop.run()
    shop.run()
    assert shop.drift() == [("added", "discount", "open", 2, shop.name(4))]


def test_columns_that_the_contract_ignores_may_come_and_go(warehouse, tmp_path):
    shop = Shop(warehouse, tmp_path, more="  ignore: [discount, operator]\n")
    shop.calm(operator="Ann")
    shop.put(4, shop.lines(4, discount="0"))
    assert shop.run().drift == []
    assert shop.drift() == []
    assert shop.warehouse.value("select count(*) from gold.feed_column where column_name = 'discount'") == 0


def test_an_optional_column_that_is_gone_is_told_and_no_silent_null(shop):
    shop.calm()
    shop.put(4, shop.lines(4), drop="shelf")
    report = shop.run()
    assert shop.drift() == [("lost", "shelf", "open", 1, shop.name(4))]
    assert "the contract reads it" in report.drift[0]["sentence"]
    assert report.quarantined == 0


def test_a_column_that_is_back_for_some_files_is_gone_as_an_event(shop):
    shop.calm()
    shop.put(4, shop.lines(4), drop="shelf")
    shop.run()
    for day in (5, 6, 7):
        shop.put(day, shop.lines(day))
    assert shop.run().drift == []
    assert shop.drift() == [("lost", "shelf", "gone", 1, shop.name(4))]


def test_a_needed_column_that_is_gone_sets_the_file_aside_and_is_told(shop):
    shop.calm()
    shop.put(4, shop.lines(4), drop="sku")
    report = shop.run()
    assert shop.drift() == [("lost", "sku", "open", 1, shop.name(4))]
    assert report.feeds["sales"].files_set_aside == 1


@pytest.mark.parametrize(("old", "new"), [("sku", "sku_code"), ("shelf", "shelf_no"), ("sku", "ARTIKEL")])
def test_a_column_with_a_new_name_is_told_as_one_event(shop, old, new):
    shop.calm()
    shop.put(4, shop.lines(4), rename={old: new})
    report = shop.run()
    assert shop.drift() == [("renamed", old, "open", 1, shop.name(4))]
    assert f"seems to be called '{new}'" in report.drift[0]["sentence"]


@pytest.mark.parametrize(("ending", "form"), [("xlsx", "xlsx"), ("jsonl", "jsonl")])
def test_workbooks_and_json_lines_are_looked_at_like_csv(warehouse, tmp_path, ending, form):
    shop = Shop(warehouse, tmp_path, ending=ending, form=form)
    for day in range(1, 5):
        shop.put(day, shop.lines(day, count=30))
    shop.run()
    shop.put(5, shop.lines(5, count=30, discount="0"), rename={"shelf": "shelf_no"})
    shop.run()
    assert [row[:3] for row in shop.drift()] == [("added", "discount", "open"), ("renamed", "shelf", "open")]


@pytest.mark.parametrize(
    ("column", "value", "reads_as"),
    [
        ("qty", '"{qty},5"', {"decimal": ",", "thousands": ""}),
        ("at", "27/02/2025 10:{n}:00", {"format": "%d/%m/%Y %H:%M:%S"}),
    ],
)
def test_a_column_written_another_way_is_told_with_how_it_reads(shop, column, value, reads_as):
    shop.calm()
    shop.put(4, shop.lines(4, **{column: value}))
    report = shop.run()
    assert shop.drift() == [("retyped", column, "open", 1, shop.name(4))]
    assert report.drift[0]["detail"]["reads_as"] == reads_as


def test_codes_of_another_form_are_told(shop):
    shop.calm()
    shop.put(4, shop.lines(4, sku="{n}7.0"))
    shop.run()
    assert [row[:2] for row in shop.drift()] == [("retyped", "sku")]


def test_a_code_that_the_map_does_not_have_is_told(shop):
    shop.calm()
    shop.put(4, shop.lines(4, kind="X"))
    report = shop.run()
    assert [row[:2] for row in shop.drift()] == [("new_value", "kind")]
    assert report.drift[0]["detail"]["values"] == ["X"]


def test_one_torn_value_among_many_records_is_no_new_way_of_writing(shop):
    shop.calm()
    records = shop.lines(4, count=40)
    records[7] |= {"qty": "many", "kind": "S"}
    records[9] |= {"kind": "Z"}
    shop.put(4, records)
    assert shop.run().quarantined == 2
    assert shop.drift() == []


def test_a_full_refresh_finds_the_same_again(shop):
    shop.calm()
    shop.put(4, shop.lines(4, discount="0"))
    shop.put(5, shop.lines(5, discount="0"), drop="shelf")
    shop.run()
    before = shop.drift()
    shop.run(full_refresh=True)
    assert shop.drift() == before
    assert [row[0] for row in before] == ["added", "lost"]


def test_a_warehouse_of_before_learns_its_columns_from_the_files_that_it_has(shop):
    shop.calm()
    shop.warehouse.rows("delete from ops.schema_column returning 1")
    shop.put(4, shop.lines(4, discount="0"))
    shop.run()
    assert [row[:2] for row in shop.drift()] == [("added", "discount")]
    assert shop.warehouse.value("select files from ops.schema_column where feed = 'sales' and column_name = ''") == 4


def test_a_drift_is_written_with_the_load_that_brought_it(shop):
    shop.calm()
    assert shop.drift() == []
    shop.put(4, shop.lines(4, discount="0"))
    shop.run()
    assert shop.warehouse.value("select first_known from ops.schema_drift") == shop.warehouse.value(
        "select known from bronze.file where name = %s", (shop.name(4),)
    )


def test_an_environment_knows_the_columns_of_prod_and_notes_its_drift_by_itself(shop):
    shop.calm()
    home = Settings(home=shop.warehouse.home, database_url=shop.warehouse.url, environ={})
    now = datetime.now(UTC)
    lifecycle.create(shop.warehouse.url, home, "trial", origin="prod", lease_days=3, now=now)
    shop.put(4, shop.lines(4, discount="0"))
    assert [row["column"] for row in shop.run(env="trial").drift] == ["discount"]
    assert shop.drift() == []
    assert shop.warehouse.rows("select kind, column_name from trial_ops.schema_drift") == [("added", "discount")]
