"""The stand-in for Snowflake: fakesnow (SQL translated to DuckDB) behind Snowflake's own wire protocol, as a process.

It speaks to the real connector, snowflake-sqlalchemy and dbt-snowflake. What it gets wrong and we rely on is put right
below, one function each. What it cannot show is listed in docs/snowflake.md: grants, warehouses, procedures, COPY's
ON_ERROR, CLONE, and transactions, for it commits each statement.

Run by itself it serves until its standard input ends: `python test/snowflake/stand_in.py`. Its first line is the port;
those that follow are the settings with which SyStock reaches it.
"""

import importlib
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl_pipeline.core.snowflake_access import SnowflakeAccess


@dataclass(frozen=True)
class StandIn:
    """A running stand-in, and how it is reached."""

    port: int

    def arguments(self, database: str, **more: Any) -> dict[str, Any]:
        """What the real connector's `connect` takes; the database is made when it is first named."""
        return {
            "account": "stand_in", "user": "tester", "password": "no-secret-at-all", "database": database,
            "host": "127.0.0.1", "port": self.port, "protocol": "http", "network_timeout": 10,
            "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False}, **more,
        }  # fmt: skip

    def environ(self, database: str) -> dict[str, str]:
        """The same as settings of SyStock."""
        return {
            "SNOWFLAKE_ACCOUNT": "stand_in", "SNOWFLAKE_USER": "tester", "SNOWFLAKE_PASSWORD": "no-secret-at-all",
            "SNOWFLAKE_DATABASE": database, "SNOWFLAKE_HOST": "127.0.0.1", "SNOWFLAKE_PORT": str(self.port),
            "SNOWFLAKE_PROTOCOL": "http",
        }  # fmt: skip

    def access(self, database: str) -> "SnowflakeAccess":
        """The same as SyStock reads it from its settings."""
        from etl_pipeline.core.snowflake_access import snowflake_access

        access = snowflake_access(None, self.environ(database))
        assert access is not None
        return access

    def url(self, database: str) -> str:
        """The same as a URL of snowflake-sqlalchemy."""
        return f"snowflake://tester:no-secret-at-all@stand_in/{database}?host=127.0.0.1&port={self.port}&protocol=http"


@contextmanager
def running() -> Iterator[StandIn]:
    """Start a stand-in on a free port; it ends with the block, and also when this process dies."""
    folder = Path(tempfile.mkdtemp(prefix="systock-stand-in-"))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)}, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                raise RuntimeError("the stand-in for Snowflake did not start; run it by itself to see why")
            yield StandIn(int(said))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            shutil.rmtree(folder, ignore_errors=True)


def _keep_null_timestamps() -> None:
    """A NULL timestamp must stay NULL on the wire: the struct that carries it was given no mask."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from fakesnow import arrow

    as_struct = arrow.timestamp_to_sf_struct

    def masked(timestamps: Any) -> Any:
        if isinstance(timestamps, pa.ChunkedArray):
            timestamps = timestamps.combine_chunks()
        struct = as_struct(timestamps)
        if not timestamps.null_count:
            return struct
        parts = [part.fill_null(0) for part in struct.flatten()]
        return pa.StructArray.from_arrays(parts, fields=list(struct.type), mask=pc.is_null(timestamps))

    setattr(arrow, "timestamp_to_sf_struct", masked)  # noqa: B010 - mypy takes it for another function


def _insert_from_the_source() -> None:
    """Columns without a table in a MERGE's VALUES are the source's: the translation found them ambiguous."""
    import fakesnow.cursor
    import fakesnow.transforms
    from sqlglot import exp

    module = sys.modules["fakesnow.transforms.merge"]
    translate = module.merge

    def merge(statement: Any) -> Any:
        if isinstance(statement, exp.Merge):
            statement = statement.copy()
            source = statement.args["using"].alias_or_name
            whens = statement.args["whens"]
            for when in getattr(whens, "expressions", whens):
                then = when.args.get("then")
                for column in then.expression.find_all(exp.Column) if isinstance(then, exp.Insert) else ():
                    if not column.args.get("table"):
                        column.set("table", exp.to_identifier(source))
        return translate(statement)

    for holder in (module, fakesnow.transforms, fakesnow.cursor):
        if getattr(holder, "merge", None) is translate:
            setattr(holder, "merge", merge)  # noqa: B010 - a module of somebody else, as far as mypy knows


def _take_comments_with_apostrophes() -> None:
    """A view's comment may hold an apostrophe: it was put into a statement as it stands."""
    from fakesnow import info_schema

    insert = info_schema.insert_table_comment_sql

    def quoted(catalog: str, schema: str, table: str, comment: str | None) -> str:
        return insert(catalog, schema, table, (comment or "").replace("'", "''"))

    setattr(info_schema, "insert_table_comment_sql", quoted)  # noqa: B010 - mypy takes it for another function


