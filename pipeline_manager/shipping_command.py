"""`systock ship`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import DONE, STOPPED, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP


def ship(
    to: Annotated[
        str | None,
        typer.Option(help="snowflake://... or postgresql://... of another database; default: the SNOWFLAKE_ settings."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Ship everything anew; take the place of another keeper.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Ship nothing; compare every relation on both sides, row by row.")
    ] = False,
    env: Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Bring the warehouse that serves up to what was loaded: Snowflake, or a replica for BI. A run does it by itself.

    Example: systock ship --to postgresql://bi@replica:5432/stock
    """
    with command_errors():
        from etl_pipeline.core.progress import make_progress
        from etl_pipeline.core.settings import load_settings
        from pipeline_manager.shipping import target_of
        from pipeline_manager.shipping_showing import check_and_tell, ship_and_tell
        from pipeline_manager.warehouse_commands import deployed_warehouse

        target = target_of(to, load_settings(os.environ, Path.cwd()))
        with deployed_warehouse(env, database_url) as opened:
            if check:
                is_equal = check_and_tell(opened, target)
            else:
                is_equal = True
                typer.echo(ship_and_tell(opened, target, make_progress("auto", sys.stderr), full=full))
    exit_with(DONE if is_equal else STOPPED)
