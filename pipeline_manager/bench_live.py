"""Measures how long a file takes from its last byte to gold, in a warehouse that is watched."""

import select
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import extensions, sql

from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.settings import Settings
from extract.bench_lines import write_lines
from load.batch import CHANNEL
from pipeline_manager.demo import FEEDS
from pipeline_manager.flow import Options
from pipeline_manager.watching import Pace, watch_flow

BATCHES = {1: 40, 10_000: 5}
"""Lines of a file -> how many such files arrive."""
LATE = {1: 10}
"""The same of files whose lines happened in the first hours of the year, and come when its end is loaded."""
HOURS_LATE = 24 * 365
"""Hours of a year: lines that are spread over so many times their share of it all fall into its first hour."""
PATIENCE = 300.0


@dataclass(frozen=True)
class MeasuredLive:
    """Files of one size that arrived one after the other.

    Attributes:
        loaded: lines that the warehouse held.
        lines: of each file.
        is_late: whether they happened long before what the warehouse held already.
        files: how many.
        p50: seconds from the file's last byte until its load was told of, the median.
        slowest: the longest of them.
        times_bare_copy: p50 beside a bare COPY of such a file into a plain table, committed.
    """

    loaded: int
    lines: int
    is_late: bool
    files: int
    p50: float
    slowest: float
    times_bare_copy: float


def measure_live(url: str, loaded: int, folder: Path, bare_copy: Callable[[Path], float]) -> list[MeasuredLive]:
    """Watch a warehouse of `loaded` bench lines and let files arrive.

    Args:
        url: of the warehouse.
        loaded: lines that it holds.
        folder: an empty one, for the inbox.
        bare_copy: seconds of a bare COPY of a file.
    """
    inbox = folder / "arriving"
    inbox.mkdir()
    stop, failed = threading.Event(), list[BaseException]()
    settings = Settings(home=folder / "home_of_live", database_url=url, environ={})

    def work() -> None:
        try:
            options = Options(FEEDS / "bench", inbox, gold_tests=False)
            watch_flow(options, Pace(), settings, SilentProgress(), stop=stop, told=lambda _: None)
        except BaseException as error:
            failed.append(error)

    watcher = threading.Thread(target=work, name="watch")
    with closing(psycopg2.connect(url)) as listener:
        listener.autocommit = True
        with listener.cursor() as cursor:
            cursor.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
            watcher.start()
            try:
                _until_watched(listener, failed)
                return [
                    _arrivals(lines, files, loaded, inbox, is_late=is_late, listener=listener, bare_copy=bare_copy)
                    for is_late, batches in ((False, BATCHES), (True, LATE))
                    for lines, files in batches.items()
                ]
            finally:
                stop.set()
                watcher.join(timeout=PATIENCE)


def _until_watched(listener: extensions.connection, failed: list[BaseException]) -> None:
    end = time.monotonic() + PATIENCE
    with listener.cursor() as cursor:
        while time.monotonic() < end and not failed:
            cursor.execute("select 1 from ops.heartbeat")
            if cursor.fetchone():
                return
            time.sleep(0.1)
    raise RuntimeError(f"the watch did not begin: {failed}")


def _arrivals(
    lines: int, files: int, loaded: int, inbox: Path, *, is_late: bool, listener: extensions.connection,
    bare_copy: Callable[[Path], float],
) -> MeasuredLive:  # fmt: skip
    seconds, bare = [], []
    for number in range(files):
        hidden = inbox / f"{'late' if is_late else 'new'}_{lines}_{number}.csv.part"
        begin = loaded * 2 + (number + 1) * 4 * lines + 40_000_000 * (lines > 1) + 80_000_000 * is_late
        year = (begin + lines) * (HOURS_LATE if is_late else 1)
        write_lines(hidden, lines, seed=number + 2, begin=begin - begin % 4, total=year)
        bare.append(bare_copy(hidden))
        arrived = hidden.rename(hidden.with_suffix(""))
        started = time.monotonic()
        _until_told(listener, arrived)
        seconds.append(time.monotonic() - started)
    p50 = statistics.median(seconds)
    return MeasuredLive(loaded, lines, is_late, files, p50, max(seconds), p50 / statistics.median(bare))


def _until_told(listener: extensions.connection, arrived: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listener.poll()
        if listener.notifies:
            listener.notifies.clear()
            return
        select.select([listener], [], [], 1.0)
    raise RuntimeError(f"nobody told of {arrived.name}")
