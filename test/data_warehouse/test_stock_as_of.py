"""stock_as_of: any instant, any load, one truth, the same answer for ever."""

import random
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from test.data_warehouse.naive_ledger import PLACES, PRODUCTS, START, NaiveLedger, tell_at_random

AS_OF = "select product_code, location_code, state, bin_code, lot_code, quantity from gold.stock_as_of(%s, %s, %s, %s)"


def as_of(warehouse, at, known, product=None, location=None):
    return {row[:5]: row[5] for row in warehouse.rows(AS_OF, (at, known, product, location))}


def instants(chance, count):
    return [START + timedelta(hours=chance.randrange(-2, 75), minutes=chance.choice([0, 0, 30])) for _ in range(count)]


@pytest.mark.parametrize("seed", [1, 2])
def test_any_instant_and_load_say_what_a_plain_recount_says(warehouse, seed):
    chance = random.Random(seed)
    tell_at_random(warehouse, chance)
    ledger = NaiveLedger(warehouse)
    for at in instants(chance, 40):
        known = chance.randint(0, warehouse.known)
        expected = ledger.on_hand(at, known)
        assert as_of(warehouse, at, known) == expected
        product, location = chance.choice(PRODUCTS), chance.choice(PLACES)
        for wanted in ((product, None), (None, location), (product, location)):
            part = {k: v for k, v in expected.items() if wanted[0] in (None, k[0]) and wanted[1] in (None, k[1])}
            assert as_of(warehouse, at, known, *wanted) == part
    assert len(ledger.on_hand(instants(chance, 1)[0], warehouse.known)) > 20


def test_an_answer_is_the_same_after_every_later_load(warehouse):
    chance = random.Random(3)
    given: dict[Any, Any] = {}
    for _ in range(6):
        tell_at_random(warehouse, chance, loads=1)
        for pair, answer in given.items():
            assert as_of(warehouse, *pair) == answer
        for at in instants(chance, 5):
            given[at, warehouse.known] = as_of(warehouse, at, warehouse.known)
    assert len({str(answer) for answer in given.values()}) > 20


def test_the_end_of_time_and_the_latest_load_are_the_position(warehouse):
    tell_at_random(warehouse, random.Random(4))
    warehouse.settle()
    position = warehouse.rows(
        "select p.product_code, l.location_code, s.state, s.bin_code, s.lot_code, s.quantity, s.is_anchored, "
        "s.anchor_at, s.anchor_quantity, s.last_movement_at from silver.position as s "
        "inner join silver.product_key as p using (product_id) inner join silver.location_key as l using (location_id)"
    )
    assert len(position) > 20
    asked = warehouse.rows("select * from gold.stock_as_of('infinity', %s)", (warehouse.known,))
    assert sorted(map(str, asked)) == sorted(map(str, position))


TOLD = """
    product_code | location_code | event_time           | quantity | movement_class
    A100         | S1            | 2025-03-01T09:00:00Z | 10       | receipt
    A100         | S1            | 2025-03-02T09:00:00Z | -3       | sale
"""


def test_a_reader_of_gold_may_ask_and_needs_nothing_else(warehouse):
    warehouse.tell("movement", TOLD)
    warehouse.run("set role bi_reader")
    asked = warehouse.rows(AS_OF, ("2025-03-01T12:00:00Z", 1, "A100", "S1"))
    assert asked == [("A100", "S1", "sellable", "", "", 10)]
    assert warehouse.rows(AS_OF, ("2025-03-01T12:00:00Z", 1, "B200", None)) == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        warehouse.rows("select * from silver.stock_of_keys('{1}', '{1}', 'infinity', 1)")


@pytest.mark.parametrize("known", [99, None])
def test_a_load_to_come_cannot_be_asked_for(warehouse, known):
    warehouse.tell("movement", TOLD)
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="the latest is 1"):
        warehouse.rows(AS_OF, ("2025-03-01T12:00:00Z", known, None, None))


