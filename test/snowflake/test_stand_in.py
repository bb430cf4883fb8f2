"""The stand-in does what the shipping to Snowflake asks of it, over the real connector."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from test.snowflake.stand_in import StandIn

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

SCHEMA = pa.schema(
    [("id", pa.int64()), ("quantity", pa.decimal128(38, 12)), ("sold_at", pa.timestamp("us")), ("name", pa.string())]
)
SOLD_AT = datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001 - Snowflake's TIMESTAMP_NTZ knows no zone


@pytest.fixture
def cursor(stand_in: StandIn, snowflake_database: str) -> "Iterator[SnowflakeCursor]":
    import snowflake.connector

    with closing(snowflake.connector.connect(**stand_in.arguments(snowflake_database))) as connection:
        made = connection.cursor()
        made.execute("create schema silver")
        columns = "id number(38,0), quantity number(38,12), sold_at timestamp_ntz(6), name varchar"
        made.execute(f"create table silver.sale ({columns})")
        made.execute(f"create table silver.staged ({columns})")
        made.execute("create stage silver.files")
        yield made


def _put(cursor: "SnowflakeCursor", folder: Path, name: str, rows: list[tuple[object, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / name)
    cursor.execute(f"put file://{folder / name} @silver.files/one auto_compress=false overwrite=true")


def test_a_file_that_was_put_is_copied_once(cursor: "SnowflakeCursor", tmp_path: Path):
    _put(cursor, tmp_path, "1.parquet", [(1, Decimal("2.500000000001"), SOLD_AT, "täst")])
    copy = (
        "copy into silver.staged from @silver.files/one file_format=(type=parquet use_logical_type=true)"
        " match_by_column_name=case_insensitive"
    )
    cursor.execute(copy)
    cursor.execute(copy)
    cursor.execute("select * from silver.staged")
    assert cursor.fetchall() == [(1, Decimal("2.500000000001"), SOLD_AT, "täst")]


def test_a_null_instant_comes_back_as_null(cursor: "SnowflakeCursor"):
    cursor.execute(
        "insert into silver.sale select 1, null, null, null union all select 2, 1, '2026-01-02 03:04:05.000006', ''"
    )
    cursor.execute("select sold_at, name from silver.sale order by id")
    assert cursor.fetchall() == [(None, None), (SOLD_AT, "")]


def test_a_merge_twice_is_a_merge_once(cursor: "SnowflakeCursor"):
    cursor.execute("insert into silver.sale values (1, 1, null, 'old'), (2, 2, null, 'stays')")
    cursor.execute("insert into silver.staged values (1, 5, null, 'new'), (3, 3, null, 'comes')")
    merge = (
        "merge into silver.sale as t using silver.staged as s on t.id = s.id"
        " when matched then update set quantity = s.quantity, sold_at = s.sold_at, name = s.name"
        " when not matched then insert (id, quantity, sold_at, name) values (s.id, s.quantity, s.sold_at, s.name)"
    )
    cursor.execute(merge)
    cursor.execute(merge)
    cursor.execute("select id, name from silver.sale order by id")
    assert cursor.fetchall() == [(1, "new"), (2, "stays"), (3, "comes")]


def test_what_it_cannot_do_is_refused_at_once(cursor: "SnowflakeCursor"):
    import snowflake.connector

    with pytest.raises(snowflake.connector.errors.ProgrammingError):
        cursor.execute("create schema copied clone silver")
