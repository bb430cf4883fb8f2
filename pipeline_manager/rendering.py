"""The report of a run as a person reads it in a terminal."""

import shlex
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from etl_pipeline.core.log import printable
from pipeline_manager.report import RunReport

MOST_LINES = 12
RISK_WORDS = {
    "negative": "on hand below zero: a record is missing",
    "out_of_stock": "nothing on hand",
    "below_safety_stock": "below safety stock",
    "below_reorder_point": "below reorder point",
}


def _count(value: int | Decimal) -> str:
    text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _came_in(console: Console, report: RunReport) -> None:
    table = _table("feed", "files", "records", "accepted", "duplicate", "superseded", "non-data", "set aside")
    for line in sorted(report.feeds.values(), key=lambda line: line.feed):
        counts = (line.records, line.accepted, line.duplicate, line.superseded, line.non_data, line.quarantined)
        files = f"{line.files_new} new" + (f", {line.files_again} again" if line.files_again else "")
        table.add_row(escape(line.feed), files, *(_count(value) for value in counts))
    console.print("[bold]What came in[/bold]  (files of this run; records of the whole warehouse)")
    console.print(table)


def _set_aside(console: Console, report: RunReport) -> None:
    if not report.set_aside and not report.refused:
        console.print("[bold]Set aside[/bold]  nothing\n")
        return
    console.print("[bold]Set aside, and why[/bold]  (`systock quarantine list` shows all)")
    for row in report.set_aside[:MOST_LINES]:
        console.print(f"  {escape(printable(row['feed']))}: {_count(row['records'])} x {row['reason']}, "
                      f"such as {escape(printable(row['example']))}")  # fmt: skip
        console.print(f"    {escape(printable(row['sentence']))}")
    if len(report.set_aside) > MOST_LINES:
        console.print(f"  and {len(report.set_aside) - MOST_LINES} more kinds")
    for name, sentence in report.refused.items():
        console.print(f"  {escape(printable(name))}: {escape(printable(sentence))}")
    console.print()


def _stock(console: Console, report: RunReport) -> None:
    table = _table("location", "units on hand", "products", "negative", "never counted")
    for row in report.stock:
        values = (row["on_hand"], row["keys"], row["negative"], row["unanchored"])
        table.add_row(escape(printable(row["location_code"])), *(_count(value) for value in values))
    console.print("[bold]Stock by location[/bold]")
    console.print(table)
    if report.risks:
        console.print("[bold]At risk[/bold]  (gold.stock_risk)")
        for row in report.risks:
            examples = escape(printable(", ".join(row["examples"])))
            console.print(f"  {_count(row['keys'])} {RISK_WORDS.get(row['what'], row['what'])}: {examples}")
        console.print()


def render(report: RunReport, console: Console) -> None:
    """Print the summary of a run."""
    console.print()
    _came_in(console, report)
    _set_aside(console, report)
    _stock(console, report)
    kept = sum(bool(law["is_kept"]) for law in report.laws)
    if report.laws:
        console.print(f"[bold]Verified[/bold]  {kept} of {len(report.laws)} laws kept after load {report.known}; "
                      f"{report.snapshots} snapshots sealed.")  # fmt: skip
    else:
        console.print("[bold]Verified[/bold]  nothing new came in; the warehouse stands as it was.")
    if report.unclaimed:
        shown = ", ".join(printable(name) for name in report.unclaimed[:5])
        more = f" and {len(report.unclaimed) - 5} more" if len(report.unclaimed) > 5 else ""  # noqa: PLR2004
        console.print(f"No contract claims: {escape(shown)}{more}.")
    for note in report.notes:
        console.print(escape(note))
    console.print("[bold]Where to look next[/bold]")
    console.print("  views: gold.stock_on_hand, gold.sale_line, gold.feed_file, gold.quarantine (docs/gold.md)")
    console.print(f"  psql {escape(shlex.quote(report.dsn))}", soft_wrap=True)
    console.print(f"Done in {report.seconds:.1f} s.")
