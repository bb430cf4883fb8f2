"""What the `systock quarantine` commands do."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.log import printable
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import load_settings
from load.postgres import PostgresWarehouse
from pipeline_manager.decisions import keep_decisions
from pipeline_manager.demo import feeds_in_use
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.publishing import rows
from pipeline_manager.warehouse_commands import deployed_warehouse, to_be_written

MOST_LISTED = 200
ACCEPTABLE = ("unusual_volume", "implausible_quantity")
"""Reasons that a person can overrule: the content reads, it is only unlikely."""

_RECORDS = """
    select feed, file_name, line_no, reason, sentence, raw_text, is_dismissed, since_known from {{ gold }}.quarantine
    order by feed, file_name, line_no
"""
_FILES = """
    select feed, file_name, reason, sentence, is_dismissed from {{ gold }}.feed_file where status = 'set_aside'
    order by feed, file_name
"""
_OPEN = """
    select distinct d.feed, f.sha256, 0 as record_no, 0 as line_no, f.reason, f.name as file_name
    from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    inner join {{ bronze }}.file_name as n on f.file_id = n.file_id
    where f.status = 'set_aside' and right(n.name, length(%(file)s)) = %(file)s and %(line)s::bigint is null
    union all
    select distinct d.feed, f.sha256, q.record_no, q.line_no, q.reason, f.name
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as f on q.file_id = f.file_id
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    inner join {{ bronze }}.file_name as n on f.file_id = n.file_id
    where
        q.known_to is null and right(n.name, length(%(file)s)) = %(file)s
        and (%(line)s::bigint is null or q.line_no = %(line)s)
    order by feed, file_name, record_no
