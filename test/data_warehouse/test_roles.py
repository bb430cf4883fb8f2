"""Who may read what."""

import psycopg2
import pytest


def readable(warehouse):
    return [
        name
        for (name,) in warehouse.rows(
            "select format('gold.%I', relname) from pg_class where relnamespace = 'gold'::regnamespace "
            "and relkind in ('r', 'v') order by 1"
        )
    ]


def test_bi_reader_reads_everything_in_gold(warehouse):
    names = readable(warehouse)
    assert "gold.stock_on_hand" in names and "gold.stock_snapshot" in names
    warehouse.tell(
        "movement", "product_code|location_code|event_time|quantity|movement_class\nA|S|2025-01-01|1|receipt"
    )
    warehouse.run("set role bi_reader")
    for name in names:
        warehouse.rows(f"select * from {name}")
    assert warehouse.value("select count(*) from gold.stock_movement") == 1


@pytest.mark.parametrize(
    "query",
    [
        "select * from silver.position",
        "select * from silver.account_entry",
        "select * from bronze.file",
        "select * from ops.batch",
        "select * from ops.check_laws(1)",
        "select gold.snapshot_stock('2025-01-01')",
        "delete from gold.snapshot",
        "create table gold.mine (a integer)",
    ],
)
def test_bi_reader_is_refused_everything_else(warehouse, query):
    warehouse.run("set role bi_reader")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        warehouse.run(query)


def test_a_view_that_is_added_to_gold_later_is_readable_too(warehouse):
    warehouse.run("create view gold.added as select 1 as one")
    warehouse.run("set role bi_reader")
    assert warehouse.value("select one from gold.added") == 1
