"""Codes looked up in masters: what is found; what was never asked for is asked for first."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.values import References
from etl_pipeline.silver_layer.columns import as_array
from etl_pipeline.silver_layer.numbers import mask

BY_THEIR_FACTS = ("product", "location", "alias")
"""Sets of which facts tell which file used which key."""
USED_BY = pa.schema([("part", pa.int64()), ("set_name", pa.string()), ("key", pa.string())])
Ask = Callable[[Mapping[str, Iterable[str]]], bool]
"""Has the wanted keys of sets read into the references, if they never were; returns whether any of them is there."""


@dataclass
class Lookups:
    """Looks codes up in the references of a chunk and remembers which codes it used.

    Attributes:
        references: what is known.
        part: which part of the chunk each row is of.
        ask: called with keys before they are looked up for the first time; None where the references are all there is.
        used: lookup set -> distinct keys that the chunk asked for.
    """

    references: References
    part: np.ndarray
    ask: Ask | None = None
    used: dict[str, set[str]] = field(default_factory=dict)
    _asked: list[pa.Table] = field(default_factory=list)
    # (set, column or None for its keys) -> the same as Arrow, made once a chunk.
    _arrays: dict[tuple[str, str | None], pa.Array] = field(default_factory=dict)

    def narrowed(self, index: np.ndarray) -> "Lookups":
        """Return the same over some of the rows; what they ask for is remembered here."""
        return replace(self, part=self.part[index])

    def used_by(self) -> pa.Table:
        """Return part, set_name and key: what each part asked for, once, but for what its facts tell."""
        whole = pa.concat_tables([USED_BY.empty_table(), *self._asked])
        return whole.group_by(USED_BY.names).aggregate([])

    def note(self, name: str, keys: pa.Array) -> None:
        """Remember that these keys of a set, one a row, were asked for; have the references know of them."""
        asked = pc.unique(keys.drop_null())
        if not len(asked):
            return
        used = self.used.setdefault(name, set())
        new = set(asked.to_pylist()) - used
        used.update(new)
        if new and self.ask is not None and self.ask({name: new}):
            for made in [made for made in self._arrays if made[0] == name]:
                del self._arrays[made]
        if name not in BY_THEIR_FACTS:
            each = pa.table({"part": pa.array(self.part), "key": keys}).group_by(["part", "key"]).aggregate([])
            each = each.filter(pc.is_valid(each["key"]))
            names = pa.repeat(pa.scalar(name, pa.string()), each.num_rows)
            self._asked.append(pa.table([each["part"], names, each["key"]], schema=USED_BY))

    def find(self, name: str, attribute: str, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return (values, is found): the attribute of each key, as text; null where empty or not found."""
        self.note(name, keys)
        return self.peek(name, attribute, keys)

    def peek(self, name: str, attribute: str, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Like `find`, without remembering the keys."""
        frame = self.references.sets.get(name)
        if frame is None or not len(frame):
            return pa.nulls(len(keys), pa.string()), pa.repeat(pa.scalar(False), len(keys))
        place = pc.index_in(keys, value_set=self._array(name, frame), skip_nulls=True)
        found = pc.is_valid(place)
        if attribute not in frame.columns:
            return pa.nulls(len(keys), pa.string()), found
        return as_array(self._array(name, frame, attribute).take(place)), found

    def knows(self, name: str, keys: pa.Array) -> pa.Array:
        """Return whether each key is in a set."""
        self.note(name, keys)
        frame = self.references.sets.get(name)
        if frame is None or not len(frame):
            return pa.repeat(pa.scalar(False), len(keys))
        return pc.is_in(keys, value_set=self._array(name, frame), skip_nulls=True)

    def find_at(self, name: str, attribute: str, keys: pa.Array, times: pa.Array | None) -> tuple[pa.Array, pa.Array]:
        """Like `find`, where a key may mean several things one after the other: each row gets what held at its time."""
        self.note(name, keys)
        return self.peek_at(name, attribute, keys, times)

    def peek_at(self, name: str, attribute: str, keys: pa.Array, times: pa.Array | None) -> tuple[pa.Array, pa.Array]:
        """Like `find_at`, without remembering the keys."""
        values, found = self.peek(name, attribute, keys)
        frame = self.references.sets.get(name)
        if frame is None or times is None or "valid_from" not in frame.columns or not frame.index.has_duplicates:
            return values, found
        dated = frame[frame.index.duplicated(keep=False)]
        versions = {key: rows.sort_values("valid_from") for key, rows in dated.groupby(level=0)}
        rows = np.flatnonzero(mask(pc.is_in(keys, value_set=pa.array(list(versions), pa.string()))))
        out = values.to_pylist()
        instants = pc.cast(times, pa.int64()).to_pylist()
        for row in rows.tolist():
            if instants[row] is not None:
                history = versions[keys[row].as_py()]
                # What came first holds before its own start too.
                place = max(0, bisect_right(history["valid_from"].tolist(), instants[row]) - 1)
                out[row] = history[attribute].iloc[place]
        return pa.array(out, pa.string()), found

    def _array(self, name: str, frame: pd.DataFrame, attribute: str | None = None) -> pa.Array:
        """Return the keys of a set, or one of its attributes."""
        if (name, attribute) not in self._arrays:
            values = frame.index if attribute is None else frame[attribute].array
            # A frame that was put together from several readings comes in as many chunks.
            self._arrays[name, attribute] = as_array(pa.array(values, pa.string(), from_pandas=True))
        return self._arrays[name, attribute]
