"""Where landed files lie: one's own folder, and, for an environment, prod's, which it reads and never writes."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20
_READ_ONLY = 0o444
_LANDED_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BronzeStore:
    """Landed files, once each, named by their content.

    Attributes:
        own: the folder that is written to.
        prod: the folder that an environment looks in as well, so that nothing of prod's is kept twice.
    """

    own: Path
    prod: Path | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where files are looked for, in this order."""
        return (self.own,) if self.prod is None else (self.own, self.prod)

    def own_path(self, sha256: str) -> Path:
        """Return where a file lies in the own folder, or would lie."""
        return _within(self.own, sha256)

    def path_of(self, sha256: str) -> Path:
        """Return where a file lies; where nobody has it, where it would lie."""
        paths = (_within(folder, sha256) for folder in self.folders)
        return next((path for path in paths if path.exists()), self.own_path(sha256))

    def files(self) -> Iterator[Path]:
        """Yield the landed files in order; what is still being written, or of somebody else, has another name."""
        for folder in self.folders:
            for part in sorted(folder.glob("[0-9a-f][0-9a-f]")):
                yield from sorted(path for path in part.iterdir() if _LANDED_NAME.fullmatch(path.name))


def _within(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a file, in pieces that fit into memory."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def copy_aside(stream: BinaryIO, temporary: Path) -> str:
    """Copy what is left of a file under a name that nobody reads, down to the disk; return the hash of the copy."""
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as copy:
            for block in blocks(stream):
                digest.update(block)
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def put_in_place(temporary: Path, kept: Path) -> None:
    """Give a whole copy its name; its folder is yet to be synced, or the name may be lost with the power."""
    temporary.chmod(_READ_ONLY)
    kept.parent.mkdir(exist_ok=True)
    temporary.replace(kept)


def sync_directory(directory: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
