"""Availability and dated promises: golden vectors, allocation, and what holds for any orders."""

from datetime import date, timedelta
from itertools import accumulate, count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TODAY = date(2025, 1, 10)
MORNING = "2025-01-10T00:00:00Z"


def at(day: int) -> str:
    """Midnight, so many days from today."""
    return f"{TODAY + timedelta(days=day)}T00:00:00Z"


def now(warehouse, time: str = MORNING) -> None:
    warehouse.file("latest.csv", "pos", logical_time=time)


def stock(warehouse, quantity: int, product: str = "A", location: str = "S1") -> None:
    warehouse.tell(
        "count",
        "product_code | location_code | event_time | quantity | scope | absence\n"
        f"{product} | {location} | 2025-01-01T00:00:00Z | {quantity} | item | unknown",
    )


def orders(warehouse, lines: list[tuple[str, int, int]], product: str = "A", of: str = "") -> None:
    """Supply and demand by (what, quantity, day)."""
    for number, (what, quantity, day) in enumerate(lines):
        if what == "supply":
            warehouse.tell(
                "supply",
                "product_code | location_code | event_time | quantity | event | order_document | order_line | due_at\n"
                f"{product} | S1 | 2025-01-01T00:00:00Z | {quantity} | order | P{product}{of}{number} | 1 | {at(day)}",
            )
        else:
            warehouse.tell(
                "demand",
                "product_code | location_code | event_time | quantity | event | order_document | order_line | due_at\n"
                f"{product} | S1 | 2025-01-01 | {quantity} | reserve | W{product}{of}{number} | 1 | {at(day)}",
            )


def atp(warehouse, product: str = "A") -> dict[int, tuple[int, int, int]]:
    """Day from today -> (projected, atp, shortage)."""
    rows = warehouse.rows("select day, projected, atp, shortage from gold.atp where product_code = %s", (product,))
    return {(day - TODAY).days: (int(p), int(a), int(s)) for day, p, a, s in rows}


def test_the_golden_vector_of_supply_and_demand_gives_its_atp_and_one_shortage(warehouse):
    now(warehouse)
    stock(warehouse, 0)
    supply, demand = (6, 4, 2, 4, 8, 4, 4, 4), (6, 2, 3, 6, 6, 1, 2, 2)
    lines = [(what, quantity, day + 1) for what, row in (("supply", supply), ("demand", demand))
             for day, quantity in enumerate(row)]  # fmt: skip
    orders(warehouse, lines)
    warehouse.settle()
    found = atp(warehouse)
    assert [found[day][1] for day in range(1, 9)] == [0, 0, 0, 0, 1, 4, 6, 8]
    assert [found[day][2] for day in range(1, 9)] == [0, 0, 0, 1, 0, 0, 0, 0]


def test_the_accumulating_rule_promises_one_more_than_there_will_be_on_the_golden_vector(warehouse):
    now(warehouse)
    stock(warehouse, 0)
    supply, demand = (6, 4, 2, 4, 8, 4, 4, 4), (6, 2, 3, 6, 6, 1, 2, 2)
    lines = [(what, quantity, day + 1) for what, row in (("supply", supply), ("demand", demand))
             for day, quantity in enumerate(row)]  # fmt: skip
    orders(warehouse, lines)
    warehouse.settle()

    def by(rule: str) -> list[int]:
        rows = warehouse.rows("select atp from gold.atp_by_rule('A', 'S1', %s) order by day", (rule,))
        return [int(row[0]) for row in rows][1:]

    assert by("period") == [0, 0, 0, 0, 2, 3, 2, 2]
    assert by("accumulate") == [0, 0, 0, 0, 2, 5, 7, 9]
    assert by("look_ahead") == [0, 0, 0, 0, 1, 4, 6, 8]


def test_goods_due_in_the_course_of_a_day_are_there_when_the_next_one_opens(warehouse):
    now(warehouse)
    stock(warehouse, 5)
    warehouse.tell(
        "supply",
        "product_code | location_code | event_time | quantity | event | order_document | due_at\n"
        "A | S1 | 2025-01-01 | 3 | order | P | 2025-01-12T14:00:00Z",
    )
    warehouse.settle()
    assert atp(warehouse) == {0: (5, 5, 0), 3: (8, 8, 0)}


