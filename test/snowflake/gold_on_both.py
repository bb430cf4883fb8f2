"""Compares views of gold on PostgreSQL and on the stand-in for Snowflake, row by row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2

LAST_INSTANT = "9999-12-31 23:59:59.999999+00"
FIRST_INSTANT = "0001-01-01 00:00:00+00"

Rows = Counter[tuple[Any, ...]]


def gold_differences(url: str, account: dict[str, Any], views: Sequence[str], gold: str = "gold") -> list[str]:
    """A sentence for each view and column that is not the same.

    Args:
        url: of the keeper.
        account: what the connector's `connect` takes.
        views: their names.
        gold: the schema they are in, on both sides.
    """
    import snowflake.connector

    with (
        closing(snowflake.connector.connect(**account)) as there,
        closing(psycopg2.connect(url, options="-c timezone=UTC")) as here,
    ):
        return [each for view in views for each in _differences(gold, view, here.cursor(), there.cursor())]


def _differences(gold: str, view: str, here: Any, there: Any) -> Iterator[str]:
    here.execute(
        "select attname, format_type(atttypid, null) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum",
        (f'{gold}."{view}"',),
    )
    columns = [(str(name), str(kind)) for name, kind in here.fetchall()]
    named = ", ".join(_read(name, kind) for name, kind in columns)
    here.execute(f'select {named} from {gold}."{view}"')
    left = _rows(here.fetchall(), columns)
    there.execute(f"select {', '.join(name for name, _ in columns)} from {gold}.{view}")
    found = there.fetchall()
    for at, (name, kind) in enumerate(columns):
        if kind != "double precision" and any(isinstance(row[at], float) for row in found):
            yield f"{view}.{name}: a number that is shown is exact on both"
    right = _rows(found, columns)
    if left == right:
        return
    yield f"{view}: {left.total()} and {right.total()} rows; {(left - right).total()} only on PostgreSQL"
    for at, (name, _) in enumerate(columns):
        one, other = Counter(row[at] for row in left.elements()), Counter(row[at] for row in right.elements())
        if one != other:
            yield f"{view}.{name}: {list(one - other)[:3]} and {list(other - one)[:3]}"


def _read(name: str, kind: str) -> str:
    if not kind.startswith("timestamp"):
        return f'"{name}"'
    ends = f"when 'infinity' then '{LAST_INSTANT}' when '-infinity' then '{FIRST_INSTANT}'"
    return f'case "{name}" {ends} else "{name}" end'


def _rows(rows: list[tuple[Any, ...]], columns: list[tuple[str, str]]) -> Rows:
    return Counter(tuple(_value(value, kind) for value, (_, kind) in zip(row, columns, strict=True)) for row in rows)


def _value(value: Any, kind: str) -> Any:
    """One figure for one value: 1.50 and 1.5 are one number, an instant with a zone and in UTC are one instant."""
    if value is None:
        return None
    if kind in ("numeric", "bigint", "integer"):
        return Decimal(repr(value) if isinstance(value, float) else value).normalize() + 0
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return value
