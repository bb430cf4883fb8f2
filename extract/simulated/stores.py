"""What happens in the stores beside selling: deliveries from the warehouse, damage, theft."""

from dataclasses import dataclass

import numpy as np

from extract.simulated.clock import HOUR, Floats, Ints
from extract.simulated.ledger import Ledger

_COVER_DAYS = 6
_REORDER_DAYS = 4
_DAMAGE, _THEFT = 0.004, 0.006  # chance a day that an item loses one piece
_LEAVING_HOURS = 6  # the lorries leave one after the other, every five minutes or more often


@dataclass(frozen=True)
class Delivery:
    """A transfer on its way from the warehouse to a store; `at` is its arrival (epoch seconds), quantities EA."""

    document: str
    place: int
    at: int
    item: Ints
    line: Ints
    quantity: Ints


def replenish(ledger: Ledger, *, at: int, arrives: Ints, stamp: str, rate: Floats) -> list[Delivery]:
    """Send the stores what their books say they lack; return what will be received the next morning.

    Args:
        ledger: the world's stock; changed at the warehouse only.
        at: epoch seconds of the departure.
        arrives: shape (stores,): epoch seconds of the arrivals.
        stamp: the day as YYYYMMDD, part of the transfer number.
        rate: mean units that a store sells a day, shape (items,).
    """
    pack = ledger.catalog.numbers("pack_quantity")
    book = ledger.book[1:]
    lack = np.where(book < rate * _REORDER_DAYS, np.ceil(rate * _COVER_DAYS).astype(np.int64) - book, 0)
    lack = np.where(lack >= pack, lack // pack * pack, lack)
    before = np.cumsum(lack, axis=0) - lack  # the first store is served first
    granted = np.clip(ledger.physical[0] - before, 0, lack)
    deliveries = []
    gap = min(300, _LEAVING_HOURS * HOUR // len(granted))
    for store, code in enumerate(ledger.catalog.stores["location_code"]):
        item = np.flatnonzero(granted[store])
        line = np.arange(1, len(item) + 1)
        sent = Delivery(f"TR{stamp}-{code}", store + 1, int(arrives[store]), item, line, granted[store][item])
        ledger.post(
            "transfer_out",
            at=at + gap * store,
            place=0,
            item=item,
            quantity=-sent.quantity,
            counter=sent.place,
            document=sent.document,
            line=line,
        )
        deliveries.append(sent)
    return deliveries


def receive(ledger: Ledger, deliveries: list[Delivery]) -> None:
    """Put what has arrived onto the shelves, complete and undamaged."""
    for sent in deliveries:
        ledger.post(
            "transfer_in",
            at=sent.at,
            place=sent.place,
            item=sent.item,
            quantity=sent.quantity,
            counter=0,
            document=sent.document,
            line=sent.line,
        )


def lose(ledger: Ledger, rng: np.random.Generator, *, at: Ints, losses: bool) -> None:
    """Break a few pieces (the store or warehouse writes it down) and steal a few (nobody does).

    Args:
        ledger: the world's stock; changed.
        rng: source of chance.
        at: shape (places,): epoch seconds.
        losses: whether anything is stolen.
    """
    for chance, is_recorded in ((_DAMAGE, True), (_THEFT if losses else 0.0, False)):
        hit = (rng.random(ledger.physical.shape) < chance) & (ledger.physical > 0)
        place, item = np.nonzero(hit)
        ledger.post(
            "adjustment" if is_recorded else "theft",
            at=at[place] + (0 if is_recorded else 600),
            place=place,
            item=item,
            quantity=np.full(len(item), -1, dtype=np.int64),
            line=np.arange(1, len(item) + 1),
            note="DAMAGED" if is_recorded else "",
            is_recorded=is_recorded,
        )
