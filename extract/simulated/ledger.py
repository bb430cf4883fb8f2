"""The true stock of the simulated world: what lies there (physical) and what the records say (book)."""

from typing import Any

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Ints
from extract.simulated.text_columns import coded, joined

_COUNT_NUMBERS = ("at", "place", "item", "quantity", "seen")
_COUNT_TEXTS = ("document", "scope")
_MOVE_NUMBERS = ("at", "place", "item", "quantity", "counter", "line")
_MOVE_TEXTS = ("movement_class", "document", "note")
_NEVER = np.iinfo(np.int64).max


class Ledger:
    """Every change and every count of stock, in EA.

    A place is a row number of `Catalog.locations`, an item a row number of `Catalog.products`.
    `physical` and `book` have shape (places, items). What nobody records (theft, goods on the wrong shelf) moves only
    `physical`; a count makes `book` what was counted.
    """

    def __init__(self, catalog: Catalog, opening: Ints) -> None:
        """Start with this physical stock, shape (places, items), and no record of it."""
        self.catalog = catalog
        self.opening = opening.copy()
        self.physical = opening.copy()
        self.book = np.zeros_like(opening)
        self._moves: list[dict[str, Any]] = []
        self._counts: list[dict[str, Any]] = []
        self._today = 0

    def begin_day(self) -> None:
        """Begin a day: counts look back to here (see `count`)."""
        self._today = len(self._moves)

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
        cell = np.asarray(place, dtype=np.int64) * self.physical.shape[1] + item
        np.add.at(self.physical.reshape(-1), cell, quantity)
        if is_recorded:
            np.add.at(self.book.reshape(-1), cell, quantity)
        self._moves.append(
            {
                "at": at,
                "place": place,
                "item": item,
                "quantity": quantity,
                "counter": counter,
                "line": line,
                "movement_class": movement_class,
                "document": document,
                "note": note,
                "is_recorded": is_recorded,
            }
        )

    def count(
        self, *, at: Ints, place: Ints, item: Ints, error: Ints | int, document: list[str] | str, scope: str
    ) -> None:
        """Count cells of stock, each at an instant of its own.

        What lay there at that instant is what is there now less what has moved since; a movement at the very instant
        of a count is in it. `at` must not lie before the day's beginning, `error` is what is miscounted, and nobody
        counts less than nothing.
        """
        counted_at = np.full(self.physical.shape, _NEVER)
        counted_at[place, item] = at
        moved, recorded = self._since(counted_at)
        seen = self.physical[place, item] - moved[place, item]
        quantity = np.maximum(0, seen + error)
        self.book[place, item] = quantity + recorded[place, item]
        count = {"at": at, "place": place, "item": item, "quantity": quantity, "seen": seen}
        self._counts.append(count | {"document": document, "scope": scope})

    def _since(self, counted_at: Ints) -> tuple[Ints, Ints]:
        """Return what moved today after an instant of each cell: all of it, and the recorded part."""
        moved, recorded = np.zeros_like(self.physical), np.zeros_like(self.physical)
        for post in self._moves[self._today :]:
            place, at, item = (np.broadcast_to(post[name], post["item"].shape) for name in ("place", "at", "item"))
            is_later = at > counted_at[place, item]
            for total in (moved, recorded) if post["is_recorded"] else (moved,):
                np.add.at(total, (place[is_later], item[is_later]), post["quantity"][is_later])
        return moved, recorded

    def movements(self) -> pd.DataFrame:
        """Return every change of physical stock; what has `is_recorded` False is in no feed."""
        frame = _joined(self._moves, _MOVE_NUMBERS, _MOVE_TEXTS)
        sizes = [len(post["item"]) for post in self._moves]
        frame["is_recorded"] = np.repeat(np.array([post["is_recorded"] for post in self._moves], dtype=bool), sizes)
        codes = [*self.catalog.locations["location_code"], ""]
        frame["counter_location_code"] = coded(codes, frame["counter"].to_numpy(dtype=np.int64) % len(codes))
        return self._coded(frame.drop(columns="counter"))

    def counts(self) -> pd.DataFrame:
        """Return every counted item, zeros included; `quantity` is what was counted, `seen` what lay there."""
        return self._coded(_joined(self._counts, _COUNT_NUMBERS, _COUNT_TEXTS))

    def _coded(self, frame: pd.DataFrame) -> pd.DataFrame:
        order = np.lexsort((frame["item"].to_numpy(), frame["place"].to_numpy(), frame["at"].to_numpy()))
        frame = frame.take(order).reset_index(drop=True)
        frame["location_code"] = coded(self.catalog.locations["location_code"].tolist(), frame["place"].to_numpy())
        frame["product_code"] = coded(self.catalog.products["product_code"].tolist(), frame["item"].to_numpy())
        return frame


def _joined(posts: list[dict[str, Any]], numbers: tuple[str, ...], texts: tuple[str, ...]) -> pd.DataFrame:
    """Join posts into one frame; a scalar of a post holds for each of its items."""
    shapes = [np.shape(post["item"]) for post in posts]
    columns: dict[str, Any] = {}
    for name in numbers:
        parts = [np.broadcast_to(np.asarray(post[name]), shape) for post, shape in zip(posts, shapes, strict=True)]
        dtype = np.int64 if name == "at" else np.int32  # millions of rows
        columns[name] = np.concatenate(parts, dtype=dtype, casting="same_kind") if parts else np.empty(0, dtype=dtype)
    for name in texts:
        columns[name] = joined([(post[name], shape[0]) for post, shape in zip(posts, shapes, strict=True)])
    return pd.DataFrame(columns)
