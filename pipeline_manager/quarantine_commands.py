"""What the `systock quarantine` commands do."""

import os
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.log import printable
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import load_settings
from pipeline_manager.demo import FEEDS
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.publishing import rows
from pipeline_manager.warehouse_commands import deployed_warehouse

MOST_LISTED = 200
_RECORDS = """
    select feed, file_name, line_no, reason, sentence, raw_text, since_known from {{ gold }}.quarantine
    order by feed, file_name, line_no
"""
_FILES = """
    select d.feed, f.name as file_name, f.reason, f.sentence
    from {{ bronze }}.file as f inner join {{ ops }}.feed as d on f.feed_id = d.feed_id where f.status = 'set_aside'
    order by d.feed, f.name
"""


def show_list(env: str | None, database_url: str | None) -> None:
    """Print what is set aside, records and whole files, one entry each."""
    console = Console(highlight=False)
    with deployed_warehouse(env, database_url) as opened:
        connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
        files, records = rows(connection, schemas, _FILES), rows(connection, schemas, _RECORDS)
    for row in files:
        console.print(f"[bold]{escape(printable(row['file_name']))}[/bold] whole, {row['reason']} ({row['feed']})")
        console.print(Padding(escape(printable(row["sentence"])), (0, 0, 0, 2)))
    for row in records[:MOST_LISTED]:
        name = escape(printable(row["file_name"]))
        console.print(f"[bold]{name}[/bold] line {row['line_no']}, {row['reason']} ({row['feed']})")
        console.print(Padding(escape(printable(row["sentence"])), (0, 0, 0, 2)))
    if len(records) > MOST_LISTED:
        console.print(f"and {len(records) - MOST_LISTED} more, all in the view gold.quarantine")
    console.print(f"{len(records)} records and {len(files)} files are set aside.")


def show_records(file: str, line: int | None, env: str | None, database_url: str | None) -> None:
    """Print the records of a file that are set aside, bytes and all.

    Raises:
        UsageError: nothing of that file is set aside.
    """
    console = Console(highlight=False)
    with deployed_warehouse(env, database_url) as opened:
        found = rows(opened.warehouse.connection, opened.warehouse.schemas, _RECORDS)
    wanted = [r for r in found if r["file_name"].endswith(file) and line in (None, r["line_no"])]
    if not wanted:
        raise UsageError(
            f"Nothing of '{file}' is set aside{f' at line {line}' if line else ''}. See: systock quarantine list"
        )
    for row in wanted:
        console.print(f"[bold]{escape(printable(row['file_name']))}[/bold] line {row['line_no']} ({row['feed']})")
        why = f"why:   {row['reason']}: {escape(printable(row['sentence']))}"
        console.print(Padding(why, (0, 0, 0, 2)))
        console.print(f"  bytes: {escape(printable(row['raw_text']))}", soft_wrap=True)
        console.print(f"  since: load {row['since_known']}")


def retry(feeds: Path | None, env: str | None, database_url: str | None) -> int:
    """Judge everything set aside again and print what came of it; return how much remains."""
    settings = load_settings(os.environ, Path.cwd())
    progress = make_progress("auto", sys.stderr)
    options = Options(feeds or FEEDS / "simulated", None, env, database_url, retry=True)
    report = run_flow(options, settings, progress)
    sys.stdout.write(f"{report.quarantined} records and files remain set aside (systock quarantine list).\n")
    return report.quarantined
