"""S6: what is small packed and huge unpacked is refused, after little work and in little memory."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_pipeline.bronze_layer.unpacking import MAX_MEMBERS
from test.run_warehouse import REPO

READER = """
import json, os, resource, sys
from pathlib import Path
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError

def read(path, files):
    before = resource.getrusage(resource.RUSAGE_SELF)
    told, content = "", 0
    try:
        for chunk in read_records(Path(path), Files(pattern="*", **files)):
            content += len(chunk.content)
    except SetAsideError as error:
        told = error.reason
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    grown = (after.ru_maxrss - before.ru_maxrss) >> 10
    print(json.dumps({"reason": told, "content": content, "grown_mb": grown, "cpu": cpu}), flush=True)

for line in sys.stdin:
    child = os.fork()  # memory is measured from where the imports left it
    if not child:
        read(*json.loads(line))
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(json.dumps({"reason": "the reader died"}), flush=True)
"""
Reader = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def read() -> Iterator[Reader]:
    """Read a file in a process of its own; return the reason, what came out, and what it cost."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER], cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(path: Path, **files: object) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(path), files]) + "\n")
        process.stdin.flush()
        told: dict[str, Any] = json.loads(process.stdout.readline())
        return told

    yield ask
    process.communicate()


def refused(read: Reader, path: Path, megabytes: int, reason: str = "archive_too_large", **files: object) -> None:
    """The file is set aside, with at most so many MB more memory and about two seconds of work."""
    told = read(path, **files)
    assert told["reason"] == reason, told
    assert told["grown_mb"] < megabytes, told
    assert told["cpu"] < 10, told


def ten_gigabytes() -> bytes:
    """A valid gzip of 10 GB in 10 MB, made without packing 10 GB: one packed piece, repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(b"0,0\n" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    repeats = (10 << 30) // (4 << 20)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + piece * repeats + b"\x03\x00" + struct.pack("<II", 0, 0)


def test_s06_ten_megabytes_that_unpack_to_ten_gigabytes_are_refused(read, tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(ten_gigabytes())
    assert 9 << 20 < path.stat().st_size < 12 << 20
    refused(read, path, 200)


def test_s06_a_zip_that_unpacks_to_ten_gigabytes_is_refused(read, tmp_path):
    """The same bytes as a member whose size the list of members understates."""
    path = tmp_path / "bomb.zip"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(b"0,0\n" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", piece * 2500 + b"\x03\x00")
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for start, offset in ((0, 8), (directory, 10)):
        content[start + offset : start + offset + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    for start, offset in ((0, 22), (directory, 24)):
        content[start + offset : start + offset + 4] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    refused(read, path, 200)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_s06_an_archive_in_an_archive_is_refused(read, tmp_path):
    inner = gzip.compress(b"a,b\n" * 1000)
    for number, content in enumerate(
        (gzip.compress(inner), zipped({"a.gz": inner}), gzip.compress(zipped({"a": b"x"})))
    ):
        path = tmp_path / f"nested{number}"
        path.write_bytes(content)
        refused(read, path, 50, "not_this_format")


def million_members() -> bytes:
    """A zip that lists 10^6 empty members, with the list written by hand: the library would take minutes."""
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 1_000_000
    directory = entry * count
    start = len(local)
    long_end = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start
    ) + struct.pack("<4sIQI", b"PK\x06\x07", 0, start + len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return local + directory + long_end + end


@pytest.mark.parametrize("form", ["delimited", "xlsx"])
def test_s06_a_million_members_are_refused_before_their_list_is_read(read, tmp_path, form):
    path = tmp_path / "many.zip"
    path.write_bytes(million_members())
    refused(read, path, 120, format=form)


def test_s06_a_long_list_of_members_is_refused_whatever_its_end_says_of_their_number(read, tmp_path):
    content = bytearray(zipped({f"{number:050d}": b"" for number in range(MAX_MEMBERS + 1)}))
    path = tmp_path / "lies.zip"
    path.write_bytes(content)
    refused(read, path, 100)
    end = content.rindex(b"PK\x05\x06")
    content[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
    path.write_bytes(content)
    assert read(path)["reason"] in ("archive_too_large", "corrupt_archive", "empty_file")


def test_s06_an_honest_zip_of_the_long_form_is_read(read, tmp_path):
    path = tmp_path / "long.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.csv", "w", force_zip64=True) as member:
        member.write(b"a,b\n1,2\n")
    assert read(path)["reason"] == ""


def test_s06_members_that_share_their_packed_bytes_count_them_once(read, tmp_path):
    """Each member alone is within the limits; together they say that the file is a thousand times as large."""
    path = tmp_path / "overlap.zip"
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = b"".join(b"%d,%d\n" % (n, n * 7919 % 1000) for n in range(100_000))
    packed = body.compress(text) + body.flush()
    local = (
        struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(text), len(packed), len(text), 1, 0)
        + b"a"
    )
    entry = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(text), len(packed), len(text), 1, 0, 0,
        0, 0, 0, 0,
    ) + b"a"  # fmt: skip
    count = 9_900
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, len(local + packed), 0)
    path.write_bytes(local + packed + entry * count + end)
    told = read(path)
    assert told["reason"] in ("archive_too_large", "corrupt_archive"), told


def test_s06_a_workbook_whose_sheet_unpacks_to_gigabytes_is_refused(read, tmp_path):
    path = tmp_path / "bomb.xlsx"
    openpyxl.Workbook().save(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/more.xml", "w") as part,
    ):
        for _ in range(200):
            part.write(b" " * (1 << 20))
    refused(read, path, 200, format="xlsx")


def test_s06_one_long_text_in_a_million_cells_is_refused(read, tmp_path):
    """A workbook stores a text once and names it from each cell."""
    path = tmp_path / "shared.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for _ in range(3_000):
        sheet.append(["x" * 30_000])
    book.save(path)
    refused(read, path, 200, format="xlsx")


def test_s06_one_long_text_in_a_million_rows_of_parquet_is_refused(read, tmp_path):
    path = tmp_path / "shared.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 500_000]))
    pq.write_table(pa.table({"a": text}), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    refused(read, path, 250, format="parquet")


@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_s06_a_long_field_of_a_parent_is_not_copied_to_a_million_children(read, tmp_path, form):
    path = tmp_path / f"parents.{form}"
    long = "x" * 1_000_000
    if form == "xml":
        lines = '<l a="1"/>' * 40_000
        content = f"<r><o><n>{long}</n>{lines}</o></r>"
        how: dict[str, Any] = {"format": "xml", "xml": {"records": "o/l"}}
    else:
        lines = ",".join(['{"a":1}'] * 40_000)
        order = f'{{"n":"{long}","lines":[{lines}]}}'
        content = f'{{"orders":[{order}]}}' if form == "json" else order
        how = {"format": form, "json": {"records": "orders[].lines[]" if form == "json" else "lines[]"}}
    path.write_text(content)
    refused(read, path, 300, **how)
