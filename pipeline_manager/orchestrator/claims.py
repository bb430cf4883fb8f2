"""Who works on which event, so that the same again does nothing twice; and whose environment is whose.

A claim is a lock of a database session beside a row of ops.event: a process that is gone has given its lock back, and
what it left unfinished may be taken up by the next. No clock decides that.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import extensions

from data_warehouse.deploy import DEPLOY_LOCK, deploy_part
from etl_pipeline.core.errors import RetryStepError, UsageError
from etl_pipeline.core.names import Schemas
from pipeline_manager.orchestrator.plan import CLEANUP, Plan

KEY_SPACE, SUBJECT_SPACE = 7_310_016, 7_310_017
EVENT_FILE = "016_event.sql"
LONGEST_WAIT = 1_800.0
SUCCESS, BREACH, FAILED, REFUSED, SKIPPED = "success", "breach", "failed", "refused", "skipped"
SETTLED = (SUCCESS, BREACH, REFUSED)
"""Outcomes after which the same again does nothing: it would come to the same."""
_PLAIN = Schemas.of(None)


@dataclass(frozen=True)
class Settled:
    """What came of a stage earlier."""

    outcome: str
    sentence: str
    run_url: str

    @property
    def is_settled(self) -> bool:
        """Whether the same again would come to the same."""
        return self.outcome in SETTLED


def prepare(connection: extensions.connection) -> None:
    """Have the tables of claims in prod, whatever version made it and even before any did; nothing else is changed."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (DEPLOY_LOCK,))
        cursor.execute("select to_regclass('ops.event_environment') is not null")
        if cursor.fetchone() != (True,):
            cursor.execute("set local client_min_messages = warning")
            cursor.execute(_PLAIN.render("create schema if not exists {{ ops }}"))
            deploy_part(cursor, _PLAIN, EVENT_FILE)


