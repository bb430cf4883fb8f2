"""Environments are created, re-based, let go and cleared away; what a crash left half done, the next of these ends."""

import getpass
import logging
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import psycopg2
from psycopg2 import extensions, sql

from data_warehouse.dbt_runner import build_gold
from data_warehouse.deploy import deploy, deployed_version
from etl_pipeline.core.errors import RetryStepError, StopRunError, UsageError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import Settings
from etl_pipeline.core.snowflake_access import SnowflakeAccess
from load.postgres import connect
from pipeline_manager.environments import registry
from pipeline_manager.environments.copying import drop_schemas, make_schemas
from pipeline_manager.environments.locking import PATIENCE_SECONDS, name_held, run_held
from pipeline_manager.environments.naming import checked_name, role_name
from pipeline_manager.environments.reading import read_through
from pipeline_manager.environments.registry import Environment
from pipeline_manager.shipping import open_target
from pipeline_manager.warehouse import served_by, warehouse_url

log = logging.getLogger(__name__)
Origin = Literal["prod", "empty"]
READER = "systock_auditor"
"""The role that reads all of prod and changes nothing; every deployment gives it its rights (099_roles.sql)."""
LONGEST_LEASE_DAYS = 3650


def create(
    url: str | None, settings: Settings, name: str, *, origin: Origin, lease_days: float, now: datetime
) -> Environment:
    """Make an environment; one of that name that is there, and not expired, stays as it is and is returned.

    Args:
        url: the warehouse; None for the settings' or the embedded server.
        settings: where things lie.
        name: its name; see `environment_name` for text that cannot be trusted.
        origin: begin with the data of `prod`, or `empty`.
        lease_days: how long it may stay.
        now: when it is asked for.

    Raises:
        UsageError: the name cannot be one, or schemas of that name belong to somebody else.
        StopRunError: another command or a run holds the name, or the server refuses.
    """
    checked_name(name)
    if not 0 < lease_days <= LONGEST_LEASE_DAYS:
        raise UsageError(f"A lease of {lease_days:g} days cannot be given. Ask for more than 0 and at most 3650.")
    address = warehouse_url(url or settings.database_url, settings)
    with closing(connect(address)) as connection, name_held(connection, name):
        _have_prod(connection, address, settings)
        found = registry.find(connection, name)
        if found and found.state == "ready" and found.expires_at > now:
            return found
        if found:
            _drop(connection, settings, found, PATIENCE_SECONDS, served_by(url, settings))
        made = Environment(
            name, role_name(connection.info.dbname, name), origin, "creating", now, now + timedelta(days=lease_days),
            None, 0, None, _who(), False,
        )  # fmt: skip
        registry.enter(connection, made)
        reached("env.entered")
        with _told(made):
            _make(connection, made)
        reached("env.made")
        if origin == "empty":
            _deploy(connection, made)
            _build_gold(address, made.schemas, settings)
        _forget_files(settings, name)
        reached("env.deployed")
        registry.set_state(connection, name, "ready")
        reached("env.ready")
        return registry.find(connection, name) or made


def drop(url: str | None, settings: Settings, name: str, *, patience: float = PATIENCE_SECONDS) -> bool:
    """Drop an environment: schemas, role, files and entry; return False when there was none.

    Raises:
        UsageError: the name cannot be one.
        StopRunError: another command or a run holds it.
    """
    checked_name(name)
    with _owner(url, settings) as connection, name_held(connection, name, patience):
        found = registry.find(connection, name)
        if found is None:
            return False
        _drop(connection, settings, found, patience, served_by(url, settings))
        return True


def collect_garbage(url: str | None, settings: Settings, *, now: datetime) -> list[str]:
    """Drop what is expired or half made; what somebody works on is left for the next time. Return the names."""
    with _owner(url, settings) as connection:
        listed = registry.environments(connection)
    dropped = []
    for one in listed:
        if one.state == "ready" and one.expires_at > now:
            continue
        try:
            with _owner(url, settings) as connection, name_held(connection, one.name, patience=0):
                found = registry.find(connection, one.name)
                if found is None or (found.state == "ready" and found.expires_at > now):
                    continue
                _drop(connection, settings, found, 0, served_by(url, settings))
                dropped.append(one.name)
        except (StopRunError, RetryStepError) as error:
            log.warning("%s", error)
    return dropped


def refresh(url: str | None, settings: Settings, name: str) -> Environment:
    """Base an environment on prod as it is now; what was loaded into it is gone.

    Raises:
        UsageError: there is no such environment, or it began empty.
        StopRunError: another command or a run holds it.
    """
    checked_name(name)
    with _owner(url, settings) as connection, name_held(connection, name):
        found = registry.environment_to_use(connection, name)
        if found.origin != "prod":
            raise UsageError(f"Environment '{name}' began empty: there is nothing of prod in it to refresh.")
        with run_held(connection, found.schemas), _told(found):
            _make(connection, found, anew=True)
            _forget_files(settings, name)
        return registry.find(connection, name) or found


