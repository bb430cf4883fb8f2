"""Buying for the warehouse: orders to suppliers, their advance notices, and deliveries in parts."""

import numpy as np
import pandas as pd

from extract.simulated.clock import HOUR, Flags, Floats, Ints
from extract.simulated.ledger import Ledger

_REVIEW_WEEKDAYS = (0, 2, 4)  # the weekday on which each supplier is ordered from
_COVER_DAYS = 14
_REORDER_DAYS = 9
_CANCELLED, _SHORT, _SPLIT, _REVISED = 0.03, 0.10, 0.30, 0.30  # shares of lines; of orders for the last
_OVER, _CUT = 0.03, 0.10  # shares of lines delivered with a pack too many; of split ones whose rest is cancelled
_LEAD_DAYS = (3, 6)


class Purchasing:
    """The purchase orders of the warehouse.

    A line is ordered at 15:00 UTC, announced the next day (a second revision of the notice may lower it the day
    after), and delivered whole or in two parts; then it closes. A few lines are cancelled before the notice, a few
    after the first of two parts; of a few a pack too many comes, which no notice has told.
    Quantities are EA and whole packs.
    """

    def __init__(self, ledger: Ledger, rng: np.random.Generator, midnights: Ints) -> None:
        """Start without orders. `midnights` are the UTC midnights of the days (epoch seconds)."""
        self._ledger = ledger
        self._rng = rng
        self._midnights = midnights
        self._pack = ledger.catalog.numbers("pack_quantity")
        self._supplier = ledger.catalog.products["supplier_code"].to_numpy(dtype=str)
        self._on_order = np.zeros(len(self._pack), dtype=np.int64)
        self._orders: list[pd.DataFrame] = []
        self._notices: list[pd.DataFrame] = []
        self._parts: list[pd.DataFrame] = []
        self._count = 0

    def receive(self, day: int) -> None:
        """Take in what is due this morning, 06:00 to 08:00 UTC."""
        if not self._parts:
            return
        due = pd.concat(self._parts)
        due = due.loc[(due["day"] == day) & (due["quantity"] > 0)]
        item = due["item"].to_numpy(dtype=np.int64)
        quantity = due["quantity"].to_numpy(dtype=np.int64)
        self._ledger.post(
            "receipt",
            at=int(self._midnights[day]) + 6 * HOUR + self._rng.integers(0, 2 * HOUR, size=len(due)),
            place=0,
            item=item,
            quantity=quantity,
            document=due["order"].tolist(),
            line=due["line"].to_numpy(dtype=np.int64),
            note=due["notice"].tolist(),
        )
        np.subtract.at(self._on_order, item, quantity)

    def order(self, day: int, weekday: int, daily: Floats) -> None:
        """Order what runs low. `daily` is the mean demand on the warehouse in EA a day, shape (items,)."""
        for place, supplier in enumerate(self._ledger.catalog.suppliers["supplier_code"]):
            if weekday != _REVIEW_WEEKDAYS[place]:
                continue
            position = self._ledger.book[0] + self._on_order
            low = (position < daily * _REORDER_DAYS) & (self._supplier == supplier)
            item = np.flatnonzero(low)
            packs = np.ceil((daily[item] * _COVER_DAYS - position[item]) / self._pack[item]).astype(np.int64)
            if len(item):
                self._place(day, str(supplier), item, np.maximum(packs, 1))

    def _place(self, day: int, supplier: str, item: Ints, packs: Ints) -> None:
        """Write one order, and decide what will become of each line."""
        self._count += 1
        rng, size, pack = self._rng, len(item), self._pack[item]
        is_cancelled = rng.random(size) < _CANCELLED
        sent = np.where(rng.random(size) < _SHORT, packs - packs // 4, packs) * pack
        first = np.where(rng.random(size) < _SPLIT, packs - packs // 3, packs) * pack
        first, sent = (np.where(is_cancelled, 0, part) for part in (np.minimum(first, sent), sent))
        is_cut = (first < sent) & (rng.random(size) < _CUT)
        over = np.where((rng.random(size) < _OVER) & ~is_cancelled & ~is_cut, pack, 0)
        rest = np.where(is_cut, 0, sent - first) + over
        lead = int(rng.integers(*_LEAD_DAYS))
        frame = pd.DataFrame(
            {
                "order": f"PO25-{self._count:05d}",
                "line": np.arange(1, size + 1) * 10,
                "supplier": supplier,
                "item": item,
                "quantity": packs * pack,
                "due_at": int(self._midnights[day]) + (24 * lead + 7) * HOUR,
                "ordered_at": int(self._midnights[day]) + 15 * HOUR,
            }
        )
        self._on_order[item] += first + rest
        last = day + lead + np.where(first < sent, 2, 0)
        ended = np.where(is_cancelled, day + 1, np.where(is_cut, day + lead + 1, last))
        self._write_versions(frame, day, is_cancelled | is_cut, ended)
        notice = f"{supplier}-{88000 + self._count}"
        self._write_notices(frame.loc[~is_cancelled], day, notice, sent[~is_cancelled])
        common = frame[["order", "line", "item"]].assign(notice=notice)
        self._parts.append(common.assign(day=day + lead, quantity=first))
        self._parts.append(common.assign(day=last, quantity=rest))

    def _write_versions(self, frame: pd.DataFrame, day: int, is_cancelled: Flags, ended: Ints) -> None:
        """Version 1 is the open order; version 2 closes or cancels the line, on the day `ended`."""
        status = np.where(is_cancelled, "cancelled", "closed")
        self._orders.append(frame.assign(day=day, version=1, status="open"))
        self._orders.append(frame.assign(day=ended, version=2, status=status))

    def _write_notices(self, frame: pd.DataFrame, day: int, notice: str, sent: Ints) -> None:
        """Announce the whole of what is sent: partial deliveries do not change the notice."""
        frame = frame.assign(notice=notice)
        if self._rng.random() < _REVISED:
            self._notices.append(frame.assign(day=day + 1, revision=1))
            self._notices.append(frame.assign(day=day + 2, revision=2, quantity=sent))
        else:
            self._notices.append(frame.assign(day=day + 1, revision=1, quantity=sent))

    def orders(self, days: int) -> pd.DataFrame:
        """Return every version of every order line written in these days (`day` < days)."""
        return _until(self._orders, days, ["order", "line", "version"])

    def notices(self, days: int) -> pd.DataFrame:
        """Return every revision of every notice line sent in these days."""
        return _until(self._notices, days, ["notice", "revision", "line"])


_COLUMNS = ("order", "line", "supplier", "item", "quantity", "due_at", "ordered_at", "day")


def _until(frames: list[pd.DataFrame], days: int, order: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=list(dict.fromkeys([*_COLUMNS, *order, "status"])))
    frame = pd.concat(frames)
    return frame.loc[frame["day"] < days].sort_values(["day", *order], kind="stable", ignore_index=True)
