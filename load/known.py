"""Whose key is new, and who says only what is known: what load/direct.py asks about the records of a chunk."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import extensions

from etl_pipeline.core.names import Schemas
from load.bulk_indexes import BulkIndexes
from load.pieces import Piece

SEPARATOR = "\x1f"
"""Between the parts of a key, and between keys on their way to the server; what holds one is decided about there."""
HASH_KEY = "systock keys num"
LONGEST_RUN = 1 << 20
"""Keys of a run that is not merged any further: what merging takes for a moment is twice a run, whatever the load."""
FEW = 0.05
"""Up to this share of a chunk is left to be decided about later, rather than looked up while the indexes are down."""
LISTS = ("epoch", "document", "line", "content_hash")


class KnownKeys:
    """Asks the warehouse about keys, within a load's transaction; of feeds without history it remembers them itself."""

    def __init__(self, cursor: extensions.cursor, schemas: Schemas, known: int, indexes: BulkIndexes) -> None:
        """Use the cursor of load `known`."""
        self._cursor = cursor
        self._indexes = indexes
        self._schemas = schemas
        self._known = known
        self._has_history: dict[int, bool] = {}
        # Feed -> hashes of the keys copied so far, in sorted runs, for feeds that had no file before this load.
        self._keys: dict[int, tuple[np.ndarray, ...]] = {}
        self._kept: dict[int, tuple[np.ndarray, ...]] = {}

    def keep(self) -> None:
        """A savepoint is set: remember what is known until here."""
        self._kept = dict(self._keys)  # the arrays are never written to

    def go_back(self) -> None:
        """The savepoint was gone back to: forget what was learnt since."""
        self._keys = dict(self._kept)

    def sort_out(
        self, pieces: Sequence[Piece], records: pa.Table, *, of_masters: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of the records of new keys, and of those that say again what is known.

        The others are to be decided about. That something was told again is noted; nothing is left to do about it.

        Args:
            pieces: of one feed.
            records: of these pieces, in their order.
            of_masters: whether they tell of codes.
        """
        feed_id = pieces[0].tally.feed_id
        hashes = _hashes(records)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        is_same = ordered[1:] == ordered[:-1]
        once = np.ones(len(hashes), dtype=bool)
        once[order[1:][is_same]] = False
        once[order[:-1][is_same]] = False
        if self._had_records(feed_id):
            again, known = self._look_up(pieces, records, once, of_masters=of_masters)
            return once & ~again & ~known, again
        runs = self._keys.get(feed_id, ())
        fresh = once.copy()
        for run in runs:
            fresh &= run[np.minimum(np.searchsorted(run, hashes), len(run) - 1)] != hashes
        self._keys[feed_id] = _with_run(runs, ordered[fresh[order]])
        again, _ = self._look_up(pieces, records, once & ~fresh, of_masters=of_masters)
        return fresh, again

    def _had_records(self, feed_id: int) -> bool:
        if feed_id not in self._has_history:
            self._cursor.execute(
                self._schemas.render(
                    "select exists (select 1 from {{ bronze }}.file where feed_id = %s and known < %s)"
                ),
                (feed_id, self._known),
            )
            row = self._cursor.fetchone()
            self._has_history[feed_id] = bool(row and row[0])
        return self._has_history[feed_id]

    def _look_up(
        self, pieces: Sequence[Piece], records: pa.Table, asked: np.ndarray, *, of_masters: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of the asked records that are told again, and of those whose key is known otherwise."""
        again, known = np.zeros(len(asked), dtype=bool), np.zeros(len(asked), dtype=bool)
        if not asked.any():
            return again, known
        if self._indexes.are_down:
            if asked.mean() <= FEW:
                return again, asked.copy()
            self._indexes.take_up()
        wanted = records.filter(pa.array(asked))
        lists = [SEPARATOR.join(wanted[name].to_pylist()) + SEPARATOR for name in LISTS]
        if any(text.count(SEPARATOR) != wanted.num_rows for text in lists):
            return again, asked.copy()
        ends = np.searchsorted(wanted["part"].to_numpy(), np.arange(len(pieces)), side="right").tolist()
        files = [piece.tally.file_id for piece in pieces]
        times = [piece.logical_time for piece in pieces]
        self._cursor.execute(
            self._schemas.render(
                "select again, known from {{ silver }}.look_up(%s, %s, %s, %s, %s, cast(%s as bigint[]),"
                " cast(%s as timestamptz[]), cast(%s as bigint[]), %s)"
            ),
            (pieces[0].tally.feed_id, *lists, files, times, ends, of_masters),
        )
        places = np.flatnonzero(asked)
        for mask, positions in zip((again, known), self._cursor.fetchone() or (None, None), strict=True):
            mask[places[np.array(positions or [], dtype=np.int64) - 1]] = True
        return again, known & ~again


def _with_run(runs: tuple[np.ndarray, ...], new: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return sorted runs with one more, merged with those before it that are no longer, as long as that is cheap."""
    while runs and len(runs[-1]) <= len(new) < LONGEST_RUN:
        # Two sorted runs: a stable sort merges them.
        new, runs = np.sort(np.concatenate([runs[-1], new]), kind="stable"), runs[:-1]
    return (*runs, new) if len(new) else runs


def _hashes(records: pa.Table) -> np.ndarray:
    """Return a number of each record's key; two keys of one number cost speed, never an answer."""
    parts = [records[name].combine_chunks() for name in ("epoch", "document", "line")]
    keys = pc.binary_join_element_wise(*parts, SEPARATOR).to_numpy(zero_copy_only=False)
    hashes: np.ndarray = pd.util.hash_array(keys, hash_key=HASH_KEY, categorize=False)
    return hashes
