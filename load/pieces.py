"""What a load takes in: pieces of files, each with what was read of its file so far."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from etl_pipeline.contracts.values import Part


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
        is_final: whether `logical_time` will not change when the rest of the file is read.
        logical_time: the file's own time, as far as it was read.
    """

    tally: FileTally
    part: Part
    is_final: bool
    logical_time: datetime | None