def _add_numbers_up_exactly() -> None:
    """SUM and AVG of a number are exact: everything was made a double first, for the sake of numbers kept as text."""
    import fakesnow.transforms

    def unchanged(statement: Any) -> Any:
        return statement

    setattr(fakesnow.transforms, "numeric_agg_implicit_cast", unchanged)  # noqa: B010 - as above


def _trim_what_is_named() -> None:
    """RTRIM(text, '0') takes zeros off the end: which characters, and at which end, was forgotten."""
    import fakesnow.transforms
    from sqlglot import exp

    def trimmed(statement: Any) -> Any:
        if isinstance(statement, exp.Trim):
            statement.set("this", exp.cast(statement.this, "varchar"))
        return statement

    setattr(fakesnow.transforms, "trim_cast_varchar", trimmed)  # noqa: B010 - as above


_QUALIFIED_TEMPORARY = re.compile(
    r"^(\s*(?:/\*.*?\*/\s*)*create\s+(?:or\s+replace\s+)?)temp(?:orary)?\s+"
    r"((?:table|view)\s+(?:if\s+not\s+exists\s+)?\S+\.\S+)",
    re.IGNORECASE | re.DOTALL,
)
_TRANSACTION = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(begin(\s+transaction)?|commit|rollback)\s*(/\*.*\*/)?\s*;?\s*$", re.IGNORECASE | re.DOTALL
)


def _take_statements_as_snowflake_does() -> None:
    """Three things about statements.

    Temporary tables and views in a named schema are made as ordinary ones: DuckDB has one schema for temporary ones.
    BEGIN, COMMIT and ROLLBACK do nothing: a transaction of DuckDB may write only one of the databases.
    What it cannot do is refused as Snowflake refuses: a plain HTTP 500 would be tried again for minutes.
    """
    from fakesnow.cursor import FakeSnowflakeCursor
    from snowflake.connector.errors import ProgrammingError

    execute = FakeSnowflakeCursor.execute

    def corrected(self: Any, command: str, *arguments: Any, **named: Any) -> Any:
        if _TRANSACTION.match(command):
            command = "select 'Statement executed successfully.' as status"
        try:
            return execute(self, _QUALIFIED_TEMPORARY.sub(r"\1\2", command), *arguments, **named)
        except ProgrammingError:
            raise
        except Exception as error:
            said = f"the stand-in cannot: {type(error).__name__}: {error}"
            raise ProgrammingError(msg=said, errno=1003, sqlstate="42000") from error

    setattr(FakeSnowflakeCursor, "execute", corrected)  # noqa: B010 - mypy takes it for a method of the class


def _begin_in_the_schema_public() -> None:
    """A session that names none begins in its database's schema PUBLIC; with none at all a MERGE was refused."""
    from fakesnow.instance import FakeSnow

    connect = FakeSnow.connect

    def connected(self: Any, database: str | None = None, schema: str | None = None, *more: Any, **named: Any) -> Any:
        return connect(self, database, schema or (database and "PUBLIC"), *more, **named)

    setattr(FakeSnow, "connect", connected)  # noqa: B010 - mypy takes it for a method of the class


def _believe_no_statistics() -> None:
    """Rows with a sum above zero are found: where a step before had only few, statistics said that there are none."""
    from fakesnow.instance import FakeSnow

    connect = FakeSnow.connect

    def connected(self: Any, *arguments: Any, **named: Any) -> Any:
        self.duck_conn.execute("set global disabled_optimizers = 'statistics_propagation'")
        return connect(self, *arguments, **named)

    setattr(FakeSnow, "connect", connected)  # noqa: B010 - mypy takes it for a method of the class


def serve() -> None:
    """Serve on a free port, told on standard output, until standard input ends."""
    import uvicorn

    app = importlib.import_module("fakesnow.server").app  # the package has a function of that name

    # Logins and refused statements are told at level info: the tests' output has no room for them.
    logging.getLogger("fakesnow.server").setLevel(logging.CRITICAL)
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it tells of each comment that DuckDB has no place for
    _keep_null_timestamps()
    _insert_from_the_source()
    _take_comments_with_apostrophes()
    _add_numbers_up_exactly()
    _trim_what_is_named()
    _take_statements_as_snowflake_does()
    _begin_in_the_schema_public()
    _believe_no_statistics()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Connections have it from here: without it an answer's body waits 40 ms for the receipt of its head.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(listening.getsockname()[1])
        settings = "".join(f"{name}={value}\n" for name, value in StandIn(port).environ("STOCK").items())
        sys.stdout.write(f"{port}\n{settings}")
        sys.stdout.flush()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))

        def end_with_the_starter() -> None:
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=end_with_the_starter, daemon=True).start()
        server.run(sockets=[listening])


if __name__ == "__main__":
    serve()
