"""Collecting records of formats with named fields (JSON, XML) into chunks."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from etl_pipeline.bronze_layer.chunks import Place, addresses_of, non_data_frame, set_aside_frame, text_frame
from etl_pipeline.bronze_layer.columns import require_columns
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError

MAX_COLUMNS = 2000
MAX_TEXT_CHARACTERS = 256 << 20
"""Of the fields of a chunk: a record carries those of its parents, so a small file may be large written out."""
Fault = tuple[str, str]


def require_few_characters(count: int) -> None:
    """Refuse a bomb.

    Raises:
        SetAsideError: `archive_too_large`.
    """
    if count > MAX_TEXT_CHARACTERS:
        raise SetAsideError(
            "archive_too_large",
            "Its records, each with the fields of what it lies in, are too large; ask for a flatter file.",
        )


class ChunkBuilder:
    """Takes records one by one and hands them on as chunks.

    A field that a record lacks is an empty text: objects leave out what they do not have. So a needed column is
    missing from such a file only if none of the needed columns occurs in any record of it.
    """

    def __init__(self, files: Files, needed: frozenset[str]) -> None:
        """Begin a file."""
        self._proper = {other: name for name, others in files.aliases.items() for other in others}
        self._needed = needed
        self._names: dict[str, None] = {}
        self._record_no = self._data_count = 0
        self._restart()

    def _restart(self) -> None:
        self._rows: list[dict[str, str]] = []
        self._places: list[Place] = []
        self._set_aside: list[tuple[int, int, int, int, bytes, str, str]] = []
        self._non_data: list[tuple[int, int, int, int, str]] = []
        self._characters = 0

    def _place(self, line_no: int, start: int, end: int) -> Place:
        self._record_no += 1
        return self._record_no, line_no, start, end

    def add_data(self, line_no: int, start: int, end: int, fields: Mapping[str, str]) -> None:
        """Add a record."""
        row = dict(fields)
        for other in self._proper.keys() & row.keys():
            if self._proper[other] not in row:
                row[self._proper[other]] = row.pop(other)
        self._characters += sum(map(len, row.values()))
        require_few_characters(self._characters)
        self._rows.append(row)
        self._places.append(self._place(line_no, start, end))
        self._names.update(dict.fromkeys(row))
        if len(self._names) > MAX_COLUMNS:
            raise SetAsideError(
                "not_this_format", f"The records have more than {MAX_COLUMNS:,} fields; check the path to the records."
            )

    def add_set_aside(self, line_no: int, start: int, end: int, raw: bytes, fault: Fault) -> None:
        """Add a record that cannot be read."""
        self._set_aside.append((*self._place(line_no, start, end), raw, *fault))

    def add_non_data(self, line_no: int, start: int, end: int, kind: str) -> None:
        """Add what is no record."""
        self._non_data.append((*self._place(line_no, start, end), kind))

    def build(self, content: bytes, content_start: int) -> RecordChunk:
        """Return what was added since the last chunk."""
        self._data_count += len(self._rows)
        names = [*self._names, *sorted(self._needed - self._names.keys())]
        columns = [pa.array([row.get(name, "") for row in self._rows], type=pa.string()) for name in names]
        text = text_frame(pa.table(columns, names=names)) if names else pd.DataFrame()
        chunk = RecordChunk(
            text=text if len(text) == len(self._rows) else pd.DataFrame(index=pd.RangeIndex(len(self._rows))),
            addresses=addresses_of(self._places),
            set_aside=set_aside_frame(self._set_aside),
            non_data=non_data_frame(self._non_data),
            content=content,
            content_start=content_start,
        )
        self._restart()
        return chunk

    def finish(self) -> None:
        """Judge the whole file.

        Raises:
            SetAsideError: there are records, and none has any of the needed columns.
        """
        if self._data_count and self._needed and not (self._needed & self._names.keys()):
            require_columns(list(self._names), self._needed)
