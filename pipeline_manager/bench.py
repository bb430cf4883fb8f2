"""Measures loads side by side in one run on one server: the ratio is the figure that counts, seconds are the machine's.

What is measured and what the columns mean: docs/speed.md.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import Progress
from extract.bench_lines import write_lines
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.bench_again import measure_again, measure_full_extract
from pipeline_manager.bench_feeds import copied_bytes_per_second, measure_feeds
from pipeline_manager.bench_found import Bench, write_results
from pipeline_manager.bench_live import MeasuredLive, measure_live
from pipeline_manager.bench_loads import (
    MOST_FOR_DEFAULTS,
    NO_PEER,
    PEER,
    PEER_DEFAULTS,
    bare_copy,
    has_peer,
    load_bare,
    load_by_main_job,
    load_by_peer,
    whole_run,
)
from pipeline_manager.bench_promises import measure_promises
from pipeline_manager.bench_reading import measure_reading
from pipeline_manager.bench_server import bench_server, create_database, drop_database, server_version
from pipeline_manager.bench_show import show
from pipeline_manager.bench_valuation import measure_valuation

PARTS = ("loads", "again", "live", "feeds", "valuation", "promises", "reading")
"""What can be measured by itself; `again` and `live` need the load of the main job, and have it made."""
MASTER, MOST_MASTER = 100_000, 1_000_000
"""Products of the full extract: as many as the largest till file has lines, within these bounds."""


@dataclass(frozen=True)
class Wanted:
    """What is to be measured.

    Attributes:
        sizes: lines of the till files.
        records: of all feeds of the simulated retailer.
        parts: of PARTS.
        with_peer: whether dlt and dbt are measured too.
    """

    sizes: Sequence[int]
    records: Sequence[int]
    parts: Sequence[str] = PARTS
    with_peer: bool = True


def parsed_sizes(text: str) -> list[int]:
    """Read a list of sizes as people write it: `100000,1_000_000`; nothing and 0 are none.

    Raises:
        UsageError: one is no number.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    try:
        sizes = sorted({int(part) for part in asked} - {0})
    except ValueError:
        sizes = [-1]
    if any(size < 0 for size in sizes):
        raise UsageError(f"'{text}' is no list of sizes; write it as 100000,1000000.")
    return sizes


def parsed_parts(text: str) -> list[str]:
    """Read a list of parts; nothing is all of them.

    Raises:
        UsageError: there is no such part.
    """
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in PARTS:
            raise UsageError(f"The bench has no part '{part}'; it has {', '.join(PARTS)}.")
    return [part for part in PARTS if part in asked or not asked]


def measure(wanted: Wanted, folder: Path, progress: Progress, keep: Callable[[Bench], object]) -> Bench:
    """Measure what is wanted, one after the other, each in a database of its own on one server.

    Args:
        wanted: which parts, and how large.
        folder: for what is loaded.
        progress: told of each step.
        keep: given what was found after each part: hours of measuring do not go with a part that fails.
    """
    with bench_server(folder / "postgres") as server:
        bench = _Measuring(wanted, folder, progress, server, Bench(_machine(server)))
        sizes = wanted.sizes if {"loads", "again", "live"} & set(wanted.parts) else []
        size_of = {}
        for lines in sizes:
            size_of[lines] = bench.one_size(lines)
            keep(bench.found)
        if "again" in wanted.parts:
            products = min(max([MASTER, *sizes]), MOST_MASTER)
            progress.step(f"a full extract of {products:,} products, and the next day's")
            bench.found.again.append(measure_full_extract(server, products, folder))
            keep(bench.found)
        if "feeds" in wanted.parts:
            for records in wanted.records:
                bench.feeds(records, copied_bytes_per_second(bench.found.loads, size_of))
                keep(bench.found)
        if "valuation" in wanted.parts:
            progress.step("valuation")
            bench.found.valuation = measure_valuation(create_database(server, "valuation"))
            drop_database(server, "valuation")
        if "promises" in wanted.parts:
            progress.step("promises")
            bench.found.promises = measure_promises(_apart(server, folder, "promises"))
        if "reading" in wanted.parts:
            progress.step("reads of a million products at a place")
            bench.found.reading = measure_reading(_apart(server, folder, "reading"))
        progress.done()
    return bench.found


