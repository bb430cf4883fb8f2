"""One load transaction: files staged, then identity, facts, positions, quarantine and manifest in one commit."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import psycopg2
from psycopg2 import extensions, sql
from psycopg2.extras import execute_values

from etl_pipeline.contracts.values import Conformed, Landed
from etl_pipeline.core.errors import SetAsideError, StopRunError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from load.bulk_indexes import BulkIndexes
from load.copying import copy_block
from load.direct import DirectLane, without
from load.pieces import Ended, FileTally, Piece
from load.staged import Staging
from load.turns import Turns

log = logging.getLogger(__name__)
CHANNEL = "systock_gold"
"""LISTEN on it to hear of every load once gold can be read; the payload is JSON."""
LARGE = 10_000
"""Chunks of so many records are copied by a thread beside the reader's; smaller ones gain nothing by it."""
LOADER = "systock_loader"
"""The role that a load takes on until it is committed: see 099_roles.sql."""
STEPS = (
    "select {{ silver }}.place_records(%(known)s, cast(%(firsts)s as bigint[]), cast(%(lasts)s as bigint[]))",
    "select {{ silver }}.apply_facts(%(known)s)",
    "select {{ silver }}.refresh_dim_product()",
    "select {{ silver }}.refresh_dim_location()",
    "select {{ silver }}.drop_unused(%(known)s)",
    "select {{ silver }}.set_aside(%(known)s)",
)
FORESEE = "select {{ ops }}.predict_positions(%(known)s)"
"""Asked before anything reads which stock keys are touched, so that laws 5, 6 and 9 do not hang on the answer."""
TOUCH = "select {{ silver }}.touch_keys()"
AFTER_STATISTICS = (
    "select {{ silver }}.refresh_position(%(known)s)",
    "select {{ silver }}.touch_orders()",
    "select {{ silver }}.refresh_order_lines(%(known)s)",
    "select {{ silver }}.refresh_lateness()",
    "select {{ silver }}.note_rates_due()",
)


class BrokenLawError(StopRunError):
    """A load would have broken a law, and was taken back.

    Attributes:
        known: the load.
        laws: what was found: (law, is kept, violations, sentence).
    """

    def __init__(self, known: int, laws: Sequence[tuple[str, bool, int, str]]) -> None:
        """Name the broken ones."""
        self.known = known
        self.laws = laws
        told = "; ".join(f"law {law}: {sentence}" for law, is_kept, _, sentence in laws if not is_kept)
        super().__init__(
            f"A law of the warehouse is broken: {told} Load {known} was taken back, so gold stays as it was published "
            "before; see ops.law."
        )


@dataclass(frozen=True)
class Applied:
    """What a batch did."""

    known: int
    records: int
    touched_keys: int
    changed_positions: int


