"""What stock is worth, how old it is and what was lost: small stories, worked out by hand."""

from decimal import Decimal

VALUES = "select on_hand, fifo_value, moving_average_value, standard_value from gold.stock_valuation"
CHANGES = "select kind, quantity, value_change from gold.stock_value_change where method = %s order by seq, kind"
THREE_RECEIPTS = """
    product_code | location_code | event_time           | quantity | movement_class | unit_cost | currency
    A100         | W1            | 2025-01-01T08:00:00Z | 10       | receipt        | 2.00      | EUR
    A100         | W1            | 2025-01-02T08:00:00Z | 10       | receipt        | 3.00      | EUR
    A100         | W1            | 2025-01-03T08:00:00Z | -15      | sale           |           |
    A100         | W1            | 2025-01-04T08:00:00Z | 5        | receipt        | 4.00      | EUR
"""
HEADER = "product_code|location_code|event_time|quantity|movement_class|unit_cost|currency"


def moved(*lines):
    return "\n".join([HEADER, *lines])


def test_fifo_moving_average_and_standard_cost_value_the_same_stock(warehouse):
    warehouse.master("product", "A100", standard_cost="2.50", currency="EUR")
    warehouse.tell("movement", THREE_RECEIPTS)
    # 5 at 3 and 5 at 4; 50 / 20 = 2.5 a piece, 5 of these and 5 at 4; 10 at 2.50.
    assert warehouse.rows(VALUES) == [(10, 35, Decimal("32.5"), 25)]
    assert warehouse.rows(CHANGES, ("fifo",)) == [
        ("movement", 10, 20), ("movement", 10, 30), ("movement", -15, -35), ("movement", 5, 20),
    ]  # fmt: skip
    assert warehouse.rows("select currency, cost_sources from gold.stock_valuation") == [("EUR", "movement")]


def test_no_stock_has_no_value_and_a_shadow_movement_never_counts(warehouse):
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class | unit_cost | role
        A100         | W1            | 2025-01-01T08:00:00Z | 3        | receipt        | 0.10      | authority
        A100         | W1            | 2025-01-02T08:00:00Z | 4        | receipt        | 0.33      | authority
        A100         | W1            | 2025-01-02T09:00:00Z | 50       | receipt        | 9.99      | shadow
        A100         | W1            | 2025-01-03T08:00:00Z | -2       | sale           |           | authority
        A100         | W1            | 2025-01-04T08:00:00Z | -5       | sale           |           | authority
        """,
    )
    assert warehouse.rows(VALUES) == [(0, 0, 0, None)]
    assert warehouse.rows("select sum(value_change) from gold.stock_value_change where method <> 'standard'") == [(0,)]


def test_stock_below_zero_has_a_provisional_value_that_the_receipt_trues_up_in_a_row_of_its_own(warehouse):
    sold = moved("A100|W1|2025-01-01T08:00:00Z|2|receipt|2.00|EUR", "A100|W1|2025-01-02T08:00:00Z|-7|sale||")
    warehouse.tell("movement", sold)
    assert warehouse.rows("select on_hand, fifo_value, provisional_quantity from gold.stock_valuation") == [
        (-5, -10, -5)
    ]
    warehouse.tell("movement", moved("A100|W1|2025-01-03T08:00:00Z|8|receipt|3.00|EUR"))
    expected = [("movement", 2, 4), ("movement", -7, -14), ("movement", 8, 24), ("true_up", 0, -5)]
    assert warehouse.rows(CHANGES, ("fifo",)) == expected
    assert warehouse.rows(CHANGES, ("moving_average",)) == expected
    assert warehouse.rows("select on_hand, fifo_value, moving_average_value from gold.stock_valuation") == [(3, 9, 9)]


def test_a_receipt_costs_what_its_order_line_says_by_the_piece_and_else_the_standard_of_that_day(warehouse):
    warehouse.master("product", "A100", valid_to="2025-02-01T00:00:00Z", standard_cost="0.80", currency="EUR")
    warehouse.master("product", "A100", valid_from="2025-02-01T00:00:00Z", standard_cost="0.90", currency="EUR")
    warehouse.tell(
        "supply",
        """
        product_code | location_code | event_time           | quantity | source_quantity | unit_code | event | order_document | order_line | unit_cost | currency
        A100         | W1            | 2025-01-01T00:00:00Z | 36       | 3               | CS        | order | P1             | 1          | 10.00     | EUR
        """,  # noqa: E501  a case of 12 pieces costs 10
    )
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class | order_document | order_line
        A100         | W1            | 2025-01-02T08:00:00Z | 12       | receipt        | P1             | 1
        A100         | W1            | 2025-01-03T08:00:00Z | 10       | receipt        | P9             | 1
        A100         | W1            | 2025-02-03T08:00:00Z | 10       | return         |                |
        """,
    )
    rows = warehouse.rows(
        "select cost_source, value_change from gold.stock_value_change where method = 'fifo' order by seq"
    )
    assert rows == [("order", 10), ("standard", 8), ("standard", 9)]
    # 4 of the 12, three times over: the thirds of the case add up to it.
    for day in (4, 5, 6):
        warehouse.tell("movement", moved(f"A100|W1|2025-02-0{day}T08:00:00Z|-4|sale||"))
    sold = warehouse.rows(CHANGES, ("fifo",))[3:]
    assert [str(row[2]) for row in sold] == ["-3.333333333", "-3.333333334", "-3.333333333"]


