"""Files to facts: have a group of files read and conformed, stage what they became, commit it as one batch."""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from etl_pipeline.bronze_layer.volume import HeldError
from etl_pipeline.contracts.drifting import tidy_name
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import SetAsideError, StopRunError
from etl_pipeline.core.failpoints import reached
from load.batch import Applied, Batch, BrokenLawError
from load.pieces import Ended, FileTally, Piece
from load.postgres import PostgresWarehouse, contract_hash
from load.references import ReferenceReader
from pipeline_manager.decisions import hold, let_in
from pipeline_manager.drift_noting import DriftNotes, Seen
from pipeline_manager.drift_values import Faults
from pipeline_manager.gating import Gate
from pipeline_manager.ordering import soft_sets
from pipeline_manager.transforming.choosing import Transforms
from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.process_pool import WorkerLostError
from pipeline_manager.transforming.units import FileWork, Slice, Transformed, Unit, planned

log = logging.getLogger(__name__)
MOST_LOST = 3
"""Loads in a row that lose a process of the pool before the run stops."""


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
    """A file while it is staged."""

    task: Task
    tally: FileTally
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


@dataclass
class Tallies:
    """What a batch read, for the report."""

    applied: Applied
    files: int
    files_set_aside: int


class Ingest:
    """Reads tasks into batches of one warehouse with the contracts of one retailer."""

    def __init__(
        self, feeds: Feeds, warehouse: PostgresWarehouse, feed_ids: dict[str, int], run_id: str, *,
        bronze: BronzeStore, transforms: Transforms,
    ) -> None:  # fmt: skip
        """Prepare; nothing is read yet."""
        self._feeds = feeds
        self._warehouse = warehouse
        self._feed_ids = feed_ids
        self.run_id, self._bronze = run_id, bronze
        self._transforms = transforms
        self._soft = sorted({name for contract in feeds.contracts.values() for name in soft_sets(contract)})
        self.reader: ReferenceReader = warehouse.reader(feeds.retailer.units)
        self._drift = DriftNotes(feeds, bronze)
        self._gate = warehouse.persistently(lambda: Gate(feeds, warehouse))
        self.hear_decisions()

    def hear_decisions(self) -> None:
        """Read what people have let in by now."""
        self.let_in = self._warehouse.persistently(lambda: let_in(self._warehouse))

    def prepare(self, tasks: Iterable[Task]) -> None:
        """Let the transforms get ready for what will come."""
        self._transforms.prepare(planned([self._work(task) for task in tasks]))

    def run_batch(self, tasks: Iterable[Task], told: Callable[[str], None]) -> Tallies:
        """Read, conform and load tasks in one transaction.

        Args:
            tasks: the files.
            told: called with the name of each file when it is read.

        Raises:
            BrokenLawError: the batch would have broken a law; it was taken back, and the verdict written down.
            StopRunError: the server did not take it in several tries, or processes of the transforms died each time.
        """
        listed, token = list(tasks), str(uuid.uuid4())
        sent: list[Tallies] = []  # whose COMMIT went out; when its reply is lost, the token tells what came of it

        def once() -> Tallies:
            if sent and self._warehouse.has_landed(token):
                log.info("the batch had landed although the reply to its COMMIT was lost")
                return sent[-1]
            return self._try_batch(listed, token, told, sent)

        for lost in range(1, MOST_LOST + 1):
            try:
                return self._warehouse.persistently(once)
            except BrokenLawError as error:
                self._warehouse.write_verdict(self.run_id, error)
                raise
            except WorkerLostError as error:
                if lost == MOST_LOST:
                    raise StopRunError(
                        f"{error} It happened {lost} times in this load; nothing of it was kept."
                    ) from error
                log.warning("the load is done again: %s", error)
        raise AssertionError("unreachable")

    def _try_batch(self, tasks: list[Task], token: str, told: Callable[[str], None], sent: list[Tallies]) -> Tallies:
        batch = self._warehouse.begin(self.run_id, token)
        batch.expect(sum(task.landed.size_bytes for task in tasks if not task.is_again))
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

    def _work(self, task: Task) -> FileWork:
        """Return what has to be known to read a file, wherever that is done."""
        landed = task.landed
        is_free = task.is_again or self.let_in.has_file(landed)
        return FileWork(
            landed, self.let_in.records_of(landed), task.record_nos, task.is_again, is_free,
            bounds=None if is_free else self._gate.bounds(landed),
            held=None if is_free else self.let_in.held.get((landed.feed, landed.sha256)),
        )  # fmt: skip

    def _stage_all(self, batch: Batch, tasks: Sequence[Task], told: Callable[[str], None]) -> tuple[int, int]:
        """Stage tasks, small files of a feed together; return (files, files set aside)."""
        units = planned([self._work(task) for task in tasks])
        left = iter(tasks)
        opened: list[OpenFile] = []
        ended: list[OpenFile] = []
        at, aside = -1, 0
        desk = Desk(self.reader, lambda: batch.cursor)
        # Closed at once when something fails here: what is repeated must not meet what is left of this.
        with closing(self._transforms.run(units, desk)) as coming:
            for number, done in coming:
                # What came before was on its way to the server while this was made.
                self._finish(batch, ended)
                if number != at:
                    at = number
                    opened = self._open(batch, units[at], [next(left) for _ in units[at].files], told)
                self._stage(batch, units[at], opened, done)
                ended = [opened[place] for place, error in done.ended if error is None]
                for place, error in done.ended:
                    if error is not None:
                        aside += 1
                        self._set_aside(batch, opened[place], error, is_marked=not units[at].is_small)
                if done.is_last and not units[at].is_small and ended:
                    batch.release()
        self._finish(batch, ended)
        return len(tasks), aside

    def _open(self, batch: Batch, unit: Unit, tasks: list[Task], told: Callable[[str], None]) -> list[OpenFile]:
        """Enter the files of a unit, or take them up again."""
        feed_id, contract = self._feed_ids[unit.feed], contract_hash(self._feeds.contracts[unit.feed])
        new = [task.landed for task in tasks if task.file_id is None]
        registered = iter(batch.register_files(feed_id, new, contract) if new else [])
        opened = []
        for task in tasks:
            told(task.landed.name)
            if task.file_id is None:
                tally = next(registered)
            elif task.is_whole:
                tally = batch.reopen_file(task.file_id, feed_id, contract)
            else:
                tally = batch.take_up_file(task.file_id, feed_id, is_whole=task.record_nos is None)
            opened.append(OpenFile(task, tally))
        if not unit.is_small:
            batch.mark()
        return opened

    def _stage(self, batch: Batch, unit: Unit, opened: list[OpenFile], done: Transformed) -> None:
        """Stage what chunks became, and keep their bytes."""
        if done.conformed is None:
            return
        contract = self._feeds.contracts[unit.feed]
        logical = contract.files.logical_time
        by_column = logical is not None and logical.column is not None
        pieces = []
        for number, one in enumerate(done.slices):
            file, latest = opened[one.file], done.conformed.latest[number]
            file.latest = max((t for t in (file.latest, latest) if t), default=None)
            file.non_data.update({f"excluded: {k}": n for k, n in done.conformed.excluded[number].items()})
            if not file.is_again:
                _look_at(file, one, contract)
            # A file of several chunks may name a later time further down.
            is_final = not file.task.is_whole and (not by_column or unit.is_small)
            time = file.latest or file.task.landed.logical_time
            pieces.append(Piece(file.tally, one.part, one.everything, is_final, time))
        batch.stage(pieces, done.conformed, again=opened[0].is_again)

    def _set_aside(self, batch: Batch, file: OpenFile, error: SetAsideError, *, is_marked: bool) -> None:
        landed = file.task.landed
        log.info("%s: set aside whole: %s", landed.name, error)
        if is_marked:
            batch.take_back()
        batch.set_file_aside(file.tally, error)
        if isinstance(error, HeldError):
            hold(batch.cursor, self._warehouse.schemas, landed, error.sentence)
        self._drift.set_aside(landed, file.tally.file_id, error.reason)

    def _finish(self, batch: Batch, files: list[OpenFile]) -> None:
        """Write down what was read of files."""
        new = [Ended(f.tally, f.non_data, f.latest, f.columns) for f in files if not f.is_again]
        if new:
            batch.finish_files(new)
        for file in files:
            reached("batch.file_staged")
            if file.is_again:
                batch.finish_again(file.tally, file.non_data, is_whole=file.task.record_nos is None)
            else:
                seen = Seen(file.task.landed, file.tally.file_id, frozenset(file.seen), file.records, file.faults)
                self._drift.loaded(seen)


def _look_at(file: OpenFile, one: Slice, contract: Contract) -> None:
    """Note which columns a file has, but for those that its contract ignores, and what was wrong with its values."""
    file.records += one.records
    file.non_data.update(one.kinds)
    if one.faults is not None:
        file.faults = file.faults or Faults()
        file.faults.add(one.faults)
    if not contract.files.name_their_columns:
        if one.records:
            file.seen.update(map(tidy_name, one.columns))
    elif file.columns is None:
        # A text in the database cannot hold NUL.
        file.columns = sorted({name.replace("\0", "") for name in one.columns} - set(contract.files.ignore))
        file.seen.update(map(tidy_name, file.columns))
