"""What gold's views say, on small stories."""

import pytest


def test_the_worked_example_of_the_semantics_page_gives_37_on_hand_and_4_reserved(warehouse):
    warehouse.tell(
        "count",
        """
        feed | product_code | location_code | event_time           | quantity
        wms  | X            | S             | 2025-01-01T00:00:00Z | 40
        wms  | X            | S             | 2025-01-02T12:00:00Z | 30
        """,
    )
    warehouse.tell(
        "movement",
        """
        feed | product_code | location_code | event_time           | quantity | movement_class | order_document | role
        pos  | X            | S             | 2025-01-01T05:00:00Z | -3       | sale           |                |
        erp  | X            | S             | 2025-01-01T05:00:00Z | -3       | sale           |                | shadow
        pos  | X            | S             | 2025-01-01T12:00:00Z | -1       | sale           |                |
        wms  | X            | S             | 2025-01-02T02:00:00Z | -4       | shipment       | W1             |
        pos  | X            | S             | 2025-01-02T10:00:00Z | -2       | sale           |                |
        pos  | X            | S             | 2025-01-02T17:00:00Z | -6       | sale           |                |
        pos  | X            | S             | 2025-01-02T20:00:00Z | 1        | return         |                |
        wms  | X            | S             | 2025-01-02T23:00:00Z | 12       | receipt        | P1             |
        """,
    )
    warehouse.tell(
        "demand",
        """
        product_code | location_code | event_time           | quantity | event   | order_document
        X            | S             | 2025-01-01T14:00:00Z | 4        | reserve | W1
        X            | S             | 2025-01-01T17:00:00Z | 5        | reserve | W2
        X            | S             | 2025-01-02T21:00:00Z | 1        | cancel  | W2
        """,
    )
    warehouse.tell(
        "supply",
        """
        product_code | location_code | event_time           | quantity | event   | order_document | notice_document
        X            | S             | 2025-01-01T00:00:00Z | 20       | order   | P1             |
        X            | S             | 2025-01-01T10:00:00Z | 20       | notice  | P1             | N1
        X            | S             | 2025-01-02T23:00:00Z | 12       | receipt | P1             |
        """,
    )
    warehouse.settle()
    assert warehouse.rows("select on_hand, is_anchored from gold.stock_on_hand") == [(37, True)]
    assert warehouse.rows("select order_document, shipped, open from gold.open_reservation order by 1") == [
        ("W1", 4, 0),
        ("W2", 0, 4),
    ]
    assert warehouse.rows("select ordered, noticed, received, open_quantity from gold.purchase_order_line") == [
        (20, 20, 12, 8)
    ]
    # Book before the second count is 30 once T3 is known: no shrink beyond the first count.
    assert warehouse.rows(
        "select event_time::date::text, quantity from silver.account_entry where account = 'shrink' order by 1"
    ) == [("2025-01-01", -40), ("2025-01-02", 0)]


def test_on_hand_adds_up_states_bins_and_lots_and_shows_numbers_without_idle_zeros(warehouse):
    warehouse.tell(
        "count",
        """
        product_code | location_code | state        | bin_code | lot_code | event_time           | quantity
        A100         | W1            | sellable     | B1       | L1       | 2025-01-01T00:00:00Z | 12.000000000
        A100         | W1            | damaged      | B1       | L1       | 2025-01-01T00:00:00Z | 2
        A100         | W1            | quality_hold | B2       |          | 2025-01-02T00:00:00Z | 3
        """,
    )
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class
        A100         | W1            | 2025-01-03T00:00:00Z | -1       | sale
        """,
    )
    warehouse.settle()
    columns = "on_hand, sellable, quality_hold, quarantine, damaged, is_anchored, is_negative"
    whole = warehouse.rows(f"select {columns}, last_count_at::date::text from gold.stock_on_hand")[0]
    assert [str(cell) for cell in whole] == ["16", "11", "3", "0", "2", "False", "True", "2025-01-02"]
    detail = warehouse.rows("select bin_code, lot_code, on_hand from gold.stock_on_hand_detail order by 1")
    assert [tuple(str(cell) for cell in row) for row in detail] == [("", "", "-1"), ("B1", "L1", "14"), ("B2", "", "3")]


def test_a_movement_names_its_counter_account_and_shadow_ones_are_shown_uncounted(warehouse):
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class | counter_location_code | role
        A100         | W1            | 2025-01-01T00:00:00Z | -1       | sale           |                       | shadow
        A100         | W1            | 2025-01-02T00:00:00Z | -1       | shipment       | S1                    |
        A100         | W1            | 2025-01-03T00:00:00Z | 5        | receipt        |                       |
        """,
    )
    assert warehouse.rows("select counter_account, is_counted from gold.stock_movement order by event_time") == [
        ("customer", False),
        ("transit", True),
        ("supplier", True),
    ]


