"""Archives: what is in them, what is wrong with them, and what is too much."""

import gzip
import io
import time
import zipfile

import pytest

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError

pytestmark = pytest.mark.fast
CSV = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(5000))


def zipped(members, **how):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def read(tmp_path, content, name="file.csv", **how):
    path = tmp_path / name
    path.write_bytes(content)
    chunks = list(read_records(path, Files(pattern="*", **how)))
    return [tuple(row) for c in chunks for row in c.text.itertuples(index=False)], b"".join(c.content for c in chunks)


def reason(tmp_path, content, **how):
    with pytest.raises(SetAsideError) as caught:
        read(tmp_path, content, **how)
    return caught.value.reason


def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path):
    rows, content = read(tmp_path, gzip.compress(CSV), "plain.csv")
    assert (len(rows), content) == (5000, CSV)
    assert len(read(tmp_path, CSV, "not_packed.csv.gz")[0]) == 5000


def test_members_of_gzip_and_zip_follow_each_other(tmp_path):
    two = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    assert read(tmp_path, two)[0] == [("1", "2"), ("3", "4")]
    rows, _ = read(tmp_path, zipped({"2.csv": b"\xef\xbb\xbfa,b\n3,4\n", "1.csv": b"a,b\n1,2", "__MACOSX/x": b"?"}))
    assert rows == [("1", "2"), ("3", "4")]


def test_a_truncated_archive_gives_no_guess(tmp_path):
    packed = gzip.compress(CSV)
    for size in (3, 11, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        assert reason(tmp_path, packed[:size]) == "truncated_archive"
    assert reason(tmp_path, zipped({"1.csv": CSV})[:-30]) == "truncated_archive"


def test_a_damaged_archive_is_told_as_such(tmp_path):
    packed = bytearray(gzip.compress(CSV))
    packed[-6] ^= 1
    assert reason(tmp_path, bytes(packed)) == "corrupt_archive"
    whole = bytearray(zipped({"1.csv": CSV}))
    whole[200] ^= 0xFF
    assert reason(tmp_path, bytes(whole)) == "corrupt_archive"


def test_an_empty_file_is_empty_packed_or_not(tmp_path):
    for content in (b"", gzip.compress(b""), zipped({}), zipped({"a.csv": b""}), b"\xef\xbb\xbf"):
        assert reason(tmp_path, content) == "empty_file"


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"a.csv": content})])
def test_a_bomb_is_refused_at_once(tmp_path, pack):
    bomb = pack(b"a,b\n" + b"0,0\n" * (40 << 20))
    started = time.monotonic()
    assert reason(tmp_path, bomb) == "archive_too_large"
    assert time.monotonic() - started < 2


def test_nested_and_unsafe_archives_are_refused(tmp_path):
    assert reason(tmp_path, gzip.compress(gzip.compress(CSV))) == "not_this_format"
    assert reason(tmp_path, zipped({"a.zip": zipped({"a.csv": CSV})})) == "not_this_format"
    for name in ("../a.csv", "/etc/a.csv", "x/../../a.csv", "C:/a.csv"):
        assert reason(tmp_path, zipped({name: CSV})) == "unsafe_name"
    assert reason(tmp_path, zipped({str(i): b"" for i in range(10_001)})) == "archive_too_large"


def test_a_workbook_sent_as_text_is_told_as_such(tmp_path):
    assert reason(tmp_path, zipped({"[Content_Types].xml": b"<x/>"})) == "not_this_format"
