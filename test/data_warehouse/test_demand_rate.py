"""Demand a day over the days with something to sell: small stories, and any story against the stock of each day."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import variance
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = "2025-01-10T00:00:00Z"
COLUMNS = "active_days, in_stock_days, demand_days, demand, returned, mean_daily, variance_daily"


def now(warehouse, time: str = NOW) -> None:
    warehouse.file("latest.csv", "pos", logical_time=time)


def moved(warehouse, lines: list[tuple[str, int, str]], product: str = "A", location: str = "S1") -> None:
    """Movements by (instant, quantity, class)."""
    head = "product_code | location_code | event_time | quantity | movement_class\n"
    rows = [f"{product} | {location} | {time} | {quantity} | {what}" for time, quantity, what in lines]
    warehouse.tell("movement", head + "\n".join(rows))


def counted(
    warehouse, time: str, quantity: int, *, product: str = "A", document: str = "C", scope: str = "item"
) -> None:
    absence = "zero" if scope == "location" else "unknown"
    warehouse.tell(
        "count",
        "product_code | location_code | event_time | quantity | count_document | scope | absence\n"
        f"{product} | S1 | {time} | {quantity} | {document} | {scope} | {absence}",
    )


def rates(warehouse, days: int = 5) -> dict[str, Any]:
    warehouse.settle()
    warehouse.run("select silver.refresh_demand_rate(%s)", (days,))
    return {row[0]: row[1:] for row in warehouse.rows(f"select product_code, {COLUMNS} from silver.demand_rate")}


def test_only_days_with_stock_count_and_the_day_on_which_the_last_piece_left(warehouse):
    """Five days from the 5th to the 9th: sold 2 and 1; empty from then; filled up on the 8th, sold 3 on the 9th."""
    now(warehouse)
    moved(warehouse, [("2025-01-01T09:00:00Z", 3, "receipt"), ("2025-01-05T09:00:00Z", -2, "sale"),
                      ("2025-01-06T09:00:00Z", -1, "shipment"), ("2025-01-08T18:00:00Z", 9, "receipt"),
                      ("2025-01-09T09:00:00Z", -3, "sale"), ("2025-01-09T10:00:00Z", 1, "return"),
                      ("2025-01-10T00:00:00Z", -6, "sale"), ("2025-01-04T23:59:59Z", 0, "sale")])  # fmt: skip
    # Demand 2, 1 and 3 on three days with stock; the 7th and 8th opened empty.
    assert rates(warehouse) == {"A": (5, 3, 3, 6, 1, 2, 1)}
    window = warehouse.rows("select first_day, last_day from silver.demand_rate")
    assert window == [(date(2025, 1, 5), date(2025, 1, 9))]


def test_a_count_that_finds_nothing_ends_the_days_with_stock(warehouse):
    now(warehouse)
    moved(warehouse, [("2025-01-01T09:00:00Z", 9, "receipt"), ("2025-01-05T09:00:00Z", -2, "sale")])
    counted(warehouse, "2025-01-07T12:00:00Z", 0)
    assert rates(warehouse) == {"A": (5, 3, 1, 2, 0, nine(Fraction(2, 3)), nine(Fraction(4, 3)))}


def test_a_count_of_the_whole_place_speaks_for_what_it_does_not_list(warehouse):
    now(warehouse)
    moved(warehouse, [("2025-01-01T09:00:00Z", 9, "receipt"), ("2025-01-05T09:00:00Z", -2, "sale")])
    counted(warehouse, "2025-01-06T12:00:00Z", 5, product="B", scope="location")
    assert rates(warehouse)["A"][:4] == (5, 2, 1, 2)


def test_what_was_never_counted_and_stands_below_zero_was_there_but_a_counted_product_was_not(warehouse):
    now(warehouse)
    moved(warehouse, [("2025-01-05T09:00:00Z", -1, "sale"), ("2025-01-09T09:00:00Z", -1, "sale")])
    moved(warehouse, [("2025-01-05T09:00:00Z", -1, "sale"), ("2025-01-09T09:00:00Z", -1, "sale")], product="B")
    counted(warehouse, "2025-01-04T09:00:00Z", 0, product="B")
    found = rates(warehouse)
    assert (found["A"][:3], found["B"][:3]) == ((5, 5, 2), (5, 2, 2))


def test_days_before_a_product_was_there_do_not_count(warehouse):
    now(warehouse)
    moved(warehouse, [("2025-01-07T09:00:00Z", 9, "receipt"), ("2025-01-09T09:00:00Z", -4, "sale")])
    # The 7th opened without it; the 8th and 9th count.
    assert rates(warehouse) == {"A": (2, 2, 1, 4, 0, 2, 8)}


def test_a_day_is_that_of_the_place_and_the_window_ends_with_its_last_full_one(warehouse):
    """Midnight of 10 January in UTC is still the 9th in New York: the 8th is the last full day there."""
    now(warehouse)
    warehouse.master("location", "S1", zone="America/New_York")
    moved(warehouse, [("2025-01-01T09:00:00Z", 90, "receipt"), ("2025-01-09T04:59:59Z", -1, "sale"),
                      ("2025-01-09T05:00:00Z", -10, "sale"), ("2025-01-04T04:59:59Z", -20, "sale")])  # fmt: skip
    assert rates(warehouse)["A"][:4] == (5, 5, 1, 1)
    assert warehouse.rows("select last_day from silver.demand_rate") == [(date(2025, 1, 8),)]


def test_what_is_merged_sells_and_stands_under_the_code_that_is_left(warehouse):
    now(warehouse)
    warehouse.master("product", "A")
    warehouse.master("product", "OLD")
    merged(warehouse, "OLD", "A")
    moved(warehouse, [("2025-01-01T09:00:00Z", 3, "receipt"), ("2025-01-05T09:00:00Z", -1, "sale")], product="OLD")
    moved(warehouse, [("2025-01-06T09:00:00Z", 3, "receipt"), ("2025-01-06T12:00:00Z", -3, "sale")])
    assert rates(warehouse) == {"A": (5, 5, 2, 4, 0, Fraction(4, 5), Fraction(17, 10))}


def test_a_second_refresh_writes_nothing_and_what_stopped_selling_goes(warehouse):
    now(warehouse)
    moved(warehouse, [("2025-01-01T09:00:00Z", 9, "receipt"), ("2025-01-05T09:00:00Z", -2, "sale")])
    assert rates(warehouse)
    assert warehouse.value("select silver.refresh_demand_rate(5)") == 0
    now_later = datetime(2025, 2, 1, tzinfo=UTC)
    warehouse.file("later.csv", "pos", logical_time=now_later)
    assert rates(warehouse) == {}


def test_an_empty_warehouse_has_no_rates(warehouse):
    assert rates(warehouse) == {}


def merged(warehouse, member: str, survivor: str) -> None:
    warehouse.tell("product", f"product_code\n{member}\n{survivor}")
    warehouse.tell("alias", f"alias_code | product_code\n{member} | {survivor}")
    warehouse.run("insert into silver.merge_link (member_code, survivor_code) values (%s, %s)", (member, survivor))


HOURS = st.integers(min_value=0, max_value=12 * 24)
MOVES = st.tuples(st.sampled_from(["A", "B"]), HOURS, st.integers(-4, 6))
COUNTS = st.tuples(st.sampled_from(["A", "B"]), HOURS, st.integers(0, 4), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MOVES, min_size=1, max_size=14), st.lists(COUNTS, max_size=4))
def test_any_story_gives_what_the_stock_at_each_days_end_gives(warehouse, moves, counts):
    for table in ("fact_movement", "fact_count", "position", "demand_rate"):
        warehouse.run(f"delete from silver.{table}")
    now(warehouse)
    first = datetime(2024, 12, 30, tzinfo=UTC)
    for product, hour, quantity in moves:
        what = "sale" if quantity < 0 else "receipt"
        moved(warehouse, [((first + timedelta(hours=hour)).isoformat(), quantity, what)], product=product)
    for number, (product, hour, quantity, is_whole) in enumerate(counts):
        time = (first + timedelta(hours=hour)).isoformat()
        scope = "location" if is_whole else "item"
        counted(warehouse, time, quantity, product=product, document=f"C{number}", scope=scope)
    assert {product: row[1:] for product, row in rates(warehouse).items()} == expected(warehouse)


def expected(warehouse) -> dict[str, Any]:
    """The same from the stock at each day's end, day by day."""
    first, last = date(2025, 1, 5), date(2025, 1, 9)
    demand: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for product, time, quantity in warehouse.rows(
        "select k.product_code, m.event_time, m.quantity from silver.fact_movement as m "
        "inner join silver.product_key as k using (product_id) where m.movement_class = 'sale'"
    ):
        if first <= time.astimezone(UTC).date() <= last:
            demand[product][time.astimezone(UTC).date()] -= int(quantity)
    ends = {}
    with warehouse.connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(
            "select k.product_code, s.business_date, s.quantity, s.is_anchored "
            "from silver.stock_at_day_ends('2025-01-04', '2025-01-09', %s) as s "
            "inner join silver.product_key as k using (product_id)", (warehouse.known,)
        )  # fmt: skip
        for product, day, quantity, is_anchored in cursor.fetchall():
            ends[product, day + timedelta(days=1)] = (quantity, is_anchored)
        cursor.execute("rollback")
    made = {}
    for product, sold in demand.items():
        days = [first + timedelta(days=n) for n in range(5)]
        openings = {day: ends.get((product, day), (0, False)) for day in days}
        sizes = [sold[day] for day in days
                 if sold[day] or openings[day][0] > 0 or (openings[day][0] < 0 and not openings[day][1])]  # fmt: skip
        mean = Fraction(sum(sizes), len(sizes))
        spread = variance([Fraction(size) for size in sizes]) if len(sizes) > 1 else Fraction(0)
        made[product] = (len(sizes), sum(size > 0 for size in sizes), sum(sizes), 0, nine(mean), nine(spread))
    return made


def nine(value: Fraction) -> Decimal:
    """Nine decimals, as the warehouse rounds."""
    return (Decimal(value.numerator) / value.denominator).quantize(Decimal("1e-9"), ROUND_HALF_UP)
