"""What the bench found, as tables for people."""

from collections.abc import Sequence

from rich.console import Console

from pipeline_manager.bench_found import Bench
from pipeline_manager.bench_loads import BARE, Measured
from pipeline_manager.bench_promises import PLACES
from pipeline_manager.bench_promises import PRODUCTS as PROMISED_PRODUCTS
from pipeline_manager.bench_reading import KEYS, MOVEMENTS_OF_A_KEY
from pipeline_manager.bench_valuation import MOVEMENTS, PRODUCTS
from pipeline_manager.rendering import new_table, print_table

Row = Sequence[str]
LOAD_COLUMNS = (
    "way",
    "seconds",
    "once s",
    "rows/s",
    "x bare COPY",
    "x dlt + dbt",
    "peak MB",
    "wrote MB",
    "server wrote MB",
)
SMALL_SHARE = 0.005
"""Of the whole: stages below it stand together in the last line."""


def show(found: Bench, console: Console) -> None:
    """Print a table for each part that was measured."""
    for lines in found.sizes:
        loads = [load for load in found.loads if load.lines == lines]
        _print(console, f"{lines:,} till lines", LOAD_COLUMNS, [_load_row(found, load) for load in loads])
        console.print(_agreement(loads) + "\n")
        for load in loads:
            if load.way != BARE:
                title = f"{lines:,} till lines, {load.way}: where the time went"
                _print(console, title, ("stage", "seconds", "share"), _stage_rows(load.stages))
    _arriving(found, console)
    rows = [
        (a.name, f"{a.records:,}", f"{a.first:.1f}", f"{a.again:.1f}", f"{a.times_first:.2f}", f"{a.loading:.2f}",
         f"{a.times_first_loading:.2f}", f"{a.hashing:.2f}", f"{a.times_hashing:,.1f}") for a in found.again
    ]  # fmt: skip
    columns = (
        "loaded again", "records", "first s", "again s", "x first", "loading s", "x first loading", "hashing s",
        "x hashing",
    )  # fmt: skip
    _print(console, "What is known already", columns, rows)
    _feeds(found, console)
    _valuation(found, console)
    title = f"Promises, {PROMISED_PRODUCTS * PLACES:,} keys, 5 % with open lines"
    asked = [(row.name, f"{row.seconds:.4f}", f"{row.times_reading_stock:.2f}") for row in found.promises]
    _print(console, title, ("question", "seconds", "x reading stock"), asked)
    read = [
        (
            r.name,
            f"{r.rows:,}",
            f"{1000 * r.p50:,.2f}",
            f"{1000 * r.p99:,.2f}",
            "" if r.server_p99 is None else f"{1000 * r.server_p99:,.2f}",
            f"{r.times_reading_stock:.3f}",
        )
        for r in found.reading
    ]
    title = f"Reads, {KEYS:,} products at a place, {KEYS * MOVEMENTS_OF_A_KEY:,} movements"
    _print(console, title, ("question", "rows", "p50 ms", "p99 ms", "server p99 ms", "x reading stock"), read)


def _print(console: Console, title: str, columns: Row, rows: Sequence[Row]) -> None:
    """Print a table below its title; without rows, nothing."""
    if not rows:
        return
    console.print(title, style="bold")
    table = new_table(*columns)
    for row in rows:
        table.add_row(*row)
    print_table(console, table)


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _agreement(loads: Sequence[Measured]) -> str:
    """Say whether all ways that do the whole work came to the same."""
    totals = {load.way: load.totals for load in loads if load.totals}
    if len(set(totals.values())) <= 1:
        return f"Each holds at its end: {next(iter(totals.values()), 'nothing that was asked for')}."
    return "They do NOT hold the same: " + "; ".join(f"{way}: {told}" for way, told in totals.items()) + "."


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _load_row(found: Bench, load: Measured) -> Row:
    return (
        load.way, f"{load.seconds:.2f}", _ratio(load.once_seconds or None), f"{load.rows_per_second:,}",
        _ratio(load.times_bare_copy), _ratio(found.times_peer(load)), _whole(load.peak_memory_mb),
        _whole(load.process_wrote_mb), _whole(load.server_wrote_mb),
    )  # fmt: skip


def _stage_rows(stages: Sequence[tuple[str, float]]) -> list[Row]:
    """Return the stages with their share of all; those that hardly count stand together at the end."""
    whole = sum(seconds for _, seconds in stages) or 1.0
    shown = [(name, seconds) for name, seconds in stages if seconds / whole >= SMALL_SHARE]
    small = [seconds for _, seconds in stages if seconds / whole < SMALL_SHARE]
    if small:
        shown.append((f"{len(small)} smaller ones", sum(small)))
    return [(name, f"{seconds:.2f}", f"{seconds / whole:.0%}") for name, seconds in shown]


def _arriving(found: Bench, console: Console) -> None:
    rows = [
        (
            f"systock, watched{', late' if row.is_late else ''}", f"{row.loaded:,}", f"{row.lines:,}", str(row.files),
            f"{1000 * row.p50:,.0f}", f"{1000 * row.slowest:,.0f}", f"{row.times_bare_copy:,.1f}",
        ) for row in found.live
    ]  # fmt: skip
    rows += [
        (
            f"{row.way}, warm process", f"{row.loaded:,}", f"{row.lines:,}", str(row.files), f"{1000 * row.p50:,.0f}",
            f"{1000 * row.slowest:,.0f}", f"{row.times_bare_copy:,.1f}",
        ) for row in found.batches
    ]  # fmt: skip
    columns = ("way", "loaded", "lines of a file", "files", "p50 ms", "slowest ms", "x bare COPY")
    _print(console, "Files that come to what is loaded: last byte to gold", columns, rows)


def _feeds(found: Bench, console: Console) -> None:
    columns = ("records", "stores", "files", "MB", "seconds", "records/s", "x bare COPY", "peak MB", "server wrote MB")
    for row in found.feeds:
        ratio = "" if row.times_bare_copy is None else f"{row.times_bare_copy:,.1f}"
        cells = (
            f"{row.records:,}", str(row.stores), f"{row.files:,}", f"{row.megabytes:,}", f"{row.seconds:.1f}",
            f"{row.records_per_second:,}", ratio, f"{row.peak_memory_mb:,}", f"{row.server_wrote_mb:,}",
        )  # fmt: skip
        _print(console, "The simulated retailer: all feeds, with faults", columns, [cells])
        title = f"{row.records:,} records of all feeds: where the time went"
        _print(console, title, ("stage", "seconds", "share"), _stage_rows(row.stages))


def _valuation(found: Bench, console: Console) -> None:
    title = f"FIFO valuation of {MOVEMENTS:,} movements of {PRODUCTS:,} products, one core"
    rows = [
        (
            row.name, f"{row.seconds:.2f}", "" if row.cpu_seconds is None else f"{row.cpu_seconds:.2f}",
            f"{row.rows_per_second:,}", f"{row.times_plain_loop:.2f}", str(row.differences),
        ) for row in found.valuation
    ]  # fmt: skip
    _print(console, title, ("way", "seconds", "of one core", "rows/s", "x plain loop", "differences"), rows)
