"""Deploys gold and runs its data tests. dbt compiles the project beside this file; it is not needed to load.

Views are rebuilt only when the project has changed: its hash is kept in `ops.setting` as `gold_version`.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from data_warehouse.dbt_calls import run_dbt, run_dbt_on_snowflake
from data_warehouse.gold_compiled import compiled_gold
from data_warehouse.gold_in_sql import check_views, deploy_views
from data_warehouse.gold_outcome import GoldReport, NodeOutcome
from data_warehouse.gold_project import PROJECT, gold_version, gold_views
from etl_pipeline.core.names import Schemas

__all__ = [
    "PROJECT",
    "build_gold",
    "build_on_snowflake",
    "gold_is_deployed",
    "gold_version",
    "gold_views",
    "run_gold_tests",
]
log = logging.getLogger(__name__)
GOLD_LOCK = 7_310_002


def gold_is_deployed(connection: extensions.connection, schemas: Schemas) -> bool:
    """Tell whether the warehouse has every view of gold, built from the models of this code."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s) is not null", (f"{schemas.ops}.setting",))
        if cursor.fetchone() != (True,):
            return False
        cursor.execute(schemas.render("select value from {{ ops }}.setting where name = 'gold_version'"))
        if cursor.fetchone() != (gold_version(),):
            return False
        cursor.execute("select viewname from pg_catalog.pg_views where schemaname = %s", (schemas.gold,))
        return set(gold_views()) <= {str(row[0]) for row in cursor.fetchall()}


def build_gold(url: str, schemas: Schemas, *, target_dir: Path, run_tests: bool, full: bool = False) -> GoldReport:
    """Bring gold's views up to this code's models, and run their tests if wanted.

    Args:
        url: address of the warehouse, whose schema is deployed.
        schemas: the environment.
        target_dir: a folder of this run's own for what dbt writes.
        run_tests: run the data tests of the project too.
        full: build although the views are up to date.

    Raises:
        StopRunError: a model or a test failed; the text names it.
    """
    started = time.monotonic()
    with closing(psycopg2.connect(url, options=schemas.options)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s)", (GOLD_LOCK,))
        is_needed = full or not gold_is_deployed(connection, schemas)
        nodes = _deploy(connection, schemas, target_dir) if is_needed else ()
        if run_tests:
            nodes += _test(url, connection, schemas, target_dir)
    report = GoldReport(is_needed, nodes, time.monotonic() - started)
    log.info(
        "gold: %s, %d models and tests, %.2f s", "built" if is_needed else "up to date", len(nodes), report.seconds
    )
    return report


def run_gold_tests(url: str, schemas: Schemas, *, target_dir: Path) -> GoldReport:
    """Run the data tests of gold on the views as they are.

    Raises:
        StopRunError: a test failed; the text names it.
    """
    started = time.monotonic()
    with closing(psycopg2.connect(url, options=schemas.options)) as connection:
        connection.autocommit = True
        nodes = _test(url, connection, schemas, target_dir)
    return GoldReport(False, nodes, time.monotonic() - started)


def build_on_snowflake(
    account: Mapping[str, str], schemas: Schemas, *, target_dir: Path, run_tests: bool, views: bool = True
) -> GoldReport:
    """Build gold's views on Snowflake, over what was shipped there, and run their tests if wanted.

    Args:
        account: how Snowflake is reached, by the names of the environment's variables: SNOWFLAKE_ACCOUNT, _USER,
            _PASSWORD or _PRIVATE_KEY_PATH and _PRIVATE_KEY_PASSPHRASE, _ROLE, _WAREHOUSE, _DATABASE; for a server that
            is not Snowflake's own _HOST, _PORT and _PROTOCOL.
        schemas: the environment.
        target_dir: a folder of this environment's own for what dbt writes; not PostgreSQL's.
        run_tests: run the data tests of the project too.
        views: build the views; without it only the tests are run.

    Raises:
        UsageError: dbt-snowflake is not installed.
        StopRunError: a model or a test failed; the text names it.
    """
    started = time.monotonic()
    words = {(True, True): ("build",), (True, False): ("run",), (False, True): ("test",)}.get((views, run_tests), ())
    nodes = tuple(node for word in words for node in run_dbt_on_snowflake(word, account, schemas, target_dir))
    return GoldReport(views, nodes, time.monotonic() - started)


def _deploy(connection: extensions.connection, schemas: Schemas, target_dir: Path) -> tuple[NodeOutcome, ...]:
    """Build every view: all of them or none, from what dbt compiled; one by one by dbt where only dbt can."""
    gold = compiled_gold(target_dir)
    if gold is None:
        nodes = run_dbt("run", connection, schemas, target_dir)
        with connection.cursor() as cursor:
            _remember(cursor, schemas, gold_version())
        return nodes
    connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            nodes = deploy_views(cursor, schemas, gold.views)
            _remember(cursor, schemas, gold.version)
    finally:
        if not connection.closed:
            connection.autocommit = True
    return nodes


def _test(url: str, connection: extensions.connection, schemas: Schemas, target_dir: Path) -> tuple[NodeOutcome, ...]:
    gold = compiled_gold(target_dir)
    return run_dbt("test", connection, schemas, target_dir) if gold is None else check_views(url, schemas, gold.tests)


def _remember(cursor: extensions.cursor, schemas: Schemas, version: str) -> None:
    cursor.execute(
        schemas.render(
            "insert into {{ ops }}.setting (name, value) values ('gold_version', %s) "
            "on conflict (name) do update set value = excluded.value"
        ),
        (version,),
    )
