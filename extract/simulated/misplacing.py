"""Goods on the wrong shelf: still in the building, but no customer and no counter finds them for a while."""

from dataclasses import dataclass, field

import numpy as np

from extract.simulated.clock import Ints
from extract.simulated.ledger import Ledger

_MISPLACED = 0.003  # chance a day that some pieces of an item are put elsewhere
_MOST_PIECES = 3
_DAYS = (2, 12)  # after so many days they are found
_NEVER_FOUND = 0.25
_LOST_AFTER, _FOUND_AFTER = 1200, 1800  # seconds


@dataclass
class Misplacing:
    """What lies on wrong shelves. Neither the misplacing nor the finding is recorded; a count in between sees less.

    Physical stock is what lies where it belongs, so misplaced goods leave it, and found ones come back.
    """

    ledger: Ledger
    rng: np.random.Generator
    _hidden: list[tuple[Ints, Ints, Ints, Ints]] = field(default_factory=list)

    def happen(self, day: int, *, at: Ints) -> None:
        """Find what is to be found on this day, and misplace other goods.

        Args:
            day: number of the day.
            at: shape (places,): epoch seconds of the morning's round.
        """
        self._find(day, at)
        stock = self.ledger.physical
        place, item = np.nonzero((self.rng.random(stock.shape) < _MISPLACED) & (stock > 0))
        quantity = np.minimum(self.rng.integers(1, _MOST_PIECES + 1, size=len(item)), stock[place, item])
        found = day + self.rng.integers(*_DAYS, size=len(item))
        found = np.where(self.rng.random(len(item)) < _NEVER_FOUND, -1, found)
        self._post("misplaced", at[place] + _LOST_AFTER, place, item, -quantity)
        self._hidden.append((found, place, item, quantity))

    def _find(self, day: int, at: Ints) -> None:
        for found, place, item, quantity in self._hidden:
            now = found == day
            self._post("found", at[place[now]] + _FOUND_AFTER, place[now], item[now], quantity[now])

    def _post(self, kind: str, at: Ints, place: Ints, item: Ints, quantity: Ints) -> None:
        self.ledger.post(kind, at=at, place=place, item=item, quantity=quantity, is_recorded=False)
