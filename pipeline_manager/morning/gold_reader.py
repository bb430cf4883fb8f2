"""Asks gold, and nothing but gold: as a reader, in one snapshot, so that all figures of the page are of one moment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import errors, extensions
from psycopg2.extras import RealDictCursor

from etl_pipeline.core.names import Schemas

MOST_SHOWN = 20
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
        beside: another select, over the body's rows as `worst`: what it finds is told beside them, for one reading.
    """

    body: str
    order: str
    listed: str = "true"
    totals: Mapping[str, str] = field(default_factory=dict)
    beside: str = "select 1 where false"

    def for_people(self) -> str:
        """Return the query that lists everything."""
        where = [] if self.listed == "true" else [f"where {self.listed}"]
        return "\n".join(["with worst as (", self.body.strip("\n"), ")", "", "select * from worst", *where,
                          f"order by {self.order}"])  # fmt: skip

    def for_page(self) -> str:
        """Return the query that lists the first rows, each with the counts of all; one row where none is listed."""
        counted = {"of_listed": self.listed, **self.totals}
        sums = ", ".join(f"count(*) filter (where {condition}) as {name}" for name, condition in counted.items())
        return "\n".join([
            "with worst as (", self.body, "),",
            "told_beside as (select json_agg(b) as beside from (", self.beside, ") as b),",
            f"counted as (select {sums},", "(select beside from told_beside) as beside from worst),",
            "listed as (select * from worst", f"where {self.listed} order by {self.order} limit %s),",
            f"placed as (select *, row_number() over (order by {self.order}) as place_on_page", "from listed)",
            "select * from counted left join placed on true order by place_on_page",
        ])  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What a query found.

    Attributes:
        rows: the worst rows, as many as were asked for.
        total: how many rows there are in all.
        counts: the query's totals; all 0 where nothing was found.
        query: how to get all of it.
        beside: what the query found beside them.
    """

    rows: list[dict[str, Any]]
    total: int
    counts: dict[str, int]
    query: str
    beside: list[dict[str, Any]] = field(default_factory=list)


class GoldReader:
    """A connection that reads gold.

    Attributes:
        schemas: the environment.
        as_of: the latest instant that the files tell of, once somebody has asked for it.
    """

    def __init__(self, connection: extensions.connection, schemas: Schemas, snapshot: str | None = None) -> None:
        """Begin the snapshot, or take part in another reader's: nothing that is loaded meanwhile is seen or changed."""
        self._connection = connection
        self.schemas = schemas
        self.as_of: str | None = None
        connection.rollback()
        connection.set_session(isolation_level="REPEATABLE READ")
        # As text: a date of the year 20250 or infinity is data like any other, and Python's own types refuse it.
        extensions.register_type(extensions.new_type(_TIMES, "MINUTE", _minute), connection)
        extensions.register_type(extensions.new_type(_DAYS, "DAY", lambda value, _: value), connection)
        with connection.cursor() as cursor:
            if snapshot is not None:
                cursor.execute("set transaction snapshot %s", (snapshot,))
            cursor.execute("set transaction read only")

    def beside(self, connection: extensions.connection) -> "GoldReader":
        """Return a reader over another connection that sees the very same."""
        with self._connection.cursor() as cursor:
            cursor.execute("select pg_export_snapshot()")
            found = cursor.fetchone()
        reader = GoldReader(connection, self.schemas, str(found[0]) if found else None)
        reader.as_of = self.as_of
        return reader

    def rows(self, statement: str, arguments: Any = None) -> list[dict[str, Any]]:
        """Return the rows of a query.

        Raises:
            MissingViewError: gold has no such view.
        """
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor, _kept_open(cursor):
            cursor.execute(self.schemas.render(statement), arguments)
            return [dict(row) for row in cursor.fetchall()]

    def list(self, query: Query, most: int = MOST_SHOWN) -> Listing:
        """Return the worst rows of a query, and how many there are."""
        found = self.rows(query.for_page(), (most,))
        counts = {name: int(found[0][name]) for name in ("of_listed", *query.totals)}
        extra = {"place_on_page", "beside", *counts}
        rows = [{k: v for k, v in row.items() if k not in extra} for row in found if row["place_on_page"]]
        told = self.schemas.render(query.for_people())
        return Listing(rows, counts.pop("of_listed"), counts, told, found[0]["beside"] or [])

    def value(self, statement: str, arguments: Any = None) -> Any:
        """Return the only value of a query."""
        return next(iter(self.rows(statement, arguments)[0].values()))


@contextmanager
def _kept_open(cursor: extensions.cursor) -> Iterator[None]:
    """Keep the snapshot where a query fails for want of a view."""
    cursor.execute("savepoint asked")
    try:
        yield
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        cursor.execute("rollback to savepoint asked")
        raise MissingViewError(str(error).splitlines()[0]) from error
    else:
        cursor.execute("release savepoint asked")


def _minute(value: Any, _: Any) -> Any:
    """Return an instant without its zone, which is UTC, and without seconds."""
    return value if value is None or ":" not in value else value.partition("+")[0].rpartition(":")[0]
