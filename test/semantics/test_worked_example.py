"""Section 11 of the semantics in 2,000 orders: each copy of the product hears its facts in an order of its own."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from test.run_warehouse import RunWarehouse
from test.semantics.deliveries import Delivery, Fact, told_in_any_order, write_delivery
from test.semantics.sampled_retailer import row, write_contracts

COPIES = int(os.environ.get("SYSTOCK_COPIES", "2000"))
DELIVERIES = 18
AS_OF = "2025-03-03"
"""Day 3.0; every file is made then, so it is the latest instant that gold knows."""
STORE = "S"
BUFFER = 2
"""Kept back from promises."""


def at(day: float) -> str:
    """A day of the example as a time: 1.0 is the start of 2025-03-01."""
    return (datetime(2025, 2, 28, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S")


def till(sku: str, ticket: str, day: float, quantity: int, **more: object) -> Fact:
    line = {"rev": 1, "kind": "sale", "till": "1", "day": at(day)[:10]}
    return row("till", ticket=f"{sku}-{ticket}", sku=sku, place=STORE, at=at(day), qty=quantity, **(line | more))


def counted(sku: str, doc: str, day: float, quantity: int) -> Fact:
    return row("count", doc=f"{sku}-{doc}", rev=1, sku=sku, place=STORE, at=at(day), qty=quantity, scope="item",
               absence="unknown")  # fmt: skip


def ordered(sku: str, order: str, day: float, quantity: int, **more: object) -> Fact:
    return row("order", order=f"{sku}-{order}", sku=sku, place=STORE, at=at(day), qty=quantity, **more)


def worked_example(sku: str) -> dict[str, Fact]:
    """The facts of one copy, each under the name that the section gives it."""
    there = {"sku": sku, "place": STORE}
    return {
        "count 40": counted(sku, "K1", 1.0, 40),
        "T1": till(sku, "T1", 1.2, 3),
        "T1 by ERP": row("erp_sale", doc=f"{sku}-T1", **there, at=at(1.2), qty=-3),
        "T2 r1": till(sku, "T2", 1.5, 2),
        "T2 r2": till(sku, "T2", 1.5, 1, rev=2),
        "W1": ordered(sku, "W1", 1.6, 4, event="reserve", due=at(2.0)),
        "W2": ordered(sku, "W2", 1.7, 5, event="reserve", due=at(4.5)),
        "W1 ships": row("move", doc=f"{sku}-P1", rev=1, **there, at=at(2.1), qty=-4, kind="shipment",
                        order=f"{sku}-W1", line="1"),
        "T3": till(sku, "T3", 2.4, 2),
        "count 30": counted(sku, "K2", 2.5, 30),
        "T4": till(sku, "T4", 2.7, 6),
        "T5": till(sku, "T5", 2.8, 1),
        "T5 void": till(sku, "T5", 2.8, 1, rev=2, status="void"),
        "T6": till(sku, "T6", 2.9, -1, kind="return"),
        "W2 less 1": ordered(sku, "W2", 2.9, 1, event="cancel"),
        "P1": row("purchase", order=f"{sku}-P1", **there, at=at(1.0), qty=20, event="order", due=at(4.0)),
        "P1 notice": row("notice", notice=f"{sku}-N1", rev=1, order=f"{sku}-P1", **there, at=at(2.0), qty=20,
                         due=at(4.0)),
        "policy": row("policy", **there, safety=BUFFER),
        "P1 receipt": row("receipt", doc=f"{sku}-R1", order=f"{sku}-P1", **there, at=at(2.95), qty=12),
    }  # fmt: skip


def told_by_hand(known: set[str], until: float = 9.9) -> int:
    """On-hand over some of the facts, by the section's own words: the latest count, and what moved after it."""
    counts = {day: quantity for name, day, quantity in (("count 40", 1.0, 40), ("count 30", 2.5, 30)) if name in known}
    anchor = max((day for day in counts if day <= until), default=None)
    moved = [
        ("T1", 1.2, -3), ("W1 ships", 2.1, -4), ("T3", 2.4, -2), ("T4", 2.7, -6), ("T6", 2.9, 1),
        ("P1 receipt", 2.95, 12), ("T2 r2", 1.5, -1),
    ]  # fmt: skip
    if "T2 r2" not in known:
        moved.append(("T2 r1", 1.5, -2))
    if "T5 void" not in known:
        moved.append(("T5", 2.8, -1))
    later = sum(q for name, day, q in moved if name in known and (anchor is None or anchor < day) and day <= until)
    return later + (counts[anchor] if anchor is not None else 0)


@dataclass
class Told:
    """The warehouse after the last delivery, and what was seen on the way."""

    warehouse: RunWarehouse
    deliveries: list[Delivery]
    contracts: Path
    on_the_way: dict[int, dict[str, Decimal]]
    shrink_before: dict[str, Decimal]


def on_hand(warehouse: RunWarehouse) -> dict[str, Decimal]:
    return dict(warehouse.rows("select product_code, on_hand from gold.stock_on_hand"))


def shrink_of_second_count(warehouse: RunWarehouse) -> dict[str, Decimal]:
    """What the count at 2.5 found more than the book said, by product."""
    return dict(
        warehouse.rows(
            "select k.product_code, -sum(e.quantity) from silver.account_entry as e"
            " inner join silver.product_key as k on e.product_id = k.product_id"
            " where e.account = 'shrink' and e.event_time = %s group by k.product_code",
            (at(2.5) + "Z",),
        )
    )


