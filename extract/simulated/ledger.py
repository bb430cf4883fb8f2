"""The true stock of the simulated world: what lies there (physical) and what the records say (book)."""

from typing import Any

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Ints, instants

_COUNT_COLUMNS = {"at": "int64", "place": "int64", "item": "int64", "quantity": "int64", "document": "O", "scope": "O"}
_MOVE_COLUMNS = {
    "at": "int64",
    "place": "int64",
    "item": "int64",
    "quantity": "int64",
    "movement_class": "O",
    "counter": "int64",
    "document": "O",
    "line": "int64",
    "note": "O",
    "is_recorded": "bool",
}


class Ledger:
    """Every change and every count of stock, in EA.

    A place is a row number of `Catalog.locations`, an item a row number of `Catalog.products`.
    `physical` and `book` have shape (places, items). Theft moves only `physical`; a count sets `book` right.
    """

    def __init__(self, catalog: Catalog, opening: Ints) -> None:
        """Start with this physical stock, shape (places, items), and no record of it."""
        self.catalog = catalog
        self.opening = opening.copy()
        self.physical = opening.copy()
        self.book = np.zeros_like(opening)
        self._moves: list[tuple[Any, ...]] = []
        self._counts: list[tuple[Any, ...]] = []

    def post(
        self,
        movement_class: str,
        *,
        at: Ints | int,
        place: Ints | int,
        item: Ints,
        quantity: Ints,
        counter: Ints | int = -1,
        document: list[str] | str = "",
        line: Ints | int = 0,
        note: list[str] | str = "",
        is_recorded: bool = True,
    ) -> None:
        """Move stock. `at` in epoch seconds, `quantity` signed; scalars hold for every item."""
        if not len(item):
            return
        cell = place * self.physical.shape[1] + item
        np.add.at(self.physical.reshape(-1), cell, quantity)
        if is_recorded:
            np.add.at(self.book.reshape(-1), cell, quantity)
        self._moves.append((at, place, item, quantity, movement_class, counter, document, line, note, is_recorded))

    def count(self, *, at: int, place: int, item: Ints, document: str, scope: str) -> None:
        """Count items at a place: what lies there becomes what the books say."""
        seen = self.physical[place, item]
        self.book[place, item] = seen
        self._counts.append((at, place, item, seen, document, scope))

    def movements(self) -> pd.DataFrame:
        """Return every change of physical stock; theft has `is_recorded` False and is in no feed."""
        frame = _joined(self._moves, _MOVE_COLUMNS)
        codes = np.append(self.catalog.locations["location_code"].to_numpy(dtype=str), "")
        frame["counter_location_code"] = codes[frame["counter"].to_numpy(dtype=np.int64)]
        return self._coded(frame).drop(columns="counter")

    def counts(self) -> pd.DataFrame:
        """Return every counted item, zeros included."""
        return self._coded(_joined(self._counts, _COUNT_COLUMNS))

    def _coded(self, frame: pd.DataFrame) -> pd.DataFrame:
        places = self.catalog.locations["location_code"].to_numpy(dtype=str)
        items = self.catalog.products["product_code"].to_numpy(dtype=str)
        frame["location_code"] = places[frame["place"].to_numpy(dtype=np.int64)]
        frame["product_code"] = items[frame["item"].to_numpy(dtype=np.int64)]
        frame["event_time"] = instants(frame["at"].to_numpy(dtype=np.int64))
        return frame.sort_values(["at", "place", "item"], kind="stable", ignore_index=True)


def _joined(posts: list[tuple[Any, ...]], columns: dict[str, str]) -> pd.DataFrame:
    """Join posts into one frame; a scalar of a post holds for each of its items. The third value is the items."""
    joined = {}
    for place, (name, dtype) in enumerate(columns.items()):
        parts = [np.broadcast_to(np.asarray(post[place], dtype=dtype), np.shape(post[2])) for post in posts]
        joined[name] = np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
    return pd.DataFrame(joined)
