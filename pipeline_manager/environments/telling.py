"""What the `systock env` commands do and print."""

import json
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from psycopg2 import extensions, sql

from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import Settings, load_settings
from load.postgres import connect
from pipeline_manager.environments import lifecycle, registry
from pipeline_manager.environments.impact import impact
from pipeline_manager.environments.naming import checked_name
from pipeline_manager.environments.registry import Environment
from pipeline_manager.warehouse import open_warehouse, warehouse_url

_SIZE = """
    select cast(coalesce(sum(pg_total_relation_size(c.oid)), 0) as bigint)
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%s) and c.relkind = 'r'
"""


def create_and_tell(name: str, origin: Literal["prod", "empty"], days: float, database_url: str | None) -> str:
    """Create an environment; return what to say about it."""
    settings, now = _settings(), datetime.now(UTC)
    made = lifecycle.create(database_url, settings, name, origin=origin, lease_days=days, now=now)
    if made.created_at != now:
        return f"Environment '{name}' is there already, until {made.expires_at:%Y-%m-%d %H:%M} UTC."
    shows = f"shows prod as of load {made.base_known} and later" if origin == "prod" else "is empty"
    return (
        f"Environment '{name}' {shows}; it stays until {made.expires_at:%Y-%m-%d %H:%M} UTC. "
        f"Work in it: systock run --env {name}"
    )


def drop_and_tell(name: str, database_url: str | None) -> str:
    """Drop an environment; return what to say about it."""
    if lifecycle.drop(database_url, _settings(), name):
        return f"Environment '{name}' is gone: its schemas, its role, its files."
    return f"There is no environment '{name}'; nothing was done."


def clear_and_tell(database_url: str | None) -> str:
    """Drop what is expired or half made; return what to say about it."""
    gone = lifecycle.collect_garbage(database_url, _settings(), now=datetime.now(UTC))
    return f"Dropped: {', '.join(gone)}." if gone else "Nothing is expired or half made."


def refresh_and_tell(name: str, database_url: str | None) -> str:
    """Base an environment on prod as it is now; return what to say about it."""
    made = lifecycle.refresh(database_url, _settings(), name)
    return f"Environment '{name}' shows prod as of load {made.base_known} and later; what was loaded into it is gone."


def told_impact(name: str, how: str, database_url: str | None) -> str:
    """Return what an environment changes against prod, as text, JSON or Markdown."""
    settings = _settings()
    with open_warehouse(database_url or settings.database_url, settings, Schemas.of(checked_name(name))) as opened:
        found = impact(opened)
    if how == "json":
        return json.dumps(found.as_json(), indent=2, default=str)
    return found.as_markdown() if how == "markdown" else found.as_text()


def listed(database_url: str | None, *, as_json: bool) -> str:
    """Return the list of environments."""
    settings = _settings()
    with closing(connect(warehouse_url(database_url or settings.database_url, settings))) as connection:
        found = [_described(connection, one) for one in registry.environments(connection)]
    if as_json:
        return json.dumps(found, indent=2, default=str)
    if not found:
        return "There are no environments beside prod. Create one: systock env create NAME"
    return "\n".join(_line(one) for one in found)


def _described(connection: extensions.connection, one: Environment) -> dict[str, Any]:
    schemas = one.schemas
    layers = [schemas.bronze, schemas.silver, schemas.gold, schemas.ops]
    last_load = None
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, (layers,))
        size = (cursor.fetchone() or (0,))[0]
        if one.detached_at is not None:
            batch = sql.Identifier(schemas.ops, "batch")
            cursor.execute("select to_regclass(%s) is not null", (batch.as_string(cursor),))
            if cursor.fetchone() == (True,):
                cursor.execute(
                    sql.SQL("select max(started_at) from {} where known > %s").format(batch), (one.base_known,)
                )
                last_load = (cursor.fetchone() or (None,))[0]
    connection.rollback()
    return {
        "name": one.name,
        "state": "expired" if one.state == "ready" and one.is_expired else one.state,
        "origin": one.origin,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "expires_at": one.expires_at,
        "has_own_tables": one.detached_at is not None,
        "size_bytes": int(size),
        "last_load_at": last_load,
        "contracts": one.contracts,
    }


def _line(one: dict[str, Any]) -> str:
    own = f"{one['size_bytes'] / 1e6:,.1f} MB of its own" if one["has_own_tables"] else "reads prod"
    loaded = f", last load {one['last_load_at']:%Y-%m-%d %H:%M}" if one["last_load_at"] else ", nothing loaded"
    return printable(
        f"{one['name']}: {one['state']}, from {one['origin']}, made {one['created_at']:%Y-%m-%d %H:%M} by "
        f"{one['created_by']}, until {one['expires_at']:%Y-%m-%d %H:%M} UTC, {own}{loaded}"
    )


def _settings() -> Settings:
    return load_settings(os.environ, Path.cwd())
