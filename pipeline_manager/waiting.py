"""The files that a watch has heard of and not loaded yet."""

import time
from collections.abc import Iterable
from pathlib import Path

from etl_pipeline.core.closed_folders import may_read

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
Look = tuple[int, int, bool]
"""Size, time of the last change in nanoseconds, and whether it may be read: what was closed is new once opened."""


class Waiting:
    """Names only: the files wait where they are, so that a flood of them costs a set of names.

    A file that was taken is remembered by its look: listed again, it is not taken again.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._due: dict[Path, float] = {}
        self._pause: dict[Path, float] = {}
        self._taken: dict[Path, Look] = {}
        self._seen: dict[Path, Look] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._due)

    def remember(self, lists: Iterable[Iterable[Path]]) -> None:
        """Take files as they are now for done."""
        for paths in lists:
            for path in paths:
                look = _look(path)
                if look is not None:
                    self._seen[path] = look

    def add(self, paths: Iterable[Path]) -> None:
        """Let files wait that somebody told of; they are due at once."""
        now = time.monotonic()
        for path in paths:
            self._due.setdefault(path, now)

    def add_unseen(self, paths: Iterable[Path]) -> None:
        """Let those of a list wait that are new, or are not what they were when they were taken."""
        self.add(path for path in paths if self._seen.get(path) != _look(path))

    def ready(self, most_files: int, most_bytes: int) -> list[Path]:
        """Return what is due, the oldest first, as much as one batch may hold; at least one where any is."""
        now, size = time.monotonic(), 0
        taken: list[Path] = []
        for path, due in sorted(self._due.items(), key=lambda item: (item[1], item[0])):
            look = _look(path)
            if look is None or self._seen.get(path) == look:  # gone, or told of twice
                self._forget(path)
                continue
            size += look[0]
            if due > now or len(taken) == most_files or (taken and size > most_bytes):
                break
            taken.append(path)
            self._taken[path] = look
        return sorted(taken)

    def done(self, path: Path) -> None:
        """Take a file off, as it was when it was handed out: changed since, it is listed again."""
        look = self._taken[path]
        self._forget(path)
        self._seen[path] = look

    def try_later(self, path: Path) -> None:
        """Let a file wait that is still written: a moment first, longer each time."""
        pause = self._pause.get(path, FIRST_PAUSE)
        self._pause[path] = min(2 * pause, LONGEST_PAUSE)
        self._due[path] = time.monotonic() + pause

    def put_back(self, paths: Iterable[Path], pause: float) -> None:
        """Let files wait that could not be loaded just now."""
        for path in paths:
            self._due[path] = time.monotonic() + pause

    def seconds_to_next(self) -> float:
        """Return how long until one is due; a minute where none waits."""
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else 60.0

    def _forget(self, path: Path) -> None:
        for held in (self._due, self._pause, self._taken):
            held.pop(path, None)


def _look(path: Path) -> Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, may_read(path)