def test_shadow_sales_are_beside_and_never_within_the_sales(warehouse):
    warehouse.tell(
        "sale",
        """
        feed | product_code | location_code | event_time           | business_date | quantity | net_amount | role
        pos  | A100         | S1            | 2025-01-01T09:00:00Z | 2025-01-01    | 2        | 10         | authority
        erp  | A100         | S1            | 2025-01-01T09:00:00Z | 2025-01-01    | 2        | 10         | shadow
        """,
    )
    assert warehouse.rows("select feed from gold.sale_line") == [("pos",)]
    assert warehouse.rows("select feed from gold.sale_line_shadow") == [("erp",)]
    assert warehouse.rows("select quantity, line_count from gold.sales_daily") == [(2, 1)]


def test_the_records_of_a_file_add_up_whatever_became_of_them(warehouse):
    warehouse.load()
    file_id = warehouse.file("day.csv", "pos", records=7, non_data=1)
    made = warehouse.tell(
        "movement",
        """
        file    | product_code | location_code | event_time           | quantity | movement_class
        day.csv | A100         | S1            | 2025-01-01T09:00:00Z | -1       | sale
        day.csv | A100         | S1            | 2025-01-01T10:00:00Z | -1       | sale
        day.csv | A100         | S1            | 2025-01-01T11:00:00Z | -1       | sale
        """,
    )
    warehouse.run("update silver.record set is_current = false where record_id = %s", (made[0],))
    set_aside(warehouse, file_id, 5, b"\xc3\xa4;1")
    columns = "records, non_data, accepted, superseded, quarantined, duplicate"
    assert warehouse.rows(f"select {columns} from gold.feed_file") == [(7, 1, 2, 1, 1, 2)]


def test_a_file_set_aside_whole_is_shown_as_such_without_counts(warehouse):
    warehouse.file("broken.zip", "pos", status="set_aside", reason="corrupt_archive")
    assert warehouse.rows("select status, reason, records, duplicate from gold.feed_file") == [
        ("set_aside", "corrupt_archive", 0, 0)
    ]


def test_bytes_that_came_under_two_names_are_shown_under_the_least_of_them(warehouse):
    file_id = warehouse.file("b.csv", "pos")
    warehouse.run("insert into bronze.file_name values (%s, 'a.csv', 1)", (file_id,))
    assert warehouse.rows("select file_name from gold.feed_file") == [("a.csv",)]


def set_aside(warehouse, file_id, record_no, raw, known_to=None):
    warehouse.run(
        "insert into silver.quarantine values (%s, %s, 9, 0, 1, %s, 'unknown_product', 'Send the master.', 'product', "
        "'A-77', 'c', %s, %s)",
        (file_id, record_no, raw, warehouse.known, known_to),
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Kaffee für 3 €".encode(), "Kaffee für 3 €"),
        ("\U0001f600\n".encode(), "\U0001f600\n"),
        (b"M\xfcller", "M\\374ller"),
        (b"a\x00b", "a\\000b"),
        (b"\xed\xa0\x80", "\\355\\240\\200"),
        (b"\xc0\xaf\xf5", "\\300\\257\\365"),
        (b"", ""),
    ],
)
def test_quarantined_bytes_read_as_text_and_are_escaped_where_they_are_none(warehouse, raw, text):
    set_aside(warehouse, warehouse.file("day.csv", "pos"), 1, raw)
    assert warehouse.rows("select raw_text, wants_key from gold.quarantine") == [(text, "A-77")]


def test_a_quarantined_record_that_was_judged_again_no_longer_waits(warehouse):
    file_id = warehouse.file("day.csv", "pos")
    set_aside(warehouse, file_id, 1, b"x", known_to=warehouse.known)
    assert warehouse.rows("select * from gold.quarantine") == []


