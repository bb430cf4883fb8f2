"""One real PostgreSQL for all tests of a session, and an empty database for each test that asks."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from load.embedded_postgres import EmbeddedServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedServer]:
    # Not pytest's own folder: below it, where user namespaces are blocked, root's server may not go.
    folder = Path(tempfile.mkdtemp(prefix="systock-test-"))
    server = EmbeddedServer.start(folder, ephemeral=True)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: EmbeddedServer) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _execute(postgres_server, f"create database {name}")
    yield postgres_server.url(name)
    _execute(postgres_server, f"drop database {name} with (force)")


def _execute(server: EmbeddedServer, statement: str) -> None:
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)
