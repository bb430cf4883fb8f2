"""The web shop: JSON documents a day (head office time, ISO with offset): orders with lines, events, carts."""

from functools import partial

import numpy as np
import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE, WAREHOUSE
from extract.simulated.clock import HOUR, Ints, day_stamp, written_iso
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, cut, fields, json_document, money, numbers
from extract.simulated.world import World

ORDERS, EVENTS, CARTS = "shop_orders", "shop_events", "shop_carts"
IDENTITIES = (
    Identity(ORDERS, key=("../order_id", "line_no"), unread=("../currency", "unit_price")),
    Identity(EVENTS, key=("$day", "event_id"), unread=("reason",)),
    Identity(CARTS, key=("../cart_id", "item_no"), updated_at="../updated_at"),
)
_CART_LIFE = HOUR // 2
_EVENTS = {"ship": "line_shipped", "cancel": "line_cancelled"}


def sheets(world: World) -> list[Sheet]:
    """Return three documents a day, also where nothing happened (an empty list)."""
    result = []
    events = world.web_events.assign(number=np.arange(1, len(world.web_events) + 1))
    for feed, rows, make, parents, children in (
        (ORDERS, world.web_orders, _orders, "orders", "lines"),
        (EVENTS, events, _events, "events", ""),
        (CARTS, world.web_carts, _carts, "carts", "items"),
    ):
        what = feed.removeprefix("shop_")
        names = {day: f"shop/{what}_{day_stamp(world.start, day)}.json" for day in range(world.days)}
        render = json_document(parents, children, {"shop": "simulated-web"})
        result += cut(feed, rows, numbers(rows, "day"), names, render, make=partial(make, world))
    return result


def _sku(world: World, rows: pd.DataFrame) -> list[str]:
    """The shop writes codes in small letters."""
    codes = [str(code).lower() for code in world.catalog.products["product_code"]]
    return [codes[item] for item in rows["item"]]


def _price(world: World, rows: pd.DataFrame) -> Ints:
    return world.catalog.numbers("eur_cents")[numbers(rows, "item")]


def _orders(world: World, rows: pd.DataFrame) -> pd.DataFrame:
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


def _events(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    price = _price(world, rows)
    at = written_iso(numbers(rows, "at"), HEAD_OFFICE_ZONE)
    return fields(
        {
            "event_id": [f"E{number:06d}" for number in rows["number"]],
            "type": [_EVENTS[event] for event in rows["event"]],
            "at": at,
            "order_id": rows["order"].tolist(),
            "line_no": rows["line"].tolist(),
            "sku": _sku(world, rows),
            "quantity": rows["quantity"].tolist(),
            "unit_price": money(price),
            "amount": money(price * numbers(rows, "quantity")),
            "currency": ["EUR"] * len(rows),
            "ship_from": [WAREHOUSE] * len(rows),
            "reason": rows["reason"].tolist(),
            "$day": [text[:10] for text in at],
        }
    )


def _carts(world: World, rows: pd.DataFrame) -> pd.DataFrame:
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
