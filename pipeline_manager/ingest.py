"""Files to facts: read, conform and stage a group of files, and commit them as one batch."""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.bronze_layer.volume import HeldError, within_usual, within_volume
from etl_pipeline.contracts.drifting import tidy_name
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed, Part, RecordChunk
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.silver_layer.identity import needed_columns
from load.batch import Applied, Batch, BrokenLawError
from load.pieces import FileTally, Piece
from load.postgres import PostgresWarehouse, contract_hash
from load.references import ReferenceReader
from pipeline_manager.conforming import conform_with, rules_of
from pipeline_manager.decisions import hold, let_in
from pipeline_manager.drift_noting import DriftNotes, Seen
from pipeline_manager.drift_values import Faults
from pipeline_manager.gating import Gate
from pipeline_manager.ordering import soft_sets

log = logging.getLogger(__name__)
SMALL_BYTES = 1 << 20
"""Files up to this size are read whole and conformed together with others of their feed."""
GROUP_ROWS = 100_000


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

    @property
    def is_again(self) -> bool:
        """Whether records of a loaded file are judged again."""
        return self.file_id is not None and not self.is_whole


@dataclass
class OpenFile:
    """A file while it is read."""

    task: Task
    tally: FileTally
    chunks: list[RecordChunk] = field(default_factory=list)
    non_data: Counter[str] = field(default_factory=Counter)
    latest: datetime | None = None
    columns: list[str] | None = None
    seen: set[str] = field(default_factory=set)
    records: int = 0
    faults: Faults | None = None

    @property
    def is_again(self) -> bool:
        """Whether records of a loaded file are judged again."""
        return self.task.is_again

    @property
    def is_small(self) -> bool:
        """Whether it is read whole before anything of it is staged."""
        return self.task.landed.size_bytes <= SMALL_BYTES


@dataclass
class Tallies:
    """What a batch read, for the report."""

    applied: Applied
    files: int
    files_set_aside: int


