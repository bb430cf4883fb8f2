"""The report of a run as a person reads it in a terminal."""

import shlex
import textwrap
from collections import Counter
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from etl_pipeline.core.log import printable
from etl_pipeline.core.names import PROD, Schemas
from pipeline_manager.report import RunReport

MOST_LINES = 12
MOST_PLACES = 20
MOST_UNCLAIMED = 5
NARROWEST, WIDEST = 40, 1_000
RISK_WORDS = {
    "negative": "on hand below zero: a record is missing",
    "out_of_stock": "nothing on hand",
    "below_safety_stock": "below safety stock",
    "below_reorder_point": "below reorder point",
}


def _count(value: int | Decimal) -> str:
    text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _gold(report: RunReport) -> str:
    return Schemas.of(report.env).gold


def _see_all(report: RunReport) -> str:
    return "`systock quarantine list" + ("" if report.env == PROD else f" --env {report.env}") + "`"


def new_table(*columns: str) -> Table:
    """Return an empty table: names on the left, numbers on the right, nothing wraps."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table in full: where the terminal is too narrow, it wraps there, but no figure is cut."""
    needed = Measurement.get(console, console.options.update(width=WIDEST), table).maximum
    width, console.width = console.width, max(needed, console.width)
    console.print(table, crop=False)
    console.width = width
    console.print()


def _indented(console: Console, text: str, by: int) -> None:
    """Print a sentence, wrapped at words, each line indented alike and without blanks at its end."""
    indent = " " * by
    filled = textwrap.fill(
        printable(text), max(console.width, NARROWEST), initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    console.print(escape(filled), soft_wrap=True)


def _came_in(console: Console, report: RunReport) -> None:
    table = new_table("feed", "files", "records", "accepted", "double", "replaced", "no data", "aside")
    for line in sorted(report.feeds.values(), key=lambda line: line.feed):
        counts = (line.records, line.accepted, line.duplicate, line.superseded, line.non_data, line.quarantined)
        files = f"{_count(line.files_new)}/{_count(line.files_again)}"
        table.add_row(escape(line.feed), files, *(_count(value) for value in counts))
    console.print("[bold]What came in[/bold]  (files of this run, new/again; records of the whole warehouse)")
    print_table(console, table)


def _set_aside(console: Console, report: RunReport) -> None:
    if not report.set_aside and not report.refused:
        console.print("[bold]Set aside[/bold]  nothing\n")
        return
    console.print(f"[bold]Set aside, and why[/bold]  ({_see_all(report)} shows all)")
    for row in report.set_aside[:MOST_LINES]:
        _indented(console, f"{_count(row['records'])} x {row['reason']} in {row['feed']}, such as {row['example']}", 2)
        _indented(console, row["sentence"], 4)
    if len(report.set_aside) > MOST_LINES:
        console.print(f"  and {len(report.set_aside) - MOST_LINES} more kinds")
    for name, sentence in report.refused.items():
        _indented(console, f"{name}: {sentence}", 2)
    console.print()


def _stock(console: Console, report: RunReport) -> None:
    table = new_table("location", "units on hand", "products", "negative", "never counted")
    for row in report.stock[:MOST_PLACES]:
        values = (row["on_hand"], row["keys"], row["negative"], row["unanchored"])
        table.add_row(escape(printable(row["location_code"])), *(_count(value) for value in values))
    console.print(f"[bold]Stock by location[/bold]  ({_gold(report)}.stock_on_hand)")
    print_table(console, table)
    if len(report.stock) > MOST_PLACES:
        console.print(f"and {len(report.stock) - MOST_PLACES} more places\n")
    if report.risks:
        console.print(f"[bold]At risk[/bold]  ({_gold(report)}.stock_risk)")
        for row in report.risks:
            what = RISK_WORDS.get(row["what"], row["what"])
            _indented(console, f"{_count(row['keys'])} {what}, such as {', '.join(row['examples'])}", 2)
        console.print()


def _alerts(console: Console, report: RunReport) -> None:
    """Print how many alerts there are and the first of each kind: one late till must not hide a lost pallet."""
    if not report.alerts:
        return
    console.print(f"[bold]Alerts[/bold]  {_count(len(report.alerts))} ({_gold(report)}.alert)")
    by_kind = Counter(row["kind"] for row in report.alerts)
    first = {row["kind"]: row for row in reversed(report.alerts)}
    for kind in sorted(first):
        more = f" ({by_kind[kind] - 1:,} more of this kind)" if by_kind[kind] > 1 else ""
        _indented(console, first[kind]["sentence"] + more, 2)
    console.print()


def _drift(console: Console, report: RunReport) -> None:
    """Print how the files of feeds differ from those before them, and what proposes an answer."""
    if not report.drift:
        return
    console.print("[bold]Changed feeds[/bold]")
    for row in report.drift[:MOST_LINES]:
        _indented(console, f"{row['sentence']} {row['advice']}.", 2)
    if len(report.drift) > MOST_LINES:
        console.print(f"  and {len(report.drift) - MOST_LINES} more, all in {Schemas.of(report.env).ops}.schema_drift")
    console.print()


def render(report: RunReport, console: Console) -> None:
    """Print the summary of a run."""
    console.print()
    _came_in(console, report)
    _set_aside(console, report)
    _drift(console, report)
    _stock(console, report)
    _alerts(console, report)
    kept = sum(bool(law["is_kept"]) for law in report.laws)
    if report.laws:
        console.print(f"[bold]Verified[/bold]  {kept} of {len(report.laws)} laws kept after load {report.known}; "
                      f"{report.snapshots} snapshots sealed.")  # fmt: skip
    else:
        console.print("[bold]Verified[/bold]  nothing new came in; the warehouse stands as it was.")
    if report.shipped:
        _indented(console, f"Shipped: {report.shipped}.", 0)
    if report.unclaimed:
        shown = ", ".join(report.unclaimed[:MOST_UNCLAIMED])
        others = len(report.unclaimed) - MOST_UNCLAIMED
        more = f" and {others} more" if others > 0 else ""
        _indented(console, f"No contract claims: {shown}{more}.", 0)
    for note in report.notes:
        _indented(console, note, 0)
    console.print("[bold]Where to look next[/bold]")
    views = ("stock_on_hand", "sale_line", "feed_file", "quarantine")
    _indented(console, "views: " + ", ".join(f"{_gold(report)}.{view}" for view in views), 2)
    console.print("  what each of them says: docs/gold.md")
    if report.page:
        console.print(f"  report for a browser: {escape(printable(report.page))}", soft_wrap=True)
    console.print(f"  psql {escape(shlex.quote(report.dsn))}", soft_wrap=True)
    console.print(f"Done in {report.seconds:.1f} s.")
