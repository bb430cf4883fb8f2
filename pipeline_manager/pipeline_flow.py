"""The main job: `python -m pipeline_manager.pipeline_flow`. With no arguments it runs the simulated retailer."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import DONE, SET_ASIDE, command_errors, exit_with
from pipeline_manager.daily import USUAL, time_of_day

FEEDS_HELP = "Folder of contracts (retailer.yml and one YAML file a feed); default: SYSTOCK_FEEDS."
INBOX_HELP = "Folder of received files; default: SYSTOCK_INBOX, else the inbox below SYSTOCK_HOME."
TRANSFORMS_HELP = "Where files are read and conformed: auto (default), in-process, process-pool or spark."
URL_HELP = "The warehouse; default: SYSTOCK_DATABASE_URL or SNOWFLAKE_ACCOUNT, else the embedded server."


def run(
    feeds: Annotated[Path | None, typer.Option(help=FEEDS_HELP)] = None,
    inbox: Annotated[Path | None, typer.Option(help=INBOX_HELP)] = None,
    env: Annotated[str | None, typer.Option(help="Environment: its own schemas; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option(help=URL_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")] = False,
    full_refresh: Annotated[bool, typer.Option(help="Drop the schemas and rebuild everything from bronze.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 3 when records are set aside.")] = False,
    gold_tests: Annotated[bool, typer.Option(help="Run gold's data tests after loading.")] = True,
    page: Annotated[bool, typer.Option(help="Write the report page into SYSTOCK_HOME.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with what arrives, until stopped.")] = False,
    transforms: Annotated[str | None, typer.Option(help=TRANSFORMS_HELP)] = None,
) -> None:
    """Load what is new in the inbox, publish gold, and tell what came of it.

    Example: python -m pipeline_manager.pipeline_flow --feeds feeds/openbravo --inbox ~/extracts
    """
    if watch:
        with command_errors(as_json=as_json):
            _refuse_beside_watch(
                {"--json": as_json, "--full-refresh": full_refresh, "--strict": strict,
                 "--no-gold-tests": not gold_tests, "--no-page": not page}
            )  # fmt: skip
        watch_command(feeds, inbox, env, database_url, transforms=transforms)
        return
    with command_errors(as_json=as_json):
        from etl_pipeline.core.progress import make_progress
        from etl_pipeline.core.settings import load_settings
        from pipeline_manager.demo import demo_options
        from pipeline_manager.flow import Options, run_flow
        from pipeline_manager.stages import StageClock

        settings = load_settings(os.environ, Path.cwd())
        progress = StageClock(make_progress("silent" if as_json else "auto", sys.stderr))
        feeds, inbox = demo_options(feeds, inbox, settings, progress)
        options = Options(
            feeds, inbox, env, database_url, full_refresh, gold_tests, write_page=page, transforms=transforms
        )
        with progress.listening():
            report = run_flow(options, settings, progress)
        report.stages = progress.stages
        if as_json:
            sys.stdout.write(json.dumps(report.as_json(), default=str, indent=2) + "\n")
        else:
            from rich.console import Console

            from pipeline_manager.rendering import render

            render(report, Console(highlight=False))
    exit_with(SET_ASIDE if strict and report.quarantined else DONE)


def _refuse_beside_watch(given: Mapping[str, bool]) -> None:
    """Raise UsageError for options that only a run that ends can heed."""
    from etl_pipeline.core.errors import UsageError

    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise UsageError(
            f"{' and '.join(names)} cannot go with --watch: a watch does not end, and publishes nothing. Run it once "
            "without --watch first, then start the watch."
        )


def watch_command(
    feeds: Annotated[Path | None, typer.Option(help=FEEDS_HELP)] = None,
    inbox: Annotated[
        Path | None, typer.Option(help="Folder to watch, with all below it; default: SYSTOCK_INBOX.")
    ] = None,
    env: Annotated[str | None, typer.Option(help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option(help=URL_HELP)] = None,
    most_files: Annotated[int, typer.Option(min=1, help="Files of one load at most.")] = 500,
    poll_seconds: Annotated[float, typer.Option(min=1, help="How often databases and APIs are asked.")] = 60.0,
    poll: Annotated[bool, typer.Option("--poll", help="Look again and again: for network drives.")] = False,
    ship_seconds: Annotated[
        float, typer.Option(min=1, help="How often loads are shipped, where Snowflake serves.")
    ] = 60.0,
    daily_at: Annotated[
        str, typer.Option(help="When the daily run comes, by the retailer's clock; empty for never.")
    ] = USUAL,
    transforms: Annotated[str | None, typer.Option(help=TRANSFORMS_HELP)] = None,
) -> None:
    """Load what is there, then every file as it arrives, until Ctrl-C or SIGTERM.

    Each load is told on the PostgreSQL channel systock_gold; gold can be read then. Once a day everything is published:
    demand rates, snapshots, the report page.

    Example: systock watch --feeds feeds/simulated --inbox inbox
    """
    with command_errors():
        from pipeline_manager.watch_command import watch_until_told
        from pipeline_manager.watching import Pace

        at = time_of_day(daily_at)
        pace = Pace(
            most_files=most_files, poll_seconds=poll_seconds, poll_folders=poll, ship_seconds=ship_seconds, daily_at=at
        )
        watch_until_told(feeds, inbox, env, database_url, pace, transforms=transforms)
    exit_with(DONE)


def main() -> None:
    """Run the flow as a command."""
    typer.run(run)


if __name__ == "__main__":
    main()
