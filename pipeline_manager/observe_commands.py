"""`systock observe` and `systock score-alerts`: what is wrong with deliveries, and how well that is told."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import BREACHED, DONE, command_errors, exit_with
from pipeline_manager.pipeline_flow import FEEDS_HELP, URL_HELP


def observe(
    feeds: Annotated[Path | None, typer.Option(help=FEEDS_HELP)] = None,
    env: Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON, and nothing else.")] = False,
    tell: Annotated[
        bool, typer.Option("--tell", help="Keep what is wrong as incidents, and tell Slack of what is new.")
    ] = False,
) -> None:
    """Say of every feed whether what is due has come, and is what it usually is; exit with 4 where it is not.

    With --tell, call it from a timer: a file that is late is told without a run.

    Example: systock observe --feeds feeds/simulated
    """
    with command_errors(as_json=as_json):
        from pipeline_manager.observe_showing import look_and_show

        is_breached = look_and_show(feeds, env, database_url, as_json=as_json, is_told=tell)
    exit_with(BREACHED if is_breached else DONE)


def score_alerts(
    years: Annotated[int, typer.Option(min=0, max=10_000, help="Simulated years with faults of delivery.")] = 20,
    clean: Annotated[int, typer.Option(min=0, max=10_000, help="Simulated years without any.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the first year; same seed, same years.")] = 1,
) -> None:
    """Judge simulated years of deliveries, and say how much of what went wrong was told, and what was told wrongly.

    Example: systock score-alerts --years 20 --clean 200 --seed 1001
    """
    with command_errors():
        from etl_pipeline.core.progress import ended, make_progress
        from pipeline_manager.observe_showing import show_score

        with ended(make_progress("auto", sys.stderr)) as progress:
            show_score(seed, years, clean, progress)
    exit_with(DONE)
