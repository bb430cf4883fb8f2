"""`systock alive`: whether somebody keeps a warehouse up to date, for health checks."""

from contextlib import closing
from typing import Annotated

import typer

from pipeline_manager.console import DONE, STOPPED, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP

_ASKED = """
    select
        (select extract(epoch from clock_timestamp() - max(beaten_at)) from {{ ops }}.heartbeat) as silent_seconds,
        exists (
            select 1 from pg_catalog.pg_locks as l
            inner join pg_catalog.pg_database as d on l.database = d.oid
            where l.locktype = 'advisory' and l.granted and d.datname = current_database()
                and cast(l.classid as bigint) = %s and cast(l.objid as bigint) = %s
        ) as is_at_work
"""
_UNSIGNED = 0xFFFFFFFF
"""pg_locks shows both numbers of a lock without a sign."""


def alive(
    env: Annotated[str | None, typer.Option(help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
    silent: Annotated[float, typer.Option(min=1, help="Seconds without a heartbeat that are too many.")] = 60.0,
) -> None:
    """Exit with 0 if a watch beats or a run is at work, and with 1 if neither: for health checks and timers.

    Example: systock alive --silent 120
    """
    with command_errors():
        told, is_alive = look_for_life(env, database_url, silent)
        typer.echo(told)
    exit_with(DONE if is_alive else STOPPED)


def look_for_life(env: str | None, database_url: str | None, longest_silence: float) -> tuple[str, bool]:
    """Return what is known of a watch or run, as a sentence, and whether one lives.

    Raises:
        StopRunError: the warehouse does not answer.
    """
    import os
    from pathlib import Path

    from etl_pipeline.core.names import Schemas
    from etl_pipeline.core.settings import load_settings
    from load.session import RUN_LOCK_SPACE, connect, lock_number
    from pipeline_manager.warehouse import warehouse_url

    settings = load_settings(os.environ, Path.cwd())
    schemas = Schemas.of(env)
    with (
        closing(connect(warehouse_url(database_url or settings.database_url, settings))) as connection,
        connection, connection.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute("select to_regclass(%s)", (f"{schemas.ops}.heartbeat",))
        if cursor.fetchone() == (None,):
            return f"Nothing has been loaded into '{schemas.env}' yet.", False
        cursor.execute(schemas.render(_ASKED), (RUN_LOCK_SPACE & _UNSIGNED, lock_number(schemas) & _UNSIGNED))
        silent, is_at_work = cursor.fetchone() or (None, False)
    if is_at_work:
        return f"A run or a load works on '{schemas.env}'.", True
    if silent is None:
        return f"Nobody has ever watched for files of '{schemas.env}': systock watch", False
    return f"The watch of '{schemas.env}' beat {silent:,.0f} s ago.", silent <= longest_silence
