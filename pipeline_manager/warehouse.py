"""Opens the warehouse: the server of a URL, or the embedded one; deploys its schema."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg2 import extensions

from data_warehouse.dbt_runner import build_gold
from data_warehouse.deploy import deploy
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import Settings, redact, remember_secrets
from etl_pipeline.core.snowflake_access import KEEPER, SnowflakeAccess, is_snowflake, snowflake_access
from load.embedded_postgres import EmbeddedServer
from load.postgres import PostgresWarehouse, connect, reconnect
from pipeline_manager.environments.copying import copy_prod
from pipeline_manager.environments.registry import (
    Environment,
    environment_to_use,
    is_prod,
    note_contracts,
    note_own_tables,
)


@dataclass(frozen=True)
class OpenWarehouse:
    """A warehouse in use.

    Attributes:
        warehouse: the environment.
        url: its address, password and all: never shown.
        settings: where things lie.
        environment: as the registry had it when it was opened; None in prod.
    """

    warehouse: PostgresWarehouse
    url: str
    settings: Settings
    environment: Environment | None = None

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return redact(self.url)

    def deploy(self) -> bool:
        """Bring the schema up to the code."""
        return deploy(self.warehouse.connection, self.warehouse.schemas)

    def have_own_tables(self, *, filled: bool = True, contracts: Path | None = None) -> None:
        """Before the first write into an environment: give it tables of its own; prod has its own always.

        Args:
            filled: with prod's rows; a full refresh makes everything anew instead.
            contracts: folder of contracts that it is going to be loaded with.
        """
        if self.environment is None:
            return
        with closing(connect(self.url)) as owner:
            found = environment_to_use(owner, self.environment.name)
            if found.created_at != self.environment.created_at:  # with a role of the same name, and not the same role
                raise StopRunError(f"Environment '{found.name}' was made anew in the meantime. Start this once more.")
            if contracts is not None:
                note_contracts(owner, found.name, str(contracts.resolve()))
            if found.detached_at is not None:
                return
            base = copy_prod(owner, found.schemas) if filled else found.base_known
            reached("env.copied")
            if filled:
                self.deploy()
                reached("env.copy_deployed")
                build_gold(self.url, found.schemas, target_dir=self.settings.work_dir / "dbt", run_tests=False)
            with owner, owner.cursor() as cursor:
                note_own_tables(cursor, found.name, base)
            reached("env.written_to")


def warehouse_url(url: str | None, settings: Settings) -> str:
    """Return the given address, or that of the embedded server, started if it does not run.

    Snowflake serves and decides nothing: where it is given, the keeper is meant.
    """
    remember_secrets(url or "")
    if is_snowflake(url):
        url = settings.environ.get(KEEPER)
    return url or EmbeddedServer.start(settings.postgres_dir).url()


def served_by(url: str | None, settings: Settings) -> SnowflakeAccess | None:
    """Return the serving warehouse of an address, or of the settings where none is given; None for PostgreSQL.

    Raises:
        UsageError: Snowflake is asked for, and a setting is missing.
    """
    return settings.serving if url is None else snowflake_access(url, settings.environ)


@contextmanager
def open_warehouse(url: str | None, settings: Settings, schemas: Schemas) -> Iterator[OpenWarehouse]:
    """Connect for the time of a run: to prod, or, as its role and with its folder, to an environment.

    Raises:
        UsageError: there is no environment of that name, or its time is over.
    """
    address = warehouse_url(url, settings)
    environment = None
    if not is_prod(schemas.env):
        with closing(connect(address)) as connection:
            environment = environment_to_use(connection, schemas.env)
        schemas, settings = environment.schemas, replace(settings, env=environment.name)

    def reopen() -> extensions.connection:
        # An embedded server that died is started again; its address stays.
        return reconnect(warehouse_url(url, settings), schemas.options)

    warehouse = PostgresWarehouse(connect(address, schemas.options), schemas, reopen)
    try:
        yield OpenWarehouse(warehouse, address, settings, environment)
    finally:
        warehouse.connection.close()
