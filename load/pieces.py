"""What a load takes in: pieces of files, each with what was read of its file so far."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etl_pipeline.contracts.values import Addresses, Part


@dataclass
class FileTally:
    """What was read of a file so far."""

    file_id: int
    feed_id: int
    records: int = 0
    content_bytes: int = 0
    blocks: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Of the digests of its blocks, in order."""


@dataclass(frozen=True)
class Piece:
    """A chunk of a file, on its way in.

    Attributes:
        tally: the file.
        part: the chunk.
        everything: where all of its records lie, non-data and broken ones too, in their order.
        is_final: whether `logical_time` will not change when the rest of the file is read.
        logical_time: the file's own time, as far as it was read.
    """

    tally: FileTally
    part: Part
    everything: Addresses
    is_final: bool
    logical_time: datetime | None


@dataclass(frozen=True)
class Ended:
    """A file that was read to its end.

    Attributes:
        tally: the file.
        non_data: what it held beside data, by kind.
        logical_time: the file's own time as its records tell it.
        columns: that it names itself.
    """

    tally: FileTally
    non_data: Mapping[str, int]
    logical_time: datetime | None
    columns: list[str] | None
