"""The same till lines loaded three ways on one server: bare COPY, the peer (dlt with dbt over it), the main job."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2

from extract.bench_lines import write_lines
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.bench_process import Finished, run_measured
from pipeline_manager.bench_server import create_database, drop_database, watching_writes
from pipeline_manager.demo import FEEDS

ROOT = FEEDS.parent
PEER_PYTHON = ROOT / ".peer-venv" / "bin" / "python"
PEER_JOB = Path(__file__).parent / "bench_peer" / "peer_job.py"
NO_PEER = "No peer here: `make bench` makes .peer-venv with dlt and dbt; without it the bench leaves them out."
MOST_FOR_DEFAULTS = 100_000
"""Lines up to which the peer is measured with its default settings too: they are slow, and their rate is known then."""
BATCH_LINES, BATCHES = 10_000, 4
"""Of the batches that come to what is loaded already; the first warms the process up and is told apart."""
BARE, PEER, PEER_DEFAULTS, OURS = "bare COPY", "dlt + dbt", "dlt + dbt, default settings", "systock"
GOLD = "gold"
"""The main job's step that deploys the views of gold, if they are not as the code has them."""
_TOTALS = """
    select
        cast(s.lines as text) || ' lines', trim_scale(s.pieces) || ' pieces', trim_scale(s.money) || ' EUR',
        cast(p.keys as text) || ' stock keys', trim_scale(p.on_hand) || ' on hand'
    from (select count(*) as lines, sum(quantity) as pieces, sum(net_amount) as money from {sales}) as s
    cross join (select count(*) as keys, sum(quantity) as on_hand from {stock}) as p
"""
TOTALS = {
    PEER: _TOTALS.format(sales="peer.sale_line", stock="peer.stock_on_hand"),
    OURS: _TOTALS.format(sales="silver.fact_sale where known_to is null", stock="silver.position"),
}
"""What the peer and the main job must agree on, or they did not do the same work."""
PLAIN_TABLE = """
    create table bare (store_id text, register_id int, ticket_no bigint, line_no int, sku text, qty int,
    unit_price numeric, discount numeric, tax numeric, currency text, sold_at timestamptz, cashier text)
"""


@dataclass(frozen=True)
class Measured:
    """One way of loading a file.

    Attributes:
        way: BARE, PEER, PEER_DEFAULTS or OURS.
        lines: of the file.
        seconds: of the whole process, its start included; of the COPY and its COMMIT alone for the bare one.
        rows_per_second: lines by those seconds.
        times_bare_copy: those seconds by the bare COPY's.
        peak_memory_mb: of the process that loads; the server's is not in it.
        process_wrote_mb: to files: landed bytes, load packages, logs.
        server_wrote_mb: growth of the database, and what went through the server's log.
        once_seconds: of them, what only a run into an empty warehouse takes: gold's views, which are made by dbt.
        stages: (name, seconds), in order; those of the peer that work at the same time may exceed the whole.
        versions: of the peer.
        totals: what the warehouse held at the end: the same of whoever did the same work.
    """

    way: str
    lines: int
    seconds: float
    rows_per_second: int
    times_bare_copy: float
    peak_memory_mb: int | None = None
    process_wrote_mb: int | None = None
    server_wrote_mb: int | None = None
    once_seconds: float | None = None
    stages: list[tuple[str, float]] = field(default_factory=list)
    versions: str = ""
    totals: str = ""


@dataclass(frozen=True)
class MeasuredBatch:
    """Batches that came to what was loaded, in a process that had done one before.

    Attributes:
        way: PEER; what ours takes is measured on files that arrive.
        loaded: lines that were there.
        lines: of a batch.
        files: how many batches there were after the first.
        first: seconds of the first batch, after the process had started: dbt reads its project in it.
        p50: the median of the others.
        slowest: the longest of them.
        times_bare_copy: p50 beside a bare COPY of such a batch.
    """

    way: str
    loaded: int
    lines: int
    files: int
    first: float
    p50: float
    slowest: float
    times_bare_copy: float


def bare_copy(url: str, file: Path, *, keep: bool = False) -> float:
    """Return the seconds of a client-side COPY of the file into a plain logged table, committed; `keep` the table."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor, file.open("rb") as stream:
        cursor.execute("drop table if exists bare")
        cursor.execute(PLAIN_TABLE)
        connection.commit()
        started = time.monotonic()
        cursor.copy_expert("copy bare from stdin with (format csv, header)", stream)
        connection.commit()
        seconds = time.monotonic() - started
        if not keep:
            cursor.execute("drop table bare")
            connection.commit()
    return seconds


def whole_run(url: str, inbox: Path, home: Path, feeds: str = "bench") -> tuple[Finished, dict[str, Any]]:
    """Run the main job as a process of its own; return what it used and what it reported.

    Raises:
        RuntimeError: it failed.
    """
    command = [
        sys.executable, "-m", "pipeline_manager.pipeline_flow", "--feeds", str(FEEDS / feeds),
        "--inbox", str(inbox), "--database-url", url, "--json", "--no-gold-tests",
    ]  # fmt: skip
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = run_measured(command, {**os.environ, "SYSTOCK_HOME": str(home), "PYTHONPATH": path})
    return done, json.loads(done.output)


def stages_of(report: Mapping[str, Any], seconds: float) -> list[tuple[str, float]]:
    """Return the stages of a run in order, the parts of a step in its place; the loads of all feeds are one.

    Args:
        report: as the main job prints it.
        seconds: of the whole process; what the report does not account for is Python's start and end.
    """
    found = {"start and end of Python": max(0.0, seconds - report["seconds"])}
    steps = [stage for stage in report.get("stages", []) if not stage["within"]]
    for step in steps:
        name = "load" if step["name"].startswith("load ") else step["name"]
        parts = [stage for stage in report["stages"] if stage["within"] == step["name"]]
        for part in parts:
            told = f"{name}: {part['name']}"
            found[told] = found.get(told, 0.0) + part["seconds"]
        told = f"{name}: the rest" if parts else name
        rest = step["seconds"] - sum(part["seconds"] for part in parts)
        found[told] = found.get(told, 0.0) + max(0.0, rest)
    found["between the steps"] = max(0.0, report["seconds"] - sum(step["seconds"] for step in steps))
    return list(found.items())


def has_peer() -> bool:
    """Tell if the peer's environment is there."""
    return PEER_PYTHON.exists()


