"""Oversold promises, how far a record of stock may be trusted, and what to count next: small stories by hand."""

from decimal import Decimal
from math import exp, log

OVERSOLD = "select order_document, oversell_kind, available_then, available_later, short_quantity from gold.oversell"
COUNTED = "product_code|location_code|event_time|quantity"
RESERVED = "product_code|location_code|event_time|quantity|event|order_document|expires_at"
MOVED = "product_code|location_code|event_time|quantity|movement_class|order_document"
DAY, MOVEMENT = log(0.98 / 0.35) / 2 / 365, log(0.98 / 0.35) / 2 / 100


def tell(warehouse, kind, header, *lines):
    warehouse.tell(kind, "\n".join([header, *lines]))


def trust(warehouse, column="probability_right"):
    return {row[0]: float(row[1]) for row in warehouse.rows(f"select product_code, {column} from gold.record_trust")}


def selling(warehouse, product, demand_days, in_stock_days, mean_daily="1"):
    warehouse.run(
        "insert into silver.demand_rate (product_code, location_code, first_day, last_day, in_stock_days, demand_days, "
        "demand, mean_daily, variance_daily) values (%s, 'S1', '2025-01-01', '2025-01-31', %s, %s, 1, %s, 1)",
        (product, in_stock_days, demand_days, mean_daily),
    )


def test_a_promise_that_the_known_stock_did_not_cover_is_a_known_oversell(warehouse):
    tell(warehouse, "count", COUNTED, "A100|S1|2025-01-01T08:00:00Z|5")
    tell(
        warehouse, "demand", RESERVED,
        "A100|S1|2025-01-01T10:00:00Z|3|reserve|W1|",
        "A100|S1|2025-01-01T11:00:00Z|4|reserve|W2|",
    )  # fmt: skip
    warehouse.settle()
    assert warehouse.rows(OVERSOLD) == [("W2", "known", 2, 2, 2)]


def test_a_promise_that_only_later_knowledge_does_not_cover_is_a_hidden_oversell(warehouse):
    tell(warehouse, "count", COUNTED, "A100|S1|2025-01-01T08:00:00Z|5")
    tell(warehouse, "demand", RESERVED, "A100|S1|2025-01-01T10:00:00Z|4|reserve|W1|")
    warehouse.settle()
    assert warehouse.rows(OVERSOLD) == []
    warehouse.load()
    tell(warehouse, "movement", MOVED, "A100|S1|2025-01-01T09:00:00Z|-3|sale|")
    tell(warehouse, "movement", MOVED, "A100|S1|2025-01-01T12:00:00Z|-3|sale|")
    warehouse.settle()
    assert warehouse.rows(OVERSOLD) == [("W1", "hidden", 5, 2, 2)]


def test_what_left_in_full_lapsed_or_was_cancelled_holds_nothing_back(warehouse):
    tell(warehouse, "count", COUNTED, "A100|S1|2025-01-01T08:00:00Z|10")
    tell(
        warehouse, "demand", RESERVED,
        "A100|S1|2025-01-01T09:00:00Z|3|reserve|W1|",
        "A100|S1|2025-01-01T09:00:00Z|9|cart|C1|2025-01-01T09:30:00Z",
        "A100|S1|2025-01-01T09:10:00Z|4|reserve|W2|",
        "A100|S1|2025-01-01T09:20:00Z|4|cancel|W2|",
        "A100|S1|2025-01-01T11:00:00Z|8|reserve|W3|",
    )  # fmt: skip
    tell(warehouse, "movement", MOVED, "A100|S1|2025-01-01T10:00:00Z|-3|shipment|W1")
    warehouse.settle()
    # W1 left: 7 stand, and nothing is taken off twice. W2 was promised while the cart and W1 held all but none.
    assert warehouse.rows(OVERSOLD + " order by 1") == [("W2", "known", -2, -2, 4), ("W3", "known", 7, 7, 1)]


