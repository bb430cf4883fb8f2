"""PostgreSQL as the warehouse: connection, the lock of a run, the manifest, and what waits to be judged again."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg2
from psycopg2 import extensions
from psycopg2.extras import execute_values

from etl_pipeline.contracts.model import Contract, Retailer
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import redact
from load.batch import Batch
from load.references import ReferenceReader

log = logging.getLogger(__name__)
RUN_LOCK_SPACE = 7_310_002
OLDEST_SERVER = 150_000


class AlreadyRunningError(StopRunError):
    """Another run works on the same warehouse; it is no fault."""


@dataclass(frozen=True)
class ManifestFile:
    """A file as the manifest has it."""

    file_id: int
    feed: str
    sha256: str
    name: str
    status: str
    contract_hash: str
    logical_time: datetime | None


def contract_hash(contract: Contract) -> str:
    """Return a hash of everything a contract says."""
    return hashlib.sha256(contract.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


def connect(url: str) -> extensions.connection:
    """Open a connection for loading: UTC, no surprises from the server's settings.

    Raises:
        StopRunError: the server does not answer, or is older than PostgreSQL 15.
    """
    try:
        connection = psycopg2.connect(
            url.replace("postgresql+psycopg2://", "postgresql://"),
            options="-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c client_encoding=UTF8",
            application_name="systock",
            connect_timeout=15,
        )
    except psycopg2.OperationalError as error:
        reason = redact(str(error).strip())
        raise StopRunError(
            f"The warehouse at {redact(url)} does not answer: {reason}. Check SYSTOCK_DATABASE_URL and that the "
            "server runs; without the setting an embedded server is used."
        ) from None
    if connection.server_version < OLDEST_SERVER:
        found = connection.server_version // 10_000
        connection.close()
        raise StopRunError(f"The server is PostgreSQL {found}; SyStock needs 15 or later.")
    return connection


class PostgresWarehouse:
    """One environment of a warehouse, over one connection."""

    def __init__(self, connection: extensions.connection, schemas: Schemas) -> None:
        """Use an open connection; the schema must have been deployed."""
        self.connection = connection
        self.schemas = schemas

    def _rows(self, statement: str, arguments: Sequence[object] | Mapping[str, object] = ()) -> list[tuple]:  # type: ignore[type-arg]
        with self.connection.cursor() as cursor:
            cursor.execute(self.schemas.render(statement), arguments)
            rows = cursor.fetchall() if cursor.description else []
        return rows

    @contextmanager
    def run_lock(self) -> Iterator[None]:
        """Hold the lock of this environment; raise AlreadyRunningError when another run holds it."""
        number = int.from_bytes(hashlib.sha256(self.schemas.silver.encode()).digest()[:4], "big", signed=True)
        taken = self._rows("select pg_try_advisory_lock(%s, %s)", (RUN_LOCK_SPACE % 2**31, number))
        self.connection.commit()
        if not taken[0][0]:
            raise AlreadyRunningError(
                f"Another run works on environment '{self.schemas.env}' already; this one did nothing. Start it again "
                "when that one has finished."
            )
        try:
            yield
        finally:
            if not self.connection.closed:
                self.connection.rollback()
                self._rows("select pg_advisory_unlock(%s, %s)", (RUN_LOCK_SPACE % 2**31, number))
                self.connection.commit()

    def settle_retailer(self, retailer: Retailer) -> None:
        """Make the warehouse this retailer's, or refuse when it is another's."""
        with self.connection:
            held = self._rows("select value from {{ ops }}.setting where name = 'retailer'")
            if held and held[0][0] != retailer.retailer:
                raise UsageError(
                    f"Environment '{self.schemas.env}' of this warehouse holds the retailer '{held[0][0]}', not "
                    f"'{retailer.retailer}'. Use another one: --env {retailer.retailer}"
                )
            for name, value in (("retailer", retailer.retailer), ("zone", retailer.zone)):
                self._rows(
                    "insert into {{ ops }}.setting (name, value) values (%s, %s)"
                    " on conflict (name) do update set value = excluded.value",
                    (name, value),
                )

    def register_feeds(self, contracts: Sequence[Contract]) -> dict[str, int]:
        """Enter the feeds and what they are; return their numbers."""
        with self.connection:
            for contract in contracts:
                self._rows(
                    "insert into {{ ops }}.feed (feed, source_system, describes, contract_hash, has_key, every_hours,"
                    " grace_hours) values (%s, %s, %s, %s, %s, %s, %s) on conflict (feed) do update set"
                    " source_system = excluded.source_system, describes = excluded.describes,"
                    " contract_hash = excluded.contract_hash, has_key = excluded.has_key,"
                    " every_hours = excluded.every_hours, grace_hours = excluded.grace_hours",
                    (
                        contract.feed, contract.source_system, contract.describes, contract_hash(contract),
                        contract.key.line != "$ordinal", contract.schedule.every_hours, contract.schedule.grace_hours,
                    ),
                )  # fmt: skip
            return dict(self._rows("select feed, feed_id from {{ ops }}.feed"))

    def manifest(self) -> dict[tuple[str, str], ManifestFile]:
        """Return every file of the manifest by (feed, content hash)."""
        rows = self._rows(
            "select f.file_id, d.feed, f.sha256, f.name, f.status, f.contract_hash, f.logical_time"
            " from {{ bronze }}.file as f"
            " inner join {{ ops }}.feed as d on f.feed_id = d.feed_id"
        )
        self.connection.commit()
        return {(row[1], row[2]): ManifestFile(*row) for row in rows}

    def manifest_or_nothing(self) -> dict[tuple[str, str], ManifestFile]:
        """Return the manifest, empty where the warehouse has not been deployed yet."""
        there = self._rows("select to_regclass(%s)", (f"{self.schemas.bronze}.file",))[0][0]
        self.connection.commit()
        return self.manifest() if there else {}

    def other_names(self) -> dict[int, list[str]]:
        """Return the names of each file of the manifest beside the one that it first came under."""
        rows = self._rows(
            "select n.file_id, n.name from {{ bronze }}.file_name as n"
            " inner join {{ bronze }}.file as f on n.file_id = f.file_id and n.name <> f.name"
            " order by n.file_id, n.name"
        )
        self.connection.commit()
        names: dict[int, list[str]] = {}
        for file_id, name in rows:
            names.setdefault(int(file_id), []).append(name)
        return names

    def note_names(self, files: Sequence[Landed]) -> None:
        """Remember every name under which the bytes of a file arrived; which one is shown must not depend on order."""
        told = sorted({(file.feed, file.sha256, file.name) for file in files})
        statement = self.schemas.render(
            "insert into {{ bronze }}.file_name (file_id, name, known)"
            " select f.file_id, n.name, (select coalesce(max(b.known), 0) from {{ ops }}.batch as b)"
            " from (values %s) as n (feed, sha256, name)"
            " inner join {{ ops }}.feed as d on n.feed = d.feed"
            " inner join {{ bronze }}.file as f on d.feed_id = f.feed_id and n.sha256 = f.sha256"
            " on conflict do nothing"
        )
        with self.connection, self.connection.cursor() as cursor:
            execute_values(cursor, statement, told, page_size=1_000)

    def begin(self, run_id: str) -> Batch:
        """Begin a load transaction."""
        return Batch(self.connection, self.schemas, run_id)

    def reader(self, units: Mapping[str, str | int]) -> ReferenceReader:
        """Return a reader of references, with the retailer's general units."""
        ratios = {}
        for unit, ratio in units.items():
            top, _, bottom = str(ratio).partition("/")
            ratios[unit] = (top.strip(), bottom.strip() or "1")
        return ReferenceReader(self.schemas, ratios)

    def waiting(self) -> list[tuple[str, str, list[tuple[int, int]]]]:
        """Return what quarantined records wait for: (set, key, [(file_id, record_no), ...])."""
        rows = self._rows(
            "select wants_set, wants_key,"
            " cast(json_agg(json_build_array(file_id, record_no) order by file_id, record_no) as text)"
            " from {{ silver }}.quarantine where known_to is null and wants_set is not null"
            " group by wants_set, wants_key order by wants_set, wants_key"
        )
        self.connection.commit()
        return [(name, key, [(int(f), int(r)) for f, r in json.loads(pairs)]) for name, key, pairs in rows]

    def set_aside_records(self, *, by_old_contract_only: bool) -> list[tuple[int, int]]:
        """Return (file_id, record_no) of what is set aside; if wanted, only by contracts that changed since."""
        rows = self._rows(
            "select q.file_id, q.record_no from {{ silver }}.quarantine as q"
            " inner join {{ bronze }}.file as f on q.file_id = f.file_id"
            " inner join {{ ops }}.feed as d on f.feed_id = d.feed_id"
            " where q.known_to is null and (q.contract_hash <> d.contract_hash or not %s)"
            " order by q.file_id, q.record_no",
            (by_old_contract_only,),
        )
        self.connection.commit()
        return [(int(f), int(r)) for f, r in rows]

    def files_to_judge_again(self, known: int, soft_sets: Sequence[str]) -> list[int]:
        """Return the files that used a code whose meaning a load changed.

        Args:
            known: the load.
            soft_sets: lookup sets without whose codes some contract goes on (`lookup_else`).
        """
        rows = self._rows(
            "select distinct u.file_id from {{ silver }}.changed_keys(%s, cast(%s as text[])) as c"
            " cross join lateral {{ silver }}.files_using(c.set_name, c.key) as u order by u.file_id",
            (known, list(soft_sets)),
        )
        self.connection.commit()
        return [int(row[0]) for row in rows]

    def drop_everything(self) -> None:
        """Drop this environment's schemas, for a full refresh: everything is rebuilt from bronze files."""
        with self.connection:
            for layer in ("gold", "silver", "bronze", "ops"):
                self._rows("drop schema if exists {{ " + layer + " }} cascade")
