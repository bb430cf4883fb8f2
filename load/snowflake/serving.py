"""Snowflake behind the protocol of a serving warehouse: files are put on a stage, copied beside, merged."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_pipeline.core.errors import RetryStepError, StopRunError, UsageError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import LAYERS, Schemas
from etl_pipeline.core.settings import first_line
from etl_pipeline.core.snowflake_access import EXTRA, SnowflakeAccess
from load.serving_sql import SqlServing
from load.warehouse import Column, Relation, Shipment, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection

log = logging.getLogger(__name__)
_TYPES = {
    "integer": "number(38, 0)", "float": "float", "boolean": "boolean", "text": "varchar", "binary": "binary",
    "date": "date", "instant": "timestamp_ntz(6)", "json": "variant",
}  # fmt: skip
_STAGE = "shipping"


class SnowflakeServing(SqlServing):
    """One environment in a database of an account."""

    def __init__(self, access: SnowflakeAccess, schemas: Schemas) -> None:
        """Connect.

        Raises:
            UsageError: the extra is not installed, or the settings cannot be used.
            StopRunError: Snowflake does not let us in.
        """
        super().__init__(schemas)
        self._access = access
        self._connection = _connect(access)
        self._has_stage = False

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return self._access.shown

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        from snowflake.connector import errors

        log.debug("%s", statement)
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(statement)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            except (errors.OperationalError, errors.InterfaceError) as error:
                raise RetryStepError(
                    f"Snowflake did not answer: {first_line(error)}. What was published before stays; start it again, "
                    "and it goes on from there."
                ) from error
            except errors.Error as error:
                raise StopRunError(
                    f"Snowflake refused a statement: {first_line(error)} It was: {statement[:200]}. What was published "
                    "before stays; see docs/snowflake.md for the rights that are needed."
                ) from error

    def name(self, name: str) -> str:
        """Return a name quoted in upper case: the same as the plain one, but it may be a reserved word."""
        plain = name.upper().replace('"', '""')
        return f'"{plain}"'

    def type_of(self, column: Column, *, staged: bool = False) -> str:
        """Return the type of a column."""
        if column.kind == "decimal":
            return f"number(38, {column.scale})"
        return "varchar" if staged and column.kind == "json" else _TYPES[column.kind]

    def from_staged(self, column: Column) -> str:
        """Return the expression that makes a column's value of a staged one."""
        name = self.name(column.name)
        return f"parse_json({name})" if column.kind == "json" else name

    def beside(self, beside: str, relation: Relation) -> str:
        """Return the name of a staged table, quoted."""
        return f"{self.name(self.schemas.ops)}.{self.name(self.short_name(relation, beside))}"

    def make_anew(self, table: str, definition: str) -> None:
        """Make a table instead of the one of that name, if there is one."""
        self.run(f"create or replace table {table} {definition}")

    def make_staged(self, table: str, definition: str) -> None:
        """Likewise, one that goes with the connection."""
        self.run(f"create or replace temporary table {table} {definition}")

    @property
    def _landing(self) -> str:
        return f"{self.schemas.ops}.{_STAGE}"

    def load_files(self, shipment: Shipment, table: str, relation: Relation, files: Sequence[Path]) -> None:
        """Put files on the stage and copy them into a staged table; they are removed from the stage with that."""
        if not self._has_stage:
            self.run(f"create stage if not exists {self._landing}")
            self._has_stage = True
        own = table.rpartition(".")[2].strip('"').lower()
        place = f"@{self._landing}/{shipment.number}/{relation.schema}/{own}"
        for file in files:
            self.run(f"put 'file://{_quoted(file)}' {place} auto_compress=false overwrite=true")
        reached("ship.put")
        self.run(
            # The slash: without it a place is the beginning of others' names, too.
            f"copy into {table} from {place}/ file_format = (type = parquet use_logical_type = true"
            " binary_as_text = false) match_by_column_name = case_insensitive purge = true"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements within visible together."""
        self.run("begin transaction")
        try:
            yield
        except BaseException:
            with suppress(Exception):  # a connection that is gone takes the transaction with it
                self.run("rollback")
            raise
        self.run("commit")

    def rows(self, relation: Relation) -> "Iterator[pa.RecordBatch]":
        """Return a relation's rows."""
        schema = arrow_schema(relation)
        names = ", ".join(self.name(c.name) for c in relation.columns)
        with self._connection.cursor() as cursor:
            cursor.execute(f"select {names} from {self._table(relation)}")
            for table in cursor.fetch_arrow_batches(force_microsecond_precision=True):
                yield from table.rename_columns(schema.names).cast(schema).to_batches()

    def clone_from(self, origin: Schemas) -> bool:
        """Clone the schemas of another environment, without copying rows, where the account can."""
        try:
            for layer in LAYERS:  # ops last: its manifest says that all of it is there
                old, new = getattr(origin, layer), getattr(self.schemas, layer)
                self.run(f"create schema {self.name(new)} clone {self.name(old)}")
        except StopRunError as error:
            log.info("no clone: %s", error)
            self.drop_environment()
            return False
        return True

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _quoted(file: Path) -> str:
    return file.resolve().as_posix().replace("\\", "\\\\").replace("'", "\\'")


def require_connector() -> None:
    """Refuse where the extra is not installed: before anything is loaded, and not after.

    Raises:
        UsageError: it is not.
    """
    # It says with each command that it does not know a later release of a package that it does not need.
    warnings.filterwarnings("ignore", message=r".*chardet.* doesn't match a supported version")
    try:
        import snowflake.connector  # noqa: F401 - that it is there is all that is asked
    except ImportError:
        raise UsageError(f"Snowflake is asked for, and its connector is not installed. Install it: {EXTRA}") from None


def _connect(access: SnowflakeAccess) -> "SnowflakeConnection":
    require_connector()
    from snowflake import connector
    from snowflake.connector import errors

    logging.getLogger("snowflake.connector").setLevel(logging.WARNING)
    try:
        return connector.connect(**access.arguments())
    except errors.Error as error:
        raise StopRunError(
            f"Snowflake at {access.shown} does not let us in: {first_line(error)}. Check the SNOWFLAKE_ settings, and "
            "that the user, its role, warehouse and database are there; see docs/snowflake.md."
        ) from None
