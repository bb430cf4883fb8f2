"""Section 12 of the semantics: each named case in many orders, all in one warehouse, each copy of a case by itself."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from test.run_warehouse import RunWarehouse
from test.semantics.deliveries import Delivery, Fact, told_in_any_order, write_delivery
from test.semantics.sampled_retailer import row, write_contracts
from test.semantics.stories import STORIES, Story

COPIES = int(os.environ.get("SYSTOCK_COPIES", "72"))
"""Of each story; with all stories more than 2,000 orders. Stories of four facts have 24 orders, so each comes up."""
DELIVERIES = 8
MADE = "2025-12-31"
PLACES = {"S$": "store", "W$": "warehouse", "V$": "virtual"}


def copies_of(number: int) -> list[str]:
    """The names of the copies of a story."""
    return [f"-s{number:02d}-{copy:03d}" for copy in range(COPIES)]


def told_of(story: Story, copy: str) -> list[Fact]:
    """The facts of one copy of a story, with its products; places are there from the start."""
    masters = [row("product", sku=sku, unit="EA", updated="2024-01-01") for sku in story.masters]
    return [(feed, line.replace("$", copy)) for feed, line in (*story.facts, *masters)]


@dataclass
class Told:
    """The warehouse after the last delivery."""

    warehouse: RunWarehouse
    deliveries: list[Delivery]
    contracts: Path
    on_hand: dict[tuple[str, str], Decimal]


@pytest.fixture(scope="module")
def told(make_warehouse: Callable[[], RunWarehouse], tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("named")
    (folder / "feeds").mkdir()
    contracts = write_contracts(folder / "feeds")
    facts = {copy: told_of(story, copy) for number, story in enumerate(STORIES.values()) for copy in copies_of(number)}
    deliveries = told_in_any_order(facts, DELIVERIES, random.Random(12))
    for number, story in enumerate(STORIES.values()):
        for copy in copies_of(number):
            for place, kind in PLACES.items():
                feed, line = row("place", place=place, kind=kind, zone=story.zone, since="2024-01-01")
                deliveries[0].setdefault(feed, []).append(line.replace("$", copy))
    warehouse = make_warehouse()
    for number, delivery in enumerate(deliveries):
        warehouse.run(contracts, write_delivery(folder / f"inbox_{number}", number, delivery, MADE))
    stock = warehouse.rows("select product_code, location_code, on_hand from gold.stock_on_hand")
    return Told(warehouse, deliveries, contracts, {(sku, place): quantity for sku, place, quantity in stock})


def shown(told: Told, number: int) -> list[dict[tuple[str, str], Decimal]]:
    """What gold shows of each copy of a story, the copy's name taken out."""
    by_copy: dict[str, dict[tuple[str, str], Decimal]] = {copy: {} for copy in copies_of(number)}
    for (sku, place), quantity in told.on_hand.items():
        copy = sku[-len("-s00-000") :]
        if copy in by_copy:
            by_copy[copy][sku.replace(copy, "$"), place.replace(copy, "$")] = quantity
    return list(by_copy.values())


@pytest.mark.parametrize("name", STORIES)
def test_the_story_ends_with_the_right_stock_in_any_order(told: Told, name: str) -> None:
    story, number = STORIES[name], list(STORIES).index(name)
    for found in shown(told, number):
        if story.winners:
            assert set(found) == set(story.on_hand), story.says
            assert set(found.values()) <= story.winners, story.says
        else:
            assert found == story.on_hand, story.says
    waiting = told.warehouse.rows(
        "select reason, count(*) from silver.quarantine where known_to is null and convert_from(raw, 'UTF8') like %s"
        " group by reason order by reason",
        (f"%-s{number:02d}-%",),
    )
    # A record that is repeated by other files waits in each of them.
    assert tuple(reason for reason, _ in waiting) == story.set_aside, story.says
    assert all(records >= COPIES for _, records in waiting)


