"""Measures what should cost little: the same file once more, and a full extract of which most is known."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extract.bench_master import write_master
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.bench_loads import stages_of, whole_run
from pipeline_manager.bench_server import create_database, drop_database

CHANGED = 0.01
Run = tuple[float, Sequence[tuple[str, float]]]
"""Seconds of a whole process, and its stages."""


@dataclass(frozen=True)
class MeasuredAgain:
    """Something loaded once more.

    Attributes:
        name: what was loaded again.
        records: of the file.
        first: seconds of the first load, as a process.
        again: seconds of the second.
        times_first: again by first.
        loading: seconds of the second run's landing and loading, without Python's start, gold and the page.
        times_first_loading: these by the first run's.
        hashing: seconds of reading and hashing the file, which nobody can do without.
        times_hashing: again by hashing; the start of a process is in it.
        working: seconds of the second run without the start and end of Python.
        stages: of the second run: (name, seconds).
    """

    name: str
    records: int
    first: float
    again: float
    times_first: float
    loading: float
    times_first_loading: float
    hashing: float
    times_hashing: float
    working: float
    stages: list[tuple[str, float]]


def hashing_seconds(file: Path) -> float:
    """Return the seconds of reading a file and taking its SHA-256."""
    started = time.monotonic()
    with file.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")
    return time.monotonic() - started


def loading_seconds(stages: Sequence[tuple[str, float]]) -> float:
    """Return the seconds of landing and loading among the stages of a run."""
    return sum(seconds for name, seconds in stages if name.partition(":")[0] in ("land", "load"))


def measure_again(
    name: str, url: str, inbox: Path, home: Path, *, file: Path, records: int, first: Run, feeds: str = "bench"
) -> MeasuredAgain:
    """Run the main job once more on an inbox.

    Args:
        name: what is loaded again.
        url: of the warehouse that knows the inbox, but for `file` perhaps.
        inbox: the folder of files.
        home: of the first run.
        file: that the run has to look at.
        records: that it holds.
        first: seconds and stages of the first load.
        feeds: folder of the contracts.
    """
    hashing = min(hashing_seconds(file) for _ in range(3))
    done, report = whole_run(url, inbox, home, feeds)
    seconds, stages = first
    found = stages_of(report, done.seconds)
    loading = loading_seconds(found)
    return MeasuredAgain(
        name, records, seconds, done.seconds, done.seconds / seconds, loading, loading / loading_seconds(stages),
        hashing, done.seconds / hashing, report["seconds"], [(stage, round(took, 3)) for stage, took in found],
    )  # fmt: skip


def measure_full_extract(server: EmbeddedServer, products: int, folder: Path) -> MeasuredAgain:
    """Load a product master, and then the extract of the next day, in which one price in a hundred is another."""
    inbox, home, database = folder / "extracts", folder / "home_of_extracts", "extracts"
    inbox.mkdir()
    write_master(inbox / "products_20250301.csv", products)
    url = create_database(server, database)
    first, report = whole_run(url, inbox, home, "bench_master")
    file = inbox / "products_20250302.csv"
    write_master(file, products, changed=CHANGED)
    measured = measure_again(
        f"full extract of products, {CHANGED:.0%} changed", url, inbox, home, file=file, records=products,
        first=(first.seconds, stages_of(report, first.seconds)), feeds="bench_master",
    )  # fmt: skip
    drop_database(server, database)
    return measured
