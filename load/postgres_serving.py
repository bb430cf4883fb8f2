"""Another PostgreSQL database behind the protocol of a serving warehouse: a read replica for BI."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from psycopg2 import errors, sql

from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import first_line, redact
from load.keeper import EVER, FOREVER, as_text, read_csv
from load.serving_sql import SqlServing
from load.session import connect
from load.warehouse import Column, Relation, Shipment

if TYPE_CHECKING:
    import pyarrow as pa

_STAGED = {
    "integer": "bigint", "decimal": "numeric", "float": "double precision", "boolean": "boolean", "text": "text",
    "binary": "bytea", "date": "date", "instant": "timestamp", "json": "jsonb",
}  # fmt: skip


class PostgresServing(SqlServing):
    """One environment in a database of its own."""

    def __init__(self, url: str, schemas: Schemas) -> None:
        """Connect.

        Raises:
            StopRunError: the server does not answer.
        """
        super().__init__(schemas)
        self._url = url
        self._connection = connect(url)
        self._connection.autocommit = True

    @property
    def shown(self) -> str:
        """The address without its password."""
        return redact(self._url)

    def prepare(self) -> None:
        """Make the schemas and the manifest where they are missing.

        Raises:
            UsageError: this database is a warehouse of its own.
        """
        ops = self.schemas.ops
        asked = f"select to_regclass('{ops}.law') is not null and to_regclass('{ops}.shipment') is null"
        if self.run(asked) == [(True,)]:
            raise UsageError(
                f"{self.shown} is a warehouse of its own, which a shipment would overwrite. Name an empty database."
            )
        super().prepare()

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self._connection.cursor() as cursor:
            cursor.execute("set client_min_messages = warning")
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def name(self, name: str) -> str:
        """Return a name, quoted."""
        plain = name.replace('"', '""')
        return f'"{plain}"'

    def type_of(self, column: Column, *, staged: bool = False) -> str:
        """Return the type of a column: the keeper's own where people read it."""
        return _STAGED[column.kind] if staged or column.native == "interval" else column.native

    def from_staged(self, column: Column) -> str:
        """Return the expression that makes a column's value of a staged one: endless instants are endless again."""
        name = self.name(column.name)
        if column.kind == "instant":
            zoned = f"timezone('UTC', {name})" if column.native == "timestamp with time zone" else name
            return f"case {name} when '{FOREVER}' then 'infinity' when '{EVER}' then '-infinity' else {zoned} end"
        if column.kind == "date":
            return (
                f"case {name} when '{FOREVER[:10]}' then 'infinity' when '{EVER[:10]}' then '-infinity' else {name} end"
            )
        if column.native.endswith("[]"):
            items = f"select array_agg(i.item order by i.place) from jsonb_array_elements_text({name}) with ordinality"
            whole = f"cast(coalesce(({items} as i (item, place)), '{{}}') as {column.native})"
            return f"case when {name} is not null then {whole} end"
        if column.kind == "decimal":
            return f"trim_scale({name})"
        return f"cast({name} as {self.type_of(column)})"

    def beside(self, beside: str, relation: Relation) -> str:
        """Return the name of a staged table, quoted."""
        return f"pg_temp.{self.name(self.short_name(relation, beside))}"

    def make_anew(self, table: str, definition: str) -> None:
        """Make a table instead of the one of that name, if there is one."""
        try:
            self.run(f"drop table if exists {table}; create table {table} {definition}")
        except errors.DependentObjectsStillExist as error:
            raise StopRunError(
                f"{table} has other columns now, and is made anew; views of yours read it: {first_line(error)}. Drop "
                "them, ship, and make them again. Nothing was published."
            ) from error

    def make_staged(self, table: str, definition: str) -> None:
        """Likewise, one that goes with the connection."""
        self.run(f"drop table if exists {table}; create table {table} {definition}")

    def load_files(self, shipment: Shipment, table: str, relation: Relation, files: Sequence[Path]) -> None:
        """Copy files into a staged table."""
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyarrow import csv

        options = csv.WriteOptions(include_header=False)
        with self._connection.cursor() as cursor:
            for file in files:
                for batch in pq.ParquetFile(file).iter_batches():
                    told = io.BytesIO()
                    columns = [_hex(c) if pa.types.is_binary(c.type) else c for c in batch.columns]
                    csv.write_csv(pa.RecordBatch.from_arrays(columns, names=batch.schema.names), told, options)
                    told.seek(0)
                    cursor.copy_expert(f"copy {table} from stdin (format csv)", told)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements within visible together."""
        self._connection.autocommit = False
        try:
            with self._connection:
                yield
        finally:
            if not self._connection.closed:
                self._connection.autocommit = True

    def rows(self, relation: Relation) -> "Iterator[pa.RecordBatch]":
        """Return a relation's rows."""
        query = sql.SQL("copy (select {} from {} as t) to stdout (format csv)").format(
            sql.SQL(", ").join(as_text(_as_kept(c)) for c in relation.columns),
            sql.Identifier(relation.schema, relation.name),
        )
        with TemporaryDirectory(prefix="systock-ship-") as folder:
            told = Path(folder) / "rows.csv"
            with told.open("wb") as file, self._connection.cursor() as cursor:
                cursor.copy_expert(query, file)
            yield from read_csv(told, relation)

    def clone_from(self, origin: Schemas) -> bool:
        """Tell that PostgreSQL copies rows or nothing."""
        return False

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _as_kept(column: Column) -> Column:
    """Return a column as it is here: lengths of time are kept as their seconds."""
    return replace(column, native="numeric") if column.native == "interval" else column


def _hex(values: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    return pa.array([None if v is None else "\\x" + v.hex() for v in values.to_pylist()], pa.string())
