"""Who may make, change or drop an environment: one at a time, by name, and nobody while a run works in it."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2 import extensions

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import Schemas
from load.session import RUN_LOCK_SPACE, lock_number

NAME_LOCK_SPACE = 7_310_003
PATIENCE_SECONDS = 60.0
_PAUSE = 0.05


@contextmanager
def name_held(connection: extensions.connection, name: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the name of an environment: who creates, drops or refreshes it waits for the other one.

    Raises:
        StopRunError: another one holds it for longer than that.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big", signed=True)
    with _held(connection, NAME_LOCK_SPACE, number, patience, f"Another command works on environment '{name}'"):
        yield


@contextmanager
def run_held(connection: extensions.connection, schemas: Schemas, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock that a run holds, so that none works in the environment meanwhile.

    Raises:
        StopRunError: a run works there for longer than that.
    """
    told = f"A run works in environment '{schemas.env}'"
    with _held(connection, RUN_LOCK_SPACE, lock_number(schemas), patience, told):
        yield


@contextmanager
def _held(
    connection: extensions.connection, space: int, number: int, patience: float, told: str
) -> Iterator[None]:  # fmt: skip
    end = time.monotonic() + patience
    while not _tried(connection, space, number):
        if time.monotonic() > end:
            raise StopRunError(f"{told} and did not end within {patience:.0f} s. Try again when it has.")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        with suppress(psycopg2.Error):  # a connection that is gone has given the lock back
            connection.rollback()
            with connection, connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", (space, number))


def _tried(connection: extensions.connection, space: int, number: int) -> bool:
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", (space, number))
        return cursor.fetchone() == (True,)
