"""What sold, what it earned and what was missed, on small stories whose numbers were worked out by hand."""

from decimal import Decimal
from typing import Any


def now(warehouse, time: str = "2025-01-11T00:00:00Z") -> None:
    warehouse.file("latest.csv", "pos", logical_time=time)


def sales(warehouse, lines: list[tuple[str, str, str, int, str]], currency: str = "EUR") -> None:
    """Sales by (product, day, kind, quantity, money)."""
    head = "product_code | location_code | event_time | business_date | kind | quantity | net_amount | currency\n"
    rows = [f"{p} | S1 | {day}T09:00:00Z | {day} | {kind} | {q} | {money} | {currency}"
            for p, day, kind, q, money in lines]  # fmt: skip
    warehouse.tell("sale", head + "\n".join(rows))


def moved(warehouse, lines: list[tuple[str, str, int, str]]) -> None:
    """Movements by (product, instant, quantity, class)."""
    head = "product_code | location_code | event_time | quantity | movement_class\n"
    warehouse.tell("movement", head + "\n".join(f"{p} | S1 | {time} | {q} | {what}" for p, time, q, what in lines))


def one(warehouse, columns: str, view: str, product: str = "A") -> Any:
    found = warehouse.rows(f"select {columns} from gold.{view} where product_code = %s", (product,))
    assert len(found) == 1, found
    return found[0]


def test_units_money_and_margin_are_of_the_trailing_year_at_the_cost_of_the_day(warehouse):
    now(warehouse)
    warehouse.master("product", "A", valid_to="2025-01-05", standard_cost=2, currency="EUR")
    warehouse.master("product", "A", valid_from="2025-01-05", standard_cost=3, currency="EUR")
    sales(warehouse, [("A", "2024-01-10", "sale", 50, "500"), ("A", "2024-01-12", "sale", 4, "20"),
                      ("A", "2025-01-06", "sale", 5, "30"), ("A", "2025-01-06", "return", -1, "-6"),
                      ("A", "2025-01-06", "charge", 1, "99"), ("A", "2025-01-11", "sale", 7, "70")])  # fmt: skip
    warehouse.settle()
    columns = "quantity_sold, quantity_returned, quantity, net_amount, cost_amount, margin, margin_percent"
    # Cost 4 * 2 + 4 * 3 = 20; sold for 20 + 30 - 6 = 44.
    assert one(warehouse, columns, "product_performance") == (9, 1, 8, 44, 20, 24, Decimal("54.55"))
    days = [str(day) for day in one(warehouse, "first_day, last_day", "product_performance")]
    assert days == ["2024-01-12", "2025-01-10"]


def test_a_cost_for_the_place_counts_before_one_for_everywhere_and_that_before_the_master(warehouse):
    now(warehouse)
    warehouse.master("product", "A", standard_cost=9, currency="EUR")
    warehouse.tell(
        "price",
        """product_code | location_code | price_kind | amount | currency | effective_from
                               A            |               | cost       | 5      | EUR      | 2025-01-04T00:00:00Z
                               A            | S1            | cost       | 2      | EUR      | 2025-01-06T00:00:00Z
                               A            | S2            | cost       | 7      | EUR      | 2025-01-01T00:00:00Z
                               A            |               | list       | 1      | EUR      | 2025-01-01T00:00:00Z""",
    )
    sales(warehouse, [("A", f"2025-01-0{day}", "sale", 1, "10") for day in (3, 5, 7)])
    # Sold at 9, at 5 and at 2.
    assert one(warehouse, "cost_amount, margin", "product_performance") == (16, 14)


def test_money_of_two_currencies_is_never_added_and_cost_of_another_currency_is_unknown(warehouse):
    now(warehouse)
    warehouse.master("product", "A", standard_cost=2, currency="EUR")
    sales(warehouse, [("A", "2025-01-06", "sale", 1, "10")])
    sales(warehouse, [("A", "2025-01-06", "sale", 2, "30")], currency="USD")
    query = "select currency, quantity, net_amount, margin from gold.product_performance order by currency"
    assert warehouse.rows(query) == [("EUR", 1, 10, 8), ("USD", 2, 30, None)]


