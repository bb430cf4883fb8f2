"""Measures the main job on all feeds of the simulated retailer, with their faults, end to end."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from load.embedded_postgres import EmbeddedServer
from pipeline_manager.bench_loads import ROOT, Measured, stages_of, whole_run
from pipeline_manager.bench_process import run_measured
from pipeline_manager.bench_server import create_database, drop_database, watching_writes

DAYS, PRODUCTS = 28, 200
RECORDS_A_STORE = 22_000
"""That one store adds in those days, about; the report says how many there were."""


@dataclass(frozen=True)
class MeasuredFeeds:
    """All feeds of a simulated retailer, loaded into an empty warehouse.

    Attributes:
        asked: records that were asked for.
        records: that were read.
        stores: of the retailer.
        files: that were received.
        megabytes: of the files, as received.
        seconds: of the whole process.
        records_per_second: records by those seconds.
        times_bare_copy: beside a bare COPY at the bytes a second that it had on till lines; None where it was not run.
        quarantined: records that wait for a person.
        peak_memory_mb: of the process.
        process_wrote_mb: to files.
        server_wrote_mb: growth of the database, and what went through the server's log.
        stages: (name, seconds), in order.
    """

    asked: int
    records: int
    stores: int
    files: int
    megabytes: int
    seconds: float
    records_per_second: int
    times_bare_copy: float | None
    quarantined: int
    peak_memory_mb: int
    process_wrote_mb: int
    server_wrote_mb: int
    stages: list[tuple[str, float]]


def stores_for(records: int) -> int:
    """Return how many stores come near a number of records; one at least."""
    return max(1, round(records / RECORDS_A_STORE))


def copied_bytes_per_second(loads: list[Measured], sizes: dict[int, int]) -> float | None:
    """Return the bytes a second of the largest bare COPY that was measured.

    Args:
        loads: what was measured of till lines.
        sizes: bytes of the file, by its lines.
    """
    bare = [load for load in loads if load.way == "bare COPY"]
    return sizes[bare[-1].lines] / bare[-1].seconds if bare else None


def simulate(inbox: Path, stores: int) -> None:
    """Write the retailer's files, in a process of its own: it holds them all at once."""
    command = [
        sys.executable, "-m", "pipeline_manager.commands", "simulate", "--out", str(inbox), "--no-key",
        "--days", str(DAYS), "--products", str(PRODUCTS), "--stores", str(stores), "--faults", "usual",
    ]  # fmt: skip
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    run_measured(command, {**os.environ, "PYTHONPATH": path})


def measure_feeds(server: EmbeddedServer, asked: int, folder: Path, *, bytes_per_second: float | None) -> MeasuredFeeds:
    """Simulate a retailer of about so many records and load what it sends."""
    stores, database = stores_for(asked), f"feeds_{asked}"
    inbox, home = folder / f"retailer_{asked}", folder / f"home_of_feeds_{asked}"
    simulate(inbox, stores)
    sizes = [path.stat().st_size for path in inbox.rglob("*") if path.is_file()]
    url = create_database(server, database)
    with watching_writes(server, database) as wrote:
        done, report = whole_run(url, inbox, home, "simulated")
    drop_database(server, database)
    for used in (inbox, home):
        shutil.rmtree(used)
    lines = report["feeds"].values()
    records = sum(line["records"] for line in lines)
    return MeasuredFeeds(
        asked, records, stores, len(sizes), sum(sizes) >> 20, done.seconds, int(records / done.seconds),
        None if bytes_per_second is None else done.seconds * bytes_per_second / sum(sizes),
        sum(line["quarantined"] for line in lines), done.peak_memory_mb, done.written_mb, wrote.megabytes,
        [(name, round(seconds, 3)) for name, seconds in stages_of(report, done.seconds)],
    )  # fmt: skip
