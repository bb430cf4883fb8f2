"""Counting: the stock take of the eve, and cycle counts that take a while, during trade, and are a little wrong."""

from datetime import date, timedelta

import numpy as np

from extract.simulated.clock import HOUR, Ints, day_stamp, local_seconds
from extract.simulated.ledger import Ledger

_SUBSETS = 4  # a cycle count takes a quarter of the items, the next quarter a week later
_STOCK_TAKE_AT = 1350  # minutes after local midnight
_SECONDS_AN_ITEM, _LONGEST = 40, 3 * HOUR
_MISCOUNTED = 0.01  # share of the lines where one piece too many or too few is counted
_TOO_FEW = 0.5


def stock_take(ledger: Ledger, rng: np.random.Generator, start: date, *, losses: bool) -> None:
    """Count everything everywhere on the evening before the first day, when nothing moves.

    Args:
        ledger: the world's stock; its books begin here.
        rng: source of chance.
        start: the first day.
        losses: whether anything is miscounted.
    """
    eve = start - timedelta(days=1)
    places, items = ledger.physical.shape
    zones, codes = (ledger.catalog.locations[name].tolist() for name in ("zone", "location_code"))
    at = np.array([int(local_seconds(eve, 1, _STOCK_TAKE_AT, zone)[0]) for zone in zones])
    documents = [f"INV-{code}-{day_stamp(eve, 0)}" for code in codes]
    ledger.count(
        at=np.repeat(at, items),
        place=np.repeat(np.arange(places), items),
        item=np.tile(np.arange(items), places),
        error=_errors(rng, places * items, losses=losses),
        document=[document for document in documents for _ in range(items)],
        scope="location",
    )


def cycle_count(
    ledger: Ledger, rng: np.random.Generator, *, begins: Ints, day: int, weekday: int, stamp: str, losses: bool
) -> None:
    """Count a quarter of the items in each place whose weekday it is; the places take turns.

    To be called when all of the day has been posted: each item is counted at an instant of its own within the
    document's window, while sales go on.

    Args:
        ledger: the world's stock; the counted books are set right.
        rng: source of chance.
        begins: shape (places,): epoch seconds at which counting begins.
        day: number of the day; its week picks the quarter.
        weekday: 0 is Monday.
        stamp: the day as YYYYMMDD, part of the count's number.
        losses: whether anything is miscounted.
    """
    codes = ledger.catalog.locations["location_code"].tolist()
    places = np.arange(len(codes))[np.arange(len(codes)) % 7 == weekday]
    items = np.flatnonzero(np.arange(len(ledger.catalog.products)) % _SUBSETS == day // 7 % _SUBSETS)
    if not len(places) or not len(items):
        return
    window = min(len(items) * _SECONDS_AN_ITEM, _LONGEST)
    place, item = np.repeat(places, len(items)), np.tile(items, len(places))
    ledger.count(
        at=begins[place] + np.tile(np.arange(len(items)) * window // len(items), len(places)),
        place=place,
        item=item,
        error=_errors(rng, len(item), losses=losses),
        document=[f"CC-{codes[p]}-{stamp}" for p in place],
        scope="item",
    )


def _errors(rng: np.random.Generator, size: int, *, losses: bool) -> Ints:
    """Return what each line is miscounted by: -1, 0 or 1."""
    is_wrong = (rng.random(size) < _MISCOUNTED) & losses
    return np.where(is_wrong, np.where(rng.random(size) < _TOO_FEW, -1, 1), 0).astype(np.int64)