class Ingest:
    """Reads tasks into batches of one warehouse with the contracts of one retailer."""

    def __init__(
        self, feeds: Feeds, warehouse: PostgresWarehouse, feed_ids: dict[str, int], run_id: str, bronze: BronzeStore
    ) -> None:
        """Prepare; nothing is read yet."""
        self._feeds = feeds
        self._warehouse = warehouse
        self._feed_ids = feed_ids
        self.run_id, self._bronze = run_id, bronze
        self._soft = sorted({name for contract in feeds.contracts.values() for name in soft_sets(contract)})
        self._rules = rules_of(feeds)
        self._needed = {name: needed_columns(contract) for name, contract in feeds.contracts.items()}
        self.reader: ReferenceReader = warehouse.reader(feeds.retailer.units)
        self._drift = DriftNotes(feeds, bronze)
        self._gate = warehouse.persistently(lambda: Gate(feeds, warehouse))
        self.hear_decisions()

    def hear_decisions(self) -> None:
        """Read what people have let in by now."""
        self.let_in = self._warehouse.persistently(lambda: let_in(self._warehouse))

    def run_batch(self, tasks: Iterable[Task], told: Callable[[str], None]) -> Tallies:
        """Read, conform and load tasks in one transaction.

        Args:
            tasks: the files.
            told: called with the name of each file when it is read.

        Raises:
            BrokenLawError: the batch would have broken a law; it was taken back, and the verdict written down.
            StopRunError: the server did not take it in several tries.
        """
        listed, token = list(tasks), str(uuid.uuid4())
        sent: list[Tallies] = []  # whose COMMIT went out; when its reply is lost, the token tells what came of it

        def once() -> Tallies:
            if sent and self._warehouse.has_landed(token):
                log.info("the batch had landed although the reply to its COMMIT was lost")
                return sent[-1]
            return self._try_batch(listed, token, told, sent)

        try:
            done = self._warehouse.persistently(once)
        except BrokenLawError as error:
            self._warehouse.write_verdict(self.run_id, error)
            raise
        return done

    def _try_batch(self, tasks: list[Task], token: str, told: Callable[[str], None], sent: list[Tallies]) -> Tallies:
        batch = self._warehouse.begin(self.run_id, token)
        self._drift = DriftNotes(self._feeds, self._bronze)
        try:
            files, aside = self._stage_all(batch, tasks, told)
            self._drift.write(batch.cursor, self._warehouse.schemas, batch.known)
            done = Tallies(batch.apply(self._soft), files, aside)
            batch.check_laws()
            sent.append(done)
            batch.commit()
        except BaseException:
            batch.rollback()
            self.reader.forget()
            raise
        if batch.changes_codes:
            self.reader.forget()
        return done

    def _stage_all(self, batch: Batch, tasks: Iterable[Task], told: Callable[[str], None]) -> tuple[int, int]:
        """Stage tasks, small files of a feed together; return (files, files set aside)."""
        files = aside = rows = 0
        waiting: list[OpenFile] = []
        for task in tasks:
            told(task.landed.name)
            files += 1
            if waiting and not (rows < GROUP_ROWS and _goes_with(waiting[0].task, task)):
                self._stage_group(batch, waiting)
                waiting, rows = [], 0
            open_file = self._open(batch, task)
            try:
                if open_file.is_small:
                    open_file.chunks.extend(self._chunks(task))
                    waiting.append(open_file)
                    rows += sum(len(chunk.text) for chunk in open_file.chunks)
                else:
                    for chunk in self._chunks(task):
                        self._stage_parts(batch, [(open_file, chunk)])
                    self._finish(batch, open_file)
                batch.keep_file()
            except SetAsideError as error:
                log.info("%s: set aside whole: %s", task.landed.name, error)
                batch.set_file_aside(open_file.tally, error)
                if isinstance(error, HeldError):
                    hold(batch.cursor, self._warehouse.schemas, task.landed, error.sentence)
                self._drift.set_aside(task.landed, open_file.tally.file_id, error.reason)
                aside += 1
        if waiting:
            self._stage_group(batch, waiting)
        return files, aside

    def _open(self, batch: Batch, task: Task) -> OpenFile:
        landed, contract = task.landed, self._feeds.contracts[task.landed.feed]
        feed_id = self._feed_ids[landed.feed]
        if task.file_id is None:
            tally = batch.register_file(feed_id, landed, contract_hash(contract))
        elif task.is_whole:
            tally = batch.reopen_file(task.file_id, feed_id, contract_hash(contract))
        else:
            tally = batch.take_up_file(task.file_id, feed_id, is_whole=task.record_nos is None)
        return OpenFile(task, tally)

    def _stage_group(self, batch: Batch, waiting: list[OpenFile]) -> None:
        self._stage_parts(batch, [(file, chunk) for file in waiting for chunk in file.chunks])
        for file in waiting:
            self._finish(batch, file)

    def _stage_parts(self, batch: Batch, pieces: list[tuple[OpenFile, RecordChunk]]) -> None:
        """Conform and stage chunks of one feed, and keep their bytes."""
        if not pieces:
            return
        first = pieces[0][0]
        contract = self._feeds.contracts[first.task.landed.feed]
        parts = [Part(f.task.landed, chunk, self.let_in.records_of(f.task.landed)) for f, chunk in pieces]
        conformed = conform_with(self.reader, lambda: batch.cursor, parts, contract, self._rules)
        for number, (file, chunk) in enumerate(pieces):
            latest = conformed.latest[number]
            file.latest = max((t for t in (file.latest, latest) if t), default=None)
            file.non_data.update({f"excluded: {k}": n for k, n in conformed.excluded[number].items()})
            if not file.is_again:
                _look_at_columns(file, chunk, contract)
                file.non_data.update(chunk.non_data["kind"].tolist())
        if not first.is_again and len(conformed.set_aside):
            for at, aside in conformed.set_aside.groupby("part"):
                file = pieces[int(str(at))][0]
                file.faults = file.faults or Faults()
                file.faults.take(parts[int(str(at))], aside)
        logical = contract.files.logical_time
        by_column = logical is not None and logical.column is not None
        staged = [
            Piece(
                file.tally, part,
                # A file of several chunks may name a later time further down.
                is_final=not file.task.is_whole and (not by_column or file.is_small),
                logical_time=file.latest or file.task.landed.logical_time,
            )
            for (file, _), part in zip(pieces, parts, strict=True)
        ]  # fmt: skip
        batch.stage(staged, conformed, again=first.is_again)

    def _finish(self, batch: Batch, file: OpenFile) -> None:
        if file.is_again:
            batch.finish_again(file.tally, file.non_data, is_whole=file.task.record_nos is None)
        else:
            batch.finish_file(file.tally, file.non_data, file.latest, file.columns)
            seen = Seen(file.task.landed, file.tally.file_id, frozenset(file.seen), file.records, file.faults)
            self._drift.loaded(seen)

    def _chunks(self, task: Task) -> Iterator[RecordChunk]:
        contract = self._feeds.contracts[task.landed.feed]
        chunks = read_records(task.landed.path, contract.files, needed=self._needed[contract.feed])
        if not task.is_again and not self.let_in.has_file(task.landed):
            if sentence := self.let_in.held.get((task.landed.feed, task.landed.sha256)):
                raise HeldError("unusual_volume", sentence)
            chunks = within_usual(within_volume(chunks, contract.files.records), self._gate.bounds(task.landed))
        for chunk in chunks:
            yield chunk if task.record_nos is None else _only(chunk, task.record_nos)


def _look_at_columns(file: OpenFile, chunk: RecordChunk, contract: Contract) -> None:
    """Note which columns a file has, but for those that its contract ignores."""
    file.records += len(chunk.text)
    if not contract.files.name_their_columns:
        if len(chunk.text):
            file.seen.update(map(tidy_name, chunk.text))
    elif file.columns is None:
        # A text in the database cannot hold NUL.
        file.columns = sorted({str(name).replace("\0", "") for name in chunk.text} - set(contract.files.ignore))
        file.seen.update(map(tidy_name, file.columns))


def _goes_with(first: Task, task: Task) -> bool:
    """Tell whether a file can be conformed together with another."""
    return first.landed.feed == task.landed.feed and first.is_again == task.is_again


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