def test_the_three_sell_throughs_turns_and_gmroi_are_over_the_sealed_days(warehouse):
    """Sealed 7 to 9 January: 20, 20 + 10 - 6 = 24 and 24 - 4 = 20 at their ends; sold 10 since the first."""
    now(warehouse)
    warehouse.master("product", "A", standard_cost=2, currency="EUR")
    moved(warehouse, [("A", "2025-01-07T08:00:00Z", 20, "receipt"), ("A", "2025-01-08T08:00:00Z", 10, "receipt"),
                      ("A", "2025-01-08T09:00:00Z", -6, "sale"), ("A", "2025-01-09T09:00:00Z", -4, "sale"),
                      ("A", "2025-01-10T09:00:00Z", 0, "adjustment")])  # fmt: skip
    sales(warehouse, [("A", "2024-12-01", "sale", 22, "66"), ("A", "2025-01-08", "sale", 6, "30"),
                      ("A", "2025-01-09", "sale", 4, "20")])  # fmt: skip
    warehouse.settle()
    warehouse.run("select * from gold.snapshot_days('2025-01-07', '2025-01-09', %s)", (warehouse.known,))
    columns = "sealed_days, sell_through, sell_through_of_received, sell_through_of_sold_and_left, mean_stock"
    assert one(warehouse, columns, "product_performance") == (
        3, Decimal("0.333333"), 1, Decimal("0.333333"), Decimal("21.333333"),
    )  # fmt: skip
    # Cost 32 * 2 = 64 and margin 116 - 64 = 52, over 64 / 3 pieces at 2.
    assert one(warehouse, "turns, gmroi", "product_performance") == (Decimal("1.5"), Decimal("1.21875"))


def test_without_snapshots_nothing_is_said_about_stock(warehouse):
    now(warehouse)
    sales(warehouse, [("A", "2025-01-06", "sale", 1, "10")])
    assert one(warehouse, "sealed_days, sell_through, mean_stock, turns", "product_performance") == (
        0,
        None,
        None,
        None,
    )


def test_abc_goes_by_the_share_before_the_item_with_ties_by_code(warehouse):
    """80, 8, 8, 3 and 1 of 100: shares before of 0, 80, 88, 96 and 99 %."""
    now(warehouse)
    for code in ("A", "D", "C", "E", "B", "N"):
        warehouse.master("product", code, currency="EUR")
    worth = {"A": 80, "D": 8, "C": 8, "E": 3, "B": 1}
    sales(warehouse, [(code, "2025-01-06", "sale", 1, str(money)) for code, money in worth.items()])
    sales(warehouse, [("R", "2025-01-06", "return", -1, "-5")])
    found = warehouse.rows("select product_code, abc, value_share_before from gold.abc_xyz order by 3, 1")
    assert [(code, abc) for code, abc, _ in found] == [
        ("A", "A"), ("C", "B"), ("D", "B"), ("E", "C"), ("B", "C"), ("N", "Z"), ("R", "Z"),
    ]  # fmt: skip
    assert [float(before) for _, _, before in found] == [0, 0.8, 0.88, 0.96, 0.99, 1, 1]


def test_the_first_item_is_an_a_however_much_it_is_worth_and_each_currency_has_its_own(warehouse):
    now(warehouse)
    sales(warehouse, [("A", "2025-01-06", "sale", 1, "99"), ("B", "2025-01-06", "sale", 1, "1")])
    sales(warehouse, [("B", "2025-01-06", "sale", 1, "5")], currency="USD")
    query = "select product_code, currency, abc from gold.abc_xyz order by 2, 1"
    assert warehouse.rows(query) == [("A", "EUR", "A"), ("B", "EUR", "C"), ("B", "USD", "A")]


