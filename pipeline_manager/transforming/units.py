"""The plain values of the transforms: what is asked of one, and what it gives back. All of them pickle."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from etl_pipeline.bronze_layer.volume import Bounds
from etl_pipeline.contracts.values import Addresses, Conformed, Landed, Part
from etl_pipeline.core.errors import SetAsideError
from pipeline_manager.drift_values import Faults

SMALL_BYTES = 1 << 20
"""Files up to this size are read whole and conformed together with others of their feed."""
UNIT_BYTES = 1 << 20
"""Small files of this size together are one unit. Each process holds one, and what it becomes is several times that."""
UNIT_FILES = 250
GROUP_ROWS = 100_000
"""Small files with so many records (packed ones, mostly) are conformed before the next are read."""

Wanted = dict[str, set[str]]
"""Lookup set -> keys."""
Answer = dict[str, tuple[pd.DataFrame | None, bool]]
"""Lookup set -> its rows of the keys that were asked for, or the whole set; and whether it is the whole set."""


@dataclass(frozen=True)
class FileWork:
    """A file to read and conform.

    Attributes:
        landed: the file.
        accepted: records that a person has let in.
        record_nos: only these records; None means all.
        is_again: records of a loaded file are judged again.
        has_any_volume: it is not asked how many records there are.
        bounds: how many records it may have by what is usual.
        held: why it is held unread, if it is.
    """

    landed: Landed
    accepted: frozenset[int] = frozenset()
    record_nos: frozenset[int] | None = None
    is_again: bool = False
    has_any_volume: bool = False
    bounds: Bounds | None = None
    held: str | None = None

    @property
    def is_small(self) -> bool:
        """Whether it is read whole before anything of it is handed on."""
        return self.landed.size_bytes <= SMALL_BYTES


@dataclass(frozen=True)
class Unit:
    """Work for one process: small files of one feed, or one large file.

    Attributes:
        feed: whose contract holds.
        files: in the order in which they are told of.
    """

    feed: str
    files: tuple[FileWork, ...]

    @property
    def is_small(self) -> bool:
        """Whether these are small files; else it is a large one, which comes chunk by chunk."""
        return self.files[0].is_small

    @property
    def size_bytes(self) -> int:
        """Return the size of the files, as they are kept."""
        return sum(file.landed.size_bytes for file in self.files)


@dataclass(frozen=True)
class Slice:
    """A chunk of a file, read and conformed.

    Attributes:
        file: its number in the unit.
        part: the file and the chunk, without its text: nobody needs it any more.
        everything: where every record of the chunk lies, non-data and broken ones too, in their order.
        kinds: of the chunk's non-data records.
        columns: that the text has.
        records: how many rows the text had.
        faults: what was set aside of it for what a value is; None where nothing was, or where it is judged again.
    """

    file: int
    part: Part
    everything: Addresses
    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    records: int
    faults: Faults | None


@dataclass(frozen=True)
class Transformed:
    """What came of a unit, or of the next part of it.

    Attributes:
        slices: chunks that were conformed together.
        conformed: what they became; its parts are the slices. None where there are none.
        ended: files that were read to their end, by number, and why one is set aside whole.
        is_last: nothing more comes of the unit.
    """

    slices: list[Slice]
    conformed: Conformed | None
    ended: list[tuple[int, SetAsideError | None]]
    is_last: bool


def planned(files: Sequence[FileWork]) -> list[Unit]:
    """Return the units of a load, in order. Sizes alone decide, so that they are the same wherever they are done."""
    groups: list[list[FileWork]] = []
    size = 0
    for file in files:
        has_room = bool(groups) and size < UNIT_BYTES and len(groups[-1]) < UNIT_FILES
        if not (has_room and _goes_with(groups[-1][0], file)):
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.landed.size_bytes
    return [Unit(group[0].landed.feed, tuple(group)) for group in groups]


def _goes_with(first: FileWork, file: FileWork) -> bool:
    """Tell whether a file can be conformed together with another."""
    is_alike = first.landed.feed == file.landed.feed and first.is_again == file.is_again
    return is_alike and first.is_small and file.is_small
