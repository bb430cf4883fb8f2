"""Files as they arrive: the system tells which names below some folders were written to."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from watchfiles import watch

from etl_pipeline.core.closed_folders import closed_folders, may_look_into, open_folders
from etl_pipeline.core.errors import UsageError

log = logging.getLogger(__name__)
QUIET_MS = 1
LONGEST_MS = 50
LOOK_MS = 100


class Arrivals:
    """Names under which something was created or changed, each told once until it changes again.

    What is remembered is a set of names, however often one of them changes; the files themselves wait where they are.
    Names can be lost when too much happens at once, so whoever uses this also lists the folders now and then.
    """

    def __init__(self, folders: Sequence[Path], *, poll: bool = False) -> None:
        """Prepare; nothing is watched yet.

        Args:
            folders: each with everything below it.
            poll: look again and again instead of being told: for network drives, which tell nothing.
        """
        self._folders = list(folders)
        self._poll = poll
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._news = threading.Condition()
        self._changed: set[Path] = set()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, name="arrivals", daemon=True)

    def __enter__(self) -> "Arrivals":
        """Begin to watch; what arrives from now on is told.

        Raises:
            UsageError: a folder is not there, or this user may not look into it.
        """
        for folder in self._folders:
            if not folder.is_dir():
                raise UsageError(f"The inbox {folder} is no folder. Make it, or name another one with --inbox.")
            if not may_look_into(folder):
                raise UsageError(f"The inbox {folder} may not be looked into. Give this user the right to read it.")
        self._thread.start()
        self._ready.wait()
        self._raise_error()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(timeout=5)

    def take(self, seconds: float) -> set[Path]:
        """Return what changed since the last time; wait up to `seconds` for something to.

        Raises:
            UsageError: the folders can no longer be watched.
        """
        with self._news:
            if not self._changed:
                self._news.wait(seconds)
            taken, self._changed = self._changed, set()
        self._raise_error()
        return taken

    def _watch(self) -> None:
        try:
            for changes in watch(
                *self._watched(), watch_filter=None, debounce=LONGEST_MS, step=QUIET_MS, stop_event=self._stop,
                rust_timeout=LOOK_MS, yield_on_timeout=True, force_polling=self._poll or None,
                ignore_permission_denied=True,
            ):  # fmt: skip
                self._ready.set()
                if changes:
                    self._tell({Path(name) for _, name in changes})
        except (OSError, RuntimeError) as error:
            log.info("watching ended: %s", error)
            self._error = error
        finally:
            self._ready.set()
            self._tell(set())

    def _watched(self) -> list[Path]:
        """What is watched with all below it: the system stops at the first folder that it may not look into."""
        return [
            path for folder in self._folders for path in (open_folders(folder) if closed_folders(folder) else [folder])
        ]

    def _tell(self, changed: set[Path]) -> None:
        """Hand names on, and end a waiting `take`."""
        with self._news:
            self._changed |= changed
            self._news.notify_all()

    def _raise_error(self) -> None:
        if self._error is not None:
            advice = "On a network drive use --poll; for too few watches, raise fs.inotify.max_user_watches."
            if "Permission denied" in str(self._error):
                advice = "Give this user the right to read it."
            raise UsageError(f"The inbox cannot be watched ({self._error}). {advice}") from self._error
