"""Source columns as clean text: trimmed, Unicode NFKC, empty as null. Each column is cleaned once a chunk."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

INVISIBLE = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
"""Joiners, marks of direction, variation selectors, fillers: nobody sees them, and no code is told by them."""
PSEUDO = ("$file.name", "$file.logical_time", "$record.no", "$record.line")


def as_array(values: "pd.Series | pa.ChunkedArray | pa.Array") -> pa.Array:
    """Return a plain Arrow array."""
    if isinstance(values, pd.Series):
        values = pa.chunked_array(values.array.__arrow_array__())
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    return values


def clean_text(values: pa.Array, null_tokens: list[str]) -> pa.Array:
    """Return trimmed NFKC text without invisible characters; empty and null tokens become null."""
    if not pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        # Taken out first: between a letter and its accent one would keep them from becoming one letter.
        values = pc.replace_substring_regex(values, pattern=INVISIBLE, replacement="")
        values = pc.utf8_normalize(values, form="NFKC")
    values = pc.utf8_trim_whitespace(values)
    is_null = pc.equal(values, "")
    if null_tokens:
        is_null = pc.or_(is_null, pc.is_in(values, value_set=pa.array(null_tokens, pa.string())))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), values)


class Columns:
    """The text of a chunk by column name, cleaned on first use; fixes may put new values in."""

    def __init__(self, text: pd.DataFrame, null_tokens: list[str], pseudo: dict[str, pa.Array]) -> None:
        """Hold the frame; nothing is cleaned yet."""
        self._text = text
        self._null_tokens = null_tokens
        self._clean: dict[str, pa.Array] = dict(pseudo)
        self.rows = len(text)

    def get(self, name: str) -> pa.Array:
        """Return a column as clean text; one that is not in the chunk is all null."""
        if name not in self._clean:
            if name in self._text.columns:
                self._clean[name] = clean_text(as_array(self._text[name]), self._null_tokens)
            else:
                self._clean[name] = pa.nulls(self.rows, pa.string())
        return self._clean[name]

    def narrowed(self, index: np.ndarray) -> "Columns":
        """Return the columns of some rows; what is cleaned here is not cleaned again."""
        return NarrowedColumns(self, index)

    def put(self, name: str, values: pa.Array) -> None:
        """Replace a column for this chunk."""
        self._clean[name] = values


class NarrowedColumns(Columns):
    """Some rows of other columns."""

    def __init__(self, whole: Columns, index: np.ndarray) -> None:
        """Take the rows `index` of `whole`, column by column, on first use."""
        super().__init__(pd.DataFrame(index=range(len(index))), [], {})
        self._whole = whole
        self._index = pa.array(index)

    def get(self, name: str) -> pa.Array:
        """Return a column as clean text."""
        if name not in self._clean:
            self._clean[name] = self._whole.get(name).take(self._index)
        return self._clean[name]
