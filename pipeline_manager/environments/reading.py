"""Read-through: prod's tables, views and functions under an environment's names, without a row being copied.

Each table of prod becomes a view over a function whose body, a text, reads that table. The server puts the body in
the place of the call, so indexes are used as ever; and it keeps no dependency on what a text names, so prod may be
deployed, rebuilt and dropped as if the environment were not there. Prod's own views and functions are made again from
what the catalog says of them, with the environment's schemas in the place of prod's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from psycopg2 import extensions, sql

from etl_pipeline.core.names import LAYERS, Schemas
from etl_pipeline.core.ops_tables import is_copied

_SCHEMA = re.compile(r"(?<![\w.\"])(bronze|silver|gold|ops)(?=\.)|(?<=')(bronze|silver|gold|ops)(?=')")
"""A schema of prod's before a name, or alone between quotes: functions ask the catalog that way."""
_PLAIN = Schemas.of(None)
_TABLES = """
    select n.nspname, c.relname, json_agg(array[a.attname, format_type(a.atttypid, a.atttypmod)] order by a.attnum)
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
    where n.nspname = any(%s) and c.relkind = 'r'
    group by n.nspname, c.relname order by n.nspname, c.relname
"""
_ROUTINES = """
    select pg_get_functiondef(p.oid)
    from pg_catalog.pg_proc as p
    inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid
    where n.nspname = any(%s) and p.prokind in ('f', 'p') and p.prorettype <> 'trigger'::regtype
    order by p.oid
"""
_AGGREGATES = """
    select format(
        'create aggregate %%I.%%I(%%s) (sfunc = %%s, stype = %%s%%s%%s)', n.nspname, p.proname,
        pg_get_function_arguments(p.oid), cast(a.aggtransfn as regproc), format_type(a.aggtranstype, null),
        coalesce(format(', initcond = %%L', a.agginitval), ''),
        case when a.aggfinalfn <> 0 then format(', finalfunc = %%s', cast(a.aggfinalfn as regproc)) else '' end
    )
    from pg_catalog.pg_aggregate as a
    inner join pg_catalog.pg_proc as p on a.aggfnoid = p.oid
    inner join pg_catalog.pg_namespace as n on p.pronamespace = n.oid
    where n.nspname = any(%s)
    order by p.oid
"""
_VIEWS = """
    select c.oid, n.nspname, c.relname, pg_get_viewdef(c.oid),
        array(
            select distinct cast(d.refobjid as bigint)
            from pg_catalog.pg_rewrite as r
            inner join pg_catalog.pg_depend as d on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
            where r.ev_class = c.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
        )
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = any(%s) and c.relkind = 'v'
"""


@dataclass(frozen=True)
class Table:
    """A table of prod's.

    Attributes:
        layer: its schema.
        name: its name.
        columns: name and type of each column.
    """

    layer: str
    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def holds_data(self) -> bool:
        """Whether an environment has its rows; of ops not all tables speak of data."""
        return self.layer != _PLAIN.ops or is_copied(self.name)


def tables_of_prod(cursor: extensions.cursor) -> list[Table]:
    """Return prod's tables."""
    cursor.execute(_TABLES, (list(LAYERS),))
    return [Table(layer, name, tuple((c, t) for c, t in columns)) for layer, name, columns in cursor.fetchall()]


def read_through(cursor: extensions.cursor, schemas: Schemas) -> None:
    """Fill the empty schemas of an environment with what reads prod, in the caller's transaction and role."""
    statements = [_reader(cursor, schemas, table) for table in tables_of_prod(cursor)]
    names = _names(schemas)
    cursor.execute(_ROUTINES, (list(LAYERS),))
    statements += [renamed(row[0], names) for row in cursor.fetchall()]
    cursor.execute(_AGGREGATES, (list(LAYERS),))
    statements += [renamed(row[0], names) for row in cursor.fetchall()]
    cursor.execute(_VIEWS, (list(LAYERS),))
    statements += _views(cursor, cursor.fetchall(), names)
    cursor.execute("set local check_function_bodies = off; set local client_min_messages = warning")
    cursor.execute(";\n".join(statement.rstrip().rstrip(";") for statement in statements))


def renamed(text: str, names: dict[str, str]) -> str:
    """Return SQL of the catalog's own with the schemas of an environment in the place of prod's."""
    return _SCHEMA.sub(lambda found: names[found.group()], text)


def _names(schemas: Schemas) -> dict[str, str]:
    return {layer: str(getattr(schemas, layer)) for layer in LAYERS}


def _reader(cursor: extensions.cursor, schemas: Schemas, table: Table) -> str:
    """Return the function that reads a table of prod's, and the view over it by the table's name."""
    schema = getattr(schemas, table.layer)
    columns = [sql.Identifier(name) for name, _ in table.columns]
    reader = sql.Identifier(schema, f"prod_{table.name}"[:63])
    returned = [
        sql.SQL("{} {}").format(column, sql.SQL(kind)) for column, (_, kind) in zip(columns, table.columns, strict=True)
    ]
    body = sql.SQL("select {} from {} as t{}").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(column) for column in columns),
        sql.Identifier(table.layer, table.name),
        sql.SQL("" if table.holds_data else " where false"),
    )
    made = sql.SQL(
        "create function {}() returns table ({}) language sql stable rows 100000 as {};\n"
        "create view {} as select {} from {}()"
    ).format(
        reader, sql.SQL(", ").join(returned), sql.Literal(body.as_string(cursor)),
        sql.Identifier(schema, table.name), sql.SQL(", ").join(columns), reader,
    )  # fmt: skip
    return str(made.as_string(cursor))


def _views(cursor: extensions.cursor, found: Sequence[tuple[Any, ...]], names: dict[str, str]) -> Iterator[str]:
    """Give the statements of prod's views, each after those that it reads."""
    by_oid = {oid: (layer, name, text) for oid, layer, name, text, _ in found}
    reads = {oid: [above for above in above_it if above in by_oid] for oid, _, _, _, above_it in found}
    for oid in TopologicalSorter(reads).static_order():
        layer, name, text = by_oid[oid]
        place = sql.Identifier(names[layer], name).as_string(cursor)
        yield f"create view {place} as {renamed(text, names)}"
