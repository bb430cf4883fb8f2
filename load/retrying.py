"""What a run does when the server goes away or says "not now": the whole step again, a few times, then a sentence."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.settings import first_line

log = logging.getLogger(__name__)
Result = TypeVar("Result")
PAUSES = (0.1, 0.3, 1.0, 3.0)
"""Seconds to wait before the second and every later try; one try more than there are pauses."""
NOT_NOW = {
    "40001": "the server could not serialize it",
    "40P01": "it ran into a deadlock",
    "55P03": "a lock was held for too long",
    "53300": "the server has too many connections",
    "57P01": "the server is shutting down",
    "57P02": "the server crashed",
    "57P03": "the server is starting up",
}
"""SQLSTATEs after which the same step may well succeed in a moment."""
FULL = {
    "53100": "The server's disk is full",
    "53200": "The server is out of memory",
    "53400": "A limit of the server is reached",
    "54000": "A limit of the server is reached",
}
"""SQLSTATEs after which somebody must make room first."""
_CONNECTION_LOST = "the connection was lost"
_NOT_READY = ("starting up", "shutting down", "not yet accepting", "in recovery mode", "too many clients", "remaining "
              "connection slots", "too many connections")  # fmt: skip


def reason_to_try_again(error: BaseException) -> str | None:
    """Return why the same step may succeed in a moment, or None where it will not."""
    if not isinstance(error, psycopg2.Error):
        return None
    state = getattr(error, "pgcode", None)
    if state is not None:
        return NOT_NOW.get(state) or (_CONNECTION_LOST if state.startswith("08") else None)
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return _CONNECTION_LOST
    # COPY tells of a lost connection as a plain DatabaseError without a code.
    return _CONNECTION_LOST if type(error) is psycopg2.DatabaseError else None


def is_not_ready(error: psycopg2.OperationalError) -> bool:
    """Tell whether a server that refuses a connection is there and only not ready for it."""
    return any(words in str(error) for words in _NOT_READY)


def need_of_room(error: psycopg2.Error) -> StopRunError | None:
    """Return the sentence for a server that ran out of disk, memory or a set limit."""
    what = FULL.get(getattr(error, "pgcode", None) or "")
    if what is None:
        return None
    said = first_line(error)
    return StopRunError(
        f"{what}: {said}. Nothing of this load was kept and what was published before stays. Make room, then start "
        "the run again."
    )


def with_retries(step: Callable[[], Result], recover: Callable[[], None]) -> Result:
    """Do a step; where the server said "not now" or went away, recover and do all of it again.

    Args:
        step: one transaction, or several of which each may be done twice.
        recover: makes the connection usable again; may raise an error that ends the tries.

    Raises:
        StopRunError: it failed every time, or the server needs room.
    """
    for number in range(len(PAUSES) + 1):
        try:
            if number:
                recover()
            return step()
        except psycopg2.Error as error:
            full = need_of_room(error)
            if full is not None:
                raise full from error
            reason = reason_to_try_again(error)
            if reason is None:
                raise
            said = first_line(error)
            if number == len(PAUSES):
                raise StopRunError(
                    f"The warehouse did not take this step in {number + 1} tries: {reason} ({said}). Nothing of it was "
                    "kept and what was published before stays. Start the run again when the server is well."
                ) from error
            log.warning("try %d of %d failed: %s (%s)", number + 1, len(PAUSES) + 1, reason, said)
        time.sleep(PAUSES[number])
    raise AssertionError("unreachable")