COPY_FACTS = {f"X{number:04d}": worked_example(f"X{number:04d}") for number in range(1, COPIES + 1)}


@pytest.fixture(scope="module")
def told(make_warehouse: Callable[[], RunWarehouse], tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("worked")
    (folder / "feeds").mkdir()
    contracts = write_contracts(folder / "feeds")
    chance = random.Random(11)
    deliveries = told_in_any_order({sku: list(facts.values()) for sku, facts in COPY_FACTS.items()}, DELIVERIES, chance)
    masters = [row("product", sku=sku, unit="EA", updated="2025-01-01") for sku in COPY_FACTS]
    place = row("place", place=STORE, kind="store", zone="UTC")
    # The master of every tenth copy comes in the middle: what was told of it before has to wait.
    for number, (feed, line) in enumerate([*masters, place]):
        deliveries[DELIVERIES // 2 if number % 10 == 5 else 0].setdefault(feed, []).append(line)
    warehouse, seen, shrink = make_warehouse(), {}, {}
    for number, delivery in enumerate(deliveries):
        warehouse.run(contracts, write_delivery(folder / f"inbox_{number}", number, delivery, AS_OF))
        if number in (5, 11, 16):
            seen[number] = on_hand(warehouse)
        if number == DELIVERIES - 2:
            shrink = shrink_of_second_count(warehouse)
    return Told(warehouse, deliveries, contracts, seen, shrink)


def heard_until(deliveries: list[Delivery]) -> set[Fact]:
    return {(feed, line) for delivery in deliveries for feed, lines in delivery.items() for line in lines}


def test_on_hand_is_37_in_each_of_2000_orders(told: Told) -> None:
    assert on_hand(told.warehouse) == dict.fromkeys(COPY_FACTS, Decimal(37))
    assert told.warehouse.books() == []
    assert told.warehouse.value("select count(*) from gold.quarantine") == 0


def test_the_reservation_and_the_purchase_order_stay_open_as_far_as_they_are(told: Told) -> None:
    reserved = told.warehouse.rows(
        "select right(order_document, 2), open, count(*) from gold.open_reservation group by 1, 2 order by 1"
    )
    supply = told.warehouse.rows("select open_quantity, count(*) from gold.purchase_order_line group by 1")

    assert reserved == [("W1", 0, COPIES), ("W2", 4, COPIES)]
    assert supply == [(8, COPIES)]


def test_the_copy_that_the_erp_tells_is_kept_and_not_counted(told: Told) -> None:
    found = told.warehouse.rows(
        "select role, sum(quantity), count(*) from gold.stock_movement where feed = 'erp_sale' group by role"
    )
    assert found == [("shadow", -3 * COPIES, COPIES)]


def test_31_may_be_sold_and_35_39_39_39_promised_for_the_days_to_come(told: Told) -> None:
    sell = told.warehouse.rows(
        "select sellable, reserved_hard, available, buffer, available_to_sell, count(*) from gold.availability "
        "group by 1, 2, 3, 4, 5"
    )
    days = told.warehouse.rows("select day::text, projected, atp, count(*) from gold.atp group by 1, 2, 3 order by 1")

    assert sell == [(37, 4, 33, BUFFER, 31, COPIES)]
    # The row of a day says what holds when it opens; the sixth day is as the fifth.
    assert days == [
        ("2025-03-03", 37, 35, COPIES), ("2025-03-04", 45, 39, COPIES), ("2025-03-05", 41, 39, COPIES),
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "quantity"), [(1.0, 40), (2.0, 36), (3.0, 37), (4.0, 37)])
def test_every_day_ends_with_what_the_story_says(told: Told, day: float, quantity: int) -> None:
    found = told.warehouse.rows(
        "select s.quantity, count(*) from gold.stock_as_of(%s, (select max(known) from ops.batch)) as s group by 1",
        (at(day) + "Z",),
    )
    assert found == [(quantity, COPIES)]
    assert told_by_hand(set(worked_example("X")), day) == quantity


def test_on_the_way_each_copy_shows_what_its_facts_so_far_say(told: Told) -> None:
    masters_late = {f"X{number + 1:04d}" for number in range(COPIES) if number % 10 == 5}
    for number, seen in told.on_the_way.items():
        heard = heard_until(told.deliveries[: number + 1])
        for sku, facts in COPY_FACTS.items():
            known = {name for name, fact in facts.items() if fact in heard}
            if sku in masters_late and number < DELIVERIES // 2:
                assert sku not in seen
            else:
                assert seen.get(sku, 0) == told_by_hand(known), (number, sku, known)


def test_the_sale_that_comes_last_of_all_explains_the_count_and_moves_no_stock(told: Told) -> None:
    before = heard_until(told.deliveries[:-1])
    waited = [sku for sku, facts in COPY_FACTS.items() if {n for n, f in facts.items() if f not in before} == {"T3"}]

    assert len(waited) >= COPIES // 100
    assert {told.shrink_before[sku] for sku in waited} == {-2}
    assert set(shrink_of_second_count(told.warehouse).values()) == {0}


def test_the_same_files_in_one_run_give_the_same_silver_and_gold(told: Told, make_warehouse, tmp_path) -> None:
    for number, delivery in enumerate(told.deliveries):
        write_delivery(tmp_path / "inbox", number, delivery, AS_OF)
    at_once = make_warehouse()
    at_once.run(told.contracts, tmp_path / "inbox")

    expected, found = at_once.hashes(), told.warehouse.hashes()
    assert [name for name in expected if expected[name] != found[name]] == []
