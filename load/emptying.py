"""Empties a schema that stays: every view, function and table in it but the ones that are to be kept."""

from collections.abc import Callable

from psycopg2 import extensions

_VIEWS_AND_TABLES = """
    select c.relkind in ('v', 'm'), c.relname,
        format(
            'drop %%s if exists %%I.%%I cascade',
            case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
            n.nspname, c.relname
        )
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm')
    order by c.oid desc
"""
_ROUTINES = """
    select format('drop routine if exists %%s cascade', cast(cast(p.oid as regprocedure) as text))
    from pg_catalog.pg_proc as p
    inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid
    where n.nspname = %s
"""


def drop_contents(cursor: extensions.cursor, schema: str, keep: Callable[[str], bool]) -> None:
    """Drop what is in a schema, in the caller's transaction; tables that `keep` says yes to stay."""
    cursor.execute("set local client_min_messages = warning")
    cursor.execute(_VIEWS_AND_TABLES, (schema,))
    statements = [str(drop) for is_view, name, drop in cursor.fetchall() if is_view or not keep(str(name))]
    cursor.execute(_ROUTINES, (schema,))
    statements += [str(row[0]) for row in cursor.fetchall()]
    for statement in statements:
        cursor.execute(statement)