@contextmanager
def _owner(url: str | None, settings: Settings) -> Iterator[extensions.connection]:
    """Connect as who owns the warehouse."""
    with closing(connect(warehouse_url(url or settings.database_url, settings))) as connection:
        yield connection


def _have_prod(connection: extensions.connection, address: str, settings: Settings) -> None:
    """Deploy prod where it is empty, and give it the registry where an earlier version deployed it."""
    if deployed_version(connection, Schemas.of(None)) is None:
        connection.rollback()
        deploy(connection, Schemas.of(None))
        _build_gold(address, Schemas.of(None), settings)
    connection.rollback()
    if not registry.has_registry(connection):
        registry.make_registry(connection)


def _build_gold(address: str, schemas: Schemas, settings: Settings) -> None:
    build_gold(address, schemas, target_dir=replace(settings, env=schemas.env).work_dir / "dbt", run_tests=False)


def _make(connection: extensions.connection, environment: Environment, *, anew: bool = False) -> None:
    """Make role and schemas, and let them read prod unless it begins empty: all of it, or nothing."""
    schemas = environment.schemas
    with connection, connection.cursor() as cursor:
        if not anew:
            _make_role(cursor, environment.role)
        make_schemas(cursor, schemas, anew=anew)
        if environment.origin != "prod":
            return
        cursor.execute(sql.SQL("grant {} to {}").format(sql.Identifier(READER), sql.Identifier(environment.role)))
        cursor.execute("select coalesce(max(known), 0) from ops.batch")
        known = (cursor.fetchone() or (0,))[0]
        registry.note_base(cursor, environment.name, int(known))
        cursor.execute("select set_config('role', %s, true)", (environment.role,))
        read_through(cursor, schemas)


def _make_role(cursor: extensions.cursor, role: str) -> None:
    """Make the role of an environment; one that a database of before left on the server is taken up."""
    name = sql.Identifier(role)
    cursor.execute("select 1 from pg_catalog.pg_roles where rolname = %s", (role,))
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL("create role {} nologin").format(name))
    # Who made the prod's schemas can take the role on, and drop what it owns. A superuser can without.
    cursor.execute("select rolsuper from pg_catalog.pg_roles where rolname = current_user")
    if cursor.fetchone() != (True,):
        cursor.execute(sql.SQL("grant {} to current_user").format(name))
    cursor.execute("select has_database_privilege(%s, current_database(), 'temporary')", (role,))
    if cursor.fetchone() != (True,):
        cursor.execute(
            sql.SQL("grant temporary on database {} to {}").format(sql.Identifier(cursor.connection.info.dbname), name)
        )


def _deploy(connection: extensions.connection, environment: Environment) -> None:
    """Deploy the schema of this code as the environment's role."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select set_config('role', %s, false)", (environment.role,))
    try:
        deploy(connection, environment.schemas)
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute("set role none")
    with connection, connection.cursor() as cursor:
        registry.note_own_tables(cursor, environment.name, 0)


def _drop(
    connection: extensions.connection, settings: Settings, found: Environment, patience: float,
    served: SnowflakeAccess | None,
) -> None:  # fmt: skip
    """Take everything of an environment away, step by step; a step that was done before is no harm."""
    with run_held(connection, found.schemas, patience):
        registry.set_state(connection, found.name, "dropping")
        reached("env.leaving")
        with connection, connection.cursor() as cursor:
            drop_schemas(cursor, found.schemas)
            cursor.execute("select 1 from pg_catalog.pg_roles where rolname = %s", (found.role,))
            if cursor.fetchone():
                role = sql.Identifier(found.role)
                cursor.execute(sql.SQL("drop owned by {}").format(role))
                cursor.execute(sql.SQL("drop role {}").format(role))
        reached("env.emptied")
        if served is not None:
            with closing(open_target(served, found.schemas)) as serving:
                serving.drop_environment()
        _forget_files(settings, found.name)
        reached("env.files_gone")
        registry.strike_out(connection, found.name)
        reached("env.gone")


def _forget_files(settings: Settings, name: str) -> None:
    """Remove the files of an environment's own: received ones, too.

    Raises:
        StopRunError: one cannot be removed; what was to be ended with it is ended by the next command.
    """
    folder = replace(settings, env=name).work_dir
    try:
        if folder.is_symlink() or folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise StopRunError(
            f"{folder} cannot be removed ({error.strerror or error}). Nothing of '{name}' counts as gone before it is: "
            "remove it, or give this user the right to, and start this once more."
        ) from error


@contextmanager
def _told(environment: Environment) -> Iterator[None]:
    """Turn what the server refuses into what to do."""
    try:
        yield
    except psycopg2.errors.DuplicateSchema:
        raise UsageError(
            f"Schemas of the name '{environment.name}' are there already and belong to somebody else. Take another "
            f"name, or drop them: drop schema {environment.name}_bronze, {environment.name}_silver, "
            f"{environment.name}_gold, {environment.name}_ops cascade"
        ) from None
    except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedObject) as error:
        raise StopRunError(
            f"The server does not let this user make an environment: {str(error).splitlines()[0]}. It needs createrole "
            f"and create on the database, and admin option on {READER}; ask an administrator."
        ) from None


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
