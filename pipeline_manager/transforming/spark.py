"""Transforms on the executors of a Spark cluster, over file paths: one task reads one unit, as any other backend does.

Runner and executors share a folder: the received files lie there already, and what they became comes back through it.
Units are sent in waves; while the runner loads what came of one, the cluster is at the next.
"""

import logging
import os
import secrets
import shutil
import sys
import tempfile
import warnings
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from etl_pipeline.contracts.values import References
from etl_pipeline.core.errors import StopRunError, UsageError
from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.line import packed, unpacked
from pipeline_manager.transforming.process_pool import WorkerLostError
from pipeline_manager.transforming.spark_task import OUTCOMES, ROWS, Order, Told, do_units, results, sealed
from pipeline_manager.transforming.transform import Transform
from pipeline_manager.transforming.units import Transformed, Unit, Wanted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)
MASTER, FOLDER = "SYSTOCK_SPARK_MASTER", "SYSTOCK_SPARK_FOLDER"
UNITS_A_SLOT = 8
"""Units of a wave for each that the cluster does at once: so many results wait in the shared folder."""
MOST_ROUNDS = 20
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Round:
    """Units that are at work on the cluster.

    Attributes:
        generation: of what was known of codes when they were sent.
        wave: their numbers.
        outcome: by number, where its result lies, or what it wants to know, or why it failed.
    """

    generation: int
    wave: list[int]
    outcome: "Future[dict[int, tuple[Path | None, Wanted]]]"


