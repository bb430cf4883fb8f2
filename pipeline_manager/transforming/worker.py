"""A process of the pool: does one unit after the other, and asks the runner what codes mean.

It ends when the runner does: their line is cut then. It opens the files that it is told of and nothing else.
"""

import signal
import sys
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection

import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.values import References
from pipeline_manager.transforming.line import packed, packed_error, unpacked
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Answer, Transformed, Unit, Wanted

ASKS, BRINGS, FAILED = b"asks", b"brings", b"failed"


class FarDesk:
    """What codes mean, as the runner told this process; what was told once is not asked again."""

    def __init__(self, line: Connection) -> None:
        """Ask over this line."""
        self._line = line
        self.references = References()
        self._whole: set[str] = set()
        self._asked: dict[str, set[str]] = {}

    def complete(self, wanted: Mapping[str, Iterable[str]]) -> bool:
        """Ask for the wanted keys that were never asked for; return whether any of them is there."""
        missing: Wanted = {
            name: left
            for name, keys in wanted.items()
            if name not in self._whole and (left := set(keys) - self._asked.get(name, set()))
        }
        if not missing:
            return False
        self._line.send_bytes(ASKS)
        self._line.send_bytes(packed(missing))
        answer: Answer = unpacked(self._line.recv_bytes())
        found = [self._learn(name, missing[name], *told) for name, told in answer.items()]
        return any(found)

    def _learn(self, name: str, asked: set[str], frame: pd.DataFrame | None, is_whole: bool) -> bool:
        """Take in what there is; return whether any of what was asked for is there."""
        before = None if is_whole else self.references.sets.get(name)
        self._asked.setdefault(name, set()).update(asked)
        if is_whole:
            self._whole.add(name)
        if frame is None:
            return False
        self.references.sets[name] = frame if before is None else pd.concat([before, frame])
        return bool(frame.index.isin(list(asked)).any())


def serve(line: Connection) -> None:
    """Do units until there is no more runner."""
    transform: Transform = unpacked(line.recv_bytes())
    desk, of_generation = FarDesk(line), None
    while True:
        generation, unit = unpacked(line.recv_bytes())
        if generation != of_generation:
            desk, of_generation = FarDesk(line), generation
        try:
            _do(line, transform, desk, unit)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            line.send_bytes(FAILED)
            line.send_bytes(packed_error(error))


def _do(line: Connection, transform: Transform, desk: FarDesk, unit: Unit) -> None:
    for done in transform.run(unit, desk):
        _bring(line, done)


def _bring(line: Connection, done: Transformed) -> None:
    """Send what came of a unit; the runner takes it when its turn comes, and until then nothing more is made."""
    whole = packed(done)
    line.send_bytes(BRINGS)
    line.send_bytes(whole)


def main() -> None:
    """Serve the runner at the other end of the line whose number is the argument."""
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)  # a whole group is told to stop: it is the runner's to heed, and it ends us
    pa.set_cpu_count(1)  # the processes share the cores already
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    main()
