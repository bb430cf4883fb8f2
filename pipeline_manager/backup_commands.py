"""`systock backup` and `systock restore`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import DONE, STOPPED, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP


def backup(
    out: Annotated[Path, typer.Option(help="Folder of the backup; into the same one, only new files are copied.")],
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Write the warehouse and all received files into a folder, as of one load; others may go on working.

    Environments, messages and events are left out. Example: systock backup --out /backups/systock
    """
    with command_errors():
        from etl_pipeline.core.progress import make_progress
        from pipeline_manager.backing_up import back_up
        from pipeline_manager.warehouse_commands import deployed_warehouse

        with deployed_warehouse(None, database_url) as opened:
            made = back_up(opened, out, make_progress("auto", sys.stderr))
    typer.echo(f"{out}: load {made.known}, {made.files:,} received files of {made.bytes:,} bytes. head: {made.head}")
    typer.echo(f"Try it now and then on an empty database: systock restore {out} --database-url ...")
    exit_with(DONE)


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of the backup.")],
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Put a backup into an empty database, bring it up to this version, and verify every byte; 1 if one differs.

    Example: SYSTOCK_HOME=~/restored systock restore /backups/systock
    """
    with command_errors():
        from etl_pipeline.core.names import Schemas
        from etl_pipeline.core.progress import make_progress
        from etl_pipeline.core.settings import load_settings
        from pipeline_manager.backing_up import restore as put_back
        from pipeline_manager.warehouse import open_warehouse

        settings = load_settings(os.environ, Path.cwd())
        with open_warehouse(database_url or settings.database_url, settings, Schemas.of(None)) as opened:
            found, verdict = put_back(opened, folder, make_progress("auto", sys.stderr))
            typer.echo(f"Restored as of load {found.known}, made {found.made_at} by SyStock {found.systock}.")
            for finding in verdict.findings:
                typer.echo(f"{finding.what}: {finding.where}: {finding.problem}")
    typer.echo("Not as it was received; see above." if verdict.findings else "Every byte is as it was received.")
    exit_with(STOPPED if verdict.findings else DONE)
