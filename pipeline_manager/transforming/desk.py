"""Where transforms ask what codes mean: in the runner's process, the warehouse; in another one, the runner."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from psycopg2 import extensions

from etl_pipeline.contracts.values import References
from load.references import ReferenceReader
from pipeline_manager.transforming.units import Answer, Wanted


@dataclass(frozen=True)
class Desk:
    """Asks the warehouse, within the transaction of a load.

    Attributes:
        reader: remembers what was read.
        cursor_of: gives the cursor, once nothing else is on its way over it; called only when something is read.
    """

    reader: ReferenceReader
    cursor_of: Callable[[], extensions.cursor]

    @property
    def references(self) -> References:
        """Return what was found of all that was asked for."""
        return self.reader.references

    @property
    def generation(self) -> int:
        """Return a number that changes when what was told before may no longer hold."""
        return self.reader.generation

    def complete(self, wanted: Mapping[str, Iterable[str]]) -> bool:
        """Read the wanted keys that were never asked for; return whether any of them is there."""
        return self.reader.complete(self.cursor_of, wanted)

    def answer(self, wanted: Wanted) -> Answer:
        """Return what there is of the wanted keys: the whole set where the reader has it, else their rows."""
        self.complete(wanted)
        return {name: self._rows(name, keys) for name, keys in wanted.items()}

    def _rows(self, name: str, keys: set[str]) -> tuple[pd.DataFrame | None, bool]:
        frame = self.references.sets.get(name)
        if frame is None or self.reader.has_whole(name):
            return frame, self.reader.has_whole(name)
        return frame[frame.index.isin(list(keys))], False
