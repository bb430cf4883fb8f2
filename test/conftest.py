"""One real PostgreSQL for all tests of a session, and an empty database for each test that asks.

With SYSTOCK_TEST_SERVER (a folder) the server outlives the session and several sessions may share it: quicker while
one works on a single test. Without it nothing is left behind.
"""

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg2
import pytest

from data_warehouse.dbt_runner import build_gold
from data_warehouse.deploy import deploy, schema_version
from load.embedded_postgres import EmbeddedServer
from test.run_warehouse import PROD, REPO, RunWarehouse, administer

if TYPE_CHECKING:
    from test.torture.stage import Stage

# What Hypothesis draws is the same in every run, so that a change is judged by what it changed.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")
_numbers = itertools.count(1)
_copies = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedServer]:
    if kept := os.environ.get("SYSTOCK_TEST_SERVER"):
        yield EmbeddedServer.start(Path(kept))
        return
    # Not pytest's own folder: below it, where user namespaces are blocked, root's server may not go.
    folder = Path(tempfile.mkdtemp(prefix="systock-test-"))
    server = EmbeddedServer.start(folder, ephemeral=True)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: EmbeddedServer) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    administer(postgres_server, f"create database {name}")
    yield postgres_server.url(name)
    administer(postgres_server, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def deployed_template(postgres_server: EmbeddedServer) -> str:
    """Name of a database with schema and gold and nothing in it, to copy from."""
    name = f"flow_template_{_sql_hash()}"
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as guard, guard.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtext(%s))", (name,))
        cursor.execute("select count(*) from pg_database where datname = %s", (name,))
        if cursor.fetchone() == (1,):
            return name
        being_made = f"{name}_{os.getpid()}"
        administer(postgres_server, f"create database {being_made}")
        url = postgres_server.url(being_made)
        with closing(psycopg2.connect(url)) as connection:
            deploy(connection, PROD)
        with tempfile.TemporaryDirectory() as folder:
            build_gold(url, PROD, target_dir=Path(folder), run_tests=False)
        administer(postgres_server, f"alter database {being_made} rename to {name}")
    return name


def _sql_hash() -> str:
    """What the template is made of: a shared server may hold those of several states of the code."""
    whole = hashlib.sha256(schema_version().encode())
    for path in sorted((REPO / "data_warehouse" / "gold").glob("m*/**/*")):
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()[:10]


@pytest.fixture(scope="session")
def make_warehouse(
    postgres_server: EmbeddedServer, deployed_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], RunWarehouse]]:
    """Make an empty warehouse each time it is called; they are dropped when the session ends."""

    made: list[str] = []

    def make() -> RunWarehouse:
        name = f"flow_{os.getpid()}_{next(_copies)}"
        administer(postgres_server, f"create database {name} template {deployed_template}")
        made.append(name)
        return RunWarehouse(name, postgres_server.url(name), tmp_path_factory.mktemp("home"))

    yield make
    for name in made:
        administer(postgres_server, f"drop database if exists {name} with (force)")


@pytest.fixture
def warehouse(postgres_server: EmbeddedServer, make_warehouse: Callable[[], RunWarehouse]) -> Iterator[RunWarehouse]:
    made = make_warehouse()
    yield made
    administer(postgres_server, f"drop database {made.name} with (force)")


@pytest.fixture(scope="session")
def feeds_folder() -> Path:
    return REPO / "feeds"


@pytest.fixture(scope="session")
def feeds_unsnapped(feeds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The feeds with no daily snapshots kept: for tests of facts, where sealing them is most of the time."""
    folder = tmp_path_factory.mktemp("feeds") / "feeds"
    shutil.copytree(feeds_folder, folder)
    for retailer in folder.glob("*/retailer.yml"):
        text = retailer.read_text(encoding="utf-8")
        if "snapshot_days" not in text:
            retailer.write_text(text + "snapshot_days: 0\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def stage() -> Iterator["Stage"]:
    """A server that may be killed, for the tests of processes."""
    from test.torture.stage import Stage

    if "dbt.adapters.postgres" in sys.modules:
        # The runs are forked, and a fork of a process in which dbt has run waits for ever on locks of its threads.
        pytest.fail("these tests need a process in which gold was never built: see `make test`", pytrace=False)
    made = Stage()
    yield made
    made.close()
