"""Reads the keeper for a shipment: all of it in one transaction, so that a shipment is one state of the facts.

Which rows changed since a shipment is what PostgreSQL itself knows: each version of a row tells the transaction that
wrote it. `known` would not tell it: a record's standing changes in place, a position without a record goes away.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from psycopg2 import extensions, sql

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import Schemas
from load.serving_content import Content
from load.warehouse import Column, Kind, Parcel, Relation, Shipment, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_OF_A_FILE = 500_000
SCALE = 12
"""Digits behind the point of numbers that have no scale of their own."""
FOREVER, EVER = "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00"
"""Instants in place of 'infinity' and '-infinity', which only PostgreSQL has."""
_FACT_KEY = ("record_id", "fact_no", "known_from")
"""Names each row of a fact table: a revision's facts stand from a load on, until one closes them."""
_KINDS: dict[str, Kind] = {
    "smallint": "integer", "integer": "integer", "bigint": "integer", "oid": "integer",
    "numeric": "decimal", "interval": "decimal", "real": "float", "double precision": "float",
    "boolean": "boolean", "bytea": "binary", "date": "date",
    "timestamp with time zone": "instant", "timestamp without time zone": "instant",
    "json": "json", "jsonb": "json",
}  # fmt: skip
_LEDGER = """
    select
        encode(sha256(convert_to(b.run_id || ' ' || b.started_at || ' ' || %(env)s, 'UTF8')), 'hex'),
        (select max(l.known) from {{ ops }}.batch as l),
        cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint),
        (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
    from {{ ops }}.batch as b
    order by b.known
    limit 1
"""
_KEY = """
    select a.attname
    from pg_catalog.pg_index as i
    cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
    inner join pg_catalog.pg_attribute as a on i.indrelid = a.attrelid and k.attnum = a.attnum
    where i.indrelid = %s and i.indisprimary
    order by k.place
"""
# The number of the transaction that wrote a row, in full: a row tells its last 32 bits only. Of a row older than that
# it makes a later one, which ships the row once more.
_WRITTEN = "(n.now - ((n.now - cast(cast(t.xmin as text) as bigint)) & 4294967295)) >= {}"
_NOW = "(select cast(cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as bigint) as now) as n"


class Keeper:
    """A connection to the keeper in one repeatable-read transaction."""

    def __init__(self, connection: extensions.connection, schemas: Schemas) -> None:
        """Begin the transaction; the connection is nobody else's."""
        self._connection = connection
        self._schemas = schemas
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        with connection.cursor() as cursor:
            cursor.execute("set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local work_mem = '256MB'")

    def shipment(self) -> Shipment | None:
        """Return what a shipment of this moment would bring, without a number; None where nothing was ever loaded."""
        with self._connection.cursor() as cursor:
            cursor.execute(self._schemas.render(_LEDGER), {"env": self._schemas.env})
            found = cursor.fetchone()
            if found is None:
                return None
            ledger, known, horizon, database = found
            cursor.execute("select has_function_privilege('pg_catalog.pg_control_system()', 'execute')")
            server = ""
            if cursor.fetchone() == (True,):
                cursor.execute("select cast(system_identifier as text) from pg_catalog.pg_control_system()")
                server = str((cursor.fetchone() or ("",))[0])
        return Shipment(0, str(ledger), f"{server}/{database}", int(horizon), int(known))

    def relation(self, schema: str, name: str, source: str | None = None) -> Relation:
        """Describe a table, a view, or the answer of a query, by the catalogue."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("select * from {} as t limit 0").format(_from(schema, name, source)))
            described = list(cursor.description or ())
            cursor.execute(
                "select t.oid, format_type(t.oid, null) from pg_catalog.pg_type as t where t.oid = any(%s)",
                ([d.type_code for d in described],),
            )
            types = dict(cursor.fetchall())
            columns = tuple(_column(d.name, str(types[d.type_code]), d.scale) for d in described)
            key: tuple[str, ...] = ()
            is_table = False
            if source is None:
                cursor.execute(
                    "select c.oid, c.relkind = 'r' from pg_catalog.pg_class as c where c.oid = to_regclass(%s)",
                    (f'"{schema}"."{name}"',),
                )
                oid, is_table = cursor.fetchone() or (None, False)
                cursor.execute(_KEY, (oid,))
                key = tuple(str(row[0]) for row in cursor.fetchall())
        names = {c.name for c in columns}
        if is_table and not key and names.issuperset(_FACT_KEY):
            key = _FACT_KEY
        return Relation(schema, name, columns, key, source, bool(is_table))

    def changed(self, relation: Relation, horizon: int) -> tuple[int, int]:
        """Return how many rows of a table were written since a horizon, and how many there are."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("select count(*) filter (where {}), count(*) from {} as t cross join {}").format(
                    sql.SQL(_WRITTEN).format(sql.Literal(horizon)), _of(relation), sql.SQL(_NOW)
                )
            )
            changed, total = cursor.fetchone() or (0, 0)
        return int(changed), int(total)

    def whole(self, relation: Relation, folder: Path) -> Parcel:
        """Write all rows of a relation into files; of what tells by itself what changed, no content is told."""
        content = None if relation.is_table and relation.key else Content(relation)
        files, rows = self._write(relation, sql.SQL(""), folder, content)
        return Parcel(relation, files, rows, True, rows, content.told if content else None)

    def since(self, relation: Relation, horizon: int, total: int, folder: Path) -> Parcel:
        """Write the rows of a table that were written since a horizon into files."""
        where = sql.SQL(" cross join {} where {}").format(sql.SQL(_NOW), sql.SQL(_WRITTEN).format(sql.Literal(horizon)))
        files, rows = self._write(relation, where, folder)
        return Parcel(relation, files, rows, False, total)

    def batches(self, relation: Relation) -> "Iterator[pa.RecordBatch]":
        """Return a relation's rows."""
        yield from self._read(relation, sql.SQL(""))

    def _write(
        self, relation: Relation, where: sql.Composable, folder: Path, content: Content | None = None
    ) -> tuple[tuple[Path, ...], int]:
        """Write rows into files of a size that one statement loads well; return the files and how many rows."""
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        writer, room, rows = None, 0, 0
        for batch in self._read(relation, where):
            if content is not None:
                content.take(batch)
            if writer is None or room < batch.num_rows:
                if writer is not None:
                    writer.close()
                files.append(folder / f"{len(files) + 1}.parquet")
                writer = pq.ParquetWriter(files[-1], batch.schema)
                room = ROWS_OF_A_FILE
            writer.write_batch(batch)
            room -= batch.num_rows
            rows += batch.num_rows
        if writer is not None:
            writer.close()
        return tuple(files), rows

    def _read(self, relation: Relation, where: sql.Composable) -> "Iterator[pa.RecordBatch]":
        """Copy rows into a file and read it in pieces: what it takes of memory does not grow with the rows."""
        import pyarrow as pa

        query = sql.SQL("copy (select {} from {} as t{}) to stdout (format csv)").format(
            sql.SQL(", ").join(as_text(c) for c in relation.columns), _of(relation), where
        )
        with TemporaryDirectory(prefix="systock-ship-") as folder:
            told = Path(folder) / "rows.csv"
            with told.open("wb") as file, self._connection.cursor() as cursor:
                cursor.copy_expert(query, file)
            try:
                yield from read_csv(told, relation)
            except pa.ArrowInvalid as error:
                raise StopRunError(
                    f"{relation.full_name} holds a value that cannot be shipped: {str(error).splitlines()[0][:200]}. "
                    "Numbers have 26 digits before the point and 12 behind it at most."
                ) from error

    def close(self) -> None:
        """End the transaction and the connection."""
        self._connection.close()


