"""Writes down what a run did, also a failed one, and never fails it."""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime

import psycopg2
from psycopg2 import extensions
from psycopg2.extras import execute_values

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.errors import WarehouseError
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import first_line, redact
from etl_pipeline.observe.values import Breach
from load.postgres import AlreadyRunningError, reconnect
from pipeline_manager.observing import look_closely, own_time
from pipeline_manager.report import RunReport
from pipeline_manager.stages import StageClock
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)
LONGEST_SENTENCE = 2_000
_LOST = """
    update {{ ops }}.run set
        outcome = 'lost', ended_at = clock_timestamp(),
        sentence = 'It ended without a word: its process or its machine died. What it had committed stays.'
    where outcome = 'running'
"""
_BEGUN = """
    insert into {{ ops }}.run (run_id, env, retailer, outcome) values (%s, %s, %s, 'running')
    on conflict (run_id) do nothing
"""
_ENDED = """
    insert into {{ ops }}.run as r (
        run_id, env, retailer, outcome, sentence, started_at, ended_at, known, batches, files_new, files_refused,
        files_unclaimed
    ) values (
        %(run_id)s, %(env)s, %(retailer)s, %(outcome)s, %(sentence)s,
        clock_timestamp() - %(seconds)s * interval '1 second', clock_timestamp(),
        (select coalesce(max(known), 0) from {{ ops }}.batch),
        %(batches)s, %(files_new)s, %(files_refused)s, %(files_unclaimed)s
    )
    on conflict (run_id) do update set
        outcome = excluded.outcome, sentence = excluded.sentence, ended_at = excluded.ended_at,
        known = excluded.known, batches = excluded.batches, files_new = excluded.files_new,
        files_refused = excluded.files_refused, files_unclaimed = excluded.files_unclaimed
"""
_STAGES = "insert into {{ ops }}.stage (run_id, position, stage, within, seconds) values %s on conflict do nothing"
_LAWS = """
    insert into {{ ops }}.check (run_id, "check", subject, is_kept, severity, amount, sentence)
    select %(run_id)s, 'law', 'law ' || l.law, bool_and(l.is_kept), 'failure', sum(l.violations), min(l.sentence)
    from {{ ops }}.law as l
    where l.run_id = %(run_id)s
    group by l.law
    on conflict (run_id, "check", subject, place) do update set
        is_kept = excluded.is_kept, amount = excluded.amount, sentence = excluded.sentence
"""
_BREACHES = """
    insert into {{ ops }}.check (
        run_id, "check", subject, place, is_kept, severity, amount, sentence, advice
    ) values %s
    on conflict (run_id, "check", subject, place) do update set
        is_kept = excluded.is_kept, amount = excluded.amount, sentence = excluded.sentence, advice = excluded.advice
"""


class Recorder:
    """What is written of one run; a warehouse that does not take it is noted in the log, and that is all."""

    def __init__(
        self, opened: OpenWarehouse, feeds: Feeds, report: RunReport, clock: StageClock, now: Callable[[], datetime]
    ) -> None:
        """Write nothing yet; the run's seconds count from here.

        Args:
            opened: the warehouse.
            feeds: whose deliveries are judged.
            report: of the run.
            clock: the time of its stages.
            now: what time it is, for what is due.
        """
        self._now = now
        self.run_id = uuid.uuid4().hex
        self.looked: list[Breach] | None = None
        self._opened = opened
        self._feeds = feeds
        self._report = report
        self._clock = clock
        self._began = clock.now()
        self._schemas: Schemas = opened.warehouse.schemas

    def begun(self) -> None:
        """Write down that the run works; the environment's lock is held, so any other run that seems to is dead."""
        asked = (self.run_id, self._report.env, self._report.retailer)
        try:
            with self._opened.warehouse.connection as connection, connection.cursor() as cursor:
                cursor.execute(self._schemas.render(_LOST))
                cursor.execute(self._schemas.render(_BEGUN), asked)
        except psycopg2.Error as error:
            log.warning("the beginning of this run could not be recorded: %s", first_line(error))

    def ended(self, failure: BaseException | None) -> None:
        """Write down how the run ended, by a connection of its own: the run's may be broken."""
        self._report.stages = self._clock.stages
        try:
            with closing(reconnect(self._opened.url, self._opened.warehouse.schemas.options)) as connection:
                self._write_end(connection, failure)
                self._look(connection)
        except Exception as error:  # a run ends as it would without its record, whatever this is
            log.warning("what this run did could not be recorded: %s", first_line(error))

    def _look(self, connection: extensions.connection) -> None:
        """Judge what was delivered, and write down what is wrong with it."""
        now = own_time(connection, self._schemas, self._feeds, self._now())
        self.looked = look_closely(connection, self._schemas, self._feeds, now).breaches
        record_breaches(connection, self._schemas, self.run_id, self.looked)

    def _write_end(self, connection: extensions.connection, failure: BaseException | None) -> None:
        report = self._report
        row = {
            "run_id": self.run_id, "env": report.env, "retailer": report.retailer,
            "seconds": self._clock.now() - self._began,
            "outcome": "done" if failure is None else "failed", "sentence": _sentence(failure),
            "batches": report.batches, "files_new": sum(line.files_new for line in report.feeds.values()),
            "files_refused": len(report.refused), "files_unclaimed": len(report.unclaimed),
        }  # fmt: skip
        stages = [(self.run_id, no, s.name, s.within, s.seconds) for no, s in enumerate(report.stages, 1)]
        with connection, connection.cursor() as cursor:
            cursor.execute(self._schemas.render(_ENDED), row)
            if stages:
                execute_values(cursor, self._schemas.render(_STAGES), stages)
            cursor.execute(self._schemas.render(_LAWS), row)


@contextmanager
def recorded(recorder: Recorder) -> Iterator[Recorder]:
    """Record what is done within, however it ends; a run that found another at work did nothing."""
    try:
        yield recorder
    except AlreadyRunningError:
        raise
    except BaseException as error:
        recorder.ended(error)
        raise
    recorder.ended(None)


def record_breaches(
    connection: extensions.connection, schemas: Schemas, run_id: str, breaches: Sequence[Breach]
) -> None:
    """Write down what was found about the deliveries at the end of a run."""
    found = [
        (run_id, b.kind, b.subject, b.place, False, b.severity, b.amount, b.sentence, b.advice)
        for b in {(b.kind, b.subject, b.place): b for b in breaches}.values()
    ]
    if found:
        with connection, connection.cursor() as cursor:
            execute_values(cursor, schemas.render(_BREACHES), found)


def _sentence(failure: BaseException | None) -> str:
    """Return why a run failed, for people: no password, no control signs, one line."""
    if failure is None:
        return ""
    if isinstance(failure, WarehouseError):
        told = str(failure)
    elif isinstance(failure, KeyboardInterrupt):
        told = "It was stopped on request."
    else:
        told = f"{type(failure).__name__}: {first_line(failure)}"
    return printable(redact(told))[:LONGEST_SENTENCE]
