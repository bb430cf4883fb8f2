"""Opens the warehouse: the server of a URL, or the embedded one; deploys its schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from data_warehouse.deploy import deploy
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import Settings, redact, remember_secrets
from load.embedded_postgres import EmbeddedServer
from load.postgres import PostgresWarehouse, connect, reconnect


@dataclass(frozen=True)
class OpenWarehouse:
    """A warehouse in use.

    Attributes:
        warehouse: the environment.
        url: its address, password and all: never shown.
        settings: where things lie.
    """

    warehouse: PostgresWarehouse
    url: str
    settings: Settings

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return redact(self.url)

    def deploy(self) -> bool:
        """Bring the schema up to the code."""
        return deploy(self.warehouse.connection, self.warehouse.schemas)


def warehouse_url(url: str | None, settings: Settings) -> str:
    """Return the given address, or that of the embedded server, started if it does not run."""
    remember_secrets(url or "")
    return url or EmbeddedServer.start(settings.postgres_dir).url()


@contextmanager
def open_warehouse(url: str | None, settings: Settings, schemas: Schemas) -> Iterator[OpenWarehouse]:
    """Connect for the time of a run."""
    address = warehouse_url(url, settings)
    # An embedded server that died is started again; its address stays.
    warehouse = PostgresWarehouse(connect(address), schemas, lambda: reconnect(warehouse_url(url, settings)))
    try:
        yield OpenWarehouse(warehouse, address, settings)
    finally:
        warehouse.connection.close()