def read_csv(file: Path, relation: Relation) -> "Iterator[pa.RecordBatch]":
    """Read what COPY wrote: an empty field is NULL, a quoted empty one is an empty text."""
    import pyarrow as pa
    from pyarrow import csv

    if not file.stat().st_size:
        return
    schema = arrow_schema(relation)
    types = {f.name: pa.string() if pa.types.is_binary(f.type) else f.type for f in schema}
    with csv.open_csv(
        file,
        read_options=csv.ReadOptions(column_names=schema.names, block_size=8 << 20),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["t"], false_values=["f"],
        ),
    ) as reader:  # fmt: skip
        for batch in reader:
            columns = [
                _bytes(c) if pa.types.is_binary(f.type) else c for f, c in zip(schema, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _bytes(digits: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    return pa.array([None if d is None else bytes.fromhex(d) for d in digits.to_pylist()], pa.binary())


def _column(name: str, native: str, scale: Any) -> Column:
    kind: Kind = "json" if native.endswith("[]") else _KINDS.get(native, "text")
    if native == "interval":
        return Column(name, kind, native, 6)
    # PostgreSQL tells 65535 of a numeric without a scale.
    return Column(
        name, kind, native, (scale if scale is not None and scale <= SCALE else SCALE) if kind == "decimal" else 0
    )


def _from(schema: str, name: str, source: str | None) -> sql.Composable:
    return sql.SQL("({}\n)").format(sql.SQL(source)) if source else sql.Identifier(schema, name)


def _of(relation: Relation) -> sql.Composable:
    return _from(relation.schema, relation.name, relation.source)


def as_text(column: Column) -> sql.Composable:
    """Return the expression by which a column is copied."""
    value = sql.SQL("t.{}").format(sql.Identifier(column.name))
    if column.native == "interval":
        return sql.SQL("round(cast(extract(epoch from {}) as numeric), 6)").format(value)
    if column.kind == "decimal":
        return sql.SQL("round({}, {})").format(value, sql.Literal(column.scale))
    if column.kind == "binary":
        return sql.SQL("encode({}, 'hex')").format(value)
    if column.kind == "json":
        return sql.SQL("cast(to_jsonb({}) as text)").format(value)
    if column.kind in ("instant", "date"):
        is_zoned = column.native == "timestamp with time zone"
        finite = sql.SQL("timezone('UTC', {})" if is_zoned else "cast({} as timestamp)").format(value)
        asked = sql.SQL(
            "case {v} when 'infinity' then cast({last} as timestamp) when '-infinity' then cast({first} as timestamp)"
            " else {finite} end"
        ).format(v=value, last=sql.Literal(FOREVER), first=sql.Literal(EVER), finite=finite)
        return sql.SQL("cast({} as date)").format(asked) if column.kind == "date" else asked
    return value
