"""Asks gold, and nothing but gold: as a reader, in one snapshot, so that all figures of the page are of one moment."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import errors, extensions, sql
from psycopg2.extras import RealDictCursor

from etl_pipeline.core.names import Schemas

MOST_SHOWN = 20
KEPT = ("availability", "stock_risk")
"""Views of every product and place that several sections of the page ask: read once, into tables of the session."""
_TIMES = (1184, 1114)
_DAYS = (1082,)


class MissingViewError(Exception):
    """Gold has no such view or column: it was published by another version, or never."""


@dataclass(frozen=True)
class Query:
    """A list, worst first. What is shown on the page for people to copy is what the page itself asked.

    Attributes:
        body: a select; its column names become the table's headings.
        order: what the worst is, by columns of the body.
        listed: which rows are worth listing; totals count the others, too.
        totals: name -> condition; how many rows of the body meet it.
    """

    body: str
    order: str
    listed: str = "true"
    totals: Mapping[str, str] = field(default_factory=dict)

    def for_people(self) -> str:
        """Return the query that lists everything."""
        where = [] if self.listed == "true" else [f"where {self.listed}"]
        return "\n".join(["with worst as (", self.body.strip("\n"), ")", "", "select * from worst", *where,
                          f"order by {self.order}"])  # fmt: skip

    def for_page(self) -> str:
        """Return the query that lists the first rows, each with the counts of all."""
        counted = {"of_listed": self.listed, **self.totals}
        sums = [
            f", sum(case when {condition} then 1 else 0 end) over () as {name}" for name, condition in counted.items()
        ]
        return "\n".join(["with worst as (", self.body, ")", f"select *, ({self.listed}) as is_listed", *sums,
                          "from worst", f"order by is_listed desc nulls last, {self.order} limit %s"])  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What a query found.

    Attributes:
        rows: the worst rows, as many as were asked for.
        total: how many rows there are in all.
        counts: the query's totals; all 0 where nothing was found.
        query: how to get all of it.
    """

    rows: list[dict[str, Any]]
    total: int
    counts: dict[str, int]
    query: str


class GoldReader:
    """A connection that reads gold."""

    def __init__(self, connection: extensions.connection, schemas: Schemas) -> None:
        """Begin the snapshot: nothing that is loaded meanwhile is seen, and nothing can be changed."""
        self._connection = connection
        self.schemas = schemas
        connection.rollback()
        connection.set_session(isolation_level="REPEATABLE READ")
        # As text: a date of the year 20250 or infinity is data like any other, and Python's own types refuse it.
        extensions.register_type(extensions.new_type(_TIMES, "MINUTE", _minute), connection)
        extensions.register_type(extensions.new_type(_DAYS, "DAY", lambda value, _: value), connection)
        self._kept = self._keep()

    def _keep(self) -> dict[str, str]:
        """Read the views that several sections ask; return mark -> table. Who may make no table reads them again."""
        kept: dict[str, str] = {}
        with self._connection.cursor() as cursor:
            for view in KEPT:
                mark = f"{{{{ gold }}}}.{view}"
                try:
                    with _kept_open(cursor):
                        kept_as = sql.Identifier(f"kept_{view}")
                        cursor.execute(
                            sql.SQL("create temporary table {} on commit drop as select * from {}").format(
                                kept_as, sql.Identifier(self.schemas.gold, view)
                            )
                        )
                        cursor.execute(sql.SQL("analyze pg_temp.{}").format(kept_as))
                except (MissingViewError, errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
                    continue
                kept[mark] = f"pg_temp.kept_{view}"
            cursor.execute("set transaction read only")
        return kept

    def rows(self, statement: str, arguments: Any = None) -> list[dict[str, Any]]:
        """Return the rows of a query.

        Raises:
            MissingViewError: gold has no such view.
        """
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor, _kept_open(cursor):
            for mark, table in self._kept.items():
                statement = re.sub(rf"{re.escape(mark)}\b", table, statement)
            cursor.execute(self.schemas.render(statement), arguments)
            return [dict(row) for row in cursor.fetchall()]

    def list(self, query: Query, most: int = MOST_SHOWN) -> Listing:
        """Return the worst rows of a query, and how many there are."""
        found = self.rows(query.for_page(), (most,))
        counts = {name: int(found[0][name]) if found else 0 for name in ("of_listed", *query.totals)}
        extra = {"is_listed", *counts}
        rows = [{k: v for k, v in row.items() if k not in extra} for row in found if row["is_listed"]]
        return Listing(rows, counts.pop("of_listed"), counts, self.schemas.render(query.for_people()))

    def value(self, statement: str) -> Any:
        """Return the only value of a query."""
        return next(iter(self.rows(statement)[0].values()))


@contextmanager
def _kept_open(cursor: extensions.cursor) -> Iterator[None]:
    """Keep the snapshot where a query fails for want of a view."""
    cursor.execute("savepoint asked")
    try:
        yield
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        cursor.execute("rollback to savepoint asked")
        raise MissingViewError(str(error).splitlines()[0]) from error
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        cursor.execute("rollback to savepoint asked")
        raise
    except psycopg2.Error:
        raise
    else:
        cursor.execute("release savepoint asked")


def _minute(value: Any, _: Any) -> Any:
    """Return an instant without its zone, which is UTC, and without seconds."""
    return value if value is None or ":" not in value else value.partition("+")[0].rpartition(":")[0]
