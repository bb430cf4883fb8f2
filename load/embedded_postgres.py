"""A PostgreSQL server of our own, for whoever has none: found, started, adopted and stopped.

Below its data folder lie `cluster/` (the server's files), `run/` (the socket), `server.log` and `start.lock`.
The server listens on that socket only, and the socket's folder is closed to other users.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from etl_pipeline.core.errors import StopRunError
from load.server_binaries import binaries_for, find_binaries
from load.server_identity import ServerIdentity, server_environment, settle
from load.server_settings import THROWAWAY, memory_bytes, tuned

logger = logging.getLogger(__name__)

PORT = 5432  # only a part of the socket's name: there is no TCP
SUPERUSER = "postgres"
DATABASE = "systock"
# A socket's whole path has to fit into 107 bytes; the file's own name takes 14 of them.
_LONGEST_SOCKET_FOLDER = 107 - len(f"/.s.PGSQL.{PORT}") - 1
_SHORT_PREFIX = "systock-pg-"
_LOCK_SECONDS = 180.0
_READY_SECONDS = 600.0  # a crash recovery may have gigabytes to replay
_LEFTOVER_SECONDS = 30.0
_FIRST_VERSION_WITH_BUILTIN_LOCALE = 17
# What a new server says while the processes of a killed one are still going away.
_LEFTOVER_MESSAGES = ("pre-existing shared memory block", "is another postmaster", "is another postgres")

# Servers that this process started: kept, so that they are reaped and not warned about.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass
class EmbeddedServer:
    """A server of ours that answers.

    Attributes:
        home: the folder with everything of the server.
        socket_folder: where clients find it.
        ephemeral: it ends with the process that started it.
    """

    home: Path
    socket_folder: Path
    ephemeral: bool = False
    _identity: ServerIdentity = field(default_factory=ServerIdentity, repr=False)

    @classmethod
    def start(
        cls, data_dir: Path, *, ephemeral: bool = False, settings: Mapping[str, str] | None = None
    ) -> "EmbeddedServer":
        """Return the server of a data folder: the one that runs already, or a new one.

        Args:
            data_dir: folder of its own; made if missing. Where root's server cannot enter it, another is used.
            ephemeral: the server ends with this process, even if that is killed (start it from the main thread).
            settings: server settings by name, over those of load/server_settings.py; a running server keeps its own.

        Raises:
            StopRunError: it does not start; the text says why and what to do.
        """
        home, identity = settle(data_dir.resolve())
        server = cls(home, home / "run", ephemeral, identity)
        with _locked(home / "start.lock", identity):
            if not server._adopt():
                folder, major = binaries_for(find_binaries(), identity)
                server._initialise(folder, major)
                server._write_settings({**(THROWAWAY if ephemeral else tuned(memory_bytes())), **(settings or {})})
                server._launch(folder)
            server._create_database()
        if ephemeral:
            atexit.register(server.stop)
        return server

    @property
    def cluster(self) -> Path:
        """The folder that initdb made."""
        return self.home / "cluster"

    @property
    def pid(self) -> int | None:
        """The server's process, if it lives and is ours: a pid in a file alone proves nothing."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        return pid if _is_server_of(pid, self.cluster) else None

    def url(self, database: str = DATABASE, user: str = SUPERUSER) -> str:
        """Return the address of a database, for SQLAlchemy, psycopg2 and psql alike."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.socket_folder))}&port={PORT}"

    def is_running(self) -> bool:
        """Tell if the server lives and answers."""
        return self.pid is not None and self._answers()

    def stop(self) -> None:
        """End the server, waiting for what it must write; without one, do nothing.

        Raises:
            StopRunError: it does not end.
        """
        atexit.unregister(self.stop)
        if not self.home.is_dir():
            return
        with _locked(self.home / "start.lock", self._identity):
            for signal_number, seconds in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0)):
                pid = self.pid
                if pid is None:
                    break
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
                _wait_until(lambda: self.pid is None, seconds)
            if self.pid is not None:
                raise StopRunError(f"The embedded PostgreSQL (process {self.pid}) does not end. End it by hand.")
            _reap()
            self._remove_short_folder(self.socket_folder)

    def _pid_file(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _adopt(self) -> bool:
        """Take over the server that runs in our folder; tell if there is one."""
        _wait_until(lambda: self.pid is None or (self._find_socket() and self._answers()), _READY_SECONDS)
        pid = self.pid
        if pid is None:
            _reap()
            self._forget_dead_server()
            return False
        if not self._answers():
            raise StopRunError(f"Process {pid} serves {self.home} and does not answer. See {self.home / 'server.log'}.")
        logger.debug("embedded PostgreSQL: adopted process %d in %s", pid, self.home)
        return True

    def _find_socket(self) -> bool:
        """Read where the server's socket lies: line 5 of its pid file, written a moment after the first."""
        recorded = "".join(self._pid_file()[4:5])
        if recorded:
            self.socket_folder = Path(recorded)
        return bool(recorded)

    def _forget_dead_server(self) -> None:
        """Clear what a killed server left, where the next one would stumble over it."""
        self._find_socket()
        pid = "".join(self._pid_file()[:1]).strip()
        # A pid that now belongs to a stranger looks alive to postgres, which then refuses to start. A postgres under
        # another path may be ours, moved while it ran: postgres itself refuses then, and rightly.
        if pid.isdigit() and _is_stranger(int(pid)):
            logger.warning("embedded PostgreSQL: removed the lock files of a dead server, process %s", pid)
            (self.socket_folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        self._remove_short_folder(self.socket_folder)

    def _remove_short_folder(self, folder: Path) -> None:
        if folder.name.startswith(_SHORT_PREFIX) and self.home not in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)

    def _initialise(self, folder: Path, major: int) -> None:
        """Make the cluster unless there is one: beside its place first, since initdb may be killed half-way."""
        version_file = self.cluster / "PG_VERSION"
        if version_file.is_file():
            found = version_file.read_text(encoding="ascii").strip()
            if found != str(major):
                raise StopRunError(
                    f"{self.cluster} was made by PostgreSQL {found} and the binaries are {major}. Name a PostgreSQL "
                    f"{found} in SYSTOCK_PG_BIN to dump it, or move the folder away and load the files again."
                )
            return
        fresh = self.home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        locale = ["--locale=C.UTF-8" if Path("/proc").is_dir() else "--locale=C"]
        if major >= _FIRST_VERSION_WITH_BUILTIN_LOCALE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions", *locale]
        self._identity.run([str(folder / "initdb"), "-D", str(fresh), *options])
        fresh.rename(self.cluster)

    def _write_settings(self, settings: Mapping[str, str]) -> None:
        """Put the settings into postgresql.auto.conf; what somebody set with ALTER SYSTEM beside them stays."""
        path = self.cluster / "postgresql.auto.conf"
        rows = dict(settings)
        shared = Path("/dev/shm")  # noqa: S108 - looked at, not written: containers often make it 64 MB
        if shared.is_dir() and shutil.disk_usage(shared).total < 256 * 1024 * 1024:
            rows.setdefault("dynamic_shared_memory_type", "mmap")
        kept = [
            line
            for line in path.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#") and line.split("=")[0].strip() not in rows
        ]
        own = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in rows.items()]
        path.write_text("\n".join([*own, *kept, ""]), encoding="utf-8")

    def _launch(self, folder: Path) -> None:
        """Start postgres and wait until it is ready; the leftovers of a killed one are waited for."""
        started = time.monotonic()
        self.socket_folder = _socket_folder(self.home, self._identity)
        log = self.home / "server.log"
        while True:
            offset = log.stat().st_size if log.exists() else 0
            process = self._spawn(folder, log)
            if self._became_ready(process):
                seconds = time.monotonic() - started
                logger.debug("embedded PostgreSQL: process %d in %s, %.2f s", process.pid, self.home, seconds)
                return
            said = log.read_bytes()[offset:].decode("utf-8", "replace")
            leftovers = any(message in said.lower() for message in _LEFTOVER_MESSAGES)
            if not leftovers or time.monotonic() - started > _LEFTOVER_SECONDS:
                self._remove_short_folder(self.socket_folder)
                raise StopRunError(f"The embedded PostgreSQL did not start; {log} ends with:\n{said[-1500:].strip()}")
            time.sleep(0.2)

    def _spawn(self, folder: Path, log: Path) -> subprocess.Popen[bytes]:
        """Start the server's process with its output in the log."""
        main_thread = threading.current_thread() is threading.main_thread()
        if self.ephemeral and not main_thread:
            logger.warning("embedded PostgreSQL: started from a thread, so it may outlive a killed process")
        setup = self._identity.child_setup(dies_with_parent=self.ephemeral and main_thread)
        switches = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": str(self.socket_folder)}
        arguments = [str(folder / "postgres"), "-D", str(self.cluster)]
        for name, value in switches.items():
            arguments += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            self._identity.give(log)
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=server_environment(),
                start_new_session=True,
                preexec_fn=setup,  # noqa: PLW1509 - little more than system calls between fork and exec
            )
        _children[process.pid] = process
        return process

    def _became_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for this process to report ready: after a crash the old file still says so, under the old pid."""

        def reported() -> bool:
            lines = self._pid_file()
            return lines[:1] == [str(process.pid)] and lines[7:8] != [] and lines[7].strip() == "ready"

        _wait_until(lambda: process.poll() is not None or reported(), _READY_SECONDS)
        return process.poll() is None and reported()

    def _create_database(self) -> None:
        with contextlib.closing(psycopg2.connect(self.url("postgres"), connect_timeout=30)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("select 1 from pg_database where datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _socket_folder(home: Path, identity: ServerIdentity) -> Path:
    """Return a closed folder whose path a socket address and a URL can hold."""
    folder = home / "run"
    plain = re.fullmatch(r"[A-Za-z0-9/._+-]+", str(folder)) is not None  # a comma would split a host list
    if plain and len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER:
        folder.mkdir(mode=0o700, exist_ok=True)
    else:
        base = tempfile.gettempdir()
        short = len(os.fsencode(base)) < _LONGEST_SOCKET_FOLDER - len(_SHORT_PREFIX) - 16
        folder = Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=base if short else "/tmp"))  # noqa: S108 - mkdtemp makes it ours
    identity.give(folder)
    return folder


@contextlib.contextmanager
def _locked(path: Path, identity: ServerIdentity) -> Iterator[None]:
    """Hold a lock file, so that starts and stops of one folder come one after the other."""
    with path.open("a", encoding="utf-8") as handle:
        identity.give(path)

        def taken() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not _wait_until(taken, _LOCK_SECONDS):
            raise StopRunError(f"Another process has held {path} for {_LOCK_SECONDS:.0f} s. End it, then try again.")
        yield


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the answer is yes; tell if it came in time."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True


def _reap() -> None:
    for pid, process in list(_children.items()):
        if process.poll() is not None:
            del _children[pid]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_stranger(pid: int) -> bool:
    """Tell if a process is there and is no postgres at all; a zombie counts, for it still answers to its pid."""
    try:
        program = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False
    return Path(os.fsdecode(program)).name != "postgres"


def _is_server_of(pid: int, cluster: Path) -> bool:
    """Tell if a process is a living postgres of this cluster; zombies and reused pids are not."""
    process = Path("/proc") / str(pid)
    if not Path("/proc/self").exists():
        return _exists(pid)
    try:
        state = (process / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[0]
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X") and os.fsencode(cluster) in words
