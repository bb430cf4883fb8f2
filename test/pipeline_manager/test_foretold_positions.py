"""What a load's positions must come to is said before they are written: each way of writing them wrong is caught.

The code is broken in the database, one fault at a time, and a load is tried: it must be taken back before its COMMIT.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from load.batch import BrokenLawError
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import count, move
from test.run_warehouse import RunWarehouse

PRODUCTS = [f"P{number:02d}" for number in range(40)]
COUNTED, CORRECTED, COUNTED_NOW, COUNTED_WHOLE = "P30", "P31", "P32", "P33"
REFRESH, TOUCH = "silver.refresh_position(bigint)", "silver.touch_keys()"

BEFORE = MASTERS | {
    "product_2025-01-02.csv": "".join(f"{sku},Product,EA,2025-01-02\n" for sku in PRODUCTS),
    "move_2025-02-01.csv": "".join(move(f"D{sku}", "2025-02-01T09:00:00", 10, sku=sku) for sku in PRODUCTS),
    "count_2025-02-02.csv": count("C1", "2025-02-02T09:00:00", 7, sku=COUNTED)
    + count("C2", "2025-02-02T09:00:00", 4, sku="A", place="S1", scope="location", absence="zero"),
}
NEW = {
    "move_2025-02-05.csv": "".join(
        move(f"E{sku}", "2025-02-05T09:00:00", 2, sku=sku) + move(f"F{sku}", "2025-02-05T10:00:00", -5, sku=sku)
        for sku in PRODUCTS
    )
    + move("G1", "2025-02-01T10:00:00", 3, sku=COUNTED)
    + move(f"D{CORRECTED}", "2025-02-01T09:00:00", 11, sku=CORRECTED, rev=2)
    + move("G2", "2025-02-01T09:00:00", 6, sku=COUNTED_WHOLE, place="S1"),
    "count_2025-02-06.csv": count("C3", "2025-02-04T09:00:00", 99, sku=COUNTED_NOW),
}

# says: function, what stands there, what is put in its place
FAULTS = {
    "it adds what is wrong": (REFRESH, "p.quantity + excluded.quantity", "p.quantity + excluded.quantity + 1"),
    "it adds twice": (REFRESH, "p.quantity + excluded.quantity", "p.quantity + 2 * excluded.quantity"),
    "it leaves a key out": (REFRESH, "m.first_at is not null", "m.first_at is not null and m.product_id % 7 <> 0"),
    "it writes another state": (REFRESH, "m.location_id, m.state", "m.location_id, 'damaged'"),
    "it keeps the old time": (
        REFRESH, "greatest(p.last_movement_at, excluded.last_movement_at)", "p.last_movement_at",
    ),
    "it misses a movement of a key": (TOUCH, "coalesce(sum(", "coalesce(max("),
    "it misses all movements of a key": (TOUCH, ">= first_new\n", ">= first_new and m.product_id % 7 <> 0\n"),
    "it counts the lines, not the pieces": (TOUCH, "m.known_to is null then m.quantity", "m.known_to is null then 1"),
    "it adds to a key with a corrected fact": (TOUCH, "where not c.is_new", "where c.record_id < 0"),
    "it adds what moved before the count": (TOUCH, "where p.anchor_at >= m.first_at", "where false"),
    "it adds to a key that is counted now": (
        TOUCH, "on c.record_id = o.record_id\n    union", "on c.record_id = o.record_id and false\n    union",
    ),
    "it adds what moved before a count of the whole place": (TOUCH, "w.last_at > m.first_at", "false"),
}  # fmt: skip


@contextmanager
def broken(warehouse: RunWarehouse, *faults: tuple[str, str, str]) -> Iterator[None]:
    """Put something else into functions of the warehouse for a while."""
    sound = []
    for function, old, new in faults:
        text = warehouse.value("select pg_get_functiondef(cast(%s as regprocedure))", (function,))
        assert old in text, f"{function} does not say {old}"
        sound.append(text)
        run(warehouse, text.replace(old, new))
    try:
        yield
    finally:
        for text in reversed(sound):
            run(warehouse, text)


def run(warehouse: RunWarehouse, statement: str) -> None:
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


CHOOSE = "ops.choose_law_keys(bigint, boolean)"
NO_SAMPLE = (
    (CHOOSE, "few_sure constant integer := 200", "few_sure constant integer := 0"),
    (CHOOSE, "count(*) / 25", "count(*) / 1000000"),
    (CHOOSE, "limit 100", "limit 0"),
)
"""No ledger is asked of keys that are foretold, so that what is caught is caught by what was foretold."""


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="module")
def loaded(make_warehouse, contracts: Path, tmp_path_factory: pytest.TempPathFactory) -> RunWarehouse:
    warehouse: RunWarehouse = make_warehouse()
    warehouse.run(contracts, write_files(tmp_path_factory.mktemp("before"), BEFORE))
    return warehouse


@pytest.mark.parametrize("says", FAULTS)
def test_a_position_that_is_not_what_stood_before_and_what_moved_is_caught(loaded, contracts, tmp_path, says):
    before = loaded.total
    with broken(loaded, *NO_SAMPLE, FAULTS[says]), pytest.raises(BrokenLawError) as told:
        loaded.run(contracts, write_files(tmp_path, NEW))
    assert {law for law, is_kept, *_ in told.value.laws if not is_kept} & {"5", "9"}
    assert loaded.total == before


def test_a_class_of_movement_without_an_account_is_caught(loaded, contracts, tmp_path):
    sound = loaded.value("select pg_get_viewdef('silver.movement_account')")
    harm = sound.replace("('adjustment'::text", "('other'::text")
    assert harm != sound
    run(loaded, f"create or replace view silver.movement_account as {harm}")
    with broken(loaded, *NO_SAMPLE), pytest.raises(BrokenLawError) as told:
        loaded.run(contracts, write_files(tmp_path, {"move_2025-02-09.csv": move("K1", "2025-02-09T09:00:00", 1)}))
    run(loaded, f"create or replace view silver.movement_account as {sound}")
    assert "6" in {law for law, is_kept, *_ in told.value.laws if not is_kept}


def test_what_was_wrong_before_the_load_is_caught_where_the_whole_ledger_of_a_key_is_asked(loaded, contracts, tmp_path):
    wrong = "update silver.position set quantity = quantity {} where product_id in (select product_id from "
    wrong += "silver.product_key where product_code = 'P05')"
    run(loaded, wrong.format("+ 1"))
    with pytest.raises(BrokenLawError, match="P05"):
        loaded.run(contracts, write_files(tmp_path, NEW))
    run(loaded, wrong.format("- 1"))


def test_a_load_too_large_to_be_foretold_is_caught_by_its_ledger(loaded, contracts, tmp_path):
    large = ("ops.predict_positions(bigint)", "large constant integer := 100000", "large constant integer := 10")
    with broken(loaded, large, FAULTS["it adds twice"]), pytest.raises(BrokenLawError):
        loaded.run(contracts, write_files(tmp_path, NEW))


def test_a_sound_load_is_what_was_foretold(loaded, contracts, tmp_path):
    with broken(loaded, *NO_SAMPLE):
        loaded.run(contracts, write_files(tmp_path, NEW))
    stock = dict(loaded.rows(
        "select product_code, sum(on_hand) from gold.stock_on_hand where location_code = 'W1' group by product_code"
    ))  # fmt: skip
    assert (stock["P00"], stock[COUNTED], stock[CORRECTED], stock[COUNTED_NOW]) == (7, 4, 8, 96)
    laws = loaded.rows("select is_kept from ops.check_laws((select max(known) from ops.batch))")
    assert all(is_kept for (is_kept,) in laws)
