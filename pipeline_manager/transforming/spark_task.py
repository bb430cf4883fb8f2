"""What an executor of Spark does: one unit from its files to one file of what they became.

A task cannot ask the runner in the middle of its work. So it works with what it was told of codes and notes what it was
not told. If anything was missing it says so instead of a result; the runner looks it up and sends the unit once more.
"""

import hmac
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.values import References
from pipeline_manager.transforming.line import packed, packed_error, unpacked
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Transformed, Unit, Wanted

ROWS = "unit long, path string, work binary"
"""What a task is given: the number of a unit, its first file, and all that has to be known to read its files."""
OUTCOMES = "unit long, result string, wanted binary, error binary"
CUT_SHORT = "a result of Spark is not what this run wrote, or not all of it"
_HEAD = struct.Struct(">Q32s")
"""Before each part of a result: its length, and a seal that only this run can make."""


@dataclass(frozen=True)
class Told:
    """What is known of codes: their rows, which sets are whole, and what was asked for and is not there."""

    references: References
    whole: frozenset[str]
    asked: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Order:
    """What all tasks of a round share.

    Attributes:
        folder: shared with the runner; results go there.
        key: for the seals.
        told: the file that holds what is known of codes, by its content's hash.
        transform: packed.
    """

    folder: str
    key: bytes
    told: str
    transform: bytes


class TaskDesk:
    """What codes mean, as far as the runner told; what it did not tell of is noted."""

    def __init__(self, told: Told) -> None:
        """Answer from this."""
        self._told = told
        self.references = told.references
        self.missing: Wanted = {}

    def complete(self, wanted: Mapping[str, Iterable[str]]) -> bool:
        """Note the wanted keys that were never asked for; none of them is there yet."""
        for name, keys in wanted.items():
            if name not in self._told.whole:
                left = set(keys) - self._told.asked.get(name, frozenset())
                if left:
                    self.missing.setdefault(name, set()).update(left)
        return False


def do_units(order: Order, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Do the units of a partition, one after the other; of each comes one row that says where its result lies."""
    pa.set_cpu_count(1)  # the tasks share the cores already
    for frame in frames:
        for number, work in zip(frame["unit"], frame["work"], strict=True):
            result, wanted, error = _do(order, int(number), unpacked(bytes(work)))
            yield pd.DataFrame({"unit": [number], "result": [result], "wanted": [wanted], "error": [error]})


def _do(order: Order, number: int, unit: Unit) -> tuple[str | None, bytes | None, bytes | None]:
    desk = TaskDesk(_told(order.folder, order.told, order.key))
    final = Path(order.folder) / f"{order.told[:16]}_{number}.parts"
    # A task that is tried twice at once, as Spark may do, writes two files; either holds the same.
    begun = final.with_suffix(f".{os.getpid()}")
    try:
        with begun.open("wb") as stream:
            for done in _transform(order.transform).run(unit, desk):
                if not desk.missing:
                    stream.write(sealed(packed(done), order.key))
    except Exception as error:
        begun.unlink(missing_ok=True)
        # What was not known yet may be why: the unit is done again before that is believed.
        return (None, packed(desk.missing), None) if desk.missing else (None, None, packed_error(error))
    if desk.missing:
        begun.unlink()
        return None, packed(desk.missing), None
    begun.replace(final)
    return str(final), None, None


@lru_cache(maxsize=2)
def _transform(content: bytes) -> Transform:
    found: Transform = unpacked(content)
    return found


@lru_cache(maxsize=2)
def _told(folder: str, name: str, key: bytes) -> Told:
    with (Path(folder) / name).open("rb") as stream:
        found: Told = unpacked(next(opened(stream.read, key)))
    return found


def sealed(content: bytes, key: bytes) -> bytes:
    """Return a part of a file, with its length and the run's seal before it."""
    return _HEAD.pack(len(content), hmac.digest(key, content, sha256)) + content


def opened(read: Callable[[int], bytes], key: bytes) -> Iterator[bytes]:
    """Yield the parts of a file.

    Raises:
        ValueError: the file is cut short, or another than this run wrote it.
    """
    while head := read(_HEAD.size):
        size, seal = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, b"")
        content = read(size)
        if not hmac.compare_digest(seal, hmac.digest(key, content, sha256)):
            raise ValueError(CUT_SHORT)
        yield content


def results(path: Path, key: bytes) -> Iterator[Transformed]:
    """Yield what came of a unit, part by part.

    Raises:
        ValueError: the file is cut short, or another than this run wrote it.
    """
    is_last = False
    with path.open("rb") as stream:
        for content in opened(stream.read, key):
            done: Transformed = unpacked(content)
            is_last = done.is_last
            yield done
    if not is_last:
        raise ValueError(CUT_SHORT)
