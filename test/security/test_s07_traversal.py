"""S7: no name leads out of the inbox or of our folder, and nothing but plain files is read; nothing hangs."""

import io
import os
import socket
import stat
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from etl_pipeline.bronze_layer.landing import land, matching_files
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import RetryStepError, SetAsideError, UsageError
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
EVERYTHING = Files(pattern="**/*")
SECRET = b"a,b\ncanary,1\n"


@pytest.fixture
def place(tmp_path):
    """An inbox, our bronze folder, and a secret beside them."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "secret.csv").write_bytes(SECRET)
    return tmp_path


def everything(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder but those of the bronze folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_symlink() and path.is_file() and "bronze" not in path.parts
    }


def land_all(place: Path) -> tuple[int, list[str]]:
    """Land what lies in the inbox, with a limit of time; return how many were landed, and why others were not."""
    landed, refused = [], []

    def work() -> None:
        for path in matching_files(place / "inbox", EVERYTHING):
            try:
                how = {
                    "inbox": place / "inbox",
                    "bronze": BronzeStore(place / "bronze"),
                    "feed": "f",
                    "files": EVERYTHING,
                }
                landed.append(land(path, **how))  # type: ignore[arg-type]
            except (SetAsideError, RetryStepError) as error:
                refused.append(str(error))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive(), "landing hangs"
    for file in landed:
        assert file.path.resolve().is_relative_to((place / "bronze").resolve())
        assert not Path(file.name).is_absolute() and ".." not in Path(file.name).parts
    return len(landed), refused


def test_s07_no_payload_as_a_name_writes_outside_of_the_bronze_folder(place):
    names = 0
    for payload in PAYLOADS:
        name = payload.encode("utf-8", "surrogateescape" if "\ud800" not in payload else "surrogatepass")
        name = name.replace(b"/", b"_").replace(b"\x00", b"_")[:200]
        try:
            (place / "inbox" / os.fsdecode(name)).write_bytes(b"a\n%d\n" % names)
        except OSError:
            continue
        names += 1
    before = everything(place)
    count, refused = land_all(place)
    assert everything(place) == before
    offered = [name for name in os.listdir(place / "inbox") if not name.startswith(".")]
    assert count + len(refused) == len(offered) > 400
    kept = [path for path in (place / "bronze").rglob("*") if path.is_file()]
    assert len(kept) == count
    assert all(len(path.name) == 64 and path.parent.name == path.name[:2] for path in kept)


def test_s07_links_devices_sockets_and_pipes_are_refused_and_nothing_waits_for_them(place):
    inbox = place / "inbox"
    (inbox / "out.csv").symlink_to("../secret.csv")
    (inbox / "absolute.csv").symlink_to(place / "secret.csv")
    (inbox / "passwd.csv").symlink_to("/etc/passwd")
    (inbox / "device.csv").symlink_to("/dev/zero")
    (inbox / "circle.csv").symlink_to("circle.csv")
    os.mkfifo(inbox / "pipe.csv")
    way = socket.socket(socket.AF_UNIX)
    here = os.open(inbox, os.O_RDONLY)  # a socket's path must be short
    way.bind(f"/proc/self/fd/{here}/socket.csv")
    try:
        os.mknod(inbox / "zero.csv", 0o644 | stat.S_IFCHR, os.makedev(1, 5))
        special = 8
    except PermissionError:
        special = 7
    count, refused = land_all(place)
    way.close()
    os.close(here)
    assert (count, len(refused)) == (0, special)
    assert not any("canary" in text for text in refused)


def test_s07_a_folder_that_is_a_link_shows_nothing_from_outside(place):
    (place / "inbox" / "way").symlink_to(place)
    count, refused = land_all(place)
    assert count == 0
    assert all("out of the inbox" in text or "no regular" in text or "not a regular" in text for text in refused)


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../*", "..\\*", "", "./../x"])
def test_s07_a_pattern_of_a_contract_does_not_leave_the_inbox(place, pattern):
    with pytest.raises((UsageError, ValueError)):
        matching_files(place / "inbox", Files(pattern=pattern))


MEMBERS = [
    "../out.csv", "/etc/out.csv", "x/../../out.csv", "..\\out.csv", "C:/out.csv", "C:\\out.csv", "\\\\host\\out.csv",
    "x/../..//out.csv", "./../out.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_s07_a_member_that_leaves_its_folder_sets_the_archive_aside_and_is_written_nowhere(place, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"a,b\n1,2\n")
    path = place / "inbox" / "a.zip"
    path.write_bytes(buffer.getvalue())
    before = everything(place)
    with pytest.raises(SetAsideError) as caught:
        list(read_records(path, EVERYTHING))
    assert caught.value.reason == "unsafe_name"
    assert everything(place) == before


def test_s07_a_link_in_an_archive_is_refused(place):
    member = zipfile.ZipInfo("link.csv")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = place / "inbox" / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "../secret.csv")
    with pytest.raises(SetAsideError) as caught:
        list(read_records(path, EVERYTHING))
    assert caught.value.reason == "unsafe_name"


def test_s07_a_tar_is_no_format_that_is_unpacked(place):
    path = place / "inbox" / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(place / "secret.csv", "../../secret.csv")
    before = everything(place)
    with pytest.raises(SetAsideError):
        list(read_records(path, Files(pattern="*"), needed=frozenset({"a"})))
    assert everything(place) == before
