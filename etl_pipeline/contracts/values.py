"""The plain values that stages hand on. A stage returns one; the flow gives it to the next."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.facts import FACT_KINDS


@dataclass(frozen=True)
class Landed:
    """A received file, kept once under its content.

    Attributes:
        feed: name of the feed that claims it.
        name: path below the inbox, with forward slashes, as received.
        path: our copy of the bytes.
        sha256: hex digest of the bytes.
        size_bytes: number of bytes.
        logical_time: the file's own time by its path, if the contract says so.
    """

    feed: str
    name: str
    path: Path
    sha256: str
    size_bytes: int
    logical_time: datetime | None = None


@dataclass(frozen=True)
class Addresses:
    """Where records lie in a file; five equally long int64 arrays.

    `record_no` counts every record of the file from 1, non-data and broken ones too.
    `line_no` is the physical line (from 1) that the record starts on.
    `byte_start` and `byte_end` are half-open, in the unpacked content; over a file they tile it.
    """

    record_no: np.ndarray
    line_no: np.ndarray
    byte_start: np.ndarray
    byte_end: np.ndarray

    def take(self, index: np.ndarray) -> "Addresses":
        """Return the addresses at these positions (integer positions or a boolean mask)."""
        return Addresses(self.record_no[index], self.line_no[index], self.byte_start[index], self.byte_end[index])

    def frame(self) -> pd.DataFrame:
        """Return the addresses as a frame of four int64 columns."""
        return pd.DataFrame(
            {
                "record_no": self.record_no,
                "line_no": self.line_no,
                "byte_start": self.byte_start,
                "byte_end": self.byte_end,
            }
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.record_no)


@dataclass(frozen=True)
class RecordChunk:
    """A bounded piece of a file, cut into records.

    Attributes:
        text: one row a data record, one column a source column, all `string[pyarrow]`
            (pd.ArrowDtype(pa.string())), never null: an absent JSON field is an empty text.
        addresses: address of each row of `text`.
        set_aside: record_no, line_no, byte_start, byte_end, raw (bytes), reason, sentence.
        non_data: record_no, line_no, byte_start, byte_end, kind (header, blank, preamble,
            comment, trailer, repeated_header).
        content: the unpacked bytes of the piece.
        content_start: offset of `content` in the unpacked file.
    """

    text: pd.DataFrame
    addresses: Addresses
    set_aside: pd.DataFrame
    non_data: pd.DataFrame
    content: bytes
    content_start: int

    @property
    def all_addresses(self) -> Addresses:
        """Every record of the piece in order of its place: data, set aside and non-data."""
        names = ("record_no", "line_no", "byte_start", "byte_end")
        own = [getattr(self.addresses, name) for name in names]
        frames = [frame for frame in (self.set_aside, self.non_data) if len(frame)]
        found = [
            np.concatenate([mine, *(frame[name].to_numpy(dtype=np.int64) for frame in frames)])
            for mine, name in zip(own, names, strict=True)
        ]
        order = np.argsort(found[0], kind="stable")
        return Addresses(*(values[order] for values in found))


SET_ASIDE_COLUMNS = ["record_no", "line_no", "byte_start", "byte_end", "raw", "reason", "sentence"]
NON_DATA_COLUMNS = ["record_no", "line_no", "byte_start", "byte_end", "kind"]


@dataclass(frozen=True)
class References:
    """What codes may be looked up in, already narrowed to the codes of a chunk.

    Attributes:
        sets: lookup set -> frame indexed by key (text), one text column an attribute.
            The built-in set `product` has base_unit and is_created; `location` has zone, location_kind and
            day_close_minutes; `alias` maps to product_code; `unit` is keyed `product|unit`
            (product empty for all) with numerator and denominator. In `alias` and `unit` a key that means several
            things one after the other has several rows, the latest first; valid_from is the start of each, in
            microseconds since 1970.
    """

    sets: dict[str, pd.DataFrame] = field(default_factory=dict)

    def attribute(self, name: str, attribute: str) -> pd.Series:
        """Return one attribute as a series indexed by key; empty when the set is unknown."""
        frame = self.sets.get(name)
        if frame is None or attribute not in frame.columns:
            return pd.Series([], dtype="object", index=pd.Index([], dtype="object"))
        return frame[attribute]


@dataclass(frozen=True)
class Part:
    """A chunk and the file that it is of. Parts of one feed are conformed together: small files cost little.

    `accepted` are records whose quantity a person has let in although it is out of the contract's bounds.
    """

    landed: Landed
    chunk: RecordChunk
    accepted: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Conformed:
    """What parts became. Every record is in exactly one of records, set_aside and excluded.

    Attributes:
        records: part (number of the part), record_no, line_no, byte_start, byte_end, epoch, document, line,
            content_hash (32 hex digits),
            revision_no, updated_at, is_void, is_keyless; one row a record that was understood.
        facts: fact kind -> part, record_no, fact_no and the kind's columns.
        references: part, record_no, fact_no, set_name, key, attributes (JSON text).
        set_aside: part, record_no, line_no, byte_start, byte_end, reason, sentence, wants_set, wants_key.
        excluded: for each part, name of the exclusion rule -> records.
        used: lookup set -> keys that were looked up, whether found or not.
        used_by: part, set_name, key: which part looked up what, but for what the facts tell themselves.
        led_to: part, `product` or `location`, and the code that a record set aside led to.
        created: `product` and `location` -> codes that the contract lets the feed create.
        latest: for each part, greatest value of the contract's logical time column, if it has one.
    """

    records: pa.Table
    facts: dict[str, pa.Table]
    references: pa.Table | None
    set_aside: pd.DataFrame
    excluded: list[dict[str, int]]
    used: dict[str, set[str]]
    used_by: pa.Table
    led_to: set[tuple[int, str, str]]
    created: dict[str, set[str]]
    latest: list[datetime | None]

    @property
    def tells_of_codes(self) -> bool:
        """Whether a code may mean something else, or exist at all, once this is loaded."""
        masters = any(table.num_rows for kind, table in self.facts.items() if FACT_KINDS[kind].is_master)
        return masters or self.references is not None or any(self.created.values())
