"""Reads a table or query of a source database into a CSV file of ours; repairs nothing."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from sqlalchemy import ColumnClause, Executable, column, create_engine, literal_column, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from etl_pipeline.contracts.model import Extract
from etl_pipeline.core.errors import RetryStepError, UsageError
from etl_pipeline.core.settings import first_line, redact, remember_secrets

ROWS_AT_ONCE = 10_000


def source_url(feed: str, extract: Extract, environ: Mapping[str, str]) -> str:
    """Return the address of a feed's source from the environment.

    Raises:
        UsageError: the variable is not set.
    """
    url = environ.get(extract.url_env, "")
    if not url:
        raise UsageError(
            f"Feed '{feed}' is read from {extract.kind} but {extract.url_env} is not set. Set it in the environment or "
            "in .env; contracts never hold addresses."
        )
    remember_secrets(url)
    return url


def _select(extract: Extract) -> sql.Composable:
    if extract.query:
        statement: sql.Composable = sql.SQL("select * from ({}) as wanted").format(sql.SQL(extract.query))
    elif extract.table:
        statement = sql.SQL("select * from {}").format(sql.Identifier(*extract.table.split(".")))
    else:
        raise UsageError("An extract from a database needs `table` or `query`.")
    if extract.order_by:
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in extract.order_by)
        statement = sql.SQL("{} order by {}").format(statement, columns)
    return statement


def _copy_out(url: str, extract: Extract, target: Path) -> None:
    """PostgreSQL: the server writes the CSV itself; times in ISO, numbers in full, read-only."""
    connection = psycopg2.connect(
        url, options="-c timezone=UTC -c datestyle=ISO,YMD -c extra_float_digits=1 -c default_transaction_read_only=on"
    )
    try:
        with connection.cursor() as cursor, target.open("w", encoding="utf-8", newline="") as stream:
            command = sql.SQL("copy ({}) to stdout with (format csv, header, force_quote *)").format(_select(extract))
            cursor.copy_expert(command, stream)
    finally:
        connection.close()


def _read_out(url: str, extract: Extract, target: Path) -> None:
    """Any other database, row blocks at a time."""
    engine = create_engine(url)
    if extract.query:
        statement: Executable = text(extract.query)
    elif extract.table:
        schema, _, name = extract.table.rpartition(".")
        columns: list[ColumnClause[Any]] = [column(given) for given in extract.order_by]
        statement = select(literal_column("*")).select_from(table(name, schema=schema or None)).order_by(*columns)
    else:
        raise UsageError("An extract from a database needs `table` or `query`.")
    with engine.connect() as connection, target.open("w", encoding="utf-8", newline="") as stream:
        result = connection.execution_options(stream_results=True).execute(statement)
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(result.keys())
        while rows := result.fetchmany(ROWS_AT_ONCE):
            writer.writerows(["" if cell is None else str(cell) for cell in row] for row in rows)


def extract_database(feed: str, extract: Extract, url: str, folder: Path) -> Path:
    """Write a feed's table or query to `folder/<feed>.csv` and return it.

    The order is fixed by `order_by`, so that unchanged data gives the same bytes and is recognised.

    Raises:
        RetryStepError: the database does not answer or refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{feed}.csv"
    part = target.with_suffix(".part")
    try:
        if url.startswith(("postgresql", "postgres:")):
            _copy_out(url.replace("postgresql+psycopg2://", "postgresql://"), extract, part)
        else:
            _read_out(url, extract, part)
    except (psycopg2.Error, SQLAlchemyError) as error:
        part.unlink(missing_ok=True)
        reason = first_line(error)
        raise RetryStepError(
            f"Feed '{feed}': the source database at {redact(url)} could not be read: {reason}. Check "
            f"{extract.url_env}, the table's name and that the user may read it."
        ) from None
    part.replace(target)
    return target
