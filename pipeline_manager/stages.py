"""Where the time of a run goes: the steps that a person is told of, and within them what the modules log."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from etl_pipeline.core.progress import Progress

LISTENED = ("load", "data_warehouse", "pipeline_manager")
"""Packages whose log is read for what a step consists of."""
# The house's line for a step, whoever writes it: its name, what came of it, its seconds.
_TIMED = re.compile(r"(?P<name>[^:(]+)(?:\([^:]*\))?: (?:.*\s)?(?P<seconds>\d+\.\d+) s")


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        name: the step's, or what the log calls it.
        seconds: how long it took, all its rounds together.
        within: the step that it is a part of; empty for a step itself.
    """

    name: str
    seconds: float
    within: str = ""


class StageClock(logging.Handler):
    """A progress that takes the time of each step and hands everything on to another."""

    def __init__(self, told: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        """Take no time yet.

        Args:
            told: the progress that a person sees.
            clock: seconds that only grow.
        """
        super().__init__(logging.INFO)
        self._told = told
        self._clock = clock
        self._step = ""
        self._began = 0.0
        self._seconds: dict[tuple[str, str], float] = {}

    def now(self) -> float:
        """Return the clock's seconds."""
        return self._clock()

    @property
    def stages(self) -> list[Stage]:
        """What was timed so far, each step before its parts."""
        steps = {name: [Stage(name, spent)] for (name, within), spent in self._seconds.items() if not within}
        for (name, within), spent in self._seconds.items():
            if within:
                steps[within].append(Stage(name, spent, within))
        return [stage for found in steps.values() for stage in found]

    def step(self, name: str, total: int | None = None) -> None:
        """Begin a step, ending the one before."""
        self._end()
        self._step, self._began = name, self._clock()
        self._seconds.setdefault((name, ""), 0.0)
        self._told.step(name, total)

    def advance(self, amount: int = 1) -> None:
        """Hand it on."""
        self._told.advance(amount)

    def done(self, note: str = "") -> None:
        """End the step."""
        self._end()
        self._told.done(note)

    def _end(self) -> None:
        if self._step:
            self._seconds[self._step, ""] += self._clock() - self._began
        self._step = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take the seconds out of a line of the log, if it tells any."""
        timed = _TIMED.fullmatch(record.getMessage())
        if timed is None or timed["name"] == self._step:
            return
        key = (timed["name"], self._step)
        self._seconds[key] = self._seconds.get(key, 0.0) + float(timed["seconds"])

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the log of our modules meanwhile; what people see of it stays as it was set up."""
        loggers = [logging.getLogger(name) for name in LISTENED]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.addHandler(self)
            logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(self)
                logger.setLevel(level)


def timed(progress: Progress) -> StageClock:
    """Return a progress that takes the time of each step: the given one, if it does so already."""
    return progress if isinstance(progress, StageClock) else StageClock(progress)
