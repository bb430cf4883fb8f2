"""A process of its own, with its peak memory and what it wrote: for the bench, and started once more by it as a script.

A process inherits the peak memory of the one that started it, and the bench itself holds large files at times. So a
small process stands between: this file, run alone. It needs nothing but Python's own library.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BYTES_OF_A_BLOCK = 512
"""In which the system counts what a process has written, whatever the blocks of the disk."""
SHOWN = 4_000


@dataclass(frozen=True)
class Finished:
    """A process that did its work.

    Attributes:
        seconds: from its start to its end.
        peak_memory_mb: of the process, or of the largest that it started: never their sum.
        written_mb: what they wrote to files, where the system counts it.
        output: its standard output.
    """

    seconds: float
    peak_memory_mb: int
    written_mb: int
    output: str


def run_measured(command: Sequence[str], environ: Mapping[str, str]) -> Finished:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the text is the end of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="systock_measured_") as folder:
        told = Path(folder) / "usage.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", __file__, str(told), *command], env=dict(environ), capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError((done.stdout + done.stderr)[-SHOWN:])
        usage = json.loads(told.read_text(encoding="utf-8"))
    return Finished(usage["seconds"], usage["peak_kb"] // 1024, usage["written"] >> 20, done.stdout)


def stand_between(told: str, *command: str) -> int:
    """Run a command, write down what it used, and return its exit code."""
    started = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - started
    written = usage.ru_oublock * BYTES_OF_A_BLOCK
    # Linux counts in kilobytes, macOS in bytes.
    peak = usage.ru_maxrss >> (10 if sys.platform == "darwin" else 0)
    figures = {"seconds": seconds, "peak_kb": peak, "written": written}
    Path(told).write_text(json.dumps(figures), encoding="utf-8")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(stand_between(*sys.argv[1:]))
