"""The true inventory process, day by day. It writes no file and knows no format: the emitters do that."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE, Catalog, make_catalog
from extract.simulated.clock import HOUR, Floats, Ints, day_stamp, local_seconds
from extract.simulated.ledger import Ledger
from extract.simulated.purchasing import Purchasing
from extract.simulated.selling import sell_day
from extract.simulated.stores import Delivery, cycle_count, lose, receive, replenish
from extract.simulated.tills import till_log
from extract.simulated.webshop import WEB_SHARE, WebShop

_STORE_COVER_DAYS, _WAREHOUSE_COVER_DAYS = 5, 12
_EMPTY_SHELVES = 0.03
_COUNT_AT, _DELIVERY_AT, _LOSS_AT, _STOCK_TAKE_AT = 390, 450, 510, 1350  # minutes after local midnight


@dataclass(frozen=True)
class World:
    """All that truly happened. Times `at` are epoch seconds, `day` counts from 0, quantities are EA.

    Attributes:
        catalog: master data; `place` and `item` in the frames are its row numbers.
        start: first day.
        days: number of days.
        movements: every change of stock (see `Ledger.movements`); theft is not recorded.
        counts: every counted item; documents INV-* are the opening stock take.
        till_log: see `tills.till_log`.
        purchase_orders: versions of order lines; `notices`: revisions of notice lines.
        web_carts, web_orders, web_events: see `WebShop`.
        lost_sales: shape (days, stores, items): units wanted from an empty shelf.
        opening: shape (places, items): physical stock at the stock take.
        physical: shape (places, items): at the end; `book`: what the records say then.
    """

    catalog: Catalog
    start: date
    days: int
    movements: pd.DataFrame
    counts: pd.DataFrame
    till_log: pd.DataFrame
    purchase_orders: pd.DataFrame
    notices: pd.DataFrame
    web_carts: pd.DataFrame
    web_orders: pd.DataFrame
    web_events: pd.DataFrame
    lost_sales: Ints
    opening: Ints
    physical: Ints
    book: Ints


@dataclass(frozen=True)
class _Hours:
    """When things happen, as epoch seconds of shape (days, places)."""

    count: Ints
    delivery: Ints
    loss: Ints
    opening: Ints


def make_world(*, seed: int, days: int, stores: int, products: int, start: date) -> World:
    """Let the retailer live for some days.

    Args:
        seed: the same one gives the same world, on any machine.
        days: at least 1.
        stores: at least 1; they take turns in Europe/Madrid and Europe/London.
        products: at least 1.
        start: first day.
    """
    rng = np.random.default_rng(seed)
    catalog = make_catalog(rng, stores=stores, products=products)
    ledger = Ledger(catalog, _opening_stock(rng, stores, catalog.products["rate"].to_numpy(dtype=float)))
    _stock_take(ledger, start)
    shop = WebShop(ledger, rng, local_seconds(start, days + 1, 0, HEAD_OFFICE_ZONE))
    buying = Purchasing(ledger, rng, local_seconds(start, days, 0, "UTC"))
    lines, lost = _live(ledger, rng, shop, buying, start=start, days=days)
    return World(
        catalog=catalog,
        start=start,
        days=days,
        movements=ledger.movements(),
        counts=ledger.counts(),
        till_log=till_log(catalog, rng, lines, days=days),
        purchase_orders=buying.orders(days),
        notices=buying.notices(days),
        web_carts=shop.carts(),
        web_orders=shop.orders(),
        web_events=shop.events(),
        lost_sales=lost,
        opening=ledger.opening,
        physical=ledger.physical,
        book=ledger.book,
    )


def _live(
    ledger: Ledger, rng: np.random.Generator, shop: WebShop, buying: Purchasing, *, start: date, days: int
) -> tuple[pd.DataFrame, Ints]:
    """Live every day from morning to evening; return the till lines and the lost sales."""
    rate = ledger.catalog.products["rate"].to_numpy(dtype=float)
    hours = _hours(ledger.catalog, start, days + 1)
    utc = local_seconds(start, days, 0, "UTC")
    on_the_way: list[Delivery] = []
    lines, lost = [], []
    for day in range(days):
        weekday = (start + timedelta(days=day)).weekday()
        stamp = day_stamp(start, day)
        cycle_count(ledger, at=hours.count[day], day=day, weekday=weekday, stamp=stamp)
        receive(ledger, on_the_way)
        lose(ledger, rng, at=hours.loss[day])
        buying.receive(day)
        shop.ship(day)
        leaves, arrives = int(utc[day]) + 14 * HOUR, hours.delivery[day + 1][1:]
        on_the_way = replenish(ledger, at=leaves, arrives=arrives, stamp=stamp, rate=rate)
        sold, wanted = sell_day(ledger, rng, weekday=weekday, opening=hours.opening[day][1:], day=day)
        lines.append(sold)
        lost.append(wanted)
        shop.take_orders(day)
        buying.order(day, weekday, rate * (len(ledger.catalog.stores) + WEB_SHARE))
    return pd.concat(lines, ignore_index=True), np.stack(lost)


def _opening_stock(rng: np.random.Generator, stores: int, rate: Floats) -> Ints:
    """Draw the stock before the first day, shape (places, items); a few shelves start empty."""
    shelves = rng.poisson(np.broadcast_to(rate * _STORE_COVER_DAYS, (stores, len(rate))))
    shelves = np.where(rng.random(shelves.shape) < _EMPTY_SHELVES, 0, shelves)
    warehouse = np.ceil(rate * (stores + WEB_SHARE) * _WAREHOUSE_COVER_DAYS)
    return np.vstack([warehouse[np.newaxis], shelves]).astype(np.int64)


def _stock_take(ledger: Ledger, start: date) -> None:
    """Count everything everywhere on the evening before the first day."""
    eve = start - timedelta(days=1)
    item = np.arange(len(ledger.catalog.products))
    for place, row in enumerate(ledger.catalog.locations.itertuples(index=False)):
        at = int(local_seconds(eve, 1, _STOCK_TAKE_AT, str(row.zone))[0])
        document = f"INV-{row.location_code}-{day_stamp(eve, 0)}"
        ledger.count(at=at, place=place, item=item, document=document, scope="location")


def _hours(catalog: Catalog, start: date, days: int) -> _Hours:
    places = list(catalog.locations[["zone", "opens"]].itertuples(index=False, name=None))

    def at(minutes: int | None) -> Ints:
        columns = [local_seconds(start, days, opens if minutes is None else minutes, zone) for zone, opens in places]
        return np.stack(columns, axis=1)

    return _Hours(at(_COUNT_AT), at(_DELIVERY_AT), at(_LOSS_AT), at(None))
