"""Unpacking: a stream of the content's bytes, whatever it came wrapped in, within limits."""

import gzip
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError

BLOCK_BYTES = 1 << 20
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 << 20
MAX_UNPACKED_BYTES = 20 << 30
MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 16 << 20
END_OF_DIRECTORY, END_OF_DIRECTORY_64 = b"PK\x05\x06", b"PK\x06\x06"
LONGEST_ZIP_END = 22 + 0xFFFF
SEE_LONGER_MEMBERS, SEE_LONGER_BYTES = 0xFFFF, 0xFFFFFFFF
"""What a zip's short end record says where a number stands in the longer one (zip64)."""
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
SPREADSHEET_MEMBERS = {"[Content_Types].xml", "mimetype"}


def unpacked(path: Path, files: Files) -> Iterator[bytes]:
    """Yield the unpacked content of a file in blocks of at most 1 MB.

    What the file is called does not matter: its first bytes say whether it is packed. The members of a zip follow
    each other in the order of their names.

    Raises:
        SetAsideError: no bytes, damaged or cut short, larger than the limits, or an archive in an archive.
    """
    if path.stat().st_size == 0:
        raise _empty()
    with path.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if files.compression in ("auto", "gzip") and magic.startswith(GZIP_MAGIC):
            _probe(path)
            blocks = _guarded(lambda: _gunzip(stream))
        elif files.compression in ("auto", "zip") and magic.startswith(ZIP_MAGICS):
            blocks = _guarded(lambda: _unzip(stream, files))
        else:
            blocks = iter(lambda: stream.read(BLOCK_BYTES), b"")
        is_empty = True
        for block in blocks:
            is_empty = False
            yield block
    if is_empty:
        raise _empty()


def require_unpacked_size(packed: int, unpacked_size: int) -> None:
    """Refuse a bomb.

    Raises:
        SetAsideError: `archive_too_large`.
    """
    if unpacked_size > MAX_UNPACKED_BYTES:
        raise SetAsideError("archive_too_large", "Unpacked, the file is larger than 20 GB; ask for smaller files.")
    if unpacked_size > RATIO_FREE_BYTES and unpacked_size > MAX_RATIO * max(packed, 1):
        raise SetAsideError(
            "archive_too_large",
            f"The file unpacks to more than {MAX_RATIO} times its size; if it is honest, ask for it unpacked.",
        )


def require_few_members(stream: BinaryIO) -> None:
    """Refuse a zip with a huge list of members before the library reads the list into memory.

    Raises:
        SetAsideError: `archive_too_large`.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - LONGEST_ZIP_END - 20 - 56))
    tail = stream.read()
    stream.seek(0)
    members = listed = 0
    # Whichever of these the library will believe: the largest counts.
    for mark, form, place in ((END_OF_DIRECTORY, "<HHII", 8), (END_OF_DIRECTORY_64, "<QQQQ", 24)):
        at = tail.find(mark)
        while at >= 0:
            if at + place + struct.calcsize(form) <= len(tail):
                _, count, directory, _ = struct.unpack_from(form, tail, at + place)
                is_elsewhere = count == SEE_LONGER_MEMBERS or directory == SEE_LONGER_BYTES
                if is_elsewhere and END_OF_DIRECTORY_64 in tail:
                    count = directory = 0
                members, listed = max(members, count), max(listed, directory)
            at = tail.find(mark, at + 1)
    if members > MAX_MEMBERS or listed > MAX_DIRECTORY_BYTES:
        raise SetAsideError("archive_too_large", f"The zip has {members:,} members; at most {MAX_MEMBERS:,} are read.")


def _empty() -> SetAsideError:
    return SetAsideError(
        "empty_file", "The file has no bytes; a day without activity is a header with no rows. Ask for it again."
    )


def _guarded(opened: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Turn what the libraries raise on damaged archives into a reason."""
    try:
        yield from opened()
    except EOFError as error:
        raise SetAsideError(
            "truncated_archive", "The compressed file ends too early; ask the sender to send it again."
        ) from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, struct.error, ValueError) as error:
        raise SetAsideError(
            "corrupt_archive", f"The compressed file is damaged ({error}); ask the sender to send it again."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        # zipfile says so for a password (RuntimeError) and for a method it does not know.
        raise SetAsideError(
            "not_this_format", f"The archive cannot be opened ({error}); ask for a plain zip without a password."
        ) from error


def _probe(path: Path) -> None:
    """Unpack as much as shows a bomb, and drop it: reading its records first would take seconds."""
    left = RATIO_FREE_BYTES + BLOCK_BYTES
    with path.open("rb") as stream:
        for block in _guarded(lambda: _gunzip(stream)):
            left -= len(block)
            if left < 0:
                break


def _gunzip(stream: BinaryIO) -> Iterator[bytes]:
    total = 0
    with gzip.GzipFile(fileobj=stream, mode="rb") as archive:
        while block := archive.read(BLOCK_BYTES):
            if total == 0:
                _refuse_nested(block)
            total += len(block)
            # Judged by what was read so far, so that a bomb is refused at once and not after gigabytes.
            require_unpacked_size(stream.tell(), total)
            yield block


def _unzip(stream: BinaryIO, files: Files) -> Iterator[bytes]:
    require_few_members(stream)
    size = os.fstat(stream.fileno()).st_size
    try:
        archive = zipfile.ZipFile(stream)
    except zipfile.BadZipFile as error:
        # The list of members is at the end: without it the file was cut short.
        raise EOFError from error
    with archive:
        total, packed, last = 0, 0, b"\n"
        for member in _members(archive):
            packed += member.compress_size
            if last not in (b"\n", b"\r") and files.format in ("delimited", "jsonl"):
                # A member without a last line break must not run into the next one's first line.
                yield b"\n"
            with archive.open(member) as content:
                is_first = True
                while block := content.read(BLOCK_BYTES):
                    if is_first:
                        _refuse_nested(block)
                    is_first = False
                    total += len(block)
                    # Members may share their packed bytes: no more than the file has are counted.
                    require_unpacked_size(min(packed, size), total)
                    last = block[-1:]
                    yield block


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SetAsideError(
            "archive_too_large", f"The zip has {len(members):,} members; at most {MAX_MEMBERS:,} are read."
        )
    names = {member.filename for member in members}
    if names & SPREADSHEET_MEMBERS:
        raise SetAsideError(
            "not_this_format", "The file is a spreadsheet or office document; set `format: xlsx`, or ask for text."
        )
    for member in members:
        path = PurePosixPath(member.filename)
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        leaves = path.is_absolute() or ".." in path.parts or "\\" in member.orig_filename or ":" in member.filename[:2]
        if leaves or is_link:
            raise SetAsideError(
                "unsafe_name",
                f"The zip has a member called {member.filename!a}, which leaves its folder; ask for a clean one.",
            )
    # zipfile reads no more of a member than its declared size, so the declared sizes are a bound.
    for member in members:
        require_unpacked_size(member.compress_size, member.file_size)
    plain = [m for m in members if not m.is_dir() and not _is_hidden(m.filename)]
    return sorted(plain, key=lambda member: member.filename)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _refuse_nested(block: bytes) -> None:
    if block.startswith((GZIP_MAGIC, *ZIP_MAGICS)):
        raise SetAsideError("not_this_format", "The archive holds an archive; ask for files packed once.")