@pytest.mark.parametrize(
    ("due", "rows"),
    [(-3, {0: (5, 5, 0), 1: (8, 8, 0)}), (-20, {0: (5, 5, 0)}), (None, {0: (5, 5, 0)})],
    ids=["overdue", "past due", "no date"],
)
def test_overdue_goods_are_expected_after_the_grace_days_and_not_at_all_when_too_old_or_undated(warehouse, due, rows):
    now(warehouse)
    stock(warehouse, 5)
    due_at = "" if due is None else at(due)
    warehouse.tell(
        "supply",
        "product_code | location_code | event_time | quantity | event | order_document | due_at\n"
        f"A | S1 | 2025-01-01 | 3 | order | P | {due_at}",
    )
    warehouse.settle()
    assert atp(warehouse) == rows
    finding = {-3: "overdue", -20: "past_due", None: "no_due_date"}[due]
    assert warehouse.rows("select finding from gold.open_supply") == [(finding,)]


def test_a_promise_is_now_later_or_no_and_agrees_with_atp(warehouse):
    now(warehouse)
    stock(warehouse, 5)
    orders(warehouse, [("supply", 10, 4), ("demand", 2, 2)])
    warehouse.settle()

    def promise(quantity: int, day: int | None = None) -> tuple[str, int | None, int]:
        asked = None if day is None else TODAY + timedelta(days=day)
        found = warehouse.rows(
            "select answer, promise_day, atp from gold.can_promise('A', 'S1', %s, %s)", (quantity, asked)
        )
        answer, on, quantity_then = found[0]
        return answer, None if on is None else (on - TODAY).days, int(quantity_then)

    assert promise(3) == ("now", 0, 3)
    assert promise(4) == ("later", 4, 3)
    assert promise(13, 3) == ("later", 4, 3)
    assert promise(13, 9) == ("now", 9, 13)
    assert promise(14) == ("no", None, 3)
    assert warehouse.rows("select answer from gold.can_promise('NONE', 'S1', 1)") == [("no",)]


def test_available_to_sell_takes_off_reservations_and_the_buffer_and_is_never_below_zero(warehouse):
    now(warehouse)
    for product, on_hand in (("A", 10), ("B", 3), ("C", -2)):
        stock(warehouse, max(on_hand, 0), product)
        if on_hand < 0:
            warehouse.tell(
                "movement",
                "product_code | location_code | event_time | quantity | movement_class\n"
                f"{product} | S1 | 2025-01-02 | {on_hand} | sale",
            )
        warehouse.tell("stock_policy", f"product_code | location_code | safety_stock\n{product} | S1 | 2")
    warehouse.tell(
        "demand",
        "product_code | location_code | channel_code | event_time | quantity | event | order_document\n"
        "A | S1 | shop | 2025-01-02 | 3 | reserve | W1\n"
        "A | S1 | shop | 2025-01-02 | 1 | cart | W2\n"
        "A | S1 | transfer | 2025-01-02 | 2 | reserve | T1\n"
        "B | S1 | shop | 2025-01-02 | 9 | reserve | W3",
    )
    warehouse.settle()
    found = warehouse.rows(
        "select product_code, reserved_hard, reserved_soft, transfer_reserved, available, available_to_sell "
        "from gold.availability order by 1"
    )
    assert found == [("A", 3, 1, 2, 4, 2), ("B", 9, 0, 0, 0, 0), ("C", 0, 0, 0, 0, 0)]


def test_a_cart_holds_its_goods_until_it_lapses(warehouse):
    stock(warehouse, 5)
    warehouse.tell(
        "demand",
        "product_code | location_code | event_time | quantity | event | order_document | expires_at\n"
        "A | S1 | 2025-01-09 | 4 | cart | W | 2025-01-11T00:00:00Z",
    )
    now(warehouse)
    warehouse.settle()
    assert warehouse.rows("select available_to_sell from gold.availability") == [(1,)]
    warehouse.file("later.csv", "pos", logical_time="2025-01-11T00:00:00Z")
    assert warehouse.rows("select available_to_sell from gold.availability") == [(5,)]
    assert warehouse.rows("select finding from gold.open_demand") == [("expired",)]


def test_a_channel_sells_what_is_left_of_its_allocation_and_the_pool_if_it_may(warehouse):
    now(warehouse)
    stock(warehouse, 20)
    warehouse.tell(
        "stock_policy",
        "product_code | location_code | channel_code | allocated_quantity | may_use_pool\n"
        "A | S1 | web | 8 | true\n"
        "A | S1 | outlet | 5 | false",
    )
    warehouse.tell(
        "demand",
        "product_code | location_code | channel_code | event_time | quantity | event | order_document\n"
        "A | S1 | web | 2025-01-02 | 3 | reserve | W1",
    )
    warehouse.settle()
    ask = (
        "select channel_code, available, unconsumed_allocation, available_to_sell, is_over_allocated "
        "from gold.availability order by channel_code nulls first"
    )
    # Of 17 free, 5 and 5 are set apart: the pool is 7.
    assert warehouse.rows(ask) == [(None, 17, None, 17, False), ("outlet", 17, 5, 5, False), ("web", 17, 5, 12, False)]
    warehouse.tell(
        "movement",
        "product_code | location_code | event_time | quantity | movement_class\nA | S1 | 2025-01-03 | -11 | sale",
    )
    warehouse.settle()
    assert [row[3:] for row in warehouse.rows(ask)][1:] == [(5, True), (5, True)]


