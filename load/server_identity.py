"""Who the embedded PostgreSQL runs as: postgres refuses root, and root's folders are closed to everybody else."""

import ctypes
import functools
import hashlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl_pipeline.core.errors import StopRunError

logger = logging.getLogger(__name__)

_LIBC = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_NOBODY = 65534
# Root's servers and binaries go here when the server may not enter the folder that was asked for.
SHARED_PLACE = Path("/var/lib/systock")


@dataclass(frozen=True)
class ServerIdentity:
    """Whom a child process becomes: ourselves, another user, or root as an ordinary user of a namespace.

    Attributes:
        uid: user to change to; None to stay who we are.
        gid: group to change to.
        in_namespace: root outside, an ordinary user inside: keeps root's files readable without any chown.
    """

    uid: int | None = None
    gid: int | None = None
    in_namespace: bool = False

    def become(self) -> None:
        """Take on the identity; runs in a child, between fork and exec."""
        if self.in_namespace:
            _enter_namespace()
        elif self.uid is not None and self.gid is not None:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)

    def child_setup(self, *, dies_with_parent: bool) -> Callable[[], None]:
        """Return what a server's process does before it becomes postgres."""
        parent = os.getpid()
        prctl = getattr(_LIBC, "prctl", None)  # Linux only

        def setup() -> None:
            self.become()
            if dies_with_parent and prctl is not None:
                prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)  # after the change of user, which clears it
                if os.getppid() != parent:
                    os._exit(1)

        return setup

    def give(self, path: Path) -> None:
        """Hand a file or folder of ours to the user the server runs as."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, arguments: Sequence[str]) -> str:
        """Run a command to its end and return what it wrote.

        Raises:
            StopRunError: it failed; the text has its last words.
        """
        result = subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=server_environment(),
            preexec_fn=self.become,
            check=False,
        )
        said = result.stdout.decode("utf-8", "replace")
        if result.returncode != 0:
            raise StopRunError(
                f"{arguments[0]} failed with code {result.returncode}. Correct what it says, then try again:\n"
                f"{said[-1500:].strip()}"
            )
        return said

    def can_enter(self, folder: Path) -> bool:
        """Tell if a process of this identity may go through a folder."""

        def enter() -> None:
            self.become()
            os.chdir(folder)

        return _succeeds(enter)


def settle(data_dir: Path) -> tuple[Path, ServerIdentity]:
    """Make the data folder; return where the server's files lie and who the server is.

    Raises:
        StopRunError: the folder belongs to another user, or cannot be made.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StopRunError(
            f"Cannot make {data_dir}: {error.strerror}. Set SYSTOCK_HOME to a folder of yours."
        ) from error
    owner = data_dir.stat()
    if os.geteuid() != 0:
        if owner.st_uid != os.geteuid():
            raise StopRunError(
                f"{data_dir} belongs to user {owner.st_uid}, and you are {os.geteuid()}. "
                "Set SYSTOCK_HOME to a folder of yours, or run as its owner."
            )
        return data_dir, ServerIdentity()
    if owner.st_uid != 0:
        return data_dir, ServerIdentity(owner.st_uid, owner.st_gid)
    identity = ServerIdentity(in_namespace=True) if _namespaces_work() else ServerIdentity(_NOBODY, _NOBODY)
    home = data_dir
    if not identity.can_enter(data_dir.parent):
        home = SHARED_PLACE / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
        SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        logger.warning("embedded PostgreSQL: its user may not enter %s; its files lie in %s", data_dir.parent, home)
    identity.give(home)
    return home, identity


def server_environment() -> dict[str, str]:
    """Return our environment without what would bend a server: other clients' PG settings and odd locales."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


@functools.cache
def _namespaces_work() -> bool:
    """Tell if root may make a user namespace here: many containers forbid it."""
    return _succeeds(_enter_namespace)


def _enter_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    if _LIBC is None or _LIBC.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1", encoding="ascii")


def _succeeds(setup: Callable[[], None]) -> bool:
    """Tell if a child process gets through this without an error."""
    try:
        done = subprocess.run(["/bin/sh", "-c", ":"], stdin=subprocess.DEVNULL, preexec_fn=setup, cwd="/", check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
