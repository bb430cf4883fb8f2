"""Codes looked up in masters: what is found, and what would have to be asked for."""

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.values import References


@dataclass
class Lookups:
    """Looks codes up in the references of a chunk and remembers which codes it used.

    Attributes:
        references: what is known.
        used: lookup set -> distinct keys that the chunk asked for.
    """

    references: References
    used: dict[str, set[str]] = field(default_factory=dict)

    def note(self, name: str, keys: pa.Array) -> None:
        """Remember that these keys of a set were asked for."""
        asked = pc.unique(keys.drop_null()).to_pylist()
        if asked:
            self.used.setdefault(name, set()).update(asked)

    def find(self, name: str, attribute: str, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return (values, is found): the attribute of each key, as text; null where empty or not found."""
        self.note(name, keys)
        return self.peek(name, attribute, keys)

    def peek(self, name: str, attribute: str, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Like `find`, without remembering the keys."""
        frame = self.references.sets.get(name)
        if frame is None or not len(frame):
            return pa.nulls(len(keys), pa.string()), pa.repeat(pa.scalar(False), len(keys))
        place = pc.index_in(keys, value_set=self._index(name, frame), skip_nulls=True)
        found = pc.is_valid(place)
        if attribute not in frame.columns:
            return pa.nulls(len(keys), pa.string()), found
        return pa.array(frame[attribute].array, pa.string(), from_pandas=True).take(place), found

    def knows(self, name: str, keys: pa.Array) -> pa.Array:
        """Return whether each key is in a set."""
        self.note(name, keys)
        frame = self.references.sets.get(name)
        if frame is None or not len(frame):
            return pa.repeat(pa.scalar(False), len(keys))
        return pc.is_in(keys, value_set=self._index(name, frame), skip_nulls=True)

    @staticmethod
    def _index(name: str, frame: pd.DataFrame) -> pa.Array:
        return pa.array(frame.index, pa.string())
