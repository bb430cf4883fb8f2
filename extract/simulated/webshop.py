"""The web shop: carts, orders that reserve warehouse stock, cancellations, picks and shipments on the next day."""

import numpy as np
import pandas as pd

from extract.simulated.clock import HOUR, Ints
from extract.simulated.ledger import Ledger

WEB_SHARE = 0.25  # of the demand of one mean store
_CANCELLED = 0.07
_LINES_AN_ORDER = 2
_LINE_COLUMNS = ("cart", "order", "line", "item", "quantity", "at", "day")
_EVENT_COLUMNS = ("event", "order", "line", "item", "quantity", "at", "day", "reason")


class WebShop:
    """Orders of the web shop, shipped from the warehouse.

    Every wish is a cart; what the warehouse can cover becomes an order line (a reservation); it is picked and shipped
    the next morning, unless the customer cancels before or the picker finds the shelf short. Quantities are EA.
    """

    def __init__(self, ledger: Ledger, rng: np.random.Generator, midnights: Ints) -> None:
        """Start without orders. `midnights`: head office midnights, one more than days (epoch seconds)."""
        self._ledger = ledger
        self._rng = rng
        self._midnights = midnights
        self._open = pd.DataFrame(columns=list(_LINE_COLUMNS))
        self._carts: list[pd.DataFrame] = []
        self._orders: list[pd.DataFrame] = []
        self._events: list[pd.DataFrame] = []
        self._picks: list[pd.DataFrame] = []

    def take_orders(self, day: int) -> None:
        """Fill the day's carts and turn into orders what the warehouse can cover."""
        carts = self._draw_carts(day)
        free = np.maximum(0, self._ledger.book[0])
        asked = carts.groupby("item")["quantity"].cumsum().to_numpy(dtype=np.int64)
        is_order = (asked <= free[carts["item"].to_numpy(dtype=np.int64)]) & (carts["cart"] % 6 != 0)
        self._carts.append(carts)
        self._open = carts.loc[is_order]
        self._orders.append(self._open)

    def _draw_carts(self, day: int) -> pd.DataFrame:
        rate = self._ledger.catalog.products["rate"].to_numpy(dtype=float) * WEB_SHARE
        units = self._rng.poisson(rate).astype(np.int64)
        item = self._rng.permutation(np.repeat(np.arange(len(rate)), units))
        number = max(1, len(item) // _LINES_AN_ORDER)
        cart = np.sort(self._rng.integers(0, number, size=len(item)))
        length = int(self._midnights[day + 1] - self._midnights[day])  # 23 hours when the clocks go forward
        at = self._midnights[day] + np.sort(self._rng.integers(0, length, size=number))
        wishes = pd.DataFrame({"cart": cart, "item": item})
        lines = wishes.groupby(["cart", "item"]).size().rename("quantity").reset_index()
        slot = lines["cart"].to_numpy(dtype=np.int64)
        lines["line"] = lines.groupby("cart").cumcount() + 1
        lines["order"] = [f"W{day + 1:03d}-{number + 1:04d}" for number in slot]
        return lines.assign(at=at[slot], day=day, cart=(day + 1) * 100_000 + slot + 1)

    def ship(self, day: int) -> None:
        """Close yesterday's orders: cancel a few, ship what lies there, cancel what is missing."""
        lines = self._open
        if lines.empty:
            return
        morning = int(self._midnights[day])
        is_cancelled = self._rng.random(len(lines)) < _CANCELLED
        self._close(lines.loc[is_cancelled], "cancel", morning + 6 * HOUR, "customer", day)
        rest = lines.loc[~is_cancelled]
        picked = rest.groupby("item")["quantity"].cumsum().to_numpy(dtype=np.int64)
        is_there = picked <= self._ledger.physical[0][rest["item"].to_numpy(dtype=np.int64)]
        self._pick(rest.assign(quantity=rest["quantity"].where(is_there, 0)), morning + 8 * HOUR, day)
        self._close(rest.loc[~is_there], "cancel", morning + 10 * HOUR, "not_found", day)
        shipped = self._close(rest.loc[is_there], "ship", morning + 10 * HOUR, "", day)
        self._ledger.post(
            "shipment",
            at=shipped["at"].to_numpy(dtype=np.int64),
            place=0,
            item=shipped["item"].to_numpy(dtype=np.int64),
            quantity=-shipped["quantity"].to_numpy(dtype=np.int64),
            document=shipped["order"].tolist(),
            line=shipped["line"].to_numpy(dtype=np.int64),
        )

    def _pick(self, lines: pd.DataFrame, start: int, day: int) -> None:
        """Write what the pickers took from the shelves, within two hours of `start`; the goods stay in the building."""
        at = start + np.sort(self._rng.integers(0, 2 * HOUR, size=len(lines)))
        self._picks.append(lines.assign(at=at, day=day))

    def _close(self, lines: pd.DataFrame, event: str, start: int, reason: str, day: int) -> pd.DataFrame:
        """Write one event a line, within two hours of `start` (epoch seconds)."""
        at = start + np.sort(self._rng.integers(0, 2 * HOUR, size=len(lines)))
        events = lines.assign(event=event, at=at, reason=reason, day=day)
        self._events.append(events)
        return events

    def carts(self) -> pd.DataFrame:
        """Return every cart line: cart, line, item, quantity, at (last change), day."""
        return pd.concat(self._carts, ignore_index=True)

    def orders(self) -> pd.DataFrame:
        """Return every order line, in the order of placing."""
        return pd.concat(self._orders, ignore_index=True)

    def picks(self) -> pd.DataFrame:
        """Return every pick of an order line; quantity 0 where the shelf was short. By time."""
        if not self._picks:
            return pd.DataFrame(columns=list(_LINE_COLUMNS))
        return pd.concat(self._picks).sort_values(["at", "order", "line"], kind="stable", ignore_index=True)

    def events(self) -> pd.DataFrame:
        """Return every cancel and ship event of an order line, by time."""
        if not self._events:
            return pd.DataFrame(columns=list(_EVENT_COLUMNS))
        return pd.concat(self._events).sort_values(["at", "order", "line"], kind="stable", ignore_index=True)