def test_a_record_loses_trust_with_days_and_movements_and_after_a_year_stands_at_the_base_rate(warehouse):
    warehouse.file("later.csv", "pos", logical_time="2026-01-01T00:00:00Z")
    tell(
        warehouse, "count", COUNTED,
        "YEAR|S1|2025-01-01T00:00:00Z|200", "FRESH|S1|2026-01-01T00:00:00Z|5", "SHELF|S1|2025-07-05T00:00:00Z|5",
    )  # fmt: skip
    sales = [f"YEAR|S1|2025-06-{n % 28 + 1:02}T{n % 24:02}:00:00Z|-1|sale|" for n in range(100)]
    tell(warehouse, "movement", MOVED, *sales, "NEVER|S1|2025-12-31T00:00:00Z|4|receipt|")
    warehouse.settle()
    assert trust(warehouse) == {
        "YEAR": 0.35,
        "FRESH": 0.98,
        "SHELF": round(0.98 * exp(-DAY * 180), 4),
        "NEVER": 0.35,
    }
    assert trust(warehouse, "tolerance") == {"YEAR": 5, "FRESH": 1, "SHELF": 1, "NEVER": 1}


def test_a_record_below_zero_cannot_be_right_and_silence_where_it_sells_is_evidence(warehouse):
    warehouse.file("later.csv", "pos", logical_time="2025-01-21T00:00:00Z")
    tell(
        warehouse, "count", COUNTED,
        "BELOW|S1|2025-01-01T00:00:00Z|1", "QUIET|S1|2025-01-11T00:00:00Z|5", "SLOW|S1|2025-01-11T00:00:00Z|5",
    )  # fmt: skip
    tell(warehouse, "movement", MOVED, "BELOW|S1|2025-01-20T00:00:00Z|-3|sale|")
    warehouse.settle()
    selling(warehouse, "QUIET", 15, 30)
    selling(warehouse, "SLOW", 1, 100)
    aged, silence = 0.98 * exp(-DAY * 10), 0.5**10
    expected = aged * silence / (aged * silence + (1 - aged) * (0.2 + 0.8 * silence))
    found = trust(warehouse)
    assert found["BELOW"] == 0.01
    assert found["QUIET"] == round(expected, 4)
    assert found["QUIET"] < 0.2
    assert found["SLOW"] > 0.9


def test_what_another_feed_tells_otherwise_since_the_count_takes_trust_away(warehouse):
    warehouse.file("later.csv", "pos", logical_time="2025-01-03T00:00:00Z")
    tell(warehouse, "count", COUNTED, "A100|S1|2025-01-01T00:00:00Z|50", "B200|S1|2025-01-01T00:00:00Z|50")
    warehouse.tell(
        "movement",
        """
        feed | product_code | location_code | event_time           | quantity | movement_class | role
        pos  | A100         | S1            | 2025-01-02T10:00:00Z | -1       | sale           | authority
        pos  | B200         | S1            | 2025-01-02T10:00:00Z | -1       | sale           | authority
        erp  | B200         | S1            | 2025-01-02T10:00:00Z | -1       | sale           | shadow
        erp  | A100         | S1            | 2025-01-02T10:00:00Z | -1       | sale           | shadow
        erp  | A100         | S1            | 2025-01-02T15:00:00Z | -5       | sale           | shadow
        """,
    )
    warehouse.settle()
    assert trust(warehouse, "disputed_quantity") == {"A100": 5, "B200": 0}
    aged = 0.98 * exp(-DAY * 2 - MOVEMENT)
    tolerance = 49 * 0.05
    assert trust(warehouse) == {
        "A100": round(aged / (aged + (1 - aged) * (1 + 5 / tolerance)), 4),
        "B200": round(aged, 4),
    }


def test_the_count_list_puts_first_where_most_money_rests_on_the_least_sure_record(warehouse):
    warehouse.file("later.csv", "pos", logical_time="2025-01-11T00:00:00Z")
    for product, price in (("DEAR", "100"), ("CHEAP", "1"), ("TWIN_A", "1"), ("TWIN_B", "1"), ("FREE", None)):
        warehouse.master("product", product, list_price=price, currency="EUR")
        tell(warehouse, "count", COUNTED, f"{product}|S1|2025-01-01T00:00:00Z|5")
    warehouse.settle()
    for product, mean in (("DEAR", "1"), ("CHEAP", "1")):
        selling(warehouse, product, 0, 30, mean)
    listed = warehouse.rows("select count_rank, product_code, count_value, sentence from gold.count_list order by 1")
    assert [row[:2] for row in listed] == [(1, "DEAR"), (2, "CHEAP"), (3, "TWIN_A"), (4, "TWIN_B"), (5, "FREE")]
    doubt = 1 - Decimal(str(round(0.98 * exp(-DAY * 10), 4)))
    assert [row[2] for row in listed] == [doubt * 2800, doubt * 28, doubt, doubt, None]
    assert listed[0][3] == "The last count is 10 days and 0 movements old."
