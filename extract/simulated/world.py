"""The true inventory process, day by day. It writes no file and knows no format: the emitters do that."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from etl_pipeline.core.progress import Progress, SilentProgress
from extract.simulated.catalog import HEAD_OFFICE_ZONE, Catalog, make_catalog
from extract.simulated.clock import HOUR, Floats, Ints, day_stamp, local_seconds
from extract.simulated.counting import cycle_count, stock_take
from extract.simulated.ledger import Ledger
from extract.simulated.merged_codes import MergedCodes, make_merged_codes
from extract.simulated.misplacing import Misplacing
from extract.simulated.promotions import Promotions, make_promotions
from extract.simulated.purchasing import Purchasing
from extract.simulated.selling import sell_day
from extract.simulated.stores import Delivery, lose, receive, replenish
from extract.simulated.tills import till_log
from extract.simulated.webshop import WEB_SHARE, WebShop

_STORE_COVER_DAYS, _WAREHOUSE_COVER_DAYS = 5, 12
_EMPTY_SHELVES = 0.03
_COUNT_AT, _DELIVERY_AT, _LOSS_AT = 660, 450, 510  # minutes after local midnight


@dataclass(frozen=True)
class World:
    """All that truly happened. Times `at` are epoch seconds, `day` counts from 0, quantities are EA.

    Attributes:
        catalog: master data; `place` and `item` in the frames are its row numbers.
        start: first day.
        days: number of days.
        promotions: what was cheaper when; `merged`: second codes of products.
        movements: every change of stock (see `Ledger.movements`); theft and misplacement are not recorded.
        counts: every counted item (see `Ledger.counts`); documents INV-* are the opening stock take.
        till_log: see `tills.till_log`.
        purchase_orders: versions of order lines; `notices`: revisions of notice lines.
        web_carts, web_orders, web_picks, web_events: see `WebShop`.
        lost_sales: shape (days, stores, items): units wanted from an empty shelf.
        opening: shape (places, items): physical stock at the stock take.
        physical: shape (places, items): at the end; `book`: what the records say then.
    """

    catalog: Catalog
    start: date
    days: int
    promotions: Promotions
    merged: MergedCodes
    movements: pd.DataFrame
    counts: pd.DataFrame
    till_log: pd.DataFrame
    purchase_orders: pd.DataFrame
    notices: pd.DataFrame
    web_carts: pd.DataFrame
    web_orders: pd.DataFrame
    web_picks: pd.DataFrame
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


@dataclass(frozen=True)
class _Life:
    """What lives, and by which chance: each process has its own, so that one can change without the others."""

    ledger: Ledger
    rng: np.random.Generator
    counters: np.random.Generator
    shop: WebShop
    buying: Purchasing
    misplacing: Misplacing | None
    promotions: Promotions
    start: date
    days: int


def make_world(
    *,
    seed: int,
    days: int,
    stores: int,
    products: int,
    start: date,
    losses: bool = True,
    progress: Progress | None = None,
) -> World:
    """Let the retailer live for some days.

    Args:
        seed: the same one gives the same world, on any machine.
        days: at least 1.
        stores: at least 1; they take turns in Europe/Madrid and Europe/London.
        products: at least 1.
        start: first day.
        losses: whether there is theft, misplacement and wrong counting: all that no record tells of. Without them
            what is known is what is there.
        progress: told of each day.
    """
    rng = np.random.default_rng(seed)
    catalog = make_catalog(rng, stores=stores, products=products)
    ledger = Ledger(catalog, _opening_stock(rng, stores, catalog.products["rate"].to_numpy(dtype=float)))
    life = _Life(
        ledger=ledger,
        rng=rng,
        counters=np.random.default_rng([seed, 1]),
        shop=WebShop(ledger, rng, local_seconds(start, days + 1, 0, HEAD_OFFICE_ZONE)),
        buying=Purchasing(ledger, rng, local_seconds(start, days, 0, "UTC")),
        misplacing=Misplacing(ledger, np.random.default_rng([seed, 2])) if losses else None,
        promotions=make_promotions(np.random.default_rng([seed, 3]), days=days, products=products),
        start=start,
        days=days,
    )
    stock_take(ledger, life.counters, start, losses=losses)
    lines, lost = _live(life, progress or SilentProgress())
    return _told(life, lines, lost)


def _told(life: _Life, lines: list[pd.DataFrame], lost: list[Ints]) -> World:
    """Put together what is to be told of a life; `lines` are emptied, for they are large."""
    catalog = life.ledger.catalog
    merged = make_merged_codes(catalog, days=life.days)
    sold = pd.concat(lines, ignore_index=True)
    lines.clear()
    return World(
        catalog=catalog,
        start=life.start,
        days=life.days,
        promotions=life.promotions,
        merged=merged,
        till_log=till_log(catalog, life.rng, sold, days=life.days, promotions=life.promotions, merged=merged),
        movements=life.ledger.movements(),
        counts=life.ledger.counts(),
        purchase_orders=life.buying.orders(life.days),
        notices=life.buying.notices(life.days),
        web_carts=life.shop.carts(),
        web_orders=life.shop.orders(),
        web_picks=life.shop.picks(),
        web_events=life.shop.events(),
        lost_sales=np.stack(lost),
        opening=life.ledger.opening,
        physical=life.ledger.physical,
        book=life.ledger.book,
    )


def _live(life: _Life, progress: Progress) -> tuple[list[pd.DataFrame], list[Ints]]:
    """Live every day from morning to evening; return the till lines and the lost sales of each."""
    ledger, rng = life.ledger, life.rng
    rate = ledger.catalog.products["rate"].to_numpy(dtype=float)
    hours = _hours(ledger.catalog, life.start, life.days + 1)
    utc = local_seconds(life.start, life.days, 0, "UTC")
    on_the_way: list[Delivery] = []
    lines, lost = [], []
    for day in range(life.days):
        weekday = (life.start + timedelta(days=day)).weekday()
        stamp = day_stamp(life.start, day)
        ledger.begin_day()
        receive(ledger, on_the_way)
        lose(ledger, rng, at=hours.loss[day], losses=life.misplacing is not None)
        if life.misplacing:
            life.misplacing.happen(day, at=hours.loss[day])
        life.buying.receive(day)
        life.shop.ship(day)
        leaves, arrives = int(utc[day]) + 14 * HOUR, hours.delivery[day + 1][1:]
        on_the_way = replenish(ledger, at=leaves, arrives=arrives, stamp=stamp, rate=rate)
        opening, uplift = hours.opening[day][1:], life.promotions.uplift[day]
        sold, wanted = sell_day(ledger, rng, weekday=weekday, uplift=uplift, opening=opening, day=day)
        lines.append(sold)
        lost.append(wanted)
        cycle_count(
            ledger,
            life.counters,
            begins=hours.count[day],
            day=day,
            weekday=weekday,
            stamp=stamp,
            losses=life.misplacing is not None,
        )
        life.shop.take_orders(day)
        life.buying.order(day, weekday, rate * (len(ledger.catalog.stores) + WEB_SHARE))
        progress.advance()
    return lines, lost


def _opening_stock(rng: np.random.Generator, stores: int, rate: Floats) -> Ints:
    """Draw the stock before the first day, shape (places, items); a few shelves start empty."""
    shelves = rng.poisson(np.broadcast_to(rate * _STORE_COVER_DAYS, (stores, len(rate))))
    shelves = np.where(rng.random(shelves.shape) < _EMPTY_SHELVES, 0, shelves)
    warehouse = np.ceil(rate * (stores + WEB_SHARE) * _WAREHOUSE_COVER_DAYS)
    return np.vstack([warehouse[np.newaxis], shelves]).astype(np.int64)


def _hours(catalog: Catalog, start: date, days: int) -> _Hours:
    places = list(catalog.locations[["zone", "opens"]].itertuples(index=False, name=None))

    def at(minutes: int | None) -> Ints:
        columns = [local_seconds(start, days, opens if minutes is None else minutes, zone) for zone, opens in places]
        return np.stack(columns, axis=1)

    return _Hours(at(_COUNT_AT), at(_DELIVERY_AT), at(_LOSS_AT), at(None))