def open_of(told: Told, name: str, query: str) -> list[tuple[object, ...]]:
    return told.warehouse.rows(query, (f"%-s{list(STORIES).index(name):02d}-%",))


@pytest.mark.parametrize("name", ["cancel after ship", "reserve at the store and pick up at the till"])
def test_what_left_the_store_is_reserved_no_more(told: Told, name: str) -> None:
    query = "select open, count(*) from gold.open_reservation where order_document like %s group by open"
    assert open_of(told, name, query) == [(0, COPIES)]


def test_what_is_shipped_without_a_reservation_leaves_none_behind(told: Told) -> None:
    query = "select count(*) from gold.open_reservation where order_document like %s"
    assert open_of(told, "ship without reservation", query) == [(0,)]


@pytest.mark.parametrize(
    ("name", "still_open"),
    [("a notice re-sent after a partial receipt", 8), ("an order cancelled after a partial receipt", 0)],
)
def test_of_an_order_the_rest_is_expected_and_nothing_of_a_cancelled_one(
    told: Told, name: str, still_open: int
) -> None:
    query = (
        "select open_quantity, received, count(*) from gold.purchase_order_line where order_document like %s"
        " group by 1, 2"
    )
    assert open_of(told, name, query) == [(still_open, 12, COPIES)]


def test_nothing_stays_in_transit_of_a_transfer_that_came_before_it_left(told: Told) -> None:
    query = (
        "select sum(e.quantity), count(distinct e.product_id) from silver.account_entry as e"
        " inner join silver.product_key as k on e.product_id = k.product_id"
        " where e.account = 'transit' and k.product_code like %s"
    )
    assert open_of(told, "transfer received before it was shipped", query) == [(0, COPIES)]


def test_consigned_goods_are_told_apart_by_their_lot(told: Told) -> None:
    query = (
        "select lot_code, on_hand, count(*) from gold.stock_on_hand_detail"
        " where product_code like %s and location_code like 'S%%' group by 1, 2 order by 1"
    )
    assert open_of(told, "consignment", query) == [("", 2, COPIES), ("consigned by SUP", 2, COPIES)]


def test_a_sale_of_a_kit_is_a_sale_of_the_kit(told: Told) -> None:
    query = "select substr(product_code, 1, 3), sum(quantity) from gold.sale_line where product_code like %s group by 1"
    assert open_of(told, "kit and bundle", query) == [("KIT", 3 * COPIES)]


def test_sales_of_the_days_on_which_clocks_change_belong_to_their_local_day(told: Told) -> None:
    query = (
        "select business_date::text, sum(quantity) / %s from gold.sale_line where product_code like %s"
        " group by 1 order by 1"
    )
    number = list(STORIES).index("days of 23 and 25 hours")
    found = told.warehouse.rows(query, (COPIES, f"%-s{number:02d}-%"))
    assert found == [("2025-03-30", 2), ("2025-10-26", 3)]


def test_merged_codes_are_named_beside_their_own_stock(told: Told) -> None:
    query = (
        "select substr(product_code, 1, 3), on_hand, merged_into is not null, count(*)"
        " from gold.stock_on_hand_detail where product_code like %s group by 1, 2, 3 order by 1 desc"
    )
    assert open_of(told, "merged codes, counted since", query)[0] == ("OLD", -2, True, COPIES)


def test_every_file_adds_up_after_all_these_orders(told: Told) -> None:
    assert told.warehouse.books() == []


def test_the_same_files_in_one_run_give_the_same_silver_and_gold(told: Told, make_warehouse, tmp_path) -> None:
    for number, delivery in enumerate(told.deliveries):
        write_delivery(tmp_path / "inbox", number, delivery, MADE)
    at_once = make_warehouse()
    at_once.run(told.contracts, tmp_path / "inbox")

    expected, found = at_once.hashes(), told.warehouse.hashes()
    assert [name for name in expected if expected[name] != found[name]] == []
