"""Measures the load beside a bare COPY of the same bytes: one run, one server; the ratio is the figure."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psycopg2
from rich.console import Console
from rich.table import Table

from extract.bench_lines import write_lines
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.bench_live import MeasuredLive, measure_live
from pipeline_manager.bench_promises import PLACES, MeasuredPromise, measure_promises
from pipeline_manager.bench_promises import PRODUCTS as PROMISED_PRODUCTS
from pipeline_manager.bench_reading import MeasuredRead, measure_reading, reading_table
from pipeline_manager.bench_valuation import MOVEMENTS, PRODUCTS, MeasuredValuation, measure_valuation
from pipeline_manager.demo import FEEDS

PLAIN_TABLE = """
    create table bare (store_id text, register_id int, ticket_no bigint, line_no int, sku text, qty int,
    unit_price numeric, discount numeric, tax numeric, currency text, sold_at timestamptz, cashier text)
"""


@dataclass(frozen=True)
class Measured:
    """One way of loading the file."""

    name: str
    seconds: float
    rows_per_second: int
    times_bare_copy: float
    peak_memory_mb: int | None


def _bare_copy(url: str, file: Path) -> float:
    """Return the seconds of a client-side COPY of the file into a plain logged table, committed."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor, file.open("rb") as stream:
            cursor.execute(PLAIN_TABLE)
            connection.commit()
            started = time.monotonic()
            cursor.copy_expert("copy bare from stdin with (format csv, header)", stream)
            connection.commit()
            seconds = time.monotonic() - started
            cursor.execute("drop table bare")
            connection.commit()
    finally:
        connection.close()
    return seconds


def _whole_run(url: str, inbox: Path, home: Path) -> tuple[float, int]:
    """Return seconds and peak memory (MB) of the main job as a process of its own."""
    command = [
        sys.executable, "-m", "pipeline_manager.pipeline_flow", "--feeds", str(FEEDS / "bench"),
        "--inbox", str(inbox), "--database-url", url, "--json", "--no-gold-tests",
    ]  # fmt: skip
    root = str(FEEDS.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    started = time.monotonic()
    done = subprocess.run(  # the command is our own
        command, env={**os.environ, "SYSTOCK_HOME": str(home), "PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


@dataclass(frozen=True)
class Bench:
    """All that was measured in one run on one server."""

    loads: list[Measured]
    valuations: list[MeasuredValuation]
    promises: list[MeasuredPromise]
    live: list[MeasuredLive]
    reading: list[MeasuredRead]


def _apart(server: EmbeddedServer, folder: Path, name: str) -> str:
    """Return a database of its own, after a load of a few lines has made it a warehouse."""
    inbox = folder / name / "few"
    inbox.mkdir(parents=True)
    write_lines(inbox / "lines.csv", 10)
    connection = psycopg2.connect(server.url())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name}")
    finally:
        connection.close()
    _whole_run(server.url(name), inbox, folder / name / "home")
    return server.url(name)


def measure(lines: int, folder: Path) -> Bench:
    """Load the same file in every way, value a million movements, and ask for promises, all on one server."""
    inbox = folder / "inbox"
    inbox.mkdir()
    file = inbox / "lines.csv"
    write_lines(file, lines)
    server = EmbeddedServer.start(folder / "postgres", ephemeral=True)
    try:
        bare = min(_bare_copy(server.url(), file) for _ in range(3))
        seconds, memory = _whole_run(server.url(), inbox, folder / "home")
        live = measure_live(server.url(), lines, folder, partial(_bare_copy, server.url()))
        valuations = measure_valuation(server.url())
        promises = measure_promises(_apart(server, folder, "promises"))
        reading = measure_reading(_apart(server, folder, "reading"))
    finally:
        server.stop()
    loads = [
        Measured("bare COPY, plain logged table", bare, int(lines / bare), 1.0, None),
        Measured("systock, file to published gold", seconds, int(lines / seconds), seconds / bare, memory),
    ]
    return Bench(loads, valuations, promises, live, reading)


def _live_table(live: list[MeasuredLive], lines: int) -> Table:
    title = f"files that arrive at a watched warehouse of {lines:,} lines: last byte to gold"
    table = Table("lines of a file", "files", "p50 ms", "slowest ms", "x bare COPY", title=title)
    for row in live:
        cells = (f"{1000 * row.p50:,.0f}", f"{1000 * row.slowest:,.0f}", f"{row.times_bare_copy:,.1f}")
        table.add_row(f"{row.lines:,}", str(row.files), *cells)
    return table


def _promise_table(promises: list[MeasuredPromise]) -> Table:
    keys = PROMISED_PRODUCTS * PLACES
    table = Table("question", "seconds", "x reading stock", title=f"promises, {keys:,} keys, 5 % with open lines")
    for row in promises:
        table.add_row(row.name, f"{row.seconds:.4f}", f"{row.times_reading_stock:.2f}")
    return table


def _valuation_table(valuations: list[MeasuredValuation]) -> Table:
    title = f"FIFO valuation of {MOVEMENTS:,} movements of {PRODUCTS:,} products, one core"
    table = Table("way", "seconds", "of one core", "rows/s", "x plain loop", "differences", title=title)
    for row in valuations:
        cpu = "" if row.cpu_seconds is None else f"{row.cpu_seconds:.2f}"
        cells = (
            f"{row.seconds:.2f}",
            cpu,
            f"{row.rows_per_second:,}",
            f"{row.times_plain_loop:.2f}",
            str(row.differences),
        )
        table.add_row(row.name, *cells)
    return table


def run_bench(lines: int, out: Path) -> None:
    """Measure, print a table and write `out/bench.json`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="systock_bench_") as folder:
        measured = measure(lines, Path(folder))
    table = Table("way", "seconds", "rows/s", "x bare COPY", "peak MB", title=f"{lines:,} till lines, one run")
    for row in measured.loads:
        memory = "" if row.peak_memory_mb is None else f"{row.peak_memory_mb:,}"
        table.add_row(row.name, f"{row.seconds:.1f}", f"{row.rows_per_second:,}", f"{row.times_bare_copy:.2f}", memory)
    console = Console(highlight=False)
    console.print(table)
    console.print(_live_table(measured.live, lines))
    console.print(_valuation_table(measured.valuations))
    console.print(_promise_table(measured.promises))
    console.print(reading_table(measured.reading))
    target = out / "bench.json"
    figures = {
        "lines": lines,
        "results": [asdict(r) for r in measured.loads],
        "valuation": {
            "movements": MOVEMENTS,
            "products": PRODUCTS,
            "results": [asdict(v) for v in measured.valuations],
        },
        "live": [asdict(row) for row in measured.live],
        "promises": {"keys": PROMISED_PRODUCTS * PLACES, "results": [asdict(p) for p in measured.promises]},
        "reading": [asdict(row) for row in measured.reading],
    }
    target.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(f"Written to {target}.\n")