def test_xyz_goes_by_the_variation_of_weekly_demand_with_weeks_without_a_sale_as_zero(warehouse):
    """Weeks end on 10 January, 3 January and so on."""
    now(warehouse)
    weeks = {
        "X": [10, 12, 8, 10],  # deviation 1.632993 over 10
        "Y": [10, 2, 10, 2],  # 4.618802 over 6
        "Z": [20, 0, 0, 4],  # 9.521905 over 6
        "N": [3],
    }
    days = ["2025-01-10", "2025-01-03", "2024-12-27", "2024-12-20"]
    sales(warehouse, [(code, day, "sale", q, "1")
                      for code, row in weeks.items() for q, day in zip(row, days, strict=False) if q])  # fmt: skip
    found = warehouse.rows(
        "select product_code, weeks, mean_weekly, weekly_variation, xyz from gold.abc_xyz order by 1"
    )
    assert found == [
        ("N", 1, 3, None, None), ("X", 4, 10, Decimal("0.163299"), "X"),
        ("Y", 4, 6, Decimal("0.769800"), "Y"), ("Z", 4, 6, Decimal("1.586984"), "Z"),
    ]  # fmt: skip


def test_out_of_stock_days_and_what_they_may_have_cost(warehouse):
    """Of five days sold 2, 1, nothing, nothing and 3; the 7th to 9th opened empty, and goods came on the 9th"""
    now(warehouse, "2025-01-10T00:00:00Z")
    warehouse.master("product", "A", list_price=4, currency="EUR")
    moved(warehouse, [("A", "2025-01-01T09:00:00Z", 3, "receipt"), ("A", "2025-01-05T09:00:00Z", -2, "sale"),
                      ("A", "2025-01-06T09:00:00Z", -1, "sale"), ("A", "2025-01-09T08:00:00Z", 3, "receipt"),
                      ("A", "2025-01-09T09:00:00Z", -3, "sale")])  # fmt: skip
    warehouse.settle()
    warehouse.run("select silver.refresh_demand_rate(5)")
    columns = (
        "active_days, out_of_stock_days, stockout_rate, demand_mean, lost_quantity, lost_amount, currency, is_out_now"
    )
    assert one(warehouse, columns, "stockout") == (5, 2, Decimal("0.4"), 2, 4, 16, "EUR", True)


def test_a_line_is_filled_when_its_first_shipment_is_all_of_it(warehouse):
    """Lines: whole at once; in two parts; overdue and nothing shipped; not due yet; cancelled; rest cancelled."""
    now(warehouse)
    order = "2025-01-02T00:00:00Z"
    rows = [
        ("W1", 5, "reserve", order), ("W1", 5, "ship", "2025-01-03T00:00:00Z"),
        ("W2", 5, "reserve", order), ("W2", 3, "ship", "2025-01-03T00:00:00Z"),
        ("W2", 2, "ship", "2025-01-04T00:00:00Z"),
        ("W3", 5, "reserve", order),
        ("W5", 5, "reserve", order), ("W5", 5, "cancel", "2025-01-03T00:00:00Z"),
        ("W6", 5, "reserve", order), ("W6", 1, "cancel", "2025-01-02T12:00:00Z"),
        ("W6", 4, "ship", "2025-01-03T00:00:00Z"),
    ]  # fmt: skip
    head = "product_code | location_code | event_time | quantity | event | order_document | due_at\n"
    lines = [f"A | S1 | {time} | {q} | {event} | {order} | 2025-01-05T00:00:00Z" for order, q, event, time in rows]
    lines.append(f"A | S1 | {order} | 5 | reserve | W4 | 2025-02-05T00:00:00Z")
    warehouse.tell("demand", head + "\n".join(lines))
    warehouse.settle()
    found = warehouse.rows("select location_code, channel_code, month::text, line_count, complete_lines, fill_rate "
                           "from gold.fill_rate")  # fmt: skip
    assert found == [("S1", "shop", "2025-01-01", 4, 2, Decimal("0.5"))]


def test_goods_that_leave_in_one_go_fill_the_lines_of_an_order_that_names_none(warehouse):
    now(warehouse)
    head = "product_code | location_code | event_time | quantity | event | order_document | order_line\n"
    warehouse.tell("demand", head + "A | S1 | 2025-01-02T00:00:00Z | 2 | reserve | W1 | 1\n"
                                    "A | S1 | 2025-01-02T00:00:00Z | 3 | reserve | W1 | 2")  # fmt: skip
    head = "product_code | location_code | event_time | quantity | movement_class | order_document\n"
    warehouse.tell("movement", head + "A | S1 | 2025-01-03T00:00:00Z | -5 | shipment | W1")
    warehouse.settle()
    assert warehouse.rows("select line_count, complete_lines from gold.fill_rate") == [(2, 2)]