def test_one_key_is_found_by_the_index_of_the_ledger(warehouse):
    warehouse.load()
    warehouse.key("location", "S1")
    for number in range(200):
        warehouse.key("product", f"P{number}")
    for table, own in (("movement", "movement_class"), ("count", "count_document")):
        warehouse.run(
            f"insert into silver.fact_{table} (record_id, fact_no, known_from, product_id, location_id, state, "
            f"bin_code, lot_code, event_time, quantity, {own}, role) select 1, 1, 1, k.product_id, 1, 'sellable', '', "
            "'', timestamptz '2025-03-01T08:00:00Z' + n * interval '1 hour', -1, 'sale', 'authority' "
            "from silver.product_key as k cross join generate_series(1, 200) as n"
        )
        warehouse.run(f"analyze silver.fact_{table}")
    reads = (
        "select relname, seq_tup_read, idx_scan from pg_stat_xact_user_tables "
        "where relname in ('fact_movement', 'fact_count')"
    )
    with psycopg2.connect(warehouse.url) as connection, connection.cursor() as cursor:
        for _ in range(12):  # more often than a plan is made anew by default
            cursor.execute(AS_OF, ("2025-03-05T12:00:00Z", 1, "P7", "S1"))
        cursor.execute(reads)
        found = {name: (read, scans) for name, read, scans in cursor.fetchall()}
    assert {name: read for name, (read, _) in found.items()} == {"fact_movement": 0, "fact_count": 0}
    assert all(scans >= 12 for _, scans in found.values())


def law_11(warehouse, asked=None):
    return [row[0] for row in warehouse.rows("select * from ops.law_11_as_of(%s, %s)", (warehouse.known, asked))]


def test_answers_that_are_kept_hold_after_later_loads_and_a_changed_past_is_noticed(warehouse):
    chance = random.Random(5)
    for _ in range(4):
        tell_at_random(warehouse, chance, loads=1)
        warehouse.settle()
        for _ in range(2):
            products = "select array_agg(product_id) from silver.product_key"
            warehouse.run(f"select ops.keep_answers(({products}), %s)", (warehouse.known,))
        assert law_11(warehouse) == []
    kept = warehouse.rows("select at_known, count(*) from ops.answer_sample group by 1 order by 1")
    assert [known for known, _ in kept] == [1, 2, 3, 4] and all(4 <= count <= 16 for _, count in kept)
    product, location = warehouse.rows("select product_id, location_id from ops.answer_sample where at_known = 2")[0]
    warehouse.run(
        "insert into silver.fact_movement select m.record_id, 9, 2, null, m.product_id, m.location_id, m.state, "
        "m.bin_code, m.lot_code, timestamptz '2025-03-09Z', 5, m.unit_code, m.source_quantity, m.movement_class, "
        "m.counter_location_code, m.order_document, m.order_line, m.unit_cost, m.currency, 'authority', false "
        "from silver.fact_movement as m where product_id = %s and location_id = %s limit 1",
        (product, location),
    )
    assert any("as of infinity and load 2 was" in sentence for sentence in law_11(warehouse))
    assert not any("load 1 was" in sentence for sentence in law_11(warehouse))


def test_many_keys_of_a_large_ledger_are_answered_in_seconds(warehouse):
    warehouse.load()
    for number in range(500):
        warehouse.key("product", f"P{number}")
    for number in range(4):
        warehouse.key("location", f"S{number}")
    warehouse.run(
        "insert into silver.fact_movement (record_id, fact_no, known_from, product_id, location_id, state, bin_code, "
        "lot_code, event_time, quantity, movement_class, role) "
        "select 1, 1, 1, k.product_id, l.location_id, 'sellable', '', '', "
        "timestamptz '2025-03-01T08:00:00Z' + n * interval '1 hour', -1, 'sale', 'authority' "
        "from silver.product_key as k cross join silver.location_key as l cross join generate_series(1, 50) as n"
    )
    warehouse.run("analyze silver.fact_movement")
    answers = as_of(warehouse, START + timedelta(hours=8 + 20), 1)
    assert len(answers) == 2000 and set(answers.values()) == {-20}
