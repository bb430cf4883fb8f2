"""PostgreSQL as the warehouse: connection, the lock of a run, the manifest, and what waits to be judged again."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import Any

from psycopg2 import sql
from psycopg2.extras import execute_values

from etl_pipeline.contracts.model import Contract, Retailer
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.ops_tables import is_kept
from load.batch import Batch, BrokenLawError
from load.emptying import drop_contents
from load.references import ReferenceReader
from load.session import AlreadyRunningError, Session, TakenOverError, connect, persistent, reconnect

__all__ = ["AlreadyRunningError", "PostgresWarehouse", "TakenOverError", "connect", "reconnect"]
log = logging.getLogger(__name__)
EVENT_FACTS = ("movement", "count", "sale", "demand", "supply")


FileKey = tuple[str, str, datetime | None]
"""Feed, content hash and the time in the name: what makes a file another one."""
_MANIFEST = (
    "select f.file_id, d.feed, f.sha256, f.name, f.status, f.contract_hash, f.named_time, f.reason"
    " from {{ bronze }}.file as f inner join {{ ops }}.feed as d on f.feed_id = d.feed_id"
)


@dataclass(frozen=True)
class ManifestFile:
    """A file as the manifest has it."""

    file_id: int
    feed: str
    sha256: str
    name: str
    status: str
    contract_hash: str
    named_time: datetime | None
    reason: str | None


def _by_key(rows: Sequence[tuple[Any, ...]]) -> dict[FileKey, ManifestFile]:
    files = (ManifestFile(*row) for row in rows)
    return {(file.feed, file.sha256, file.named_time): file for file in files}


def contract_hash(contract: Contract) -> str:
    """Return a hash of everything a contract says."""
    return hashlib.sha256(contract.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


class PostgresWarehouse(Session):
    """One environment of a warehouse; its schema must have been deployed."""

    @persistent
    def settle_retailer(self, retailer: Retailer) -> None:
        """Make the warehouse this retailer's, or refuse when it is another's."""
        with self.connection:
            held = self._rows("select value from {{ ops }}.setting where name = 'retailer'")
            if held and held[0][0] != retailer.retailer:
                raise UsageError(
                    f"Environment '{self.schemas.env}' of this warehouse holds the retailer '{held[0][0]}', not "
                    f"'{retailer.retailer}'. Use another one: systock env create "
                    f"{retailer.retailer} --empty, then --env {retailer.retailer}"
                )
            settled = {
                "retailer": retailer.retailer,
                "zone": retailer.zone,
                "transit_days": str(retailer.transit_days),
                "staleness_z": f"{NormalDist().inv_cdf(retailer.staleness_quantile):.4f}",
                "service_level": str(retailer.service_level),
            }
            for name, value in settled.items():
                self._rows(
                    "insert into {{ ops }}.setting (name, value) values (%s, %s)"
                    " on conflict (name) do update set value = excluded.value",
                    (name, value),
                )

    @persistent
    def register_feeds(self, contracts: Sequence[Contract]) -> dict[str, int]:
        """Enter the feeds and what they are; return their numbers."""
        with self.connection:
            for contract in contracts:
                self._rows(
                    "insert into {{ ops }}.feed (feed, source_system, describes, contract_hash, has_key, every_hours,"
                    " grace_hours, each_series, time_marks, has_events, clock_tolerance_minutes, most_variance,"
                    " past_due_days, past_due_grace_days)"
                    " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (feed) do update set"
                    " source_system = excluded.source_system, describes = excluded.describes,"
                    " contract_hash = excluded.contract_hash, has_key = excluded.has_key,"
                    " every_hours = excluded.every_hours, grace_hours = excluded.grace_hours,"
                    " each_series = excluded.each_series, time_marks = excluded.time_marks,"
                    " has_events = excluded.has_events, most_variance = excluded.most_variance,"
                    " clock_tolerance_minutes = excluded.clock_tolerance_minutes,"
                    " past_due_days = excluded.past_due_days, past_due_grace_days = excluded.past_due_grace_days",
                    (
                        contract.feed, contract.source_system, contract.describes, contract_hash(contract),
                        contract.key.line != "$ordinal", contract.schedule.every_hours, contract.schedule.grace_hours,
                        contract.schedule.each, contract.schedule.time_marks,
                        any(rule.fact in EVENT_FACTS for rule in contract.yields),
                        contract.reading.clock_tolerance_minutes, contract.reading.plausible.most_variance,
                        contract.reading.past_due_days, contract.reading.past_due_grace_days,
                    ),
                )  # fmt: skip
            return dict(self._rows("select feed, feed_id from {{ ops }}.feed"))

    @persistent
    def manifest(self) -> dict[FileKey, ManifestFile]:
        """Return every file of the manifest by feed, content hash and the time in its name."""
        rows = self._rows(_MANIFEST)
        self.connection.commit()
        return _by_key(rows)

    @persistent
    def manifest_of(self, files: Sequence[Landed]) -> dict[FileKey, ManifestFile]:
        """Return what the manifest has of some contents; the cost is that of these."""
        rows = self._rows(
            _MANIFEST + " where d.feed = any(%s) and f.sha256 = any(%s)",
            ([file.feed for file in files], [file.sha256 for file in files]),
        )
        self.connection.commit()
        return _by_key(rows)

    @persistent
    def manifest_files(self, file_ids: Sequence[int]) -> list[ManifestFile]:
        """Return files of the manifest by number; none is asked for where no number is given."""
        if not file_ids:
            return []
        rows = self._rows(_MANIFEST + " where f.file_id = any(%s)", (list(file_ids),))
        self.connection.commit()
        return [ManifestFile(*row) for row in rows]

    @persistent
    def runner(self) -> str | None:
        """Return which run worked here last."""
        rows = self._rows("select value from {{ ops }}.setting where name = 'runner'")
        self.connection.commit()
        return str(rows[0][0]) if rows else None

    @persistent
    def beat(self, run_id: str, waiting: int) -> None:
        """Write down that whoever watches for files is alive, and how many files wait for it."""
        with self.connection:
            self._rows(
                "insert into {{ ops }}.heartbeat (watcher, run_id, waiting) values ('watch', %s, %s)"
                " on conflict (watcher) do update set run_id = excluded.run_id, waiting = excluded.waiting,"
                " beaten_at = excluded.beaten_at",
                (run_id, waiting),
            )

    @persistent
    def manifest_or_nothing(self) -> dict[FileKey, ManifestFile]:
        """Return the manifest, empty where the warehouse has not been deployed yet."""
        there = self._rows("select to_regclass(%s)", (f"{self.schemas.bronze}.file",))[0][0]
        self.connection.commit()
        return self.manifest() if there else {}

    @persistent
    def other_names(self) -> dict[int, list[tuple[str, datetime | None]]]:
        """Return the names of each file of the manifest beside the one that it first came under, and their times."""
        rows = self._rows(
            "select n.file_id, n.name, coalesce(n.logical_time, f.logical_time) from {{ bronze }}.file_name as n"
            " inner join {{ bronze }}.file as f on n.file_id = f.file_id and n.name <> f.name"
            " order by n.file_id, n.name"
        )
        self.connection.commit()
        names: dict[int, list[tuple[str, datetime | None]]] = {}
        for file_id, name, logical_time in rows:
            names.setdefault(int(file_id), []).append((name, logical_time))
        return names

    @persistent
    def note_names(self, files: Sequence[Landed]) -> None:
        """Remember every name under which the bytes of a file arrived; which one is shown must not depend on order."""
        told = list(dict.fromkeys((file.feed, file.sha256, file.name, file.logical_time) for file in files))
        statement = self.schemas.render(
            "insert into {{ bronze }}.file_name as o (file_id, name, known, logical_time)"
            " select f.file_id, n.name, (select coalesce(max(b.known), 0) from {{ ops }}.batch as b),"
            " cast(n.logical_time as timestamptz)"
            " from (values %s) as n (feed, sha256, name, logical_time)"
            " inner join {{ ops }}.feed as d on n.feed = d.feed"
            " inner join {{ bronze }}.file as f on d.feed_id = f.feed_id and n.sha256 = f.sha256"
            " and f.named_time is not distinct from cast(n.logical_time as timestamptz)"
            " on conflict (file_id, name) do update set logical_time = excluded.logical_time"
            " where o.logical_time is null and excluded.logical_time is not null"
        )
        with self.connection, self.connection.cursor() as cursor:
            execute_values(cursor, statement, told, page_size=1_000)

    def begin(self, run_id: str, token: str) -> Batch:
        """Begin a load transaction; by the token it can be found later."""
        return Batch(self.connection, self.schemas, run_id, token, self.require_fence)

    @persistent
    def has_landed(self, token: str) -> bool:
        """Tell whether a load transaction was committed whose outcome is not known.

        Asked only after the lock was taken again, so the session that sent the COMMIT has ended.
        """
        found = self._rows("select 1 from {{ ops }}.batch where token = %s", (token,))
        self.connection.commit()
        return bool(found)

    @persistent
    def write_verdict(self, run_id: str, error: BrokenLawError) -> None:
        """Write down which laws a load would have broken; the load itself was taken back."""
        with self.connection, self.connection.cursor() as cursor:
            execute_values(
                cursor,
                self.schemas.render(
                    "insert into {{ ops }}.law (known, law, is_kept, violations, sentence, run_id) values %s"
                    " on conflict (known, law) do update set is_kept = excluded.is_kept,"
                    " violations = excluded.violations, sentence = excluded.sentence, run_id = excluded.run_id"
                ),
                [(error.known, *law, run_id) for law in error.laws],
            )

    def reader(self, units: Mapping[str, str | int]) -> ReferenceReader:
        """Return a reader of references, with the retailer's general units."""
        ratios = {}
        for unit, ratio in units.items():
            top, _, bottom = str(ratio).partition("/")
            ratios[unit] = (top.strip(), bottom.strip() or "1")
        return ReferenceReader(self.schemas, ratios)

    @persistent
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

    @persistent
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

    @persistent
    def verdicts_changed(self, known: int) -> bool:
        """Return whether a load let something out of quarantine, or keeps it there for another reason."""
        rows = self._rows("select exists (select 1 from {{ silver }}.quarantine where known_to = %s)", (known,))
        self.connection.commit()
        return bool(rows[0][0])

    @persistent
    def let_in_records(self) -> list[tuple[int, int]]:
        """Return (file_id, record_no) of what still waits for its quantity and was let in by a person."""
        rows = self._rows(
            "select q.file_id, q.record_no from {{ silver }}.quarantine as q"
            " inner join {{ bronze }}.file as f on q.file_id = f.file_id"
            " inner join {{ ops }}.feed as d on f.feed_id = d.feed_id"
            " inner join {{ ops }}.decision as w"
            " on d.feed = w.feed and f.sha256 = w.sha256 and q.record_no = w.record_no"
            " where q.known_to is null and q.reason = 'implausible_quantity' and w.verdict = 'accept'"
            " order by q.file_id, q.record_no"
        )
        self.connection.commit()
        return [(int(f), int(r)) for f, r in rows]

    @persistent
    def to_judge_again(self) -> list[int]:
        """Return the files that used a code whose meaning a load changed, and that were not judged again yet."""
        rows = self._rows("select file_id from {{ ops }}.to_judge_again order by file_id")
        self.connection.commit()
        return [int(row[0]) for row in rows]

    @persistent
    def drop_everything(self) -> None:
        """Empty this environment's schemas, for a full refresh: everything is rebuilt from bronze files.

        What ops says of the world outside stays: environments, events, messages.
        """
        layers = [self.schemas.gold, self.schemas.silver, self.schemas.bronze]
        with self.connection, self.connection.cursor() as cursor:
            if self.schemas.role:  # owns its schemas, and may create none
                cursor.execute("set local role none")
            for layer in layers:
                cursor.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(layer)))
            drop_contents(cursor, self.schemas.ops, keep=is_kept)
            for layer in layers if self.schemas.role else []:
                cursor.execute(
                    sql.SQL("create schema {} authorization {}").format(
                        sql.Identifier(layer), sql.Identifier(str(self.schemas.role))
                    )
                )
