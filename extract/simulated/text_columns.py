"""Columns of texts that take little memory: millions of rows, few different words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from extract.simulated.clock import Ints

_TEXT = pa.large_string()


def coded(words: Sequence[str] | np.ndarray, index: Ints) -> pd.Series:
    """Return `words[index]` as a column of texts."""
    taken = pa.array([str(word) for word in words], type=_TEXT).take(pa.array(index))
    return _column(pa.chunked_array([taken], type=_TEXT))


def few(words: Sequence[str], index: Ints) -> pd.Series:
    """Return `words[index]` as a categorical column: what takes least memory, where words are compared and shown."""
    return pd.Series(pd.Categorical.from_codes(index, categories=pd.Index(words)))


def always(word: str, column: pd.Series) -> pd.Series:
    """Return a column of the words and the length of another, with one word throughout."""
    code = column.cat.categories.get_loc(word)
    words = pd.Categorical.from_codes(np.full(len(column), code), categories=column.cat.categories)
    return pd.Series(words, index=column.index)


def joined(parts: Sequence[tuple[str | list[str], int]]) -> pd.Series:
    """Return texts laid end to end; a single text stands for as many rows as its number says."""
    pieces = [
        pa.repeat(pa.scalar(part, _TEXT), size) if isinstance(part, str) else pa.array(part, _TEXT)
        for part, size in parts
    ]
    return _column(pa.chunked_array(pieces, type=_TEXT).combine_chunks())


def _column(texts: pa.ChunkedArray | pa.Array) -> pd.Series:
    return pd.Series(pd.array(texts, dtype="str"))
