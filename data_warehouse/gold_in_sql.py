"""Deploys and tests gold from what dbt compiled: in one transaction, so that readers see the old views or the new."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
from psycopg2 import extensions, sql

from data_warehouse.gold_compiled import CompiledTest, CompiledView
from data_warehouse.gold_outcome import NodeOutcome, refuse_failures
from etl_pipeline.core.names import Schemas

_LANES = 2  # tests side by side, as many as profiles.yml gives dbt
_KINDS = {"v": "view", "r": "table", "p": "table", "m": "materialized view", "f": "foreign table"}
_DBT_LEAVES = ("", "__dbt_tmp", "__dbt_backup")
"""What stands under a view's name, and beside it where dbt was killed amid its work."""


def deploy_views(cursor: extensions.cursor, schemas: Schemas, views: Sequence[CompiledView]) -> tuple[NodeOutcome, ...]:
    """Put the views in place of what stands there, with all that depends on it, in the caller's transaction.

    Raises:
        StopRunError: a view does not build; the text names it. The transaction is to be taken back.
    """
    cursor.execute("set local client_min_messages = warning")
    _drop_before(cursor, schemas, [view.name for view in views])
    nodes = tuple(_create(cursor, schemas, view) for view in views)
    _describe(cursor, schemas, views)
    return nodes


def check_views(url: str, schemas: Schemas, tests: Sequence[CompiledTest]) -> tuple[NodeOutcome, ...]:
    """Run the data tests of gold on the views as they are.

    Raises:
        StopRunError: a test failed; the text names it.
    """

    def lane(number: int) -> list[NodeOutcome]:
        with closing(psycopg2.connect(url, options=schemas.options)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                return [_test(cursor, schemas, test) for test in tests[number::_LANES]]

    with ThreadPoolExecutor(_LANES) as lanes:
        found = [node for nodes in lanes.map(lane, range(_LANES)) for node in nodes]
    nodes = tuple(sorted(found, key=lambda node: node.name))
    refuse_failures("test", nodes)
    return nodes


def _drop_before(cursor: extensions.cursor, schemas: Schemas, names: Sequence[str]) -> None:
    cursor.execute(
        "select c.relname, c.relkind from pg_catalog.pg_class as c "
        "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "where n.nspname = %s and c.relname = any(%s) order by c.relname",
        (schemas.gold, [name + end for name in names for end in _DBT_LEAVES]),
    )
    for name, kind in cursor.fetchall():
        if kind in _KINDS:
            cursor.execute(
                sql.SQL("drop {} if exists {} cascade").format(
                    sql.SQL(_KINDS[kind]), sql.Identifier(schemas.gold, str(name))
                )
            )


def _create(cursor: extensions.cursor, schemas: Schemas, view: CompiledView) -> NodeOutcome:
    started = time.monotonic()
    statement = sql.SQL("create view {} as (\n{}\n)").format(
        sql.Identifier(schemas.gold, view.name), sql.SQL(schemas.render(view.query))
    )
    try:
        cursor.execute(statement)
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        raise  # the server's trouble, not the model's: whoever called knows whether to try again
    except psycopg2.Error as error:
        node = NodeOutcome(view.name, "model", "error", time.monotonic() - started, _said(error))
        refuse_failures("run", (node,))
    return NodeOutcome(view.name, "model", "success", time.monotonic() - started, "")


def _describe(cursor: extensions.cursor, schemas: Schemas, views: Sequence[CompiledView]) -> None:
    """Make comments of the project's words; words for a column that a view does not have are left out, as by dbt."""
    cursor.execute(
        "select c.relname, a.attname from pg_catalog.pg_attribute as a "
        "inner join pg_catalog.pg_class as c on a.attrelid = c.oid "
        "inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid "
        "where n.nspname = %s and a.attnum > 0",
        (schemas.gold,),
    )
    there = {(str(name), str(column)) for name, column in cursor.fetchall()}
    statements = []
    for view in views:
        place = sql.Identifier(schemas.gold, view.name)
        if view.comment:
            statements.append(sql.SQL("comment on view {} is {}").format(place, sql.Literal(view.comment)))
        statements += [
            sql.SQL("comment on column {}.{} is {}").format(place, sql.Identifier(column), sql.Literal(meaning))
            for column, meaning in view.columns.items()
            if (view.name, column) in there
        ]
    if statements:
        cursor.execute(sql.SQL(";\n").join(statements))


def _test(cursor: extensions.cursor, schemas: Schemas, test: CompiledTest) -> NodeOutcome:
    started = time.monotonic()
    status, message = "pass", ""
    try:
        cursor.execute(sql.SQL("select count(*) from (\n{}\n) as wrong").format(sql.SQL(schemas.render(test.query))))
        wrong = (cursor.fetchone() or (0,))[0]
        if wrong:
            status, message = "fail", f"Got {wrong} {'result' if wrong == 1 else 'results'}, configured to fail if != 0"
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        raise
    except psycopg2.Error as error:
        status, message = "error", _said(error)
    return NodeOutcome(test.name, "test", status, time.monotonic() - started, message)


def _said(error: psycopg2.Error) -> str:
    """Return the server's words, ending like a sentence."""
    return f"{str(error).strip()}."
