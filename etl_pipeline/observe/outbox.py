"""The outbox: messages are written with what they tell of, and sent afterwards, in order, whoever dies in between.

A sender leases the first message that waits, says in the database that it begins, calls Slack, and says what came of
it. Who dies after the call leaves a message in doubt: it is sent again when the lease has run out, with a note, because
a message too many is better than one that nobody ever saw.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2 import extensions

from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import redact
from etl_pipeline.observe.slack_message import told_again
from etl_pipeline.observe.slack_sending import Attempt

LEASE = timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
MOST_AGE = timedelta(days=3)
"""Nobody needs to hear after that; what is still wrong then is in ops.incident."""
KEPT_FOR = timedelta(days=30)
_PUT = "insert into {{ ops }}.outbox (message, made_at, next_attempt_at) values (%s, %s, %s)"
# Only the first that waits: a resolution must not overtake what it resolves. Who finds it locked or leased leaves.
_CLAIM = """
    with first as (
        select message_id from {{ ops }}.outbox
        where sent_at is null and given_up_at is null order by message_id limit 1
    ),

    free as (
        select o.message_id, o.lease is not null as is_in_doubt
        from {{ ops }}.outbox as o
        inner join first as f on o.message_id = f.message_id
        where
            o.sent_at is null and o.given_up_at is null and o.next_attempt_at <= %(now)s
            and (o.leased_until is null or o.leased_until <= %(now)s)
        for update of o skip locked
    )

    update {{ ops }}.outbox as o
    set
        lease = %(lease)s, leased_until = %(until)s, attempts = o.attempts + 1,
        is_in_doubt = o.is_in_doubt or f.is_in_doubt
    from free as f where o.message_id = f.message_id
    returning o.message_id, o.message, o.made_at, o.attempts, o.is_in_doubt
"""
_SETTLE = """
    update {{ ops }}.outbox
    set
        sent_at = %(sent_at)s, given_up_at = %(given_up_at)s, reason = %(reason)s,
        next_attempt_at = coalesce(%(next)s, next_attempt_at), is_in_doubt = is_in_doubt or %(is_in_doubt)s,
        lease = null, leased_until = null
    where message_id = %(message_id)s and lease = %(lease)s
"""
_TIDY = "delete from {{ ops }}.outbox where coalesce(sent_at, given_up_at) < %s"
_WAITING = "select count(*) from {{ ops }}.outbox where sent_at is null and given_up_at is null"


@dataclass(frozen=True)
class Claimed:
    """A message that this sender holds.

    Attributes:
        message_id: its number.
        message: what is sent.
        made_at: when it was written.
        attempts: how often it was tried, this time included.
        is_in_doubt: it may have arrived already.
        lease: proves that it is ours.
    """

    message_id: int
    message: dict[str, Any]
    made_at: datetime
    attempts: int
    is_in_doubt: bool
    lease: str


@dataclass(frozen=True)
class Sent:
    """What a round of sending did.

    Attributes:
        sent: messages that arrived.
        given_up: messages that never will.
        waiting: messages that still wait.
        reason: why they wait, or why one was given up.
    """

    sent: int = 0
    given_up: int = 0
    waiting: int = 0
    reason: str = ""


def put(cursor: extensions.cursor, schemas: Schemas, message: dict[str, Any], now: datetime) -> None:
    """Write a message into the outbox, within the caller's transaction."""
    cursor.execute(schemas.render(_PUT), (json.dumps(message), now, now))


def send_waiting(
    connection: extensions.connection, schemas: Schemas, call: Callable[[dict[str, Any]], Attempt],
    clock: Callable[[], datetime], *, until: datetime,
) -> Sent:  # fmt: skip
    """Send what waits, the oldest first, until nothing does, one has to wait, or the time is over.

    Several may do so at once: each message is held by one of them.

    Args:
        connection: in no transaction; each step is one of its own.
        schemas: the environment.
        call: sends one message.
        clock: what time it is.
        until: when to leave the rest to the next time.
    """
    sent = given_up = 0
    reason = ""
    while clock() < until:
        claimed = _claim(connection, schemas, clock())
        if claimed is None:
            break
        attempt = call(told_again(claimed.message) if claimed.is_in_doubt else claimed.message)
        settled = _settle(connection, schemas, claimed, attempt, clock())
        sent += attempt.outcome == "sent"
        given_up += settled == "given_up"
        reason = attempt.reason if attempt.outcome != "sent" else reason
        if settled == "waits":
            break
    with connection, connection.cursor() as cursor:
        cursor.execute(schemas.render(_TIDY), (clock() - KEPT_FOR,))
        cursor.execute(schemas.render(_WAITING))
        row = cursor.fetchone()
    return Sent(sent, given_up, int(row[0]) if row else 0, reason)


def _claim(connection: extensions.connection, schemas: Schemas, now: datetime) -> Claimed | None:
    lease = str(uuid.uuid4())
    with connection, connection.cursor() as cursor:
        cursor.execute(schemas.render(_CLAIM), {"now": now, "lease": lease, "until": now + LEASE})
        row = cursor.fetchone()
    if row is None:
        return None
    message_id, message, made_at, attempts, is_in_doubt = row
    return Claimed(message_id, message, made_at, attempts, is_in_doubt, lease)


def _settle(
    connection: extensions.connection, schemas: Schemas, claimed: Claimed, attempt: Attempt, now: datetime
) -> str:
    """Say what came of an attempt; return sent, given_up or waits."""
    is_old = now - claimed.made_at > MOST_AGE
    outcome = "sent" if attempt.outcome == "sent" else "given_up" if attempt.outcome == "never" or is_old else "waits"
    reason = redact(attempt.reason)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            schemas.render(_SETTLE),
            {
                "sent_at": now if outcome == "sent" else None,
                "given_up_at": now if outcome == "given_up" else None,
                "reason": f"{reason} Given up after three days." if is_old and outcome == "given_up" else reason,
                "next": now + _pause(claimed.attempts, attempt) if outcome == "waits" else None,
                "is_in_doubt": attempt.outcome == "unknown",
                "message_id": claimed.message_id,
                "lease": claimed.lease,
            },
        )
    return outcome


def _pause(attempts: int, attempt: Attempt) -> timedelta:
    """Return how long a message waits: as Slack asks, else twice as long each time."""
    if attempt.wait_seconds is not None:
        return timedelta(seconds=attempt.wait_seconds)
    doubled: int = 2 ** min(attempts - 1, 10)
    return min(LONGEST_PAUSE, FIRST_PAUSE * doubled)
