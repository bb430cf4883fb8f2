"""Where the torture takes place: a server of its own, which may die, warehouses on it, and what must hold in them."""

import itertools
import os
import shutil
import signal
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from data_warehouse.dbt_runner import build_gold, gold_version
from data_warehouse.deploy import deploy, schema_version
from load.embedded_postgres import EmbeddedServer
from load.server_settings import THROWAWAY
from test.run_warehouse import PROD, RunWarehouse, administer
from test.torture.runner import Ended, Run

KEPT = "SYSTOCK_TORTURE_SERVER"
_numbers = itertools.count(1)


class Stage:
    """A server that only the torture uses; with SYSTOCK_TORTURE_SERVER (a folder) it stays for the next time."""

    def __init__(self) -> None:
        kept = os.environ.get(KEPT)
        self._is_kept = bool(kept)
        self.folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="systock-torture-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._rooms = Path(tempfile.mkdtemp(prefix="rooms-", dir=self.folder))
        self.server = EmbeddedServer.start(self.folder / "server", settings=dict(THROWAWAY))
        self.template = f"torture_{schema_version()}_{gold_version()}"
        self._make_template()

    def room(self, what: str) -> Path:
        """Return a new folder that goes when the stage closes."""
        return Path(tempfile.mkdtemp(prefix=f"{what}-", dir=self._rooms))

    def close(self) -> None:
        shutil.rmtree(self._rooms, ignore_errors=True)
        if not self._is_kept:
            self.server.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _make_template(self) -> None:
        with closing(psycopg2.connect(self.server.url("postgres"))) as connection, connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (self.template,))
            if cursor.fetchone():
                return
        # In a process of its own: what dbt leaves behind in one (threads, locks) would be forked into every run.
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._deploy_template()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert status == 0, "the template could not be made"

    def _deploy_template(self) -> None:
        made = f"{self.template}_{os.getpid()}"
        administer(self.server, f"create database {made}")
        with closing(psycopg2.connect(self.server.url(made))) as connection:
            deploy(connection, PROD)
        with tempfile.TemporaryDirectory() as folder:
            build_gold(self.server.url(made), PROD, target_dir=Path(folder), run_tests=False)
        administer(self.server, f"alter database {made} rename to {self.template}")

    def make(self, *, empty: bool = False) -> "Tortured":
        """Return a warehouse with schema and gold and nothing in it; `empty`: without even these."""
        name = f"life_{os.getpid()}_{next(_numbers)}"
        administer(self.server, f"create database {name} template {'template0' if empty else self.template}")
        home = self.room("life")
        return Tortured(name, self.server.url(name), home, self)

    def copy_of(self, first: "Tortured") -> "Tortured":
        """Return a warehouse that is as another one is now, with a home of its own."""
        name = f"life_{os.getpid()}_{next(_numbers)}"
        first.wait_for_quiet()
        administer(self.server, f"create database {name} template {first.name}")
        home = self.room("life")
        shutil.copytree(first.home, home, dirs_exist_ok=True)
        return Tortured(name, self.server.url(name), home, self)

    def crash(self) -> None:
        """Let the server fall at once, as `pg_ctl stop -m immediate` does."""
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        end = time.monotonic() + 30
        while self.server.pid is not None:
            assert time.monotonic() < end
            time.sleep(0.02)

    def rise(self) -> None:
        self.server = EmbeddedServer.start(self.folder / "server", settings=dict(THROWAWAY))


class Tortured(RunWarehouse):
    """A warehouse whose runs are killed."""

    def __init__(self, name: str, url: str, home: Path, stage: Stage) -> None:
        super().__init__(name, url, home)
        self.stage = stage

    def start(self, feeds: Path, inbox: Path | None, failpoint: str = "", url: str = "", **options: Any) -> Run:
        return Run(url or self.url, self.home, feeds, inbox, failpoint, **options)

    def finish(self, feeds: Path, inbox: Path | None, **options: Any) -> Ended:
        """Run to the end, undisturbed."""
        ended = self.start(feeds, inbox, **options).end()
        assert ended.is_done, ended
        return ended

    def wait_for_quiet(self, seconds: float = 20.0) -> None:
        """No runner's session and no open transaction may stay behind."""
        end = time.monotonic() + seconds
        while left := self.rows(
            "select pid, state, query from pg_stat_activity where datname = current_database() and "
            "pid <> pg_backend_pid() and backend_type = 'client backend'"
        ):
            assert time.monotonic() < end, f"orphan sessions: {left}"
            time.sleep(0.005)
        assert not self.value("select count(*) from pg_prepared_xacts where database = current_database()")

    def broken_laws(self) -> list[tuple[str, str]]:
        """Every law over the whole warehouse; nothing is written by asking."""
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute("select law, sentence from ops.check_laws((select max(known) from ops.batch)) "
                           "where not is_kept")  # fmt: skip
            found = list(cursor.fetchall())
            connection.rollback()
        half = self.value("select count(*) from bronze.file where status = 'loaded' and seal is null")
        return found + ([("1", f"{half} files are half loaded")] if half else [])

    def check(self) -> None:
        """What must hold after every step, whatever happened in it."""
        self.wait_for_quiet()
        if self.value("select count(*) from ops.batch"):
            assert self.broken_laws() == []
            if self.value("select to_regclass('gold.feed_file') is not null"):  # a rebuild makes it anew at its end
                assert self.books() == []

    def check_tidy(self) -> None:
        """What must hold when a run has come to its end."""
        bronze = self.home / "bronze"
        left = [p.name for p in bronze.rglob("*") if p.name.startswith(".") or p.suffix in (".tmp", ".part")]
        assert left == []
        assert list(self.home.glob("rebuild_*")) == []
        assert self.value("select count(*) from ops.to_judge_again") == 0

    def drop(self) -> None:
        administer(self.stage.server, f"drop database if exists {self.name} with (force)")
        shutil.rmtree(self.home, ignore_errors=True)
