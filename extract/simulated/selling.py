"""Customers in the stores: demand of a day, and the till lines that it becomes."""

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Floats, Ints
from extract.simulated.ledger import Ledger
from extract.simulated.text_columns import few

TILLS = 2
KINDS = ("sale", "return", "charge")
_WEEK = (0.80, 0.85, 0.90, 1.00, 1.30, 1.50, 0.90)  # Monday first
_RETURN_SHARE = 0.02
_UNITS_A_RECEIPT = 2.5


def sell_day(
    ledger: Ledger, rng: np.random.Generator, *, weekday: int, uplift: Floats, opening: Ints, day: int
) -> tuple[pd.DataFrame, Ints]:
    """Let the customers of one day come, and move the stock.

    Args:
        ledger: the world's stock; changed.
        rng: source of chance.
        weekday: 0 is Monday.
        uplift: shape (items,): factor of the day's demand, from promotions.
        opening: shape (stores,): epoch seconds at which each store opens.
        day: number of the day, written into the lines.

    Returns:
        The till lines, one row a receipt line (see `_lines`), and the lost sales, shape (stores, items): units that
        were wanted when the shelf was empty.
    """
    catalog = ledger.catalog
    rate = catalog.products["rate"].to_numpy(dtype=float) * _WEEK[weekday] * uplift
    shape = (len(catalog.stores), len(catalog.products))
    wanted = rng.poisson(np.broadcast_to(rate, shape)).astype(np.int64)
    sold = np.minimum(wanted, ledger.physical[1:])
    back = rng.poisson(np.broadcast_to(rate * _RETURN_SHARE, shape)).astype(np.int64)
    lines = _lines(catalog, rng, sold=sold, back=back, opening=opening, day=day)
    at, place, item, quantity, line = (lines[name].to_numpy() for name in ("at", "place", "item", "quantity", "line"))
    is_back = (lines["kind"] == "return").to_numpy()
    for movement_class, rows, sign in (("sale", ~is_back, -1), ("return", is_back, 1)):
        ledger.post(
            movement_class,
            at=at[rows],
            place=place[rows],
            item=item[rows],
            quantity=sign * quantity[rows],
            line=line[rows],
        )
    return lines, wanted - sold


def _lines(
    catalog: Catalog, rng: np.random.Generator, *, sold: Ints, back: Ints, opening: Ints, day: int
) -> pd.DataFrame:
    """Put every unit into a receipt of its store; units of one product in one receipt are one line.

    Columns: day, place, till, receipt (from 1 per till and day), line (from 1), at, kind, item, quantity (positive).
    """
    number = np.maximum(1, np.ceil((sold + back).sum(axis=1) / _UNITS_A_RECEIPT)).astype(np.int64)
    first = np.cumsum(number) - number  # the stores' receipts of the day share one row of slots
    parts = []
    items = sold.shape[1]
    for kind, units in enumerate((sold, back)):
        store, item = (np.repeat(axis, units[np.nonzero(units)]) for axis in np.nonzero(units))
        slot = first[store] + (rng.random(len(store)) * number[store]).astype(np.int64)
        parts.append((slot * 2 + kind) * items + item)
    grain, quantity = np.unique(np.concatenate(parts), return_counts=True)
    slots, line_slot = np.unique(grain // items // 2, return_inverse=True)
    store = np.searchsorted(first, slots, side="right") - 1
    till = rng.integers(1, TILLS + 1, size=len(slots))
    seconds = catalog.stores["trades"].to_numpy(dtype=np.int64)[store] * 60
    at = opening[store] + (rng.random(len(slots)) * seconds).astype(np.int64)
    return pd.DataFrame(
        {
            "kind": few(KINDS, grain // items % 2),
            "item": (grain % items).astype(np.int32),
            "quantity": quantity.astype(np.int32),
            "place": (store[line_slot] + 1).astype(np.int32),
            "till": till[line_slot].astype(np.int32),
            "at": at[line_slot],
            "receipt": ranks(store * (TILLS + 1) + till, at)[line_slot].astype(np.int32),
            "line": ranks(line_slot, grain).astype(np.int32),
            "day": np.full(len(grain), day, dtype=np.int32),
        }
    )


def ranks(group: Ints, value: Ints) -> Ints:
    """Return the rank of each value among those of its group, from 1; equal values by position."""
    order = np.lexsort((value, group))
    ranked = group[order]
    ranks = np.empty(len(group), dtype=np.int64)
    ranks[order] = np.arange(len(group)) - np.searchsorted(ranked, ranked, side="left") + 1
    return ranks
