"""Calls dbt on the project of gold, in this process. Importing it and reading the project take seconds."""

import importlib.util
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg2 import extensions

from data_warehouse.gold_outcome import NodeOutcome, refuse_failures
from data_warehouse.gold_project import PROJECT
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.names import LAYERS, Schemas

_SNOWFLAKE_SECRETS = {
    name: f"DBT_ENV_SECRET_{name}" for name in ("SNOWFLAKE_PASSWORD", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE")
}
"""What dbt keeps out of its logs, by the name under which it does so."""
_one_at_a_time = threading.Lock()  # dbt keeps its settings in globals


def run_dbt(
    command: str, connection: extensions.connection, schemas: Schemas, target_dir: Path
) -> tuple[NodeOutcome, ...]:
    """Run one dbt command on a warehouse; return the outcome of each node, or raise StopRunError."""
    return _run([command], schemas, _environment(connection, schemas.role), target_dir)


def run_dbt_on_snowflake(
    command: str, account: Mapping[str, str], schemas: Schemas, target_dir: Path
) -> tuple[NodeOutcome, ...]:
    """Run one dbt command on Snowflake; return the outcome of each node, or raise StopRunError.

    Args:
        command: dbt's word.
        account: SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_DATABASE and what else the connection needs, by the names
            of the environment's variables.
        schemas: the environment.
        target_dir: a folder of this environment's own for what dbt writes.

    Raises:
        UsageError: dbt-snowflake is not installed.
        StopRunError: a node failed.
    """
    if importlib.util.find_spec("dbt.adapters.snowflake") is None:
        raise UsageError("Gold on Snowflake needs dbt-snowflake: pip install 'systock[snowflake]'")
    names = {name: _SNOWFLAKE_SECRETS.get(name, name) for name in account if name.startswith("SNOWFLAKE_")}
    environment = {given: account[name] for name, given in names.items()}
    return _run([command, "--target", "snowflake"], schemas, environment, target_dir)


def _run(
    command: Sequence[str], schemas: Schemas, environment: Mapping[str, str], target_dir: Path
) -> tuple[NodeOutcome, ...]:
    variables = {f"{layer}_schema": str(getattr(schemas, layer)) for layer in LAYERS}
    outcome = call_dbt(command, variables, environment, target_dir)
    results = getattr(outcome.result, "results", None)
    if results is None:
        raise StopRunError(
            f"dbt {command[0]} did not start: {outcome.exception}. Mend data_warehouse/gold and run again."
        )
    nodes = tuple(
        NodeOutcome(r.node.name, str(r.node.resource_type), str(r.status), r.execution_time, r.message or "")
        for r in results
    )
    refuse_failures(command[0], nodes)
    return nodes


def call_dbt(
    command: Sequence[str],
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    target_dir: Path,
    *,
    project: Path | None = None,
) -> Any:
    """Return what dbt has to say to a command.

    Args:
        command: dbt's word and the switches behind it.
        variables: the project's vars.
        environment: what profiles.yml reads.
        target_dir: a folder of this run's own for what dbt writes.
        project: where the dbt project lies; the one beside this file, if none is given.
    """
    from dbt.cli.main import dbtRunner

    target_dir.mkdir(parents=True, exist_ok=True)
    arguments = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--no-send-anonymous-usage-stats"]
    # A manifest of an earlier run would keep the names of its schemas.
    arguments += ["--no-partial-parse", "--no-version-check", "--no-use-colors", *command]
    arguments += ["--vars", json.dumps(dict(variables))]
    folder = project or PROJECT
    for switch, path in (("project-dir", folder), ("profiles-dir", folder), ("target-path", target_dir)):
        arguments += [f"--{switch}", str(path.resolve())]
    arguments += ["--log-path", str(target_dir.resolve() / "logs")]
    with _one_at_a_time, _set_environment({"DO_NOT_TRACK": "1", **environment}):
        return dbtRunner().invoke(arguments)


def _environment(connection: extensions.connection, role: str | None) -> dict[str, str]:
    """Return what profiles.yml reads, as the open connection has it: URL, password file and all are settled there."""
    info = connection.info
    return {
        "SYSTOCK_DBT_HOST": info.host or "localhost",
        "SYSTOCK_DBT_PORT": str(info.port),
        "SYSTOCK_DBT_USER": info.user,
        "SYSTOCK_DBT_DATABASE": info.dbname,
        "SYSTOCK_DBT_ROLE": role or "",
        "SYSTOCK_DBT_SSLMODE": info.dsn_parameters.get("sslmode", "prefer"),
        "DBT_ENV_SECRET_SYSTOCK_PASSWORD": info.password or "",
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
