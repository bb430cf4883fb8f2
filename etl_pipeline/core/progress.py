"""What a person sees while a run works: a moving bar, plain lines, or nothing."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from etl_pipeline.core.log import printable

if TYPE_CHECKING:
    from rich.progress import Progress as RichBars

ProgressKind = Literal["auto", "rich", "plain", "silent"]


class Progress(Protocol):
    """Told of steps, one after the other."""

    def step(self, name: str, total: int | None = None) -> None:
        """Begin a step, ending the one before; `total` is its size in whatever advance counts."""

    def advance(self, amount: int = 1) -> None:
        """Count work done in the step."""

    def done(self, note: str = "") -> None:
        """End the step, with a few words on what came of it."""


class SilentProgress:
    """For --json and for tests."""

    def step(self, name: str, total: int | None = None) -> None:
        """Say nothing."""

    def advance(self, amount: int = 1) -> None:
        """Say nothing."""

    def done(self, note: str = "") -> None:
        """Say nothing."""


class PlainProgress:
    """One line per finished step, for pipes and log files."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream."""
        self._stream = stream
        self._name: str | None = None
        self._count = 0
        self._started = 0.0

    def step(self, name: str, total: int | None = None) -> None:
        """Begin a step."""
        self.done()
        self._name, self._count, self._started = name, 0, time.monotonic()

    def advance(self, amount: int = 1) -> None:
        """Count."""
        self._count += amount

    def done(self, note: str = "") -> None:
        """Write the step's line; without a step, do nothing."""
        if self._name is None:
            return
        words = note or (f"{self._count:,}" if self._count else "done")
        seconds = time.monotonic() - self._started
        self._stream.write(f"{printable(self._name)}: {printable(words)} ({seconds:.1f} s)\n")
        self._stream.flush()
        self._name = None


class RichProgress(PlainProgress):
    """A bar while a step runs, its line when it is done."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on this stream."""
        super().__init__(stream)
        self._bars: RichBars | None = None

    def step(self, name: str, total: int | None = None) -> None:
        """Begin a step and show its bar."""
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        super().step(name, total)
        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        self._bars = Progress(*columns, TimeElapsedColumn(), console=Console(file=self._stream), transient=True)
        self._bars.add_task(escape(printable(name)), total=total)
        self._bars.start()

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        super().advance(amount)
        if self._bars is not None:
            self._bars.advance(self._bars.task_ids[0], amount)

    def done(self, note: str = "") -> None:
        """Take the bar away and leave the line."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
        super().done(note)


def make_progress(kind: ProgressKind = "auto", stream: TextIO | None = None) -> Progress:
    """Return a progress: `auto` draws on terminals and writes lines elsewhere, to standard error by default."""
    stream = stream or sys.stderr
    if kind == "silent":
        return SilentProgress()
    if kind == "rich" or (kind == "auto" and stream.isatty()):
        return RichProgress(stream)
    return PlainProgress(stream)


@contextmanager
def ended(progress: Progress) -> Iterator[Progress]:
    """End the last step whatever happens, so that an error finds the terminal as it was."""
    try:
        yield progress
    finally:
        progress.done()
