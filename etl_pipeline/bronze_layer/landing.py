"""Landing: keep every received file once, under the hash of its content, before anything reads it."""

import errno
import fnmatch
import hashlib
import os
import stat
import unicodedata
import uuid
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zoneinfo import ZoneInfo

from etl_pipeline.bronze_layer.still_written import has_writer, landing_in
from etl_pipeline.contracts.expressions import first_in_path
from etl_pipeline.contracts.format import Files, LogicalTime
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.bronze_store import BronzeStore, blocks, copy_aside, put_in_place, sync_directory
from etl_pipeline.core.errors import RetryStepError, SetAsideError, StopRunError, UsageError
from etl_pipeline.core.failpoints import reached

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNFINISHED_SUFFIXES = (".tmp", ".part")


def matching_files(inbox: Path, files: Files) -> list[Path]:
    """Return the files below the inbox that the contract's patterns claim, sorted by path.

    Hidden files and folders and files that are still being sent (`*.tmp`, `*.part`) are left alone. A link that
    leads out of the inbox is listed, so that `land` refuses it by name instead of it silently never arriving.

    Raises:
        UsageError: a pattern is absolute or climbs out of the inbox.
    """
    found: set[Path] = set()
    for pattern in _safe_patterns(files):
        found.update(path for path in inbox.glob(pattern) if _is_candidate(path, inbox))
    return sorted(found)


def claims(path: Path, inbox: Path, files: Files) -> bool:
    """Tell whether `matching_files` would list a path, without listing the folder.

    Raises:
        UsageError: a pattern is absolute or climbs out of the inbox.
    """
    if not path.is_relative_to(inbox) or path == inbox or not _is_candidate(path, inbox):
        return False
    parts = path.relative_to(inbox).parts
    patterns = [pattern for pattern in _safe_patterns(files) if not pattern.endswith("/")]
    return any(_fits(parts, PurePosixPath(pattern).parts) for pattern in patterns)


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Tell whether the parts of a path fit those of a glob, where `**` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[n:], pattern[1:]) for n in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _safe_patterns(files: Files) -> list[str]:
    for pattern in files.patterns:
        if not pattern or pattern.startswith("/") or "\\" in pattern or ".." in pattern.split("/"):
            raise UsageError(
                f"files.pattern '{pattern}' leaves the inbox; write it relative to the inbox, without '..'."
            )
    return files.patterns


def _is_candidate(path: Path, inbox: Path) -> bool:
    parts = path.relative_to(inbox).parts
    if any(part.startswith(".") for part in parts) or path.name.lower().endswith(UNFINISHED_SUFFIXES):
        return False
    return not os.path.isdir(path)  # noqa: PTH112 - Path.is_dir() fails in a folder that may not be entered


def land(source: Path, *, inbox: Path, bronze: BronzeStore, feed: str, files: Files) -> Landed:
    """Copy a received file into the bronze store, unless it is there, and return where it is.

    Landing the same bytes again, under whatever name, changes nothing.

    Raises:
        SetAsideError: the name or kind of the file is not safe to read (`unsafe_name`).
        RetryStepError: the file changed or vanished while it was read; it is still being written.
    """
    name, real = _safe_name(source, inbox)
    logical_time = _logical_time(source, files.logical_time)
    try:
        with landing_in(bronze.own):
            with _open_regular(real, name) as stream:
                before, digest = _look(stream), _hash(stream)
            kept = bronze.path_of(digest)
            if not _is_kept(real, name, kept, before):
                kept = bronze.own_path(digest)
                temporary, again = _copy_aside(real, name, bronze.own)
                reached("land.copied")
                try:
                    _require_unchanged(real, name, before, is_same=again == digest)
                    _keep(temporary, kept)
                finally:
                    temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StopRunError(
                f"There is no room to keep {name} in {bronze.own} ({error.strerror}). Nothing half was left and what "
                "was published before stays. Make room, then start the run again."
            ) from error
        raise
    reached("land.kept")
    return Landed(feed=feed, name=name, path=kept, sha256=digest, size_bytes=before[1], logical_time=logical_time)


def landed_again(bronze: BronzeStore, feed: str, name: str, sha256: str, logical_time: datetime | None) -> Landed:
    """Return a file that was landed before."""
    path = bronze.path_of(sha256)
    return Landed(feed, name, path, sha256, path.stat().st_size if path.exists() else 0, logical_time)


