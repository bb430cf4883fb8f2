"""The server of the bench: one for all that is measured side by side, a database for each, and what it wrote."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import extensions, sql

from load.embedded_postgres import EmbeddedServer
from load.server_settings import memory_bytes, tuned

# As safe as a server that people rely on: a bench without fsync would measure something else.
SETTINGS = {**tuned(memory_bytes()), "full_page_writes": "on"}


@dataclass
class ServerWrote:
    """What the server wrote meanwhile; known when the work is done.

    Attributes:
        megabytes: of its log, by which it survives a crash, and by which the database has grown.
    """

    megabytes: int = field(default=0)


def _connected(server: EmbeddedServer) -> "closing[extensions.connection]":
    connection = psycopg2.connect(server.url("postgres"))
    connection.autocommit = True
    return closing(connection)


@contextmanager
def bench_server(folder: Path) -> Iterator[EmbeddedServer]:
    """Start a server that ends with the bench."""
    server = EmbeddedServer.start(folder, ephemeral=True, settings=SETTINGS)
    try:
        yield server
    finally:
        server.stop()


def create_database(server: EmbeddedServer, name: str) -> str:
    """Make an empty database; return its address."""
    with _connected(server) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return server.url(name)


def drop_database(server: EmbeddedServer, name: str) -> None:
    """Drop a database: the next size needs the room."""
    with _connected(server) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def watching_writes(server: EmbeddedServer, database: str) -> Iterator[ServerWrote]:
    """Count what the server writes while something is loaded into a database.

    A checkpoint comes first, so that nobody pays for the writes of who came before.
    """
    wrote = ServerWrote()
    with _connected(server) as connection, connection.cursor() as cursor:
        cursor.execute("checkpoint")
        before = _written(cursor, database)
        yield wrote
        wrote.megabytes = (_written(cursor, database) - before) >> 20


def _written(cursor: extensions.cursor, database: str) -> int:
    """Return bytes of the log ever, and of the database now."""
    cursor.execute(
        "select cast(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as bigint) + pg_database_size(%s)", (database,)
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def server_version(server: EmbeddedServer) -> str:
    """Return the version of PostgreSQL."""
    with _connected(server) as connection:
        return str(connection.info.parameter_status("server_version"))
