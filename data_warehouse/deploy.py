"""Deploys the schema: every table, view, function and procedure, in one transaction; safe to run again."""

import hashlib
import logging

from psycopg2 import extensions

from data_warehouse.ddl import schema_files
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.release import RELEASE

log = logging.getLogger(__name__)
DEPLOY_LOCK = 7_310_001


def schema_version() -> str:
    """Return a hash of everything that would be deployed."""
    whole = hashlib.sha256()
    for name, statement in schema_files():
        whole.update(name.encode() + b"\0" + statement.encode() + b"\0")
    return whole.hexdigest()[:16]


def deployed_version(connection: extensions.connection, schemas: Schemas) -> str | None:
    """Return the version that the warehouse has, or None when it is empty."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s)", (f"{schemas.ops}.setting",))
        row = cursor.fetchone()
        if row is None or row[0] is None:
            return None
        cursor.execute(schemas.render("select value from {{ ops }}.setting where name = 'schema_version'"))
        found = cursor.fetchone()
    return str(found[0]) if found else None


def deploy(connection: extensions.connection, schemas: Schemas) -> bool:
    """Bring the warehouse's schema up to this code's; return whether anything had to be done.

    Raises:
        StopRunError: a later release was here, whose tables this one does not know; nothing was changed.
    """
    wanted = schema_version()
    if deployed_version(connection, schemas) == wanted:
        connection.rollback()
        return False
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (DEPLOY_LOCK,))
        _require_no_later_release(cursor, schemas)
        cursor.execute("set local client_min_messages = warning")
        for name, statement in schema_files():
            log.debug("deploy %s", name)
            cursor.execute(schemas.render(statement))
            reached("deploy.file")
        cursor.execute(
            schemas.render(
                "insert into {{ ops }}.setting (name, value) values ('schema_version', %s), ('release', %s) "
                "on conflict (name) do update set value = excluded.value"
            ),
            (wanted, RELEASE),
        )
        reached("deploy.before_commit")
    reached("deploy.after_commit")
    return True


def _require_no_later_release(cursor: extensions.cursor, schemas: Schemas) -> None:
    cursor.execute("select to_regclass(%s)", (f"{schemas.ops}.setting",))
    if cursor.fetchone() == (None,):
        return
    cursor.execute(schemas.render("select value from {{ ops }}.setting where name = 'release'"))
    row = cursor.fetchone()
    if row is not None and _as_numbers(row[0]) > _as_numbers(RELEASE):
        raise StopRunError(
            f"This warehouse was brought up to SyStock {row[0]}. This is {RELEASE}, and does not know all its tables: "
            f"install {row[0]} or later, or restore a backup that {RELEASE} made."
        )


def _as_numbers(release: str) -> list[int]:
    return [int(part) for part in release.split(".") if part.isdigit()]


def deploy_part(cursor: extensions.cursor, schemas: Schemas, name: str) -> None:
    """Deploy one file of the schema in the caller's transaction, where the rest is to stay as it is."""
    cursor.execute("set local client_min_messages = warning")
    cursor.execute(schemas.render(dict(schema_files())[name]))
