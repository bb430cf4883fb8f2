"""What the commands about the whole warehouse do."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_warehouse.content_hash import content_hash
from data_warehouse.deploy import deployed_version
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import load_settings, redact
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.publishing import rows
from pipeline_manager.warehouse import OpenWarehouse, open_warehouse, warehouse_url


@contextmanager
def deployed_warehouse(env: str | None, database_url: str | None) -> Iterator[OpenWarehouse]:
    """Open a warehouse that was loaded before.

    Raises:
        StopRunError: nothing has been loaded into this environment yet.
    """
    settings = load_settings(os.environ, Path.cwd())
    schemas = Schemas.of(env)
    with open_warehouse(database_url or settings.database_url, settings, schemas) as opened:
        if deployed_version(opened.warehouse.connection, schemas) is None:
            raise StopRunError(
                f"Environment '{schemas.env}' of {opened.shown_url} is empty. Load it first: systock run"
            )
        yield opened


@contextmanager
def to_be_written(opened: OpenWarehouse) -> Iterator[None]:
    """Before a person's decision is written down: an environment that reads prod gets tables of its own."""
    if opened.environment is not None and opened.environment.detached_at is None:
        with opened.warehouse.run_lock():
            opened.have_own_tables()
    yield


def shown_dsn(env: str | None, database_url: str | None) -> str:
    """Return the address for psql; a password is left to PGPASSWORD or a password file."""
    Schemas.of(env)
    settings = load_settings(os.environ, Path.cwd())
    return redact(warehouse_url(database_url or settings.database_url, settings)).replace(":***@", "@")


def hashes(env: str | None, database_url: str | None) -> dict[str, str]:
    """Return the content hash of every relation and of all together."""
    with deployed_warehouse(env, database_url) as opened:
        return content_hash(opened.warehouse.connection, opened.warehouse.schemas)


def audit_laws(env: str | None, database_url: str | None) -> bool:
    """Check every law and print the outcome; return whether all were kept."""
    with deployed_warehouse(env, database_url) as opened:
        connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
        known = rows(connection, schemas, "select coalesce(max(known), 0) as known from {{ ops }}.batch")[0]["known"]
        laws = rows(connection, schemas, "select * from {{ ops }}.check_laws(%s)", (known,))
    for law in laws:
        told = printable(f"law {law['law']}: {law['sentence']}")
        sys.stdout.write(f"{'kept  ' if law['is_kept'] else 'BROKEN'}  {told}\n")
    return all(law["is_kept"] for law in laws)


def stop_server() -> str:
    """Stop the embedded server of this folder."""
    settings = load_settings(os.environ, Path.cwd())
    if not settings.postgres_dir.exists():
        return f"No embedded server was ever started in {settings.home}."
    EmbeddedServer.start(settings.postgres_dir).stop()
    return "The embedded server is stopped; its data stays."
