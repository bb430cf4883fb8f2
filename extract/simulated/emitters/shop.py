"""The web shop: JSON documents a day (head office time, ISO with offset): orders with lines, events, carts."""

import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE, WAREHOUSE
from extract.simulated.clock import HOUR, Ints, day_stamp, written_iso
from extract.simulated.emitters.sheet import Sheet, cut, fields, json_document, money, numbers
from extract.simulated.world import World

ORDERS, EVENTS, CARTS = "shop_orders", "shop_events", "shop_carts"
_CART_LIFE = HOUR // 2
_EVENTS = {"ship": "line_shipped", "cancel": "line_cancelled"}


def sheets(world: World) -> list[Sheet]:
    """Return three documents a day, also where nothing happened (an empty list)."""
    result = []
    for feed, rows, records, parents, children in (
        (ORDERS, world.web_orders, _orders(world), "orders", "lines"),
        (EVENTS, world.web_events, _events(world), "events", ""),
        (CARTS, world.web_carts, _carts(world), "carts", "items"),
    ):
        what = feed.removeprefix("shop_")
        names = {day: f"shop/{what}_{day_stamp(world.start, day)}.json" for day in range(world.days)}
        render = json_document(parents, children, {"shop": "simulated-web"})
        result += cut(feed, records, numbers(rows, "day"), names, render)
    return result


def _sku(world: World, rows: pd.DataFrame) -> list[str]:
    """The shop writes codes in small letters."""
    codes = [str(code).lower() for code in world.catalog.products["product_code"]]
    return [codes[item] for item in rows["item"]]


def _price(world: World, rows: pd.DataFrame) -> Ints:
    return world.catalog.numbers("eur_cents")[numbers(rows, "item")]


def _orders(world: World) -> pd.DataFrame:
    rows = world.web_orders
    placed = numbers(rows, "at")
    return fields(
        {
            "../order_id": rows["order"].tolist(),
            "../placed_at": written_iso(placed, HEAD_OFFICE_ZONE),
            "../ship_from": [WAREHOUSE] * len(rows),
            "../ship_by": written_iso(placed + 48 * HOUR, HEAD_OFFICE_ZONE),
            "../currency": ["EUR"] * len(rows),
            "line_no": rows["line"].tolist(),
            "sku": _sku(world, rows),
            "quantity": rows["quantity"].tolist(),
            "unit_price": money(_price(world, rows)),
        }
    )


def _events(world: World) -> pd.DataFrame:
    rows = world.web_events
    price = _price(world, rows)
    return fields(
        {
            "event_id": [f"E{number:06d}" for number in range(1, len(rows) + 1)],
            "type": [_EVENTS[event] for event in rows["event"]],
            "at": written_iso(numbers(rows, "at"), HEAD_OFFICE_ZONE),
            "order_id": rows["order"].tolist(),
            "line_no": rows["line"].tolist(),
            "sku": _sku(world, rows),
            "quantity": rows["quantity"].tolist(),
            "unit_price": money(price),
            "amount": money(price * numbers(rows, "quantity")),
            "currency": ["EUR"] * len(rows),
            "ship_from": [WAREHOUSE] * len(rows),
            "reason": rows["reason"].tolist(),
        }
    )


def _carts(world: World) -> pd.DataFrame:
    rows = world.web_carts
    changed = numbers(rows, "at") - 300  # a cart is filled five minutes before it may be paid
    return fields(
        {
            "../cart_id": [f"C{number}" for number in rows["cart"]],
            "../updated_at": written_iso(changed, HEAD_OFFICE_ZONE),
            "../expires_at": written_iso(changed + _CART_LIFE, HEAD_OFFICE_ZONE),
            "item_no": rows["line"].tolist(),
            "sku": _sku(world, rows),
            "quantity": rows["quantity"].tolist(),
        }
    )
