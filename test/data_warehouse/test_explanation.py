"""stock_explanation: every fact about a product at a place, counted in order or left out with its reason."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from test.data_warehouse.naive_ledger import PLACES, PRODUCTS, START, tell_at_random

EXPLAINED = (
    "select is_counted, reason, kind, state, bin_code, lot_code, quantity, balance, sentence "
    "from gold.stock_explanation(%s, %s, %s, %s)"
)
AS_OF = "select state, bin_code, lot_code, quantity, is_anchored from gold.stock_as_of(%s, %s, %s, %s)"


@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_balances_are_the_stock_and_each_fact_is_listed_once(warehouse, seed):
    chance = random.Random(seed)
    tell_at_random(warehouse, chance)
    reasons: Counter[str] = Counter()
    for _ in range(60):
        at, known = START + timedelta(hours=chance.randrange(75)), chance.randint(1, warehouse.known)
        key = chance.choice(PRODUCTS), chance.choice(PLACES)
        rows = warehouse.rows(EXPLAINED, (at, known, *key))
        stock = {row[:3]: row[3:] for row in warehouse.rows(AS_OF, (at, known, *key))}
        last = {row[3:6]: row[7] for row in rows if row[0]}
        assert last == {stock_key: quantity for stock_key, (quantity, _) in stock.items() if stock_key in last}
        assert all(q == 0 and not anchored for k, (q, anchored) in stock.items() if k not in last)
        anchors = Counter(row[3:6] for row in rows if row[0] and row[2] == "count")
        assert anchors == Counter({k: 1 for k, (_, anchored) in stock.items() if anchored})
        of_old, told = warehouse.rows(
            "select count(*) filter (where not r.is_void), count(*) "
            "from (select record_id, product_id, location_id from silver.fact_movement union all "
            "select record_id, product_id, location_id from silver.fact_count) as f "
            "inner join silver.product_key using (product_id) inner join silver.location_key using (location_id) "
            "inner join silver.record as r using (record_id) where product_code = %s and location_code = %s",
            key,
        )[0]
        assert of_old <= sum(row[8] is None for row in rows) <= told  # but for implied zeros and voids
        reasons.update(row[1] for row in rows)
    assert {None, "before_count", "earlier_count", "shadow", "later", "not_known_yet"} <= set(reasons)


TOLD = """
    product_code | location_code | event_time           | quantity | movement_class | feed | role      | document
    A100         | S1            | 2025-03-01T09:00:00Z | 10       | receipt        | wms  | authority | R1
    A100         | S1            | 2025-03-03T09:00:00Z | -3       | sale           | pos  | authority | T1
    A100         | S1            | 2025-03-03T09:00:00Z | -3       | sale           | erp  | shadow    | F1
    A100         | S1            | 2025-03-09T09:00:00Z | -1       | sale           | pos  | authority | T2
"""
COUNTED = """
    product_code | location_code | event_time           | quantity | count_document | scope    | absence
    A100         | S1            | 2025-03-01T12:00:00Z | 8        | C1             | item     | unknown
    B200         | S1            | 2025-03-02T12:00:00Z | 5        | C2             | location | zero
"""


def test_a_product_that_a_whole_count_does_not_list_starts_at_zero_and_names_the_count(warehouse):
    warehouse.tell("movement", TOLD)
    warehouse.tell("count", COUNTED)
    found = warehouse.rows(
        "select reason, kind, class, quantity, balance, feed, document, by_feed, sentence "
        "from gold.stock_explanation('2025-03-05Z', 1, 'A100', 'S1')"
    )
    counted = [row for row in found if row[0] is None]
    assert [row[1:5] for row in counted] == [("count", "C2", 0, 0), ("movement", "sale", -3, -3)]
    assert counted[0][8] == "The count covers the product and does not list it: zero."
    assert [(row[0], row[3], row[5], row[7]) for row in found if row[0]] == [
        ("earlier_count", 8, "pos", None), ("before_count", 10, "wms", None), ("shadow", -3, "erp", "pos"),
        ("later", -1, "pos", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "is_named"),
    [
        (b"S1;A100;3", True), (b"A100", True), (b'{"sku":"A100","at":"S1"}', True), (b"S1;A1000;3", False),
        (b"S1;XA100;3", False), (b"S2;A100;3", False), (b"S1;S2;A100", True), (b"\xff\x00A100\n", True),
        (b"", False),
    ],
)  # fmt: skip
def test_a_record_set_aside_is_listed_where_it_names_the_product_and_no_other_place(warehouse, raw, is_named):
    warehouse.tell("movement", TOLD)
    warehouse.key("location", "S2")
    file = warehouse.file("pos.csv", "pos")
    warehouse.run(
        "insert into silver.quarantine values (%s, 9, 9, 0, 1, %s, 'unknown_unit', 'What unit?', null, null, 'c', 1)",
        (file, raw),
    )
    found = warehouse.rows(
        "select class, sentence, file_name, line_no from gold.stock_explanation('infinity', 1, 'A100', 'S1') "
        "where reason = 'quarantined'"
    )
    assert found == ([("unknown_unit", "What unit?", "pos.csv", 9)] if is_named else [])


def test_a_reader_of_gold_may_ask_for_an_explanation(warehouse):
    warehouse.tell("movement", TOLD)
    warehouse.run("set role bi_reader")
    assert len(warehouse.rows(EXPLAINED, ("infinity", 1, "A100", "S1"))) == 4
    assert warehouse.rows(EXPLAINED, ("infinity", 1, "Z999", "S1")) == []