class Batch:
    """A load transaction over one connection. Nothing is visible before `commit`."""

    def __init__(
        self, connection: extensions.connection, schemas: Schemas, run_id: str, token: str,
        fence: Callable[[extensions.cursor], None],
    ) -> None:  # fmt: skip
        """Begin the transaction, take the next load number, make the staging tables.

        Args:
            connection: in no transaction.
            schemas: the environment.
            run_id: the run that this batch belongs to.
            token: unique; tells later whether a COMMIT landed whose reply was lost.
            fence: raises when another run took over.
        """
        self._connection = connection
        self._schemas = schemas
        self._run_id = run_id
        self._fence = fence
        self._cursor = connection.cursor()
        self._turns = Turns()
        self._cursor.execute("set local client_min_messages = warning")
        self._run("select set_config('role', %s, true) where {{ ops }}.may_load_as(%s)", (LOADER, LOADER))
        self._run("select {{ silver }}.open_work()")
        self._run("insert into {{ ops }}.batch (run_id, token) values (%s, %s) returning known", (run_id, token))
        self.known = self._one()
        self._indexes = BulkIndexes(self._cursor, schemas)
        self._direct = DirectLane(self._cursor, schemas, self.known, self._indexes)
        self._staging = Staging(self._cursor)
        self.files = 0
        self.records = 0
        self.changes_codes = False
        self._touched = 0
        self._seconds_copying = 0.0
        self._file_ids: list[int] = []
        self._judged_whole: list[int] = []
        reached("batch.begun")

    @property
    def cursor(self) -> extensions.cursor:
        """The cursor of the transaction, once all that was staged has arrived."""
        self._turns.wait()
        return self._cursor

    def _run(self, statement: str, arguments: tuple[object, ...] | Mapping[str, object] = ()) -> None:
        self.cursor.execute(self._schemas.render(statement), arguments)

    def _one(self) -> int:
        row = self.cursor.fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def _table(self, layer: str, name: str) -> sql.Composable:
        return sql.Identifier(getattr(self._schemas, layer), name)

    def expect(self, coming: int) -> None:
        """Get ready for so many bytes of new files."""
        self._indexes.expect(coming)

    # -- files ------------------------------------------------------------------------------------------

    def register_files(self, feed_id: int, files: Sequence[Landed], contract_hash: str) -> list[FileTally]:
        """Enter new files of a feed into the manifest."""
        entries = [
            (feed_id, f.sha256, f.name, f.size_bytes, f.logical_time, f.logical_time, contract_hash, self.known)
            for f in files
        ]
        found = self._run_values(
            "insert into {{ bronze }}.file (feed_id, sha256, name, size_bytes, named_time, logical_time, status,"
            " contract_hash, known) values %s returning file_id",
            entries, "(%s, %s, %s, %s, cast(%s as timestamptz), cast(%s as timestamptz), 'loaded', %s, %s)",
        )  # fmt: skip
        # A name under which the bytes of a file arrived, and the time that it tells.
        self._run_values(
            "insert into {{ bronze }}.file_name (file_id, name, known, logical_time) values %s on conflict do nothing",
            [(file_id, f.name, self.known, f.logical_time) for (file_id,), f in zip(found, files, strict=True)],
            "(%s, %s, %s, cast(%s as timestamptz))",
        )
        self.files += len(files)
        return [self._begun(file_id, feed_id) for (file_id,) in found]

    def _run_values(
        self, statement: str, entries: Sequence[tuple[object, ...]], template: str
    ) -> list[tuple[int, ...]]:
        """Run one statement over many rows; return what it returns, in their order."""
        rendered = self._schemas.render(statement)
        is_asking = "returning" in rendered
        return execute_values(self.cursor, rendered, entries, template, len(entries), fetch=is_asking) or []

    def _begun(self, file_id: int, feed_id: int) -> FileTally:
        self._file_ids.append(file_id)
        return FileTally(file_id, feed_id)

    def reopen_file(self, file_id: int, feed_id: int, contract_hash: str) -> FileTally:
        """Take up a file that was set aside whole, as if it were new."""
        self._run(
            "update {{ bronze }}.file set status = 'loaded', reason = null, sentence = null, contract_hash = %s"
            " where file_id = %s",
            (contract_hash, file_id),
        )
        self.files += 1
        return self._begun(file_id, feed_id)

    def take_up_file(self, file_id: int, feed_id: int, *, is_whole: bool) -> FileTally:
        """Take up a loaded file of which all records, or some, are judged again."""
        if is_whole:
            self._judged_whole.append(file_id)
        return self._begun(file_id, feed_id)

    def mark(self) -> None:
        """Set a savepoint: the next file comes piece by piece, and all of it may have to be taken back."""
        self.cursor.execute("savepoint file_start")
        self._direct.keep()

    def release(self) -> None:
        """The file was read to its end: what was staged since `mark` stays."""
        self.cursor.execute("release savepoint file_start")

    def take_back(self) -> None:
        """Take back everything that was staged since `mark`."""
        self.cursor.execute("rollback to savepoint file_start")
        self._direct.go_back()
        self.cursor.execute("release savepoint file_start")

    def set_file_aside(self, tally: FileTally, error: SetAsideError) -> None:
        """Mark a file as set aside whole; nothing of it is staged."""
        self._run(
            "update {{ bronze }}.file set status = 'set_aside', reason = %s, sentence = %s where file_id = %s",
            (error.reason, error.sentence, tally.file_id),
        )

    def _keep_bytes(self, piece: Piece) -> None:
        """Keep a chunk's bytes with the place of every record in it."""
        tally, chunk, addresses = piece.tally, piece.part.chunk, piece.everything
        if not len(addresses):
            return
        numbers = {
            "file_id": tally.file_id,
            "block_no": tally.blocks,
            "byte_start": chunk.content_start,
            "byte_end": chunk.content_start + len(chunk.content),
            "first_record_no": int(addresses.record_no[0]),
        }
        starts = addresses.byte_start - chunk.content_start
        places = np.stack([starts, addresses.line_no])
        block = self._table("bronze", "block")
        tally.digest.update(copy_block(self._cursor, block, numbers, places, chunk.content))
        tally.blocks += 1
        tally.records += len(addresses)
        tally.content_bytes += len(chunk.content)

    def stage(self, pieces: Sequence[Piece], conformed: Conformed, *, again: bool) -> None:
        """Take in what pieces of files of one feed became; their bytes too, unless they are judged again.

        A large chunk is copied while the caller goes on with the next; whatever asks the server waits for it.
        """
        self.records += conformed.records.num_rows
        job = partial(self._stage_now, pieces, conformed, again=again)
        if conformed.records.num_rows >= LARGE:
            self._turns.do_later(job)
        else:
            self._turns.wait()
            job()

    def _stage_now(self, pieces: Sequence[Piece], conformed: Conformed, *, again: bool) -> None:
        started = time.monotonic()
        taken = np.zeros(conformed.records.num_rows, dtype=bool)
        if not again:
            taken = self._direct.take(pieces, conformed)
        left = without(conformed, taken)
        # A revision may take back what brought a code.
        self.changes_codes |= again or conformed.tells_of_codes or left.records.num_rows > 0
        self._staging.stage(pieces, left, again=again)
        if not again:
            for piece in pieces:
                self._keep_bytes(piece)
        self._seconds_copying += time.monotonic() - started

    def finish_files(self, files: Sequence[Ended]) -> None:
        """Write what files held into the manifest."""
        self._turns.wait()  # the tallies are of what has arrived
        entries = [
            (
                f.tally.file_id, f.tally.records, sum(f.non_data.values()), f.tally.content_bytes, f.logical_time,
                f.tally.digest.hexdigest(), self.known, f.columns,
            )
            for f in files
        ]  # fmt: skip
        self._run_values(
            "update {{ bronze }}.file as f set records = v.records, non_data = v.non_data,"
            " content_bytes = v.content_bytes, logical_time = coalesce(v.logical_time, f.logical_time),"
            " blocks_digest = v.digest, bytes_known = v.known, columns = v.columns"
            " from (values %s) as v (file_id, records, non_data, content_bytes, logical_time, digest, known, columns)"
            " where f.file_id = v.file_id",
            entries, "(%s, %s, %s, cast(%s as bigint), cast(%s as timestamptz), %s, %s, cast(%s as text[]))",
        )  # fmt: skip
        kinds = [(f.tally.file_id, kind, count) for f in files for kind, count in sorted(f.non_data.items())]
        if kinds:
            self._run_values(
                "insert into {{ bronze }}.file_non_data (file_id, kind, records) values %s", kinds, "(%s, %s, %s)"
            )

    def finish_again(self, tally: FileTally, excluded: Mapping[str, int], *, is_whole: bool) -> None:
        """Write which records of a file judged again are excluded now; `is_whole`: all of them were judged."""
        if is_whole:
            self._run(
                "delete from {{ bronze }}.file_non_data where file_id = %s and starts_with(kind, 'excluded: ')",
                (tally.file_id,),
            )
        for kind, count in sorted(excluded.items()):
            self._run(
                "insert into {{ bronze }}.file_non_data as n (file_id, kind, records) values (%s, %s, %s)"
                " on conflict (file_id, kind) do update set records = n.records + excluded.records",
                (tally.file_id, kind, count),
            )
        self._run(
            "update {{ bronze }}.file as f set non_data = (select coalesce(sum(n.records), 0)"
            " from {{ bronze }}.file_non_data as n where n.file_id = f.file_id) where f.file_id = %s",
            (tally.file_id,),
        )

    # -- the end ----------------------------------------------------------------------------------------

    def apply(self, soft_sets: Sequence[str]) -> Applied:
        """Give the staged records their identity, apply their facts, recompute the touched positions.

        Args:
            soft_sets: lookup sets without whose codes some contract goes on (`lookup_else`).
        """
        reached("batch.staged")
        log.info("copying, beside the reading: %.2f s", self._seconds_copying)
        self._turns.wait()
        self._indexes.take_up()
        for table in sorted(self._staging.filled):
            self._run("select {{ silver }}.know_size(%s)", (table,))
        ranges = self._direct.ranges
        given = {"known": self.known, "firsts": [first for first, _ in ranges], "lasts": [last for _, last in ranges]}
        for step in STEPS:
            self._take_step(step, given)
        self._refresh_statistics()
        self._take_step(FORESEE, given)
        self._touched = self._take_step(TOUCH, given)
        changed, *_ = [self._take_step(step, given) for step in AFTER_STATISTICS]
        self._note_what_to_judge_again(soft_sets)
        self._run(
            "update {{ ops }}.batch set files = %s, records = %s, touched_keys = %s where known = %s",
            (self.files, self.records, self._touched, self.known),
        )
        self._run("select {{ ops }}.seal_batch(%s)", (self.known,))
        return Applied(self.known, self.records, self._touched, changed)

    def _take_step(self, step: str, given: Mapping[str, object]) -> int:
        """Call one of the functions of a load; return the number that it returns, if it does."""
        started = time.monotonic()
        self._run(step, given)
        name = step.partition("}}.")[2].partition("(")[0]
        log.info("%s: %.2f s", name, time.monotonic() - started)
        reached("apply." + name)
        found = self.cursor.fetchone()
        return int(found[0]) if found and found[0] else 0

    def _refresh_statistics(self) -> None:
        """After a large batch, tell the planner what the ledger holds: it plans the next steps by that."""
        self._run("select coalesce(sum(reltuples), 0) from pg_class where oid = to_regclass('{{ silver }}.record')")
        if self.records - self._direct.repeated > max(1_000, self._one() // 5):
            for table in ("record", "fact_movement", "fact_count", "fact_sale", "fact_product", "fact_reference"):
                self._run(f"analyze {{{{ silver }}}}.{table}")

    def _note_what_to_judge_again(self, soft_sets: Sequence[str]) -> None:
        """Write down which files used a code whose meaning this batch changed; take off what it judged again."""
        self._run(
            "delete from {{ ops }}.to_judge_again where file_id = any(cast(%s as bigint[]))", (self._judged_whole,)
        )
        self._run(
            "insert into {{ ops }}.to_judge_again (file_id, known)"
            " select u.file_id, cast(%s as bigint)"
            " from {{ silver }}.files_using(%s, cast(%s as text[])) as u"
            " on conflict (file_id) do update set known = excluded.known",
            (self.known, self.known, list(soft_sets)),
        )

    def check_laws(self) -> None:
        """Check the laws on what this batch touched, before anybody can see it; write the verdict.

        Raises:
            BrokenLawError: one is broken; the batch must be taken back.
        """
        reached("batch.before_laws")
        started = time.monotonic()
        files = sorted(set(self._file_ids))
        self._run(
            "select * from {{ ops }}.check_batch(%s, %s, cast(%s as bigint[]))", (self.known, self._run_id, files)
        )
        laws = self.cursor.fetchall()
        log.info("check_batch: %.2f s", time.monotonic() - started)
        if not all(is_kept for _, is_kept, _, _ in laws):
            raise BrokenLawError(self.known, laws)

    def commit(self) -> None:
        """Make the batch visible, unless another run took over, and tell whoever listens."""
        self._fence(self.cursor)
        self.cursor.execute("select pg_notify(%s, %s)", (CHANNEL, self._news()))
        reached("batch.before_commit")
        self._connection.commit()
        self._turns.end()
        reached("batch.after_commit")

    def _news(self) -> str:
        """Return what a load tells, as JSON; it is sent with the COMMIT, so what it tells of can be read."""
        told = {"env": self._schemas.env, "known": self.known, "files": self.files, "records": self.records}
        return json.dumps(told | {"touched_keys": self._touched})

    def rollback(self) -> None:
        """Take the batch back; a connection that is gone has done so."""
        self._turns.end()
        with suppress(psycopg2.Error):
            self._connection.rollback()
