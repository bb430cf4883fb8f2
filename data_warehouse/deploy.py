"""Deploys the schema: every table, view, function and procedure, in one transaction; safe to run again."""

import hashlib
import logging

from psycopg2 import extensions

from data_warehouse.ddl import schema_files
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas

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
    """Bring the warehouse's schema up to this code's; return whether anything had to be done."""
    wanted = schema_version()
    if deployed_version(connection, schemas) == wanted:
        connection.rollback()
        return False
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (DEPLOY_LOCK,))
        cursor.execute("set local client_min_messages = warning")
        for name, statement in schema_files():
            log.debug("deploy %s", name)
            cursor.execute(schemas.render(statement))
            reached("deploy.file")
        cursor.execute(
            schemas.render(
                "insert into {{ ops }}.setting (name, value) values ('schema_version', %s) "
                "on conflict (name) do update set value = excluded.value"
            ),
            (wanted,),
        )
        reached("deploy.before_commit")
    reached("deploy.after_commit")
    return True


def deploy_part(cursor: extensions.cursor, schemas: Schemas, name: str) -> None:
    """Deploy one file of the schema in the caller's transaction, where the rest is to stay as it is."""
    cursor.execute("set local client_min_messages = warning")
    cursor.execute(schemas.render(dict(schema_files())[name]))