"""


def show_list(env: str | None, database_url: str | None, *, everything: bool = False) -> None:
    """Print what is set aside, records and whole files, one entry each; `everything`: what was dismissed too."""
    console = Console(highlight=False)
    with deployed_warehouse(env, database_url) as opened:
        connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
        all_files, all_records = rows(connection, schemas, _FILES), rows(connection, schemas, _RECORDS)
    files = [row for row in all_files if everything or not row["is_dismissed"]]
    records = [row for row in all_records if everything or not row["is_dismissed"]]
    for row in files:
        console.print(f"{_name(row)} whole, {row['reason']} ({row['feed']}){_mark(row)}")
        console.print(Padding(escape(printable(row["sentence"])), (0, 0, 0, 2)))
    for row in records[:MOST_LISTED]:
        console.print(f"{_name(row)} line {row['line_no']}, {row['reason']} ({row['feed']}){_mark(row)}")
        console.print(Padding(escape(printable(row["sentence"])), (0, 0, 0, 2)))
    if len(records) > MOST_LISTED:
        console.print(f"and {len(records) - MOST_LISTED} more, all in the view gold.quarantine")
    console.print(f"{len(records)} records and {len(files)} files are set aside.")
    dismissed = sum(row["is_dismissed"] for row in (*all_files, *all_records))
    if dismissed and not everything:
        console.print(f"{dismissed} more were dismissed (--all shows them).")


def _name(row: dict[str, Any]) -> str:
    return f"[bold]{escape(printable(row['file_name']))}[/bold]"


def _mark(row: dict[str, Any]) -> str:
    return ", dismissed" if row["is_dismissed"] else ""


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
        raise _nothing(file, line)
    for row in wanted:
        console.print(f"{_name(row)} line {row['line_no']} ({row['feed']})")
        why = f"why:   {row['reason']}: {escape(printable(row['sentence']))}"
        console.print(Padding(why, (0, 0, 0, 2)))
        console.print(f"  bytes: {escape(printable(row['raw_text']))}", soft_wrap=True)
        console.print(f"  since: load {row['since_known']}")


def _nothing(file: str, line: int | None) -> UsageError:
    return UsageError(
        f"Nothing of '{file}' is set aside{f' at line {line}' if line else ''}. See: systock quarantine list"
    )


def retry(feeds: Path | None, env: str | None, database_url: str | None) -> int:
    """Judge everything set aside again and print what came of it; return how much remains."""
    settings = load_settings(os.environ, Path.cwd())
    progress = make_progress("auto", sys.stderr)
    options = Options(feeds_in_use(feeds, settings), None, env, database_url, retry=True)
    report = run_flow(options, settings, progress)
    sys.stdout.write(f"{report.quarantined} records and files remain set aside (systock quarantine list).\n")
    return report.quarantined


def decide(
    warehouse: PostgresWarehouse, verdict: str, file: str, line: int | None, *, reason: str, by: str
) -> list[dict[str, Any]]:
    """Write down what a person decides about a file, or a record of it; return what it is about.

    Args:
        warehouse: the environment.
        verdict: `accept` or `dismiss`.
        file: name of the file, or the end of it.
        line: physical line of the record; without it, the whole file or everything of it that is set aside.
        reason: why, in the person's words.
        by: who.

    Raises:
        UsageError: nothing like it is set aside, several files have the name, or it cannot be accepted.
    """
    if not reason.strip():
        raise UsageError("Say why: --reason TEXT. It is kept with the decision.")
    found = rows(warehouse.connection, warehouse.schemas, _OPEN, {"file": file, "line": line})
    if not found:
        raise _nothing(file, line)
    files = sorted({(row["feed"], row["file_name"]) for row in found})
    if len({(row["feed"], row["sha256"]) for row in found}) > 1:
        named = ", ".join(name for _, name in files[:5])
        raise UsageError(f"'{file}' means {len(files)} files: {named}. Give more of the name.")
    if verdict == "accept":
        found = _acceptable(found)
    decisions = [
        {**row, "verdict": verdict, "reason": reason.strip(), "decided_by": by, "decided_at": None} for row in found
    ]
    keep_decisions(warehouse, decisions, anew=True)
    return found


def _acceptable(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a person may let in; refuse what no decision can make readable."""
    acceptable = [row for row in found if row["reason"] in ACCEPTABLE]
    if acceptable:
        return acceptable
    reasons = ", ".join(sorted({row["reason"] for row in found}))
    raise UsageError(
        f"{found[0]['file_name']} was set aside for {reasons}, which no decision can mend. Only an unusual volume or "
        "an implausible quantity can be accepted; send the master, mend the contract, or ask for the record again."
    )


def accept(
    file: str, line: int | None, reason: str, *, feeds: Path | None, env: str | None, database_url: str | None
) -> None:
    """Let in a file of unusual volume or records of implausible quantity, and load them."""
    with deployed_warehouse(env, database_url) as opened, to_be_written(opened):
        accepted = decide(opened.warehouse, "accept", file, line, reason=reason, by=getpass.getuser())
    settings = load_settings(os.environ, Path.cwd())
    progress = make_progress("auto", sys.stderr)
    report = run_flow(Options(feeds_in_use(feeds, settings), None, env, database_url), settings, progress)
    what = "1 file" if accepted[0]["record_no"] == 0 else f"{len(accepted)} records"
    sys.stdout.write(
        f"{what} of {printable(accepted[0]['file_name'])} accepted and loaded; {report.quarantined} records and files "
        "remain set aside.\n"
    )


def dismiss(file: str, line: int | None, reason: str, env: str | None, database_url: str | None) -> None:
    """Take a file or records that stay out off the list; they are kept and stay counted as quarantined."""
    with deployed_warehouse(env, database_url) as opened, to_be_written(opened):
        dismissed = decide(opened.warehouse, "dismiss", file, line, reason=reason, by=getpass.getuser())
    what = "1 file" if dismissed[0]["record_no"] == 0 else f"{len(dismissed)} records"
    sys.stdout.write(
        f"{what} of {printable(dismissed[0]['file_name'])} dismissed: kept and counted, no longer listed "
        "(systock quarantine list --all).\n"
    )