def test_a_product_is_shown_as_of_the_latest_instant_known_and_not_as_it_will_be(warehouse):
    warehouse.master("product", "A100", valid_to="2025-01-10T00:00:00Z", list_price="10")
    warehouse.master("product", "A100", valid_from="2025-01-10T00:00:00Z", list_price="12")
    warehouse.file("a.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    assert warehouse.rows("select list_price from gold.product") == [(10,)]
    warehouse.file("b.csv", "pos", logical_time="2025-01-10T00:00:00Z")
    assert warehouse.rows("select list_price from gold.product") == [(12,)]
    assert warehouse.value("select count(*) from gold.product_history") == 2


def test_the_calendar_covers_whole_years_of_the_data(warehouse):
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class
        A100         | S1            | 2023-06-01T00:00:00Z | 1        | receipt
        A100         | S1            | 2024-12-30T00:00:00Z | 1        | receipt
        """,
    )
    assert warehouse.rows("select min(day)::text, max(day)::text, count(*) from gold.date") == [
        ("2023-01-01", "2024-12-31", 731)
    ]
    assert warehouse.rows("select iso_year, iso_week, day_name from gold.date where day = '2024-12-30'") == [
        (2025, 1, "Monday")
    ]


SUPPLY = """
    product_code | location_code | event_time           | quantity | event   | order_document | notice_document | status
"""


@pytest.mark.parametrize(
    ("story", "expected", "status"),
    [
        ("A|W|2025-01-01|20|order|P||draft", 0, "draft"),
        ("A|W|2025-01-01|20|order|P||\nA|W|2025-01-02|12|notice|P|N1|", 12, "open"),
        ("A|W|2025-01-01|20|order|P||\nA|W|2025-01-02|12|notice|P|N1|\nA|W|2025-01-03|8|notice|P|N2|", 8, "open"),
        ("A|W|2025-01-01|20|order|P||\nA|W|2025-01-02|20|notice|P|N1|\nA|W|2025-01-03|12|receipt|P||\n"
         "A|W|2025-01-04|20|notice|P|N1|", 8, "open"),
        ("A|W|2025-01-01|20|order|P||\nA|W|2025-01-03|12|receipt|P||\nA|W|2025-01-04|8|cancel|P||", 0, "cancelled"),
        ("A|W|2025-01-01|20|order|P||\nA|W|2025-01-03|25|receipt|P||", 0, "open"),
    ],
    ids=["draft", "notice replaces", "latest notice", "notice re-sent after receipt", "cancelled", "over-delivered"],
)  # fmt: skip
def test_expected_supply_follows_notice_receipt_and_status(warehouse, story, expected, status):
    warehouse.tell("supply", SUPPLY.strip() + "\n" + story)
    warehouse.settle()
    assert warehouse.rows("select open_quantity, status from gold.purchase_order_line") == [(expected, status)]


DEMAND = """
    product_code | location_code | event_time | quantity | event | order_document | order_line | expires_at
"""


@pytest.mark.parametrize(
    ("story", "opened"),
    [
        ("A|S|2025-01-02|4|ship|W|1|\nA|S|2025-01-01|4|reserve|W|1|", [0]),
        ("A|S|2025-01-02|9|cancel|W|1|\nA|S|2025-01-01|4|reserve|W|1|", [0]),
        ("A|S|2025-01-01|4|reserve|W|1|2025-01-03", [0]),
        ("A|S|2025-01-01|4|reserve|W|1|2025-01-09", [4]),
        ("A|S|2025-01-01|4|cart|W|1|\nA|S|2025-01-02|3|reserve|W|1|", [3]),
        ("A|S|2025-01-01|4|reserve|W|1|\nA|S|2025-01-01|4|reserve|W|2|", [4, 4]),
    ],
    ids=[
        "shipped before reserved",
        "cancelled too much",
        "expired",
        "not yet expired",
        "cart became order",
        "two lines",
    ],
)
def test_a_reservation_is_open_as_far_as_it_is_neither_cancelled_nor_shipped_nor_expired(warehouse, story, opened):
    warehouse.file("latest.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    warehouse.tell("demand", DEMAND.strip() + "\n" + story)
    warehouse.settle()
    assert [row[0] for row in warehouse.rows("select open from gold.open_reservation order by order_line")] == opened


def test_a_shipment_told_by_shop_and_warehouse_closes_a_reservation_once(warehouse):
    warehouse.tell("demand", DEMAND.strip() + "\nA|SHOP|2025-01-01|10|reserve|W|1|\nA|SHOP|2025-01-02|4|ship|W|1|")
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time | quantity | movement_class | order_document | order_line
        A            | W1            | 2025-01-02 | -4       | shipment       | W              | 1
        """,
    )
    warehouse.settle()
    assert warehouse.rows("select shipped, open from gold.open_reservation") == [(4, 6)]


