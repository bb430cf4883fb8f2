"""Which way the transforms are done: as asked for, or by what pays."""

import os
from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.errors import UsageError
from pipeline_manager.conforming import rules_of
from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.in_process import InProcess
from pipeline_manager.transforming.process_pool import ProcessPool
from pipeline_manager.transforming.spark import Spark
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Transformed, Unit

VARIABLE, PROCESSES = "SYSTOCK_TRANSFORMS", "SYSTOCK_TRANSFORM_PROCESSES"
AUTO, IN_PROCESS, PROCESS_POOL, SPARK = "auto", "in-process", "process-pool", "spark"
WAYS = (AUTO, IN_PROCESS, PROCESS_POOL, SPARK)
MOST_PROCESSES = 8
SECONDS_A_FILE, SECONDS_A_MEGABYTE = 0.002, 0.1
"""What reading and conforming take of a core, about."""
WORTH_SECONDS = 2.0
"""The processes are up after one; below this nothing would be won."""


class Transforms(Protocol):
    """A way of getting transforms done. Whichever it is, the same units come to the same."""

    def prepare(self, units: Sequence[Unit]) -> None:
        """Get ready for these units, without waiting until it is done."""

    def run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        """Yield the number of a unit and what comes of it, in the units' order."""

    def close(self) -> None:
        """End whatever was started."""


class Automatic:
    """A pool of processes where there is enough to do for it, else the runner's own process."""

    def __init__(self, transform: Transform, processes: int) -> None:
        """Nothing is started yet."""
        self._own = InProcess(transform)
        self._pool = ProcessPool(transform, processes)

    def prepare(self, units: Sequence[Unit]) -> None:
        """Start the processes if they pay."""
        if pays(units):
            self._pool.prepare(units)

    def run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        """Yield what comes of the units, in their order."""
        return (self._pool if pays(units) else self._own).run(units, desk)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def pays(units: Sequence[Unit]) -> bool:
    """Tell whether units are enough work for several processes."""
    files, size = sum(len(unit.files) for unit in units), sum(unit.size_bytes for unit in units)
    return len(units) > 1 and files * SECONDS_A_FILE + (size >> 20) * SECONDS_A_MEGABYTE > WORTH_SECONDS


def transforms_for(feeds: Feeds, way: str | None, environ: Mapping[str, str]) -> Transforms:
    """Return the way that is asked for.

    Args:
        feeds: the contracts of one retailer.
        way: as given with the command; None for what the settings say.
        environ: the settings.

    Raises:
        UsageError: there is no such way, or the number of processes is none.
    """
    asked = way or environ.get(VARIABLE) or AUTO
    if asked not in WAYS:
        raise UsageError(f"Transforms can be done {' or '.join(WAYS)}, not '{asked}'; see --transforms and {VARIABLE}.")
    told = environ.get(PROCESSES) or str(min(cores(), MOST_PROCESSES))
    if not told.isdigit() or not int(told):
        raise UsageError(f"{PROCESSES} is '{told}'; write how many processes read and conform files, 1 or more.")
    transform = Transform(feeds.contracts, rules_of(feeds))
    if asked == SPARK:
        return Spark(transform, environ)
    if asked == PROCESS_POOL:
        return ProcessPool(transform, int(told))
    is_alone = asked == IN_PROCESS or (asked == AUTO and cores() == 1)
    return InProcess(transform) if is_alone else Automatic(transform, int(told))


def cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