def test_a_new_standard_cost_is_a_revaluation_and_the_changes_add_up_to_the_value(warehouse):
    warehouse.master("product", "A100", valid_to="2025-02-01T00:00:00Z", standard_cost="2", currency="EUR")
    warehouse.master("product", "A100", valid_from="2025-02-01T00:00:00Z", standard_cost="3", currency="EUR")
    warehouse.file("later.csv", "pos", logical_time="2025-03-01T00:00:00Z")
    warehouse.tell("movement", moved("A100|W1|2025-01-01T08:00:00Z|10|receipt|2.10|EUR"))
    warehouse.tell("movement", moved("A100|W1|2025-02-02T08:00:00Z|-4|sale||"))
    assert warehouse.rows(CHANGES, ("standard",)) == [
        ("movement", 10, 20),
        ("revaluation", 0, 10),
        ("movement", -4, -12),
    ]
    assert warehouse.rows("select standard_value from gold.stock_valuation") == [(18,)]


def test_a_cost_in_another_currency_is_not_used_and_one_never_told_leaves_stock_uncosted(warehouse):
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class | unit_cost | currency
        A100         | W1            | 2025-01-01T08:00:00Z | 5        | receipt        | 2.00      | EUR
        A100         | W1            | 2025-01-02T08:00:00Z | 5        | receipt        | 3.00      | EUR
        A100         | W1            | 2025-01-03T08:00:00Z | 5        | receipt        | 400       | JPY
        B200         | W1            | 2025-01-01T08:00:00Z | 7        | receipt        |           |
        """,
    )
    assert warehouse.rows(
        "select product_code, currency, fifo_value, uncosted_quantity, cost_sources from gold.stock_valuation "
        "order by product_code"
    ) == [("A100", "EUR", 40, 0, "before, movement"), ("B200", "", 0, 7, "none")]


def test_what_a_count_misses_leaves_at_cost_and_what_it_finds_comes_in_at_cost(warehouse):
    warehouse.tell("movement", THREE_RECEIPTS)
    warehouse.tell("count", "product_code|location_code|event_time|quantity\nA100|W1|2025-01-05T08:00:00Z|8")
    warehouse.settle()
    assert warehouse.rows("select on_hand, fifo_value from gold.stock_valuation") == [(8, 29)]  # 3 at 3 and 5 at 4
    assert warehouse.rows("select on_hand from gold.stock_on_hand") == [(8,)]
    warehouse.tell("count", "product_code|location_code|event_time|quantity\nA100|W1|2025-02-06T08:00:00Z|9")
    assert warehouse.rows("select on_hand, fifo_value from gold.stock_valuation") == [(9, 33)]
    columns = "month_start::text, found, lost, net_quantity, net_value, currency, first_counted"
    assert warehouse.rows(f"select {columns} from gold.shrink order by 1") == [
        ("2025-01-01", 0, 0, 0, 0, "EUR", -2),
        ("2025-02-01", 1, 0, 1, 4, "EUR", 0),
    ]


def test_a_loss_that_a_late_record_explains_is_no_longer_shrink(warehouse):
    counts = "product_code|location_code|event_time|quantity\nA100|W1|{}T08:00:00Z|{}"
    warehouse.tell("count", counts.format("2025-01-01", 10))
    warehouse.tell("count", counts.format("2025-01-03", 7))
    assert warehouse.rows("select found, lost from gold.shrink") == [(0, 3)]
    warehouse.tell("movement", moved("A100|W1|2025-01-02T08:00:00Z|-3|sale||"))
    assert warehouse.rows("select found, lost, first_counted from gold.shrink") == [(0, 0, 10)]


def test_what_is_there_is_as_old_as_the_receipts_that_are_left_of_it(warehouse):
    warehouse.file("later.csv", "pos", logical_time="2025-04-01T08:00:00Z")
    warehouse.tell("movement", THREE_RECEIPTS)
    warehouse.tell(
        "movement", moved("A100|W1|2025-03-20T08:00:00Z|6|receipt|5|EUR", "B200|W1|2025-03-20T08:00:00Z|-1|sale||")
    )
    assert warehouse.rows(
        "select product_code, age_bucket, quantity, fifo_value from gold.stock_ageing order by 1, 2"
    ) == [
        ("A100", "000-030", 6, 30),
        ("A100", "061-090", 10, 35),
        ("B200", "negative", -1, 0),
    ]


def test_goods_that_only_change_their_state_keep_their_cost_and_merged_codes_are_one_product(warehouse):
    warehouse.tell("movement", THREE_RECEIPTS)
    warehouse.tell(
        "movement",
        """
        product_code | location_code | state    | event_time           | quantity | movement_class
        A100         | W1            | sellable | 2025-01-05T08:00:00Z | -4       | state_change
        A100         | W1            | damaged  | 2025-01-05T08:00:00Z | 4        | state_change
        """,
    )
    assert warehouse.rows("select on_hand, fifo_value from gold.stock_valuation") == [(10, 35)]
    warehouse.tell("product", "product_code\nA100\nOLD")
    warehouse.tell("alias", "alias_code|product_code\nOLD|A100")
    warehouse.run("insert into silver.merge_link values ('OLD', 'A100')")
    warehouse.tell("movement", moved("OLD|W1|2024-12-01T08:00:00Z|3|receipt|1|EUR"))
    assert warehouse.rows("select product_code, on_hand, fifo_value from gold.stock_valuation") == [("A100", 13, 44)]


def test_a_supplier_is_on_time_and_in_full_by_the_lines_that_are_finished(warehouse):
    warehouse.master("location", "W1", zone="Europe/Madrid")
    warehouse.file("later.csv", "pos", logical_time="2025-02-01T08:00:00Z")
    warehouse.tell(
        "supply",
        """
        product_code | location_code | supplier_code | event_time           | quantity | event   | order_document | due_at
        A100         | W1            | ACME          | 2025-01-01T08:00:00Z | 10       | order   | P1             | 2025-01-05T23:00:00Z
        A100         | W1            | ACME          | 2025-01-06T08:00:00Z | 10       | receipt | P1             |
        A100         | W1            | ACME          | 2025-01-01T08:00:00Z | 10       | order   | P2             | 2025-01-05T23:00:00Z
        A100         | W1            | ACME          | 2025-01-04T08:00:00Z | 4        | receipt | P2             |
        A100         | W1            | ACME          | 2025-01-01T08:00:00Z | 10       | order   | P3             | 2025-03-05T23:00:00Z
        A100         | W1            | ACME          | 2025-01-01T08:00:00Z | 10       | order   | P4             | 2025-01-05T23:00:00Z
        A100         | W1            | ACME          | 2025-01-02T08:00:00Z | 10       | cancel  | P4             |
        """,  # noqa: E501
    )
    warehouse.settle()
    lines = "order_lines, finished_lines, dated_lines, on_time_lines, in_full_lines, on_time_in_full_lines"
    # P1 came on its day (Madrid), all of it; P2 in time, in part; P3 is not due; P4 was cancelled.
    assert warehouse.rows(f"select {lines} from gold.supplier_performance") == [(4, 2, 2, 2, 1, 1)]
    rates = "lead_time_lines, lead_time_mean_days, lead_time_variance, on_time_rate, in_full_rate"
    assert warehouse.rows(f"select {rates} from gold.supplier_performance") == [(2, 4, 2, 1, Decimal("0.5"))]
