"""Tells whether a received file is still being written, and clears what a killed landing left behind."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".*.tmp"
_F_SETSIG = getattr(fcntl, "F_SETSIG", 10)


def has_writer(stream: BinaryIO) -> bool:
    """Tell whether some process has this file open for writing; False where the system cannot tell.

    Linux grants a read lease only on a file that nobody writes. It is given back at once; a writer that comes in that
    moment makes the kernel send a signal, so one is chosen that does nothing.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    handle = stream.fileno()
    try:
        fcntl.fcntl(handle, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:  # another user's file, or a file system without leases
        return False
    with contextlib.suppress(OSError):
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


@contextlib.contextmanager
def landing_in(bronze_dir: Path) -> Iterator[None]:
    """Mark that a file is landed just now: its temporary copy is no leftover."""
    bronze_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(bronze_dir, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def sweep(bronze_dir: Path) -> int:
    """Remove temporary copies of landings that were killed, unless somebody lands just now; return how many."""
    if not bronze_dir.is_dir():
        return 0
    handle = os.open(bronze_dir, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    else:
        left = list(bronze_dir.glob(TEMPORARY))
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)
    finally:
        os.close(handle)
