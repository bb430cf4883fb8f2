"""silver.stock_balance: the sum of the positions of a product at a place, kept as they change and read by gold."""

import random

import psycopg2
import pytest

from data_warehouse.deploy import deploy_part
from etl_pipeline.core.names import Schemas

BALANCES = "select * from silver.stock_balance order by product_id, location_id"
SUMS = "select * from silver.position_sum order by product_id, location_id"
STATES = ("sellable", "quality_hold", "quarantine", "damaged")
RISKS = "select product_code, location_code, what, sellable from gold.stock_risk"
MERGED = """
    alias_code | product_code | effective_from
    B100       | A100         | 2025-01-10T00:00:00Z
"""
PRODUCTS = """
    product_code | product_name
    A100         | new
    B100         | old
    C100         | other
"""


def told(rng: random.Random, number: int) -> str:
    """Return a movement of one of some products, places, states and bins."""
    at = f"2025-01-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:00:00Z"
    key = f"P{rng.randint(1, 4)} | S{rng.randint(1, 3)} | {rng.choice(STATES)} | {rng.choice(['', 'B1', 'B2'])}"
    return f"{key} | {at} | {rng.randint(-9, 9)} | receipt | {number}"


@pytest.fixture
def merged(warehouse):
    """A code that means another one from the 10th on, and one that stands alone."""
    warehouse.tell("product", PRODUCTS)
    for code in ("A100", "B100", "C100"):
        warehouse.master("product", code)
    warehouse.tell("alias", MERGED)
    warehouse.run("insert into silver.merge_link values ('B100', 'A100')")
    warehouse.tell(
        "movement",
        """
        product_code | location_code | bin_code | event_time           | quantity | movement_class
        A100         | S1            | X        | 2025-01-01T09:00:00Z | 5        | receipt
        B100         | S1            | X        | 2025-01-01T09:00:00Z | -3       | sale
        A100         | S2            | X        | 2025-01-01T09:00:00Z | 2        | receipt
        B100         | S2            | Y        | 2025-01-01T09:00:00Z | -2       | sale
        C100         | S1            |          | 2025-01-01T09:00:00Z | 0        | receipt
        """,
    )
    warehouse.settle()
    return warehouse


@pytest.mark.parametrize("seed", range(3))
def test_balances_are_the_sums_of_positions_however_stock_moved_and_was_taken_back(warehouse, seed):
    rng = random.Random(seed)
    header = "product_code | location_code | state | bin_code | event_time | quantity | movement_class | document"
    for load in range(4):
        warehouse.load()
        facts = [told(rng, 100 * load + n) for n in range(12)]
        records = warehouse.tell("movement", "\n".join([header, *facts]))
        warehouse.settle()
        assert warehouse.rows(BALANCES) == warehouse.rows(SUMS) != []
        for record in rng.sample(records, 8):
            warehouse.forget(record)
        warehouse.settle()
        assert warehouse.rows(BALANCES) == warehouse.rows(SUMS)


def test_a_key_that_loses_its_last_position_has_no_balance(warehouse):
    warehouse.load()
    header = "product_code | location_code | event_time | quantity | movement_class"
    (record,) = warehouse.tell("movement", f"{header}\nA100 | S1 | 2025-01-01 | 3 | receipt")
    warehouse.settle()
    assert warehouse.value("select on_hand from silver.stock_balance") == 3
    warehouse.forget(record)
    warehouse.settle()
    assert warehouse.rows(BALANCES) == []


