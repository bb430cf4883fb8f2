"""Lines of a piece of delimited text, and what has been found out about each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from etl_pipeline.bronze_layer.chunks import Int64Array
from etl_pipeline.bronze_layer.delimited_fast import Lines
from etl_pipeline.bronze_layer.delimited_slow import MAX_RECORD_LINES, Cut, Dialect, cut_record
from etl_pipeline.core.errors import SetAsideError

PLAIN, SINGLE, ASIDE, CONTINUED = 0, 1, 2, 3
BLANK, HEADER, PREAMBLE, COMMENT, TRAILER, REPEATED = 4, 5, 6, 7, 8, 9
KINDS = np.array(["", "", "", "", "blank", "header", "preamble", "comment", "trailer", "repeated_header"], dtype=object)


@dataclass
class Piece:
    """Lines of a piece and what has been found out about each of them."""

    lines: Lines
    is_last: bool
    kinds: npt.NDArray[np.int8]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)
    fields: dict[int, list[bytes]] = field(default_factory=dict)
    count: int = 0

    def cut(self, index: int, dialect: Dialect) -> tuple[Cut, int]:
        """Cut the record that starts with a line; return it and the number of lines it takes."""
        bounds = self.lines.bounds
        stop = index + (MAX_RECORD_LINES if dialect.is_multiline else 1)
        is_final = self.is_last or stop <= len(self.lines)
        end = int(bounds[min(stop, len(self.lines))])
        cut = cut_record(self.lines.content, int(bounds[index]), end, dialect, is_final=is_final)
        taken = 1
        while not cut.fault and bounds[index + taken] < cut.end:
            taken += 1
        return cut, taken

    def is_whole_alone(self, index: int, width: int, dialect: Dialect) -> bool:
        """Tell whether a line is a record of so many fields by itself."""
        start, end = int(self.lines.bounds[index]), int(self.lines.bounds[index + 1])
        cut = cut_record(self.lines.content, start, end, dialect, is_final=True)
        return not cut.fault and len(cut.fields) == width

    def set_aside(self, index: int, reason: str, sentence: str) -> None:
        """Mark the record that starts with this line."""
        self.kinds[index] = ASIDE
        self.faults[index] = (reason, sentence)

    def rows(self, first: int) -> Int64Array:
        """Return the lines from `first` on that a data record starts with."""
        return np.flatnonzero(self.kinds[first : self.count] <= SINGLE) + first


def trailer_fields(line: bytes, dialect: Dialect) -> list[str]:
    """Return the fields of a trailer line.

    Raises:
        SetAsideError: `control_total`: it cannot be cut.
    """
    bare = line.rstrip(b"\r\n")
    cut = cut_record(bare, 0, len(bare), dialect, is_final=True)
    if cut.fault:
        raise SetAsideError("control_total", f"The trailer {cut.fault}; ask for the file again.")
    return [value.decode("utf-8", "replace") for value in cut.fields]


def pieces_of(blocks: Iterator[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Yield pieces of about `chunk_bytes`, and an empty one at the end."""
    held: list[bytes] = []
    size = 0
    for block in blocks:
        for start in range(0, len(block), chunk_bytes):
            part = block[start : start + chunk_bytes]
            held.append(part)
            size += len(part)
            if size >= chunk_bytes:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)
    yield b""
