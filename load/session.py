"""A connection to the warehouse that survives its server: opened again when lost, and the lock of a run upon it."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg2
from psycopg2 import extensions

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import FIXED_PATH, Schemas
from etl_pipeline.core.settings import redact
from load.retrying import PAUSES, is_not_ready, with_retries

log = logging.getLogger(__name__)
RUN_LOCK_SPACE = 7_310_002
OLDEST_SERVER = 150_000
LONGEST_FAREWELL = 15.0
"""Seconds to wait until the server has noticed that our lost connection is gone, and has given our lock back."""
Given = ParamSpec("Given")
Result = TypeVar("Result")


class AlreadyRunningError(StopRunError):
    """Another run works on the same warehouse; it is no fault."""


class TakenOverError(StopRunError):
    """This run lost its connection, and another run took the environment over in the meantime."""

    def __init__(self, env: str) -> None:
        """Say which environment it is."""
        super().__init__(
            f"Another run took environment '{env}' over while this one was away. Nothing of this one's unfinished step "
            "was kept. Start it again when that one has finished."
        )


def connect(url: str, options: str = FIXED_PATH) -> extensions.connection:
    """Open a connection for loading: UTC, no surprises from the server's settings.

    A server that is just starting, or has no place left, is asked again a few times.

    Args:
        url: address of the warehouse.
        options: of the environment: `Schemas.options`.

    Raises:
        StopRunError: the server does not answer, or is older than PostgreSQL 15.
    """
    try:
        connection = _connect_when_ready(url, options)
    except psycopg2.OperationalError as error:
        reason = redact(str(error).strip())
        raise StopRunError(
            f"The warehouse at {redact(url)} does not answer: {reason}. Check SYSTOCK_DATABASE_URL and that the "
            "server runs; without the setting an embedded server is used."
        ) from None
    if connection.server_version < OLDEST_SERVER:
        found = connection.server_version // 10_000
        connection.close()
        raise StopRunError(f"The server is PostgreSQL {found}; SyStock needs 15 or later.")
    return connection


def reconnect(url: str, options: str = FIXED_PATH) -> extensions.connection:
    """Open a connection in place of a lost one; raise psycopg2's error where there is no server yet."""
    return psycopg2.connect(
        url.replace("postgresql+psycopg2://", "postgresql://"),
        options=f"-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c client_encoding=UTF8 {options}",
        application_name="systock",
        connect_timeout=15,
    )


def _connect_when_ready(url: str, options: str) -> extensions.connection:
    for pause in PAUSES:
        try:
            return reconnect(url, options)
        except psycopg2.OperationalError as error:
            if not is_not_ready(error):
                raise
            time.sleep(pause)
    return reconnect(url, options)


def lock_number(schemas: Schemas) -> int:
    """Return the number by which a run locks an environment."""
    return int.from_bytes(hashlib.sha256(schemas.silver.encode()).digest()[:4], "big", signed=True)


class Session:
    """One environment of a warehouse over one connection, which is opened anew when it is lost."""

    def __init__(
        self, connection: extensions.connection, schemas: Schemas,
        reopen: Callable[[], extensions.connection] | None = None,
    ) -> None:  # fmt: skip
        """Use an open connection.

        Args:
            connection: open, in no transaction.
            schemas: the environment.
            reopen: opens another connection to the same warehouse; None where a lost one ends the work.
        """
        self.connection = connection
        self.schemas = schemas
        self._reopen = reopen
        self._is_locked = False
        self._runner: str | None = None

    def _rows(self, statement: str, arguments: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(self.schemas.render(statement), arguments)
            rows = cursor.fetchall() if cursor.description else []
        return rows

    def persistently(self, step: Callable[[], Result]) -> Result:
        """Do a step that may be done twice; do it again, a few times, where the server said "not now" or went away.

        Raises:
            StopRunError: it failed every time, or the server needs room.
            TakenOverError: another run took the environment over while the connection was lost.
        """
        return with_retries(step, self._recover)

    def _recover(self) -> None:
        """Make the connection usable: end its transaction, or open another and prove that the lock is still ours."""
        try:
            self.connection.rollback()
            self._rows("select 1")
            self.connection.rollback()
        except psycopg2.Error:
            self.connection.close()
            if self._reopen is None:
                raise
            self.connection = self._reopen()
            if self._is_locked:
                self._take_lock_again()

    def _take_lock_again(self) -> None:
        end = time.monotonic() + LONGEST_FAREWELL
        while not self._try_lock():
            if time.monotonic() > end:
                raise TakenOverError(self.schemas.env)
            time.sleep(0.1)
        with self.connection, self.connection.cursor() as cursor:
            self.require_fence(cursor)

    @contextmanager
    def run_lock(self) -> Iterator[None]:
        """Hold the lock of this environment; raise AlreadyRunningError when another run holds it."""
        if not self.persistently(self._try_lock):
            raise AlreadyRunningError(
                f"Another run works on environment '{self.schemas.env}' already; this one did nothing. Start it again "
                "when that one has finished."
            )
        self._is_locked = True
        try:
            yield
        finally:
            self._is_locked = False
            self._runner = None
            with suppress(psycopg2.Error):  # a connection that is gone has given the lock back
                self.connection.rollback()
                self._rows("select pg_advisory_unlock(%s, %s)", (RUN_LOCK_SPACE, lock_number(self.schemas)))
                self.connection.commit()

    def _try_lock(self) -> bool:
        taken = self._rows("select pg_try_advisory_lock(%s, %s)", (RUN_LOCK_SPACE, lock_number(self.schemas)))
        self.connection.commit()
        return bool(taken[0][0])

    def take_over(self, run_id: str) -> None:
        """Write down which run works here; each later transaction proves that it is still this one."""

        def write() -> None:
            with self.connection:
                self._rows(
                    "insert into {{ ops }}.setting (name, value) values ('runner', %s)"
                    " on conflict (name) do update set value = excluded.value",
                    (run_id,),
                )

        self.persistently(write)
        self._runner = run_id

    def require_fence(self, cursor: extensions.cursor) -> None:
        """Refuse to go on within a transaction when another run has taken over; until COMMIT none can.

        The lock alone does not prove it: a runner may sleep (SIGSTOP, a suspended machine) while its session ends.

        Raises:
            TakenOverError: another run works here now.
        """
        if self._runner is None:
            return
        cursor.execute(self.schemas.render("select value from {{ ops }}.setting where name = 'runner' for share"))
        if cursor.fetchone() != (self._runner,):
            raise TakenOverError(self.schemas.env)


Owner = TypeVar("Owner", bound=Session)


def persistent(
    method: Callable[Concatenate[Owner, Given], Result],
) -> Callable[Concatenate[Owner, Given], Result]:
    """Let a method that is harmless to do twice be done again when the server went away."""

    @wraps(method)
    def again(self: Owner, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return self.persistently(lambda: method(self, *args, **kwargs))

    return again
