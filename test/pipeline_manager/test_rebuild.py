"""`systock rebuild`: stock from the ledger is what the loads made of it, hash for hash."""

from contextlib import closing

import pytest

from extract.simulated.retailer import simulate
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.rebuild_command import Rebuilt, rebuild, rebuild_stock
from test.run_warehouse import PROD, RunWarehouse

LOGGED = "select keys_differed, order_lines_differed, hash_before = hash_after from ops.rebuild order by rebuild_id"


@pytest.fixture(scope="module")
def loaded(make_warehouse, feeds_unsnapped, tmp_path_factory) -> RunWarehouse:
    """The simulated retailer, loaded in three parts: what stands there was kept load by load."""
    inbox = tmp_path_factory.mktemp("inbox")
    warehouse: RunWarehouse = make_warehouse()
    simulate(inbox, days=6, stores=2, products=16)
    files = sorted(path for path in inbox.rglob("*") if path.is_file())
    for part in (files[::3], files[1::3], files[2::3]):
        folder = tmp_path_factory.mktemp("part")
        for file in part:
            target = folder / file.relative_to(inbox)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
        warehouse.run(feeds_unsnapped / "simulated", folder)
    return warehouse


def rebuilt(warehouse: RunWarehouse) -> Rebuilt:
    with closing(connect(warehouse.url)) as connection:
        return rebuild_stock(PostgresWarehouse(connection, PROD, lambda: connect(warehouse.url)))


def broken_by(warehouse: RunWarehouse, harm: str) -> None:
    with closing(connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(harm)


def test_a_rebuild_from_the_ledger_is_what_the_loads_made_hash_for_hash(loaded):
    whole = loaded.hashes()
    found = rebuilt(loaded)
    assert found.was_right
    assert found.hash_before == found.hash_after
    assert found.stock_keys == loaded.value("select count(*) from (select distinct product_id, location_id "
                                            "from silver.position) as k")  # fmt: skip
    assert loaded.value("select count(*) from silver.demand_line") > 0
    assert loaded.value("select count(*) from silver.supply_line") > 0

    broken_by(loaded, "truncate silver.position, silver.demand_line, silver.supply_line")
    anew = rebuilt(loaded)
    assert anew.keys_differed == found.stock_keys
    assert anew.hash_after == found.hash_after
    assert loaded.hashes() == whole


@pytest.mark.parametrize(
    ("harm", "keys", "lines"),
    [
        ("update silver.position set quantity = quantity + 1 where product_id = 2 and location_id = 1", 1, 0),
        ("update silver.position set anchor_at = anchor_at + interval '1 hour' where product_id = 2 and location_id = 1"
         " and is_anchored", 1, 0),
        ("delete from silver.position where product_id = 3 and location_id = 1", 1, 0),
        ("insert into silver.position values (1, 1, 'sellable', 'nowhere', '', 5, false, null, null, null, 1)", 1, 0),
        ("update silver.demand_line set open_quantity = open_quantity + 1 where ctid = (select min(ctid) from "
         "silver.demand_line)", 0, 1),
        ("delete from silver.supply_line where ctid = (select min(ctid) from silver.supply_line)", 0, 1),
        ("insert into silver.supply_line select 'of nobody', order_line, product_id, location_id, supplier_code, "
         "ordered, noticed, received, rejected, status, ordered_at, due_at, first_received_at, last_received_at, "
         "unit_cost, net_amount, currency, feed_id, open_quantity, known from silver.supply_line limit 1", 0, 1),
    ],
    ids=["quantity", "anchor", "gone", "too much", "order line", "order line gone", "order of nobody"],
)  # fmt: skip
def test_what_somebody_wrote_by_hand_is_found_mended_and_logged(loaded, harm, keys, lines):
    before = rebuilt(loaded)
    broken_by(loaded, harm)
    mended = rebuilt(loaded)
    assert (mended.keys_differed, mended.order_lines_differed) == (keys, lines)
    assert mended.hash_before != mended.hash_after == before.hash_after
    assert not mended.was_right
    assert loaded.rows(LOGGED)[-1] == (keys, lines, False)
    assert rebuilt(loaded).was_right


@pytest.mark.parametrize(
    "harm",
    [
        "update silver.stock_balance set on_hand = on_hand + 1 where product_id = 2 and location_id = 1",
        "delete from silver.stock_balance where product_id = 2 and location_id = 1",
        "update silver.stock_balance set product_id = 4711 where product_id = 2 and location_id = 1",
    ],
    ids=["sum", "gone", "of nothing"],
)
def test_a_balance_that_is_not_the_sum_of_its_positions_is_found_and_mended(loaded, harm):
    before = rebuilt(loaded)
    kept = "select * from silver.stock_balance order by product_id, location_id"
    balances = loaded.rows(kept)
    broken_by(loaded, harm)
    mended = rebuilt(loaded)
    assert mended.keys_differed == (2 if "4711" in harm else 1)
    assert not mended.was_right
    assert mended.hash_after == before.hash_after
    assert loaded.rows(kept) == balances
    assert rebuilt(loaded).was_right


def test_the_command_says_how_many_keys_differed_and_whether_all_was_right(loaded, capsys):
    assert rebuild(None, loaded.url)
    assert "nothing differed." in capsys.readouterr().out
    broken_by(loaded, "update silver.position set quantity = 7777 where product_id = 2 and location_id = 1")
    assert not rebuild(None, loaded.url)
    out = capsys.readouterr().out
    assert "1 stock keys and 0 order lines were not what it says. They are mended" in out
    first, second = out.splitlines()[:2]
    assert first.split()[1] != second.split()[1]
