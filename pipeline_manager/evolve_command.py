"""What `systock feeds evolve` does."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline_manager.console import command_errors
from pipeline_manager.pipeline_flow import URL_HELP


def feeds_evolve(
    feed: Annotated[str, typer.Argument(help="Name of the feed.")],
    feeds: Annotated[
        Path | None, typer.Option(help="Folder of contracts; SYSTOCK_FEEDS or the simulated retailer's without it.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the contract's file; without it, only show.")] = False,
    env: Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Propose what to change in a contract because the feed's columns have changed.

    Example: systock feeds evolve pos_sales --feeds feeds/simulated
    """
    with command_errors():
        from etl_pipeline.core.settings import load_settings
        from pipeline_manager.demo import feeds_in_use

        folder = feeds_in_use(feeds, load_settings(os.environ, Path.cwd()))
        evolve(feed, folder, write=write, env=env, database_url=database_url)


def evolve(feed: str, folder: Path, *, write: bool, env: str | None, database_url: str | None) -> None:
    """Print what was seen of a feed and the change that answers it; `write`: make the change.

    Raises:
        UsageError: the contracts are wrong, or have no such feed.
        StopRunError: the warehouse is empty, or the file was changed in the meantime.
    """
    from etl_pipeline.contracts.drifting import Drift
    from etl_pipeline.contracts.loading import load_feeds
    from etl_pipeline.core.log import printable
    from pipeline_manager.drift_telling import told_drift
    from pipeline_manager.evolving import contract_file, propose
    from pipeline_manager.warehouse_commands import deployed_warehouse

    loaded = load_feeds(folder)
    contract_file(folder, feed)
    with deployed_warehouse(env, database_url) as opened:
        told = [row for row in told_drift(opened.warehouse, loaded) if row["feed"] == feed]
    say = sys.stdout.write
    if not told:
        say(f"{feed}: its files look as the contract expects; nothing to change.\n")
        return
    for row in told:
        files = "1 file" if row["files"] == 1 else f"{row['files']} files"
        say(f"{printable(row['sentence'])} ({files})\n")
    made = propose(folder, feed, [Drift(row["feed"], row["kind"], row["column"], row["detail"]) for row in told])
    if made.after == made.before:
        say("There is nothing to change that is not marked in the contract already.\n")
        return
    say("\n" + printable(made.diff(), one_line=False) + "\n")
    say(f"{len(made.sure)} answered, {len(made.unsure)} marked `unsure` for you to decide.\n")
    if write:
        made.write()
    say(_next(feed, folder, env, written=write))


def _next(feed: str, folder: Path, env: str | None, *, written: bool) -> str:
    """Return what to do next."""
    from shlex import quote

    options: Any = f"--feeds {quote(str(folder))}" + (f" --env {env}" if env else "")
    if written:
        return f"Written. Take in what was set aside: systock quarantine retry {options}\n"
    return f"Nothing was written. To write it: systock feeds evolve {quote(feed)} {options} --write\n"
