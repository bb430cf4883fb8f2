"""Transforms in processes of their own, one unit each at a time; what they bring is taken in the units' order.

The runner starts each with a line of its own and sends it a unit; the process reads and conforms, and asks over the
line what codes mean. What it has done waits in the line until its turn comes, so as much is in memory as there are
processes, whatever the load. When the runner dies, the lines are cut, and the processes end.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from etl_pipeline.core.errors import RetryStepError
from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.line import packed, unpacked
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Transformed, Unit
from pipeline_manager.transforming.worker import ASKS, FAILED

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 5.0
"""Seconds that a process has to end in once its line is cut."""
OWN_SETTINGS = "SYSTOCK_"
FRUGAL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "1000000"}
"""What a unit took is given back at once: with Arrow's own pool a process keeps half as much again."""


class WorkerLostError(RetryStepError):
    """A process of the pool is gone; what it was at can be done again."""


class Worker:
    """A process of the pool, and its end of the line."""

    def __init__(self, transform: bytes) -> None:
        """Start it; it works once it has imported what it needs, and this does not wait for that."""
        ours, theirs = socket.socketpair()
        # It needs neither the warehouse nor a secret.
        environ = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
        environ |= FRUGAL
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH")]))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipeline_manager.transforming.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environ,
            )  # fmt: skip
        self.line = Connection(ours.detach())
        self.brings = False
        self.send(transform)

    def send(self, message: bytes) -> None:
        """Send something to the process.

        Raises:
            WorkerLostError: it is gone.
        """
        try:
            self.line.send_bytes(message)
        except OSError as error:
            raise self._lost() from error

    def receive(self) -> bytes:
        """Take the next message.

        Raises:
            WorkerLostError: it is gone.
        """
        try:
            return self.line.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def _lost(self) -> WorkerLostError:
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = " (often the system's answer to too little memory)" if code == -signal.SIGKILL else ""
        return WorkerLostError(
            f"A process that reads and conforms files {how}{hint}. With SYSTOCK_TRANSFORMS=in-process a run needs none."
        )

    def end(self) -> None:
        """End the process; it writes nothing, so it may be in the middle of anything."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class ProcessPool:
    """Some processes; they are started for the first load that wants them, and end with the run."""

    def __init__(self, transform: Transform, processes: int) -> None:
        """Nothing is started yet."""
        self._transform = packed(transform)
        self._processes = processes
        self._workers: list[Worker] = []

    def prepare(self, units: Sequence[Unit]) -> None:
        """Start the processes that these units can use, where they do not run yet."""
        for _ in range(len(self._workers), min(self._processes, len(units))):
            self._workers.append(Worker(self._transform))

    def run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        """Yield what comes of the units, in their order.

        Raises:
            WorkerLostError: a process is gone. What was yielded may not be kept without the rest.
        """
        is_done = False
        try:
            self.prepare(units)
            yield from self._run(units, desk)
            is_done = True
        finally:
            if not is_done:  # they are somewhere in the middle of it
                self.close()

    def _run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        todo = iter(enumerate(units))
        at_work: dict[int, Worker] = {}

        def give(worker: Worker) -> None:
            if (following := next(todo, None)) is not None:
                number, unit = following
                at_work[number] = worker
                worker.send(packed((desk.generation, unit)))

        for worker in self._workers:
            give(worker)
        for number in range(len(units)):
            is_last = False
            while not is_last:
                worker = at_work[number]
                done = self._brought(worker, desk)
                is_last = done.is_last
                if is_last:
                    give(worker)  # before the runner turns to what was brought
                yield number, done

    def _brought(self, worker: Worker, desk: Desk) -> Transformed:
        """Wait for what one process brings; answer what any of them asks meanwhile."""
        while not worker.brings:
            listening = {other.line: other for other in self._workers if not other.brings}
            for line in wait(list(listening)):
                other = listening[line]  # type: ignore[index]
                kind = other.receive()
                if kind == ASKS:
                    wanted = unpacked(other.receive())
                    other.send(packed(desk.answer(wanted)))
                elif kind == FAILED:
                    raise unpacked(other.receive())
                else:
                    other.brings = True
        worker.brings = False
        done: Transformed = unpacked(worker.receive())
        return done

    def close(self) -> None:
        """End the processes."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()