class Claims:
    """The claims of one plan, on a connection of their own."""

    def __init__(
        self, connection: extensions.connection, plan: Plan, run_url: str, clock: Callable[[], datetime]
    ) -> None:
        """Claim nothing yet; the connection is put into autocommit.

        Args:
            connection: to a warehouse whose prod has been deployed.
            plan: what is claimed.
            run_url: address of this run, kept with what it did.
            clock: what time it is, for what people read.
        """
        connection.autocommit = True
        self._connection = connection
        self._plan = plan
        self._run_url = run_url
        self._clock = clock
        self.key = plan.key or uuid.uuid4().hex

    @contextmanager
    def held(self, longest_wait: float = LONGEST_WAIT) -> Iterator[bool]:
        """Hold the event meanwhile; False when another process works on the very same one.

        Raises:
            RetryStepError: another event about the same issue or branch did not come to an end.
        """
        if not self._try_lock(KEY_SPACE, self.key):
            yield False
            return
        subject = f"{self._plan.repository}\n{self._plan.subject}"
        try:
            end = time.monotonic() + longest_wait
            while self._plan.subject and not self._try_lock(SUBJECT_SPACE, subject):
                if time.monotonic() > end:
                    raise RetryStepError(
                        f"Another event about the same issue or branch is worked on for over {longest_wait:.0f} s; "
                        "this one did nothing. Run it again when that one has ended."
                    )
                time.sleep(0.1)
            yield True
        finally:
            with suppress(psycopg2.Error):  # a connection that is gone has given its locks back
                self._rows("select pg_advisory_unlock_all()")

    def _try_lock(self, space: int, text: str) -> bool:
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big", signed=True)
        return self._rows("select pg_try_advisory_lock(%s, %s)", (space, number)) == [(True,)]

    def is_stale(self) -> bool:
        """Tell whether what is asked was cleaned up since: an old event that is delivered once more."""
        if self._plan.asked_at is None or CLEANUP in self._plan.stages or not self._plan.subject:
            return False
        return self._rows(
            "select true from {{ ops }}.event where repository = %s and subject = %s and stage = 'cleanup'"
            " and outcome = 'success' and asked_at >= %s limit 1",
            (self._plan.repository, self._plan.subject, self._plan.asked_at),
        ) != []  # fmt: skip

    def earlier(self, stage: str) -> Settled | None:
        """Return what came of a stage before; None if it never ended, or all was cleaned up since."""
        found = self._rows(
            """
            select e.outcome, e.sentence, e.run_url from {{ ops }}.event as e
            where e.key = %s and e.stage = %s and e.ended_at is not null and not exists (
                select 1 from {{ ops }}.event as c
                where c.repository = e.repository and c.subject = e.subject and e.subject <> ''
                    and c.stage = 'cleanup' and e.stage <> 'cleanup' and c.outcome = 'success'
                    and c.claimed_at > e.claimed_at
            )
            """,
            (self.key, stage),
        )
        return Settled(*found[0]) if found else None

    def begin(self, stage: str) -> None:
        """Write down that a stage is worked on; one that was begun before is begun again."""
        plan = self._plan
        self._rows(
            """
            insert into {{ ops }}.event
                (key, stage, event, repository, subject, asked_at, claimed_at, run_url)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (key, stage) do update set
                claimed_at = excluded.claimed_at, asked_at = excluded.asked_at, run_url = excluded.run_url,
                attempts = event.attempts + 1, ended_at = null, outcome = null, sentence = '', seconds = null
            """,
            (
                self.key, stage, plan.event, plan.repository, plan.subject, plan.asked_at, self._clock(),
                self._run_url,
            ),
        )  # fmt: skip

    def end(self, stage: str, outcome: str, sentence: str, seconds: float) -> None:
        """Write down what came of a stage."""
        self._rows(
            "update {{ ops }}.event set ended_at = %s, outcome = %s, sentence = %s, seconds = %s"
            " where key = %s and stage = %s",
            (self._clock(), outcome, sentence, round(seconds, 3), self.key, stage),
        )

    def take_environment(self, name: str, *, is_there: bool) -> None:
        """Make an environment this issue's or branch's, before it is made.

        Raises:
            UsageError: it is somebody else's.
        """
        plan = self._plan
        if is_there and self._owner(name) is None:
            raise UsageError(_not_yours(name))
        self._rows(
            """
            insert into {{ ops }}.event_environment (environment, repository, subject, asked_at, taken_at)
            values (%s, %s, %s, %s, %s)
            on conflict (environment) do update set
                asked_at = greatest(event_environment.asked_at, excluded.asked_at)
            where (event_environment.repository, event_environment.subject) = (excluded.repository, excluded.subject)
            """,
            (name, plan.repository, plan.subject, plan.asked_at, self._clock()),
        )
        if self._owner(name) != (plan.repository, plan.subject):
            raise UsageError(_not_yours(name))

    def _owner(self, name: str) -> tuple[str, str] | None:
        found = self._rows(
            "select repository, subject from {{ ops }}.event_environment where environment = %s", (name,)
        )
        return (found[0][0], found[0][1]) if found else None

    def environments(self) -> list[str]:
        """Return the environments of this issue or branch that are not younger than what is asked."""
        return [
            str(row[0])
            for row in self._rows(
                "select environment from {{ ops }}.event_environment where repository = %s and subject = %s"
                " and (asked_at <= %s or asked_at is null or %s is null) order by environment",
                (self._plan.repository, self._plan.subject, self._plan.asked_at, self._plan.asked_at),
            )
        ]

    def give_back(self, name: str) -> None:
        """Strike out an environment of which nothing is left."""
        self._rows(
            "delete from {{ ops }}.event_environment where environment = %s and repository = %s and subject = %s",
            (name, self._plan.repository, self._plan.subject),
        )

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(_PLAIN.render(statement), values)
            return list(cursor.fetchall()) if cursor.description else []


def _not_yours(name: str) -> str:
    return (
        f"There is an environment '{name}' already, and it was not made for this issue or branch. It stays as it is. "
        "Choose another name."
    )