@pytest.fixture
def numbers():
    """For a product of its own in every example."""
    return count()


LINES = st.lists(
    st.tuples(st.sampled_from(["supply", "demand"]), st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=12
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=LINES, on_hand=st.integers(0, 9), day=st.integers(0, 12), share=st.floats(0, 1))
def test_atp_never_falls_and_an_order_of_at_most_atp_makes_no_new_shortage(warehouse, numbers, **drawn):
    lines, on_hand, day, share = (drawn[name] for name in ("lines", "on_hand", "day", "share"))
    if not warehouse.known:
        now(warehouse)
    product = f"A{next(numbers)}"
    stock(warehouse, on_hand, product)
    orders(warehouse, lines, product)
    warehouse.settle()
    before = atp(warehouse, product)
    promised = [before[d][1] for d in sorted(before)]
    assert promised == sorted(promised)
    net = {0: on_hand}
    for what, quantity, due in lines:
        # Goods that are due this very morning are there; so are those that should have been.
        net[due] = net.get(due, 0) + (quantity if what == "supply" else -quantity)
    projected = dict(zip(sorted(net), accumulate(net[d] for d in sorted(net)), strict=True))
    assert {d: row[0] for d, row in before.items()} == projected
    order = int(before[max(d for d in before if d <= day)][1] * share)
    if order:
        orders(warehouse, [("demand", order, day)], product, "more")
        warehouse.settle()
        for d, (_, _, shortage) in atp(warehouse, product).items():
            assert shortage <= before[max(b for b in before if b <= d)][2]


TOLD = st.builds(
    lambda first, others: [(first, 12), *others],
    st.sampled_from(["reserve", "cart"]),
    st.lists(
        st.tuples(st.sampled_from(["ship", "shipment", "cancel", "reserve", "cart"]), st.integers(1, 6)),
        min_size=2,
        max_size=6,
    ),
)
"""What is told of one order line, in the order of arrival: by the shop, and (`shipment`) by the warehouse."""


def open_of(told: list[tuple[str, int]]) -> int:
    """What a line still holds: a cart only until its order is there, shipped once whoever tells it."""
    sums = {event: sum(q for e, q in told if e == event) for event in ("reserve", "cart", "cancel", "ship", "shipment")}
    held = sums["reserve"] if any(event == "reserve" for event, _ in told) else sums["cart"]
    return max(0, held - sums["cancel"] - max(sums["ship"], sums["shipment"]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(told=TOLD, data=st.data())
def test_a_reservation_is_released_once_in_whatever_order_its_end_is_told(warehouse, numbers, told, data):
    if not warehouse.known:
        now(warehouse)
    product = f"R{next(numbers)}"
    stock(warehouse, 50, product)
    expires = data.draw(st.sampled_from(["", "2025-01-09T00:00:00Z", "2025-01-11T00:00:00Z"]), label="expires_at")
    arrivals = data.draw(st.permutations(told), label="arrivals")
    for place, (event, quantity) in enumerate(arrivals):
        if event == "shipment":
            warehouse.tell(
                "movement",
                "product_code | location_code | event_time | quantity | movement_class | order_document | order_line\n"
                f"{product} | S1 | 2025-01-05 | -{quantity} | shipment | W{product} | 1",
            )
        else:
            until = expires if event in ("reserve", "cart") else ""
            warehouse.tell(
                "demand",
                "product_code | location_code | event_time | quantity | event | order_document | order_line |"
                f" expires_at\n{product} | S1 | 2025-01-04 | {quantity} | {event} | W{product} | 1 | {until}",
            )
        warehouse.settle()
        arrived = arrivals[: place + 1]
        gone = sum(q for e, q in arrived if e == "shipment")
        held = 0 if expires and expires < MORNING else open_of(arrived)
        found = warehouse.rows(
            "select on_hand, reserved_hard + reserved_soft, available from gold.availability where product_code = %s",
            (product,),
        )
        assert found == [(50 - gone, held, max(0, 50 - gone - held))]