def _peer(mode: str, url: str, state: Path, files: Sequence[Path]) -> tuple[Finished, dict[str, Any]]:
    out = state / "peer.json"
    state.mkdir(exist_ok=True)
    command = [str(PEER_PYTHON), str(PEER_JOB), mode, url, str(state), str(out), *map(str, files)]
    done = run_measured(command, {**os.environ, "HOME": str(state)})
    return done, json.loads(out.read_text(encoding="utf-8"))


def load_by_peer(
    server: EmbeddedServer, file: Path, lines: int, folder: Path, *, way: str, bare: float
) -> tuple[Measured, MeasuredBatch | None]:
    """Load a file with dlt and dbt; with the fast settings, let batches come to it too."""
    mode = "defaults" if way == PEER_DEFAULTS else "fast"
    name, state = f"peer_{mode}", folder / f"peer_{mode}_{lines}"
    url = create_database(server, name)
    with watching_writes(server, name) as wrote:
        done, told = _peer(mode, url, state, [file])
    stages = [("start of Python", told["start"]), *told["runs"][0]["stages"].items()]
    measured = _measured(way, lines, done, bare=bare, stages=stages, server_wrote_mb=wrote.megabytes)
    versions = f"dlt {told['dlt']}, dbt {told['dbt']}"
    measured = replace(measured, versions=versions, totals=totals_of(url, PEER))
    batch = _batches_to_peer(url, state, lines) if way == PEER else None
    drop_database(server, name)
    return measured, batch


def _batches_to_peer(url: str, state: Path, loaded: int) -> MeasuredBatch:
    files = list(write_batches(state, loaded))
    bare = statistics.median(bare_copy(url, file) for file in files)
    _, told = _peer("fast", url, state, files)
    first, *others = (run["seconds"] for run in told["runs"])
    p50 = statistics.median(others)
    return MeasuredBatch(PEER, loaded, BATCH_LINES, len(others), first, p50, max(others), p50 / bare)


def write_batches(folder: Path, loaded: int) -> Iterator[Path]:
    """Write batches of lines that are new to who has loaded the first ones."""
    for number in range(BATCHES):
        file = folder / f"batch_{number}.csv"
        begin = 2 * loaded + (2 * number + 2) * BATCH_LINES
        write_lines(file, BATCH_LINES, seed=number + 2, begin=begin - begin % 4, total=begin + BATCH_LINES)
        yield file


def load_by_main_job(
    server: EmbeddedServer, database: str, inbox: Path, lines: int, home: Path, *, bare: float
) -> Measured:
    """Load the inbox with the main job, from the files to published gold; the database stays."""
    url = create_database(server, database)
    with watching_writes(server, database) as wrote:
        done, report = whole_run(url, inbox, home)
    stages = stages_of(report, done.seconds)
    measured = _measured(OURS, lines, done, bare=bare, stages=stages, server_wrote_mb=wrote.megabytes)
    return replace(measured, totals=totals_of(url, OURS))


def totals_of(url: str, way: str) -> str:
    """Return what a warehouse holds, in words."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(TOTALS[way])
        return ", ".join(str(cell) for row in cursor.fetchall() for cell in row)


def load_bare(server: EmbeddedServer, file: Path, lines: int) -> Measured:
    """Copy the file three times; the best is the limit."""
    url = create_database(server, "bare")
    with watching_writes(server, "bare") as wrote:
        seconds = [bare_copy(url, file, keep=True)]
    seconds += [bare_copy(url, file) for _ in range(2)]
    drop_database(server, "bare")
    best = min(seconds)
    return Measured(BARE, lines, best, int(lines / best), 1.0, server_wrote_mb=wrote.megabytes)


def _measured(
    way: str, lines: int, done: Finished, *, bare: float, stages: list[tuple[str, float]], server_wrote_mb: int
) -> Measured:
    return Measured(
        way, lines, done.seconds, int(lines / done.seconds), done.seconds / bare, done.peak_memory_mb,
        done.written_mb, server_wrote_mb, sum(seconds for name, seconds in stages if name.partition(":")[0] == GOLD),
        [(name, round(seconds, 3)) for name, seconds in stages],
    )  # fmt: skip
