"""Files to facts: read, conform and stage a group of files, and commit them as one batch."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import AuthorityRule, Contract
from etl_pipeline.contracts.values import Conformed, Landed, RecordChunk
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.silver_layer.authority import effective_rules
from etl_pipeline.silver_layer.conform import conform
from etl_pipeline.silver_layer.facts import Setting
from etl_pipeline.silver_layer.identity import needed_columns
from load.batch import Applied, Batch, FileTally
from load.postgres import PostgresWarehouse, contract_hash
from load.references import ReferenceReader

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A file to read in a batch.

    Attributes:
        landed: the file.
        file_id: its number when the manifest has it already (a file judged again), else None.
        record_nos: only these records; None means all.
        is_whole: the file was set aside whole before and is read as if new.
    """

    landed: Landed
    file_id: int | None = None
    record_nos: frozenset[int] | None = None
    is_whole: bool = False


@dataclass
class Tallies:
    """What a batch read, for the report."""

    applied: Applied
    files: int
    files_set_aside: int


class Ingest:
    """Reads tasks into batches of one warehouse with the contracts of one retailer."""

    def __init__(self, feeds: Feeds, warehouse: PostgresWarehouse, feed_ids: dict[str, int], run_id: str) -> None:
        """Prepare; nothing is read yet."""
        self._feeds = feeds
        self._warehouse = warehouse
        self._feed_ids = feed_ids
        self._run_id = run_id
        self._rules: list[AuthorityRule] = effective_rules(
            feeds.retailer.authority, {c.source_system for c in feeds.contracts.values()}
        )
        self.reader: ReferenceReader = warehouse.reader(feeds.retailer.units)

    def run_batch(self, tasks: Iterable[Task], told: Callable[[str], None]) -> Tallies:
        """Read, conform and load tasks in one transaction.

        Args:
            tasks: the files.
            told: called with the name of each file when it is read.
        """
        batch = self._warehouse.begin(self._run_id)
        files = aside = 0
        try:
            for task in tasks:
                told(task.landed.name)
                files += 1
                aside += not self._stage_file(batch, task)
            applied = batch.apply()
            batch.commit()
        except BaseException:
            batch.rollback()
            raise
        self.reader.forget()
        return Tallies(applied, files, aside)

    def _stage_file(self, batch: Batch, task: Task) -> bool:
        """Stage one file; return False when it was set aside whole."""
        landed, contract = task.landed, self._feeds.contracts[task.landed.feed]
        if task.file_id is None:
            tally = batch.register_file(self._feed_ids[landed.feed], landed, contract_hash(contract))
        elif task.is_whole:
            tally = batch.reopen_file(task.file_id, contract_hash(contract))
        else:
            tally = FileTally(task.file_id)
        is_again = task.file_id is not None and not task.is_whole
        non_data: Counter[str] = Counter()
        latest: datetime | None = None
        try:
            for chunk in self._chunks(task, contract):
                conformed = self._conform(batch, chunk, landed, contract)
                batch.stage(tally, chunk, conformed, again=is_again)
                latest = max((t for t in (latest, conformed.latest) if t), default=None)
                if not is_again:
                    batch.keep_bytes(tally, chunk)
                    non_data.update(chunk.non_data["kind"].tolist())
                    non_data.update({f"excluded: {name}": count for name, count in conformed.excluded.items()})
        except SetAsideError as error:
            log.info("%s: set aside whole: %s", landed.name, error)
            batch.set_file_aside(tally, error)
            return False
        if not is_again:
            batch.finish_file(tally, non_data, latest)
        return True

    def _chunks(self, task: Task, contract: Contract) -> Iterator[RecordChunk]:
        for chunk in read_records(task.landed.path, contract.files, needed=needed_columns(contract)):
            yield chunk if task.record_nos is None else _only(chunk, task.record_nos)

    def _conform(self, batch: Batch, chunk: RecordChunk, landed: Landed, contract: Contract) -> Conformed:
        """Conform a chunk, reading what it looks up until nothing is missing."""
        reading = contract.reading
        retailer = self._feeds.retailer
        setting = Setting(self._rules, reading.currency or retailer.currency, retailer.zone, landed.logical_time)
        while True:
            conformed = conform(chunk, landed, contract, setting, self.reader.references)
            if not self.reader.complete(batch.cursor, conformed.used):
                return conformed


def _only(chunk: RecordChunk, record_nos: frozenset[int]) -> RecordChunk:
    """Return a chunk with only some of its records; its bytes stay."""
    wanted = np.isin(chunk.addresses.record_no, list(record_nos))
    set_aside = chunk.set_aside[chunk.set_aside["record_no"].isin(record_nos)]
    return replace(
        chunk,
        text=chunk.text[wanted].reset_index(drop=True),
        addresses=chunk.addresses.take(wanted),
        set_aside=set_aside,
        non_data=chunk.non_data.iloc[:0],
    )


def landed_again(bronze_dir: Path, feed: str, name: str, sha256: str, logical_time: datetime | None) -> Landed:
    """Return a file that was landed before."""
    path = bronze_dir / sha256[:2] / sha256
    return Landed(feed, name, path, sha256, path.stat().st_size if path.exists() else 0, logical_time)
