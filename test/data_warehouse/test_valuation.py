"""Laws of valuation, on flows drawn at random: exact, complete, the same by set and by loop."""

from collections import deque
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_manager.bench_valuation import measure_valuation, plain_fifo

IN_PLACE = """
    create table silver.drawn_flow (
        product_id integer, location_id integer, seq bigint, event_time timestamptz, account text, quantity numeric,
        standard_cost numeric, currency text, unit_cost numeric, cost_source text
    );
    create or replace view silver.value_flow as select * from silver.drawn_flow;
"""
QUANTITIES = st.one_of(
    st.integers(-9, 9), st.decimals("-9", "9", places=3, allow_nan=False, allow_infinity=False)
).filter(lambda quantity: quantity != 0)
COSTS = st.decimals("0", "20", places=2, allow_nan=False, allow_infinity=False)
FLOWS = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 2), QUANTITIES, COSTS), max_size=25)
THIRD = Decimal(10) / Decimal(12)  # a price per case of 12: no finite number of decimals
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def flow_warehouse(warehouse):
    warehouse.run(IN_PLACE)
    return warehouse


def put(warehouse, flow):
    warehouse.run("truncate silver.drawn_flow")
    for seq, (product, place, quantity, cost) in enumerate(flow, 1):
        warehouse.run(
            "insert into silver.drawn_flow values (%s, %s, %s, '2025-01-01', 'supplier', %s, 1, 'EUR', %s, 'movement')",
            (product, place, seq, quantity, cost),
        )


def by_key(warehouse, query):
    return {row[:2]: row[2] for row in warehouse.rows(query) if row[2]}


@QUIET
@given(FLOWS)
def test_layers_are_what_a_plain_loop_leaves(flow_warehouse, flow):
    put(flow_warehouse, flow)
    drawn = [(product, place, Decimal(quantity), cost) for product, place, quantity, cost in flow]
    expected = {key: value for key, value in plain_fifo(drawn).items() if value}
    layers = "select product_id, location_id, sum(value) from silver.fifo_layer group by 1, 2"
    assert by_key(flow_warehouse, layers) == expected
    # The same once more, out of the pairs of receipt and issue.
    left = "case when issue_seq is null then value when receipt_seq is null then -provisional_value else 0 end"
    matches = f"select product_id, location_id, sum({left}) from silver.fifo_match group by 1, 2"
    assert by_key(flow_warehouse, matches) == expected


@QUIET
@given(st.lists(st.tuples(st.integers(1, 2), st.just(1), QUANTITIES, st.one_of(COSTS, st.just(THIRD))), max_size=25))
def test_what_was_received_is_what_was_issued_and_what_is_left_exactly(flow_warehouse, flow):
    put(flow_warehouse, flow)
    received = flow_warehouse.value(
        "select coalesce(sum(case when scale(unit_cost) <= 9 then quantity * unit_cost "
        "else round(quantity * unit_cost, 9) end), 0) from silver.value_flow where quantity > 0"
    )
    assert received == flow_warehouse.value("select coalesce(sum(value), 0) from silver.fifo_match")
    pieces = "select coalesce(sum(quantity), 0) from silver.fifo_match where {} is not null"
    for side, sign in (("receipt_seq", ">"), ("issue_seq", "<")):
        told = f"select coalesce(sum(abs(quantity)), 0) from silver.value_flow where quantity {sign} 0"
        assert flow_warehouse.value(pieces.format(side)) == flow_warehouse.value(told)
    # Movements and true-ups add up to the value of the layers, to the last digit.
    layers = "select product_id, location_id, sum(value) from silver.fifo_layer group by 1, 2"
    entries = "select product_id, location_id, sum(value) from silver.value_entry where method = 'fifo' group by 1, 2"
    assert by_key(flow_warehouse, entries) == by_key(flow_warehouse, layers)


def plain_average(flow):
    """Return quantity and value by the moving average, step by step."""
    quantity = value = Decimal(0)
    nano = Decimal("1e-9")
    for _, _, drawn, cost in flow:
        moved = Decimal(drawn)
        after = quantity + moved
        if after == 0:
            value = Decimal(0)
        elif moved > 0 and quantity < 0:
            value = after * cost if after > 0 else value * after / quantity
        elif moved > 0 or quantity <= 0:
            value += moved * cost
        else:
            value = value + value * moved / quantity if after > 0 else after * cost
        quantity, value = after, value.quantize(nano)
    return quantity, value


@QUIET
@given(FLOWS)
def test_the_moving_average_is_what_a_plain_loop_says_and_its_changes_add_up(flow_warehouse, flow):
    flow = [(1, 1, quantity, cost) for _, _, quantity, cost in flow]
    put(flow_warehouse, flow)
    quantity, value = plain_average(flow)
    held = flow_warehouse.value(
        "select coalesce(silver.moving_average(quantity, unit_cost order by seq), '{0,0,0}') from silver.value_flow"
    )
    assert held[0] == quantity
    # Each of the steps may differ from the loop's by a rounding; that nothing is lost is exact.
    assert abs(held[1] - value) <= len(flow) * Decimal("1e-8")
    assert quantity or not held[1]
    changes = "select coalesce(sum(value), 0) from silver.value_entry where method = 'moving_average'"
    assert flow_warehouse.value(changes) == held[1]


def test_the_order_in_which_facts_arrive_does_not_change_a_value(warehouse):
    facts = [
        "A100|W1|2025-01-01T08:00:00Z|5|receipt|2|S1",
        "A100|W1|2025-01-01T08:00:00Z|5|receipt|3|S2",
        "A100|W1|2025-01-01T08:00:00Z|-6|sale||",
        "A100|W1|2025-01-01T08:00:00Z|-2|shipment||S9",
        "A100|W1|2025-01-02T08:00:00Z|1|return|4|",
    ]
    header = "product_code|location_code|event_time|quantity|movement_class|unit_cost|document"
    told = deque(facts)
    answers = set()
    for place in range(len(facts)):
        told.rotate(1)
        lines = [line.replace("A100", f"P{place}").replace("|S", f"|{place}S") for line in told]
        warehouse.tell("movement", "\n".join([header, *lines]))
        rows = warehouse.rows(
            "select method, seq, kind, counter_account, quantity, value_change from gold.stock_value_change "
            "where product_code = %s order by method, seq, kind",
            (f"P{place}",),
        )
        answers.add(str(rows))
    assert len(answers) == 1


def test_the_bench_values_the_same_by_set_and_by_loop(warehouse):
    measured = measure_valuation(warehouse.url, movements=30_001)
    assert [row.differences for row in measured] == [0, 0, 0]
    assert warehouse.value("select count(*) from bench_silver.fifo_layer where quantity < 0") > 0
