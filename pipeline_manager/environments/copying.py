"""The first write: prod's tables become an environment's own, all from one instant of prod, in one transaction.

All of them are copied and not only those that the write touches: a load reads and checks nearly every table, and half
a copy, of which one part follows prod, would be an instant that never was. Structure comes from the catalog of prod as
it is; then the code of the environment is deployed over it, as it would be over prod.
"""

import logging
import time

from psycopg2 import extensions, sql

from etl_pipeline.core.names import LAYERS, Schemas
from pipeline_manager.environments.reading import Table, renamed, tables_of_prod

log = logging.getLogger(__name__)
_LIKE = "including defaults including identity including generated including storage including compression"
_LIKE += " including comments including constraints including statistics"
_OPTIONS = """
    select n.nspname, c.relname, array_to_string(c.reloptions, ', ')
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%s) and c.relkind = 'r' and c.reloptions is not null
"""
_IDENTITIES = """
    select n.nspname, c.relname, a.attname
    from pg_catalog.pg_attribute as a
    inner join pg_catalog.pg_class as c on a.attrelid = c.oid
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%s) and c.relkind = 'r' and a.attidentity <> '' and not a.attisdropped
"""
_CONSTRAINTS = """
    select n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid), fn.nspname, fc.relname
    from pg_catalog.pg_constraint as k
    inner join pg_catalog.pg_class as c on k.conrelid = c.oid
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    left join pg_catalog.pg_class as fc on k.confrelid = fc.oid
    left join pg_catalog.pg_namespace as fn on fc.relnamespace = fn.oid
    where n.nspname = any(%s) and k.contype in ('p', 'u', 'x', 'f')
    order by k.contype = 'f', k.oid
"""
_INDEXES = """
    select n.nspname, c.relname, pg_get_indexdef(i.indexrelid)
    from pg_catalog.pg_index as i
    inner join pg_catalog.pg_class as c on i.indrelid = c.oid
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%s) and c.relkind = 'r'
        and not exists (select 1 from pg_catalog.pg_constraint as k where k.conindid = i.indexrelid)
    order by i.indexrelid
"""
_OF_THIS_CODE = ("schema_version", "gold_version", "runner")
"""Settings of prod's that an environment does not take over: it is deployed anew, and nobody runs in it."""


def copy_prod(connection: extensions.connection, schemas: Schemas) -> int:
    """Put tables with prod's rows in the place of what reads prod; return the last load that they hold.

    Args:
        connection: the owner's, in no transaction.
        schemas: of the environment, with its role.
    """
    started = time.monotonic()
    with connection.cursor() as cursor:
        tables = [table for table in tables_of_prod(cursor) if table.holds_data]
    connection.rollback()
    try:
        with connection, connection.cursor() as cursor:
            _hold(cursor, tables)
            make_schemas(cursor, schemas, anew=True)
            cursor.execute("select set_config('role', %s, true)", (schemas.role,))
            _copy(cursor, schemas, tables)
            cursor.execute("set local role none")
            known = _number_on(cursor, schemas, {(table.layer, table.name) for table in tables})
    finally:
        connection.rollback()
    log.info("copy of prod: %d tables, %.2f s", len(tables), time.monotonic() - started)
    return known


def make_schemas(cursor: extensions.cursor, schemas: Schemas, *, anew: bool = False) -> None:
    """Make an environment's schemas, for its role; `anew`: drop what its role has there before."""
    owner = sql.Identifier(str(schemas.role))
    if anew:
        drop_schemas(cursor, schemas)
    for layer in LAYERS:
        place = sql.Identifier(getattr(schemas, layer))
        cursor.execute(sql.SQL("create schema {} authorization {}").format(place, owner))
        cursor.execute(sql.SQL("revoke all on schema {} from public").format(place))


def drop_schemas(cursor: extensions.cursor, schemas: Schemas) -> None:
    """Drop an environment's schemas: those that its own role owns, and no others."""
    cursor.execute("set local client_min_messages = warning")
    cursor.execute(
        "select n.nspname from pg_catalog.pg_namespace as n inner join pg_catalog.pg_roles as r on n.nspowner = r.oid"
        " where n.nspname = any(%s) and r.rolname = %s",
        ([getattr(schemas, layer) for layer in LAYERS], schemas.role),
    )
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(str(name))))


def _hold(cursor: extensions.cursor, tables: list[Table]) -> None:
    """Begin at one instant: the locks come before the snapshot, so no table can be another one by then."""
    cursor.execute("set transaction isolation level repeatable read")
    if tables:
        held = sql.SQL(", ").join(sql.Identifier(table.layer, table.name) for table in tables)
        cursor.execute(sql.SQL("lock table {} in access share mode").format(held))


def _copy(cursor: extensions.cursor, schemas: Schemas, tables: list[Table]) -> None:
    names = {layer: str(getattr(schemas, layer)) for layer in LAYERS}
    copied = {(table.layer, table.name) for table in tables}
    cursor.execute(_OPTIONS, (list(LAYERS),))
    options = {(layer, name): text for layer, name, text in cursor.fetchall()}
    for table in tables:
        source, target = sql.Identifier(table.layer, table.name), sql.Identifier(names[table.layer], table.name)
        cursor.execute(sql.SQL("create table {} (like {} {})").format(target, source, sql.SQL(_LIKE)))
        if found := options.get((table.layer, table.name)):
            cursor.execute(sql.SQL("alter table {} set ({})").format(target, sql.SQL(found)))
        cursor.execute(sql.SQL("insert into {} overriding system value table {}").format(target, source))
    cursor.execute(
        sql.SQL("delete from {} where name = any(%s)").format(sql.Identifier(schemas.ops, "setting")),
        (list(_OF_THIS_CODE),),
    )
    cursor.execute(_CONSTRAINTS, (list(LAYERS),))
    for layer, table_name, name, text, other_layer, other in cursor.fetchall():
        if (layer, table_name) in copied and (other is None or (other_layer, other) in copied):
            cursor.execute(
                sql.SQL("alter table {} add constraint {} {}").format(
                    sql.Identifier(names[layer], table_name), sql.Identifier(name), sql.SQL(renamed(text, names))
                )
            )
    cursor.execute(_INDEXES, (list(LAYERS),))
    for layer, table_name, text in cursor.fetchall():
        if (layer, table_name) in copied:
            cursor.execute(renamed(text, names))
    for table in tables:
        cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(names[table.layer], table.name)))


def _number_on(cursor: extensions.cursor, schemas: Schemas, copied: set[tuple[str, str]]) -> int:
    """Let the environment's numbers go on where prod's are; return the last load that was copied."""
    cursor.execute(_IDENTITIES, (list(LAYERS),))
    for layer, table, column in cursor.fetchall():
        if (layer, table) not in copied:
            continue
        theirs = sql.Identifier(getattr(schemas, layer), table).as_string(cursor)
        cursor.execute(
            "select pg_get_serial_sequence(%s, %s), pg_get_serial_sequence(%s, %s)",
            (sql.Identifier(layer, table).as_string(cursor), column, theirs, column),
        )
        source, target = cursor.fetchone() or ("", "")
        cursor.execute(
            sql.SQL("select setval(%s, last_value, is_called) from {}").format(sql.SQL(str(source))), (target,)
        )
    cursor.execute(schemas.render("select coalesce(max(known), 0) from {{ ops }}.batch"))
    return int((cursor.fetchone() or (0,))[0])