def test_stock_of_merged_codes_is_judged_as_one_from_the_day_of_the_merge_on_without_a_load(merged):
    at_s1 = "select product_code, on_hand, is_negative, is_out_now, has_merged from gold.stock_on_hand " \
        "where location_code = 'S1' order by 1"  # fmt: skip
    merged.file("early.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    assert merged.rows(at_s1) == [
        ("A100", 5, False, False, False), ("B100", -3, True, True, False), ("C100", 0, False, True, False),
    ]  # fmt: skip
    assert merged.rows(RISKS + " where what = 'negative' order by 2") == [
        ("B100", "S1", "negative", -3), ("B100", "S2", "negative", -2),
    ]  # fmt: skip

    merged.file("late.csv", "pos", logical_time="2025-01-15T00:00:00Z")
    assert merged.rows(at_s1) == [("A100", 2, False, False, True), ("C100", 0, False, True, False)]
    # What lies in another bin does not make good what is below zero in one.
    assert merged.rows(RISKS + " where what = 'negative'") == [("A100", "S2", "negative", 0)]
    assert merged.rows(RISKS + " where what = 'out_of_stock'") == [("C100", "S1", "out_of_stock", 0)]


def test_each_kind_of_risk_asked_alone_is_what_all_of_them_say_of_it(merged):
    merged.file("late.csv", "pos", logical_time="2025-01-15T00:00:00Z")
    merged.run("update silver.dim_product set safety_stock = 3, reorder_point = 9")
    merged.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class
        C100         | S3            | 2025-01-02T09:00:00Z | 4        | receipt
        C100         | S4            | 2025-01-02T09:00:00Z | 30       | receipt
        """,
    )
    merged.settle()
    whole = merged.rows(RISKS + " order by 1, 2")
    assert [(code, place, what) for code, place, what, _ in whole] == [
        ("A100", "S1", "below_safety_stock"), ("A100", "S2", "negative"), ("C100", "S1", "out_of_stock"),
        ("C100", "S3", "below_reorder_point"),
    ]  # fmt: skip
    for what in {risk[2] for risk in whole}:
        assert merged.rows(RISKS + " where what = %s order by 1, 2", (what,)) == [r for r in whole if r[2] == what]


@pytest.mark.parametrize(
    "question",
    [
        "select * from gold.stock_on_hand where is_negative",
        "select * from gold.stock_risk where what = 'negative'",
        "select * from gold.stock_risk where what = 'out_of_stock'",
        "select * from gold.stock_on_hand where location_code = 'S1'",
        "select * from gold.stock_on_hand where product_code = 'A1'",
    ],
)
def test_lists_are_read_by_an_index_of_the_balances(warehouse, question):
    for kind, letter, number in (("product", "A", 2000), ("location", "S", 50)):
        warehouse.run(
            f"insert into silver.{kind}_key ({kind}_code, known_from) "
            f"select '{letter}' || n, 1 from generate_series(1, {number}) as n"
        )
    warehouse.run(
        "insert into silver.stock_balance "
        "select p.product_id, l.location_id, q, q, 0, 0, 0, true, q < 0, q <= 0, null, null, 1 "
        "from silver.product_key as p cross join silver.location_key as l "
        "cross join lateral (select mod(p.product_id * 7 + l.location_id, 100) - 1 as q) as n"
    )
    warehouse.run("vacuum analyze")
    lines = [line.strip(" ->") for (line,) in warehouse.rows(f"explain (analyze, timing off) {question}")]
    scans = [line for line in lines if "on stock_balance" in line and "never executed" not in line]
    assert scans
    assert not [scan for scan in scans if scan.startswith("Seq Scan")]


def test_a_warehouse_of_before_gets_its_balances_with_the_schema(warehouse):
    warehouse.load()
    header = "product_code | location_code | event_time | quantity | movement_class"
    warehouse.tell("movement", f"{header}\nA100 | S1 | 2025-01-01 | 3 | receipt\nA100 | S2 | 2025-01-01 | 4 | receipt")
    warehouse.settle()
    whole = warehouse.rows(BALANCES)
    warehouse.run("delete from silver.stock_balance where location_id = 1")
    warehouse.run("update silver.stock_balance set on_hand = 17")
    with psycopg2.connect(warehouse.url) as connection, connection.cursor() as cursor:
        deploy_part(cursor, Schemas.of(None), "041_stock_balance.sql")
    assert warehouse.rows(BALANCES) == whole
