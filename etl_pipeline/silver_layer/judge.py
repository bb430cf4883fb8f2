"""The judge of a chunk: collects, record by record, the first thing that is wrong."""

from collections.abc import Callable

import numpy as np
import pandas as pd

MOST_SENTENCE = 600
JUDGED_COLUMNS = ["row", "reason", "sentence", "wants_set", "wants_key"]


def shortened(sentence: str) -> str:
    """Return a sentence to be read by people: its middle is left out where a value in it runs on and on."""
    if len(sentence) <= MOST_SENTENCE:
        return sentence
    return f"{sentence[: MOST_SENTENCE // 2]} … {sentence[-MOST_SENTENCE // 2 :]}"


class Judge:
    """Verdicts over the rows of one chunk. The first objection to a row stays; order is the contract's."""

    def __init__(self, rows: int) -> None:
        """Start with no objection to any of the rows."""
        self.rows = rows
        self.is_bad = np.zeros(rows, dtype=bool)
        self._parts: list[pd.DataFrame] = []

    def object_to(
        self,
        bad: np.ndarray,
        reason: str,
        sentence: Callable[[np.ndarray], list[str]],
        wants: tuple[str, Callable[[np.ndarray], list[str]]] | None = None,
    ) -> None:
        """Set aside the rows of a mask.

        Args:
            bad: boolean mask over the rows.
            reason: code of RECORD_REASONS.
            sentence: from row numbers to one sentence each; called for bad rows only.
            wants: lookup set, and from row numbers to the key that would release each.
        """
        fresh = np.flatnonzero(bad & ~self.is_bad)
        if not len(fresh):
            return
        self.is_bad[fresh] = True
        part = pd.DataFrame({"row": fresh, "reason": reason, "sentence": [shortened(s) for s in sentence(fresh)]})
        part["wants_set"] = wants[0] if wants else None
        part["wants_key"] = wants[1](fresh) if wants else None
        self._parts.append(part)

    def narrowed(self, index: np.ndarray) -> "NarrowedJudge":
        """Return a judge over some of the rows; what it objects to is objected to here."""
        return NarrowedJudge(self, index)

    def verdicts(self) -> pd.DataFrame:
        """Return row, reason, sentence, wants_set, wants_key of every row set aside, by row."""
        if not self._parts:
            return pd.DataFrame({name: [] for name in JUDGED_COLUMNS})
        return pd.concat(self._parts).sort_values("row", kind="stable").reset_index(drop=True)


class NarrowedJudge(Judge):
    """A judge over some rows of another: its row numbers are positions in `index`."""

    def __init__(self, whole: Judge, index: np.ndarray) -> None:
        """Speak about the rows `index` of `whole`."""
        super().__init__(len(index))
        self._whole = whole
        self._index = index

    def object_to(
        self,
        bad: np.ndarray,
        reason: str,
        sentence: Callable[[np.ndarray], list[str]],
        wants: tuple[str, Callable[[np.ndarray], list[str]]] | None = None,
    ) -> None:
        """Pass the objection on, with the row numbers of the whole chunk."""
        if not bad.any():
            return
        self.is_bad |= bad
        everywhere = np.zeros(self._whole.rows, dtype=bool)
        everywhere[self._index[bad]] = True
        here = np.full(self._whole.rows, -1)
        here[self._index] = np.arange(len(self._index))
        back = (wants[0], lambda rows: wants[1](here[rows])) if wants else None
        self._whole.object_to(everywhere, reason, lambda rows: sentence(here[rows]), back)
