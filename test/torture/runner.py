"""Runs of the flow as processes of their own, forked from one that has everything imported: cheap, so many can die."""

import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl_pipeline.core.errors import UsageError, WarehouseError
from etl_pipeline.core.failpoints import VARIABLE
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import AlreadyRunningError
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.transforming.choosing import PROCESSES
from pipeline_manager.transforming.choosing import VARIABLE as TRANSFORMS

LONGEST_RUN = 300.0


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        code: its exit code; None when it was killed.
        said: the sentence that it ended with, or the report's figures.
        seconds: from start to end.
    """

    code: int | None
    said: str
    seconds: float

    @property
    def is_done(self) -> bool:
        return self.code == 0 and "already" not in self.said


class Run:
    """A run that is under way."""

    def __init__(self, url: str, home: Path, feeds: Path, inbox: Path | None, failpoint: str = "", **options: Any):
        self._started = time.monotonic()
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            _be_the_runner(tell, Options(feeds, inbox, **({"gold_tests": False} | options)), url, home, failpoint)
        os.close(tell)
        self._told = told

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def is_over(self, within: float = 0.0) -> bool:
        """Tell whether it ended, waiting for it for a while."""
        readable, _, _ = select.select([self._told], [], [], within)
        return bool(readable)

    def end(self, patience: float = LONGEST_RUN) -> Ended:
        """Wait for the end."""
        deadline = time.monotonic() + patience
        said = b""
        while True:
            readable, _, _ = select.select([self._told], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"the run {self.pid} did not end within {patience} s")
            block = os.read(self._told, 65536)
            if not block:
                break
            said += block
        os.close(self._told)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return Ended(code if code >= 0 else None, said.decode(), time.monotonic() - self._started)

    def kill(self) -> Ended:
        self.send(signal.SIGKILL)
        return self.end()


def _be_the_runner(tell: int, options: Options, url: str, home: Path, failpoint: str) -> None:
    """Do the run as the command would, and leave without Python's farewells: they are the parent's."""
    code, said = 70, ""
    try:
        if failpoint:
            os.environ[VARIABLE] = failpoint
        environ = {name: value for name, value in os.environ.items() if name in (TRANSFORMS, PROCESSES)}
        settings = Settings(home=home, database_url=url, environ=environ)
        report = run_flow(options, settings, make_progress("silent"))
        code, said = 0, json.dumps({"known": report.known, "batches": report.batches, "refused": report.refused})
    except AlreadyRunningError as error:
        code, said = 0, str(error)
    except UsageError as error:
        code, said = 2, str(error)
    except WarehouseError as error:
        code, said = 1, str(error)
    except BaseException as error:
        said = f"unexpected {type(error).__name__}: {error}"
    finally:
        with open(tell, "wb") as pipe:
            pipe.write(said.encode())
        sys.stderr.flush()
        os._exit(code)
