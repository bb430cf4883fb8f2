"""A warehouse that the flow is run against, and what a test asks it."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg2
import pytest

from data_warehouse.content_hash import content_hash
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.embedded_postgres import EmbeddedServer
from pipeline_manager.environments.lifecycle import create
from pipeline_manager.environments.registry import Environment
from pipeline_manager.flow import Options, run_flow, utc_now
from pipeline_manager.report import RunReport

REPO = Path(__file__).resolve().parents[1]
SHARED_DATA = REPO.parent / "shared" / "data"
PROD = Schemas.of(None)


class RunWarehouse:
    """A warehouse that the flow loads, with a home of its own."""

    def __init__(self, name: str, url: str, home: Path) -> None:
        self.name = name
        self.url = url
        self.home = home

    def run(
        self, feeds: Path, inbox: Path | None, environ: dict[str, str] | None = None,
        clock: Callable[[], datetime] = utc_now, **options: Any,
    ) -> RunReport:  # fmt: skip
        """Run the flow in this process; gold's data tests are left out unless asked for."""
        options.setdefault("gold_tests", False)
        settings = self.settings_with(environ or {})
        return run_flow(Options(feeds, inbox, **options), settings, make_progress("silent"), clock)

    def settings_with(self, environ: dict[str, str]) -> Settings:
        """Return settings of this warehouse with an environment."""
        return Settings(home=self.home, database_url=self.url, environ=environ)

    def environment(self, name: str, origin: Literal["prod", "empty"] = "empty", days: float = 7) -> Environment:
        """Create an environment beside prod."""
        return create(self.url, self.settings, name, origin=origin, lease_days=days, now=datetime.now(UTC))

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, database_url=self.url)

    def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.url, options="-c timezone=UTC")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())

    def value(self, query: str, values: Any = None) -> Any:
        return self.rows(query, values)[0][0]

    def hashes(self) -> dict[str, str]:
        with closing(psycopg2.connect(self.url)) as connection:
            return content_hash(connection, PROD)

    @property
    def total(self) -> str:
        return self.hashes()["total"]

    def books(self) -> list[tuple[Any, ...]]:
        """Files whose records do not add up (law 1): none when all is well."""
        return self.rows(
            "select file_name, records, accepted, duplicate, superseded, non_data, quarantined from gold.feed_file "
            "where status = 'loaded' and records <> accepted + duplicate + superseded + non_data + quarantined"
        )

    def untiled(self) -> list[tuple[Any, ...]]:
        """Files whose records, laid end to end, are not exactly the bytes between the first and the last one."""
        return self.rows(
            """
            with laid as (
                select f.file_id, f.name, f.records, f.content_bytes, r.*,
                    lead(r.byte_start) over (partition by f.file_id order by r.record_no) as next_start,
                    lead(r.record_no) over (partition by f.file_id order by r.record_no) as next_no
                from bronze.file as f cross join lateral bronze.records(f.file_id) as r
            )
            select name, count(*), records from laid
            group by file_id, name, records, content_bytes
            having count(*) <> records or min(record_no) not in (0, 1) or min(byte_start) <> 0
                or max(byte_end) <> content_bytes
                or bool_or(next_start <> byte_end) or bool_or(next_no <> record_no + 1)
                or bool_or(byte_end - byte_start <> octet_length(content))
            """
        )

    def bytes_of(self, file_id: int) -> bytes:
        """The bytes of a file, put together from its addressed records."""
        found = self.rows("select content from bronze.records(%s) order by record_no", (file_id,))
        return b"".join(bytes(row[0]) for row in found)


def administer(server: EmbeddedServer, statement: str) -> None:
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def shared_data(folder: str) -> Path:
    """A folder of real data, or a skip in one line."""
    path = SHARED_DATA / folder
    if not path.is_dir():
        pytest.skip(f"the real data is not here: {path}")
    return path
