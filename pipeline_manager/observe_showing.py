"""What `systock observe` and `systock score-alerts` print."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.log import printable
from etl_pipeline.core.progress import Progress
from pipeline_manager.alert_scoring import score, table
from pipeline_manager.demo import feeds_in_use
from pipeline_manager.observing import Look, look_closely, own_time
from pipeline_manager.telling import tell_of_look
from pipeline_manager.warehouse_commands import deployed_warehouse


def look_and_show(
    feeds: Path | None, env: str | None, database_url: str | None, *, as_json: bool, is_told: bool
) -> bool:
    """Look at an environment by the clock, print what was found, tell people if asked; return whether it is wrong."""
    with deployed_warehouse(env, database_url) as opened:
        loaded = load_feeds(feeds_in_use(feeds, opened.settings))
        opened.deploy()
        connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
        now = own_time(connection, schemas, loaded, datetime.now(UTC))
        found = look_closely(connection, schemas, loaded, now)
        if is_told:
            tell_of_look(opened, loaded.retailer.retailer, found.breaches, datetime.now(UTC))
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), default=str, indent=2) + "\n")
    else:
        show(found, Console(highlight=False))
    return bool(found.breaches)


def show(found: Look, console: Console) -> None:
    """Print a line a feed, then what is wrong and what to do."""
    lines = Table("feed", "last day", "records", "usual", "places", "status", box=None, pad_edge=False)
    for line in found.feeds:
        usual = "" if line.usual is None else f"{line.usual:,}"
        lines.add_row(line.feed, line.last_day, f"{line.records:,}", usual, str(line.places or ""), line.status)
    console.print(lines)
    for breach in found.breaches:
        console.print()
        console.print(escape(printable(breach.sentence)))
        console.print(Padding(escape(printable(breach.advice)), (0, 0, 0, 2)))
    console.print()
    small = f" {len(found.small)} more are too small to judge." if found.small else ""
    wrong = f"{len(found.breaches)} to look at." if found.breaches else "Everything that is due has come."
    console.print(f"{found.env}, as of {found.now:%Y-%m-%d %H:%M} UTC: {wrong}{small}")


def show_score(seed: int, years: int, clean: int, progress: Progress) -> None:
    """Judge simulated years and print the table of docs/observability.md."""
    progress.step("years", years + clean)
    found = score(seed, years, clean, progress.advance)
    progress.done(f"{found.judged:,} deliveries judged")
    write = sys.stdout.write
    write("| fault | can be told | told | recall | precision | too small to judge |\n|---|---|---|---|---|---|\n")
    for name, faults, told, recall, precision, small in table(found):
        write(f"| {name} | {faults:,} | {told:,} | {recall:.4f} | {precision:.4f} | {small:,} |\n")
    write(f"\n{len(found.clean_alerts)} alerts in {clean} clean years; {found.judged:,} deliveries judged in all.\n")
    for of, feed, row, day, kind in found.clean_alerts[:20]:
        write(f"  seed {of}: {kind.lower()} of {feed}{f', place {row}' if row else ''} on {day}\n")
