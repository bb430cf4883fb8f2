"""Deploys gold: runs the dbt project beside this file, in this process. dbt is needed to deploy, not to load.

Views are rebuilt only when the project has changed: its hash is kept in `ops.setting` as `gold_version`.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import FIXED_PATH, LAYERS, Schemas

log = logging.getLogger(__name__)
PROJECT = Path(__file__).parent / "gold"
GOLD_LOCK = 7_310_002
_PARTS = ("dbt_project.yml", "macros/**/*.sql", "models/**/*", "tests/**/*.sql")
_one_at_a_time = threading.Lock()  # dbt keeps its settings in globals


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one model or test.

    Attributes:
        name: the model's or test's name.
        kind: `model` or `test`.
        status: dbt's word: success, pass, warn, fail, error, skipped.
        seconds: how long it took.
        message: dbt's own words, empty where all is well.
    """

    name: str
    kind: str
    status: str
    seconds: float
    message: str

    @property
    def is_good(self) -> bool:
        """Whether the run may go on after it."""
        return self.status in ("success", "pass", "warn", "no-op")


@dataclass(frozen=True)
class GoldReport:
    """What a build did; `is_built` is False when the views were up to date."""

    is_built: bool
    nodes: tuple[NodeOutcome, ...]
    seconds: float


def gold_version() -> str:
    """Return a hash of everything in the dbt project that shapes the views."""
    whole = hashlib.sha256()
    for path in sorted({p for part in _PARTS for p in PROJECT.glob(part) if p.is_file()}):
        whole.update(path.relative_to(PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def gold_views() -> list[str]:
    """Return the names of the views that the project deploys."""
    models = PROJECT.joinpath("models").rglob("*.sql")
    return sorted(path.stem for path in models if path.parent.name != "inside")


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
    with closing(psycopg2.connect(url, options=FIXED_PATH)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s)", (GOLD_LOCK,))
        is_needed = full or not gold_is_deployed(connection, schemas)
        nodes: tuple[NodeOutcome, ...] = ()
        if is_needed:
            nodes = _run_dbt("run", connection, schemas, target_dir)
            _remember(connection, schemas)
        if run_tests:
            nodes += _run_dbt("test", connection, schemas, target_dir)
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
    with closing(psycopg2.connect(url, options=FIXED_PATH)) as connection:
        connection.autocommit = True
        nodes = _run_dbt("test", connection, schemas, target_dir)
    return GoldReport(False, nodes, time.monotonic() - started)


def _remember(connection: extensions.connection, schemas: Schemas) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            schemas.render(
                "insert into {{ ops }}.setting (name, value) values ('gold_version', %s) "
                "on conflict (name) do update set value = excluded.value"
            ),
            (gold_version(),),
        )


def _environment(connection: extensions.connection) -> dict[str, str]:
    """Return what profiles.yml reads, as the open connection has it: URL, password file and all are settled there."""
    info = connection.info
    return {
        "SYSTOCK_DBT_HOST": info.host or "localhost",
        "SYSTOCK_DBT_PORT": str(info.port),
        "SYSTOCK_DBT_USER": info.user,
        "SYSTOCK_DBT_DATABASE": info.dbname,
        "SYSTOCK_DBT_SSLMODE": info.dsn_parameters.get("sslmode", "prefer"),
        "DBT_ENV_SECRET_SYSTOCK_PASSWORD": info.password or "",
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def _set_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for dbt, which takes them from nowhere else, and put them back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _run_dbt(
    command: str, connection: extensions.connection, schemas: Schemas, target_dir: Path
) -> tuple[NodeOutcome, ...]:
    """Run one dbt command; return the outcome of each node, or raise StopRunError."""
    from dbt.cli.main import dbtRunner

    target_dir.mkdir(parents=True, exist_ok=True)
    variables = {f"{layer}_schema": getattr(schemas, layer) for layer in LAYERS}
    arguments = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--no-send-anonymous-usage-stats"]
    arguments += [
        "--no-partial-parse",
        "--no-version-check",
        "--no-use-colors",
        command,
        "--vars",
        json.dumps(variables),
    ]
    for switch, path in (("project-dir", PROJECT), ("profiles-dir", PROJECT), ("target-path", target_dir)):
        arguments += [f"--{switch}", str(path.resolve())]
    arguments += ["--log-path", str(target_dir.resolve() / "logs")]
    with _one_at_a_time, _set_environment(_environment(connection)):
        outcome = dbtRunner().invoke(arguments)
    results = getattr(outcome.result, "results", None)
    if results is None:
        raise StopRunError(f"dbt {command} did not start: {outcome.exception}. Mend data_warehouse/gold and run again.")
    nodes = tuple(
        NodeOutcome(r.node.name, str(r.node.resource_type), str(r.status), r.execution_time, r.message or "")
        for r in results
    )
    _refuse_failures(command, nodes)
    return nodes


def _refuse_failures(command: str, nodes: tuple[NodeOutcome, ...]) -> None:
    """Raise StopRunError if a node failed, naming the first and counting the rest."""
    bad = [node for node in nodes if not node.is_good]
    if not bad:
        return
    first = next((node for node in bad if node.status != "skipped"), bad[0])
    others = f" ({len(bad) - 1} others failed or were skipped after it)" if len(bad) > 1 else ""
    raise StopRunError(
        f"gold: {first.kind} {first.name} failed{others}: {' '.join(first.message.split())} "
        f"Mend it in data_warehouse/gold, or the data it complains about, then run dbt {command} again."
    )