class Spark:
    """A cluster; its session starts with the first load that wants it, and ends with the run."""

    def __init__(self, transform: Transform, environ: Mapping[str, str]) -> None:
        """Nothing is started yet.

        Raises:
            UsageError: the packages for Spark are not installed.
        """
        try:
            import pyspark  # noqa: F401
        except ImportError:
            raise UsageError(
                "Transforms on Spark need its packages, which are not installed: pip install 'systock[spark]'."
            ) from None
        self._transform = packed(transform)
        self._master = environ.get(MASTER) or "local[*]"
        self._shared = environ.get(FOLDER)
        self._session: SparkSession | None = None
        self._folder: Path | None = None
        self._key = secrets.token_bytes(32)
        self._ahead = ThreadPoolExecutor(1, "spark")
        self._forget(generation=-1)

    def prepare(self, units: Sequence[Unit]) -> None:
        """Start the session beside whatever the runner does first."""
        if units:
            self._ahead.submit(self._started)

    def run(self, units: Sequence[Unit], desk: Desk) -> Generator[tuple[int, Transformed], None, None]:
        """Yield what comes of the units, in their order.

        Raises:
            StopRunError: Spark does not start.
            WorkerLostError: the cluster gave a unit up.
        """
        if not units:
            return
        size = UNITS_A_SLOT * self._ahead.submit(self._started).result().sparkContext.defaultParallelism
        waves = [list(range(first, min(first + size, len(units)))) for first in range(0, len(units), size)]
        following = self._send(waves[0], units, desk)
        for at in range(len(waves)):
            paths = self._finish(following, units, desk)
            if at + 1 < len(waves):
                following = self._send(waves[at + 1], units, desk)
            for number in waves[at]:
                for done in results(paths[number], self._key):
                    yield number, done
                paths[number].unlink()

    def close(self) -> None:
        """End the session, and remove what is left of it."""
        self._ahead.shutdown(cancel_futures=True)
        self._ahead = ThreadPoolExecutor(1, "spark")
        session, self._session = self._session, None
        if session is not None:
            session.stop()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    # -- what is known of codes -------------------------------------------------------------------------

    def _forget(self, generation: int) -> None:
        self._generation = generation
        self._sets: dict[str, pd.DataFrame] = {}
        self._whole: set[str] = set()
        self._asked: dict[str, set[str]] = {}

    def _learn(self, wanted: Wanted, desk: Desk) -> None:
        """Look up what tasks did not know."""
        missing = {name: keys - self._asked.get(name, set()) for name, keys in wanted.items()}
        for name, (frame, is_whole) in desk.answer(missing).items():
            self._asked.setdefault(name, set()).update(missing[name])
            if is_whole:
                self._whole.add(name)
            if frame is not None:
                before = None if is_whole else self._sets.get(name)
                self._sets[name] = frame if before is None else pd.concat([before, frame])

    # -- rounds -----------------------------------------------------------------------------------------

    def _send(self, wave: list[int], units: Sequence[Unit], desk: Desk) -> Round:
        """Have units done by what is known now."""
        if desk.generation != self._generation:
            self._forget(desk.generation)
        asked = {name: frozenset(keys) for name, keys in self._asked.items()}
        told = packed(Told(References(dict(self._sets)), frozenset(self._whole), asked))
        rows = [(number, str(units[number].files[0].landed.path), packed(units[number])) for number in wave]
        return Round(self._generation, wave, self._ahead.submit(self._do, told, rows))

    def _finish(self, at_work: Round, units: Sequence[Unit], desk: Desk) -> dict[int, Path]:
        """Wait for units; have those done again that wanted to know more."""
        found: dict[int, Path] = {}
        for _ in range(MOST_ROUNDS):
            outcome = at_work.outcome.result()
            if desk.generation != at_work.generation:
                at_work = self._send(at_work.wave, units, desk)
                continue
            wanted: Wanted = {}
            for number, (path, wants) in outcome.items():
                if path is not None:
                    found[number] = path
                for name, keys in wants.items():
                    wanted.setdefault(name, set()).update(keys)
            left = [number for number in at_work.wave if number not in found]
            if not left:
                return found
            self._learn(wanted, desk)
            at_work = self._send(left, units, desk)
        raise StopRunError("Files on Spark want to know ever more codes; SYSTOCK_TRANSFORMS=process-pool loads them.")

    def _do(self, told: bytes, rows: list[tuple[int, str, bytes]]) -> dict[int, tuple[Path | None, Wanted]]:
        """Send one job, and wait for it; in the thread of the cluster."""
        from pyspark.errors import PySparkException

        session, folder = self._started(), self._place()
        name = sha256(told).hexdigest()
        if not (folder / name).exists():
            (folder / name).write_bytes(sealed(told, self._key))
        order = Order(str(folder), self._key, name, self._transform)
        try:
            # A partition a unit, so that Spark shares them out one by one.
            frame = session.createDataFrame(session.sparkContext.parallelize(rows, len(rows)), ROWS)
            outcomes = frame.mapInPandas(partial(do_units, order), OUTCOMES).collect()
        except PySparkException as error:
            raise WorkerLostError(
                f"Spark gave a unit of files up: {_reason(error)}. Runner and executors must share {folder} and the "
                f"received files, and systock must be installed on the executors; see docs/transforms.md."
            ) from error
        return {row["unit"]: self._outcome(row["result"], row["wanted"], row["error"]) for row in outcomes}

    def _outcome(self, result: str | None, wanted: bytes | None, error: bytes | None) -> tuple[Path | None, Wanted]:
        if error is not None:
            raise unpacked(bytes(error))
        return (Path(result) if result else None), (unpacked(bytes(wanted)) if wanted is not None else {})

    # -- the cluster ------------------------------------------------------------------------------------

    def _place(self) -> Path:
        if self._folder is None:
            if self._shared:
                Path(self._shared).mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix="systock_spark_", dir=self._shared))
            self._have_it_removed(self._folder)
        return self._folder

    def _have_it_removed(self, folder: Path) -> None:
        """Have the driver's JVM remove a folder when it ends: it outlives a runner that is killed, and notices."""
        jvm: Any = self._started().sparkContext._jvm
        jvm.org.apache.spark.util.ShutdownHookManager.registerShutdownDeleteDir(jvm.java.io.File(str(folder)))

    def _started(self) -> "SparkSession":
        if self._session is None:
            self._session = self._start()
        return self._session

    def _start(self) -> "SparkSession":
        from pyspark.sql import SparkSession

        # It warns of pandas 3 with each job; frames of three plain columns are all that it is given here.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        if self._master.startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        try:
            builder = SparkSession.builder.appName("systock").master(self._master)
            for name, value in self._settings().items():
                builder = builder.config(name, value)
            session = builder.getOrCreate()
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise StopRunError(
                f"Spark at '{self._master}' does not start: {reason} It needs Java 17; {MASTER} names the cluster."
            ) from error
        log.info("Spark %s at %s", session.version, self._master)
        return session

    def _settings(self) -> dict[str, str]:
        """Return what a session here needs; a cluster's own settings are its administrator's (spark-defaults.conf)."""
        settings = {"spark.log.level": "ERROR", "spark.ui.showConsoleProgress": "false"}
        if self._master.startswith("local"):
            path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            settings |= {
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.ui.enabled": "false",
                "spark.executorEnv.PYTHONPATH": path,
            }
        return settings


def _reason(error: Exception) -> str:
    """Return the last line that an executor's Python said, without the stack of the JVM around it."""
    told = str(error).partition("JVM stacktrace")[0].strip().splitlines()
    return next((line.strip() for line in reversed(told) if line.strip()), type(error).__name__).rstrip(".")