def _machine(server: EmbeddedServer) -> dict[str, str | int]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return {
        "cores": os.cpu_count() or 0,
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "postgresql": server_version(server),
    }


@dataclass(frozen=True)
class _Measuring:
    """What the parts of a bench share."""

    wanted: Wanted
    folder: Path
    progress: Progress
    server: EmbeddedServer
    found: Bench

    def one_size(self, lines: int) -> int:
        """Load a file of so many lines in every way, then once more, then let files arrive; return its bytes."""
        inbox, home, database = (self.folder / f"{what}_{lines}" for what in ("inbox", "home", "lines"))
        inbox.mkdir()
        file = inbox / "lines.csv"
        self.progress.step(f"{lines:,} lines: bare COPY")
        write_lines(file, lines)
        bare = load_bare(self.server, file, lines)
        self.found.loads.append(bare)
        if self.wanted.with_peer and "loads" in self.wanted.parts:
            self._peers(file, lines, bare.seconds)
        self.progress.step(f"{lines:,} lines: systock")
        ours = load_by_main_job(self.server, database.name, inbox, lines, home, bare=bare.seconds)
        self.found.loads.append(ours)
        url = self.server.url(database.name)
        if "again" in self.wanted.parts:
            self.progress.step(f"{lines:,} lines: the same file again")
            name = f"the same {lines:,} till lines"
            self.found.again.append(
                measure_again(name, url, inbox, home, file=file, records=lines, first=(ours.seconds, ours.stages))
            )
        if "live" in self.wanted.parts:
            self.progress.step(f"{lines:,} lines: files that arrive")
            self.found.live += self._arriving(url, lines)
        drop_database(self.server, database.name)
        size = file.stat().st_size
        # The next size needs the room.
        for used in (inbox, home, *self.folder.glob(f"peer_*_{lines}"), self.folder / f"live_{lines}"):
            shutil.rmtree(used, ignore_errors=True)
        return size

    def _peers(self, file: Path, lines: int, bare: float) -> None:
        for way in (PEER, PEER_DEFAULTS) if lines <= MOST_FOR_DEFAULTS else (PEER,):
            self.progress.step(f"{lines:,} lines: {way}")
            peer, batch = load_by_peer(self.server, file, lines, self.folder, way=way, bare=bare)
            self.found.loads.append(peer)
            self.found.batches += [batch] if batch else []

    def _arriving(self, url: str, lines: int) -> list[MeasuredLive]:
        live = self.folder / f"live_{lines}"
        live.mkdir()
        copied = create_database(self.server, "bare")
        found = measure_live(url, lines, live, partial(bare_copy, copied))
        drop_database(self.server, "bare")
        return found

    def feeds(self, records: int, bytes_per_second: float | None) -> None:
        """Load all feeds of a simulated retailer; beside them, what a bare COPY does in a second."""
        self.progress.step(f"the simulated retailer, about {records:,} records")
        measured = measure_feeds(self.server, records, self.folder, bytes_per_second=bytes_per_second)
        self.found.feeds.append(measured)


def _apart(server: EmbeddedServer, folder: Path, name: str) -> str:
    """Return a database of its own, after a load of a few lines has made it a warehouse."""
    inbox = folder / name / "few"
    inbox.mkdir(parents=True)
    write_lines(inbox / "lines.csv", 10)
    url = create_database(server, name)
    whole_run(url, inbox, folder / name / "home")
    return url


def run_bench(sizes: str, records: str, only: str, out: Path, progress: Progress) -> None:
    """Measure, print tables, and write `bench.json` and `bench.svg` into a folder.

    Raises:
        UsageError: a size or a part is none.
    """
    parts = parsed_parts(only)
    wanted = Wanted(parsed_sizes(sizes), parsed_sizes(records), parts, has_peer())
    if "loads" in parts and not wanted.with_peer:
        sys.stderr.write(NO_PEER + "\n")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="systock_bench_") as folder:
        found = measure(wanted, Path(folder), progress, partial(write_results, out=out))
    show(found, Console(highlight=False))
    written = write_results(found, out)
    sys.stdout.write(f"Written to {' and '.join(str(path) for path in written)}.\n")