def _safe_name(source: Path, inbox: Path) -> tuple[str, Path]:
    """Return the name below the inbox and the file's path without links.

    What points out of the inbox, or cannot be written down, is refused.
    """
    root, asked = _absolute(inbox), _absolute(source)
    shown = ascii(source.name)
    if not asked.is_relative_to(root):
        raise SetAsideError("unsafe_name", f"{shown} does not lie in the inbox; move it there under a plain name.")
    name = asked.relative_to(root).as_posix()
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name) or "\\" in name:
        raise SetAsideError(
            "unsafe_name",
            f"The name {shown} has control characters, backslashes or bytes that are not UTF-8; rename it.",
        )
    try:
        real = asked.resolve(strict=True)
    except PermissionError as error:
        raise _may_not_be_read(name) from error
    except (OSError, RuntimeError) as error:
        if asked.is_symlink():
            raise SetAsideError("unsafe_name", f"{name} is a link that leads nowhere; send the file itself.") from error
        raise RetryStepError(f"{name} is gone; it was moved while it was being read.") from error
    if real != asked and not real.is_relative_to(root.resolve()):
        raise SetAsideError("unsafe_name", f"{name} is a link out of the inbox; send the file itself.")
    return name, real


def _may_not_be_read(name: str) -> SetAsideError:
    return SetAsideError("unsafe_name", f"{name} may not be read; give this user the right to read it.")


def _absolute(path: Path) -> Path:
    """Take out `..` but follow no links: the name is what the sender gave, not where a link leads."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _open_regular(source: Path, name: str) -> BinaryIO:
    """Open a path without links: without blocking on pipes or following a link that was put there a moment ago."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError as error:
        raise _may_not_be_read(name) from error
    except OSError as error:
        raise RetryStepError(f"{name} cannot be opened ({error.strerror}); try again in a minute.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise SetAsideError("unsafe_name", f"{name} is not a regular file; send a plain file.")
    return os.fdopen(handle, "rb")


def _copy_aside(source: Path, name: str, bronze_dir: Path) -> tuple[Path, str]:
    """Copy into a temporary file of the bronze folder, so that the rename later is atomic; return it and its hash."""
    bronze_dir.mkdir(parents=True, exist_ok=True)
    temporary = bronze_dir / f".{uuid.uuid4().hex}.tmp"
    with _open_regular(source, name) as stream:
        return temporary, copy_aside(stream, temporary)


def _look(stream: BinaryIO) -> tuple[int, int, int]:
    """Return which file it is, its size and when it was last written to."""
    seen = os.fstat(stream.fileno())
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _require_unchanged(source: Path, name: str, before: tuple[int, int, int], *, is_same: bool) -> None:
    """Look at the source again, by its name: another look, or readings that differ, mean that a writer is at work."""
    with _open_regular(source, name) as stream:
        is_written, after = has_writer(stream), _look(stream)
    if not is_same or after != before or is_written:
        raise RetryStepError(f"{name} changed while it was read: it is still being written. It is taken next time.")


def _is_kept(source: Path, name: str, kept: Path, before: tuple[int, int, int]) -> bool:
    """Tell whether an intact copy is there already: byte by byte, which is the second reading of the source, too."""
    if not kept.exists() or kept.stat().st_size != before[1]:
        return False
    with _open_regular(source, name) as stream, kept.open("rb") as copy:
        if any(block != copy.read(len(block)) for block in blocks(stream)):
            return False
    _require_unchanged(source, name, before, is_same=True)
    return True


def _hash(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    for block in blocks(stream):
        digest.update(block)
    return digest.hexdigest()


def _keep(temporary: Path, kept: Path) -> None:
    """Put the copy in its place; one that is there is not intact."""
    put_in_place(temporary, kept)
    for directory in (kept.parent, kept.parent.parent):
        sync_directory(directory)


def _logical_time(source: Path, rule: LogicalTime | None) -> datetime | None:
    """Return the file's own time by its path, in the zone that the contract names for it."""
    if rule is None or rule.path is None:
        return None
    path = _absolute(source).as_posix()
    text = first_in_path(rule.path, path)
    if text is None:
        # Without its time the file could not be ordered against its siblings, and arrival must never decide.
        raise SetAsideError(
            "unsafe_name",
            f"{source.name!a} carries no time that files.logical_time.path finds; rename it or mend that.",
        )
    try:
        moment = datetime.strptime(text, rule.format)  # noqa: DTZ007 - its zone comes below
    except ValueError as error:
        raise SetAsideError(
            "unsafe_name", f"The time {text!a} of {source.name!a} does not read as {rule.format}; rename it."
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(rule.zone))
    return moment.astimezone(UTC)