def test_a_shipment_that_names_no_line_closes_lines_in_their_order(warehouse):
    warehouse.tell("demand", DEMAND.strip() + "\nA|SHOP|2025-01-01|3|reserve|W|1|\nA|SHOP|2025-01-01|4|reserve|W|2|")
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time | quantity | movement_class | order_document
        A            | W1            | 2025-01-02 | -5       | shipment       | W
        """,
    )
    warehouse.settle()
    assert warehouse.rows("select order_line, shipped, open from gold.open_reservation order by 1") == [
        ("1", 3, 0),
        ("2", 2, 2),
    ]


def test_stock_at_risk_is_judged_by_the_nearest_policy_and_names_the_worst(warehouse):
    for code in ("NEG", "OUT", "LOW", "ORDER", "FINE", "GONE"):
        warehouse.master("product", code, safety_stock="5", reorder_point="8", is_discontinued=code == "GONE")
    quantities = {"NEG": -1, "OUT": 0, "LOW": 4, "ORDER": 7, "FINE": 4, "GONE": 0}
    head = "product_code | location_code | event_time | quantity | movement_class"
    for code, quantity in quantities.items():
        warehouse.tell("movement", f"{head}\n{code} | S1 | 2025-01-01 | {quantity} | adjustment")
    warehouse.tell(
        "stock_policy",
        """
        product_code | location_code | safety_stock | reorder_point | effective_from
        FINE         |               | 9            | 9             |
        FINE         | S1            | 9            | 9             | 2024-01-01
        FINE         | S1            | 2            | 3             | 2024-06-01
        FINE         | S1            | 99           | 99            | 2030-01-01
        """,
    )
    warehouse.file("latest.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    warehouse.settle()
    assert dict(warehouse.rows("select product_code, what from gold.stock_risk")) == {
        "NEG": "negative",
        "OUT": "out_of_stock",
        "LOW": "below_safety_stock",
        "ORDER": "below_reorder_point",
    }


def test_of_a_suppliers_offers_the_latest_by_its_own_time_holds(warehouse):
    warehouse.tell(
        "offer",
        """
        product_code | supplier_code | event_time | unit_cost | lead_time_days
        A100         | ACME          | 2025-01-02 | 4.50      | 7
        A100         | ACME          | 2025-01-01 | 5         | 9
        """,
    )
    assert [str(cell) for cell in warehouse.rows("select unit_cost, lead_time_days from gold.offer")[0]] == ["4.5", "7"]


def test_a_column_that_comes_or_goes_is_told_once_whatever_order_its_files_came_in(warehouse):
    seen = {"c.csv": ("2025-01-03", ["a", "new"]), "a.csv": ("2025-01-01", ["a", "old"]),
            "b.csv": ("2025-01-02", ["a", "new", "brief"])}  # fmt: skip
    for name, (day, columns) in seen.items():
        warehouse.file(name, "tills", logical_time=f"{day}T00:00:00Z", columns=columns)
    warehouse.file("d.json", "tills", logical_time="2025-01-04T00:00:00Z")
    warehouse.file("x.csv", "timeless", columns=["a", "b"])
    warehouse.file("y.csv", "timeless", columns=["a"])

    query = "select kind, subject from gold.alert where kind like 'column%%' order by subject"
    assert warehouse.rows(query) == [
        ("column_added", "tills brief"), ("column_added", "tills new"), ("column_gone", "tills old"),
    ]  # fmt: skip
    shares = "select column_name, files, files_in_all, first_file_name from gold.feed_column where feed = 'tills'"
    assert sorted(warehouse.rows(shares)) == [
        ("a", 3, 3, "a.csv"), ("brief", 1, 3, "b.csv"), ("new", 2, 3, "b.csv"), ("old", 1, 3, "a.csv"),
    ]  # fmt: skip
