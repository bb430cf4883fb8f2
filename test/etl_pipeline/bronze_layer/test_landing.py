"""Landing: once, by content, and nothing from outside the inbox."""

import hashlib
import os
from datetime import UTC, datetime

import pytest

from etl_pipeline.bronze_layer import landing
from etl_pipeline.bronze_layer.landing import land, landed_again, matching_files
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import RetryStepError, SetAsideError, UsageError

pytestmark = pytest.mark.fast


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox" / "pos" / "2025-03-01").mkdir(parents=True)
    return tmp_path / "inbox"


def put(inbox, name, content=b"a,b\n1,2\n"):
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def landed(path, inbox, **how):
    return land(
        path, inbox=inbox, bronze=BronzeStore(inbox.parent / "bronze"), feed="pos", files=Files(pattern="**/*", **how)
    )


def test_a_file_is_kept_once_under_its_content(inbox):
    first = landed(put(inbox, "pos/a.csv"), inbox)
    again = landed(put(inbox, "pos/b.csv"), inbox)
    digest = hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert first.path == again.path == inbox.parent / "bronze" / digest[:2] / digest
    assert (first.name, again.name, first.sha256, first.size_bytes) == ("pos/a.csv", "pos/b.csv", digest, 8)
    kept = [path for path in (inbox.parent / "bronze").rglob("*") if path.is_file()]
    assert kept == [first.path]
    assert first.path.read_bytes() == b"a,b\n1,2\n"


def test_a_damaged_copy_is_replaced(inbox):
    source = put(inbox, "a.csv")
    first = landed(source, inbox)
    first.path.chmod(0o644)
    first.path.write_bytes(b"broken")
    assert landed(source, inbox).path.read_bytes() == b"a,b\n1,2\n"


def test_an_environment_keeps_what_prod_does_not_have_intact_and_prods_folder_stays_as_it_is(inbox):
    of_prod = landed(put(inbox, "a.csv"), inbox)
    prod = of_prod.path.parents[1]
    store = BronzeStore(inbox.parent / "env" / "lab" / "bronze", prod)

    def in_environment(path):
        return land(path, inbox=inbox, bronze=store, feed="pos", files=Files(pattern="*"))

    assert in_environment(inbox / "a.csv").path == of_prod.path
    own = in_environment(put(inbox, "b.csv", b"c\n3\n"))
    assert own.path.is_relative_to(store.own)
    assert list(store.files()) == [own.path, of_prod.path]
    assert landed_again(store, "pos", "a.csv", of_prod.sha256, None) == of_prod
    assert landed_again(store, "pos", "b.csv", own.sha256, None) == own
    of_prod.path.chmod(0o644)
    of_prod.path.write_bytes(b"broken")
    mended = in_environment(inbox / "a.csv")
    assert mended.path.is_relative_to(store.own)
    assert mended.path.read_bytes() == b"a,b\n1,2\n"
    assert of_prod.path.read_bytes() == b"broken"
    assert [path for path in prod.rglob("*") if path.is_file()] == [of_prod.path]


def test_a_file_that_changes_while_it_is_read_is_taken_later(inbox, monkeypatch):
    source = put(inbox, "a.csv")
    copy_aside = landing._copy_aside

    def copy_while_a_writer_appends(path, name, bronze_dir):
        copied = copy_aside(path, name, bronze_dir)
        with source.open("ab") as writer:
            writer.write(b"3,4\n")
        return copied

    monkeypatch.setattr(landing, "_copy_aside", copy_while_a_writer_appends)
    with pytest.raises(RetryStepError, match="still being written"):
        landed(source, inbox)
    assert not [path for path in (inbox.parent / "bronze").rglob("*") if path.is_file()]


def test_a_file_that_changes_after_its_first_reading_is_taken_later(inbox, monkeypatch):
    source = put(inbox, "a.csv")
    first = landing._hash

    def hash_before_a_writer_changes_a_byte(stream):
        digest, times = first(stream), source.stat()
        source.write_bytes(source.read_bytes().replace(b"1", b"9", 1))
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        return digest

    monkeypatch.setattr(landing, "_hash", hash_before_a_writer_changes_a_byte)
    with pytest.raises(RetryStepError, match="still being written"):
        landed(source, inbox)


def test_a_damaged_copy_is_replaced_when_the_file_comes_again(inbox):
    source = put(inbox, "a.csv")
    kept = landed(source, inbox).path
    kept.chmod(0o644)
    kept.write_bytes(bytes(len(source.read_bytes())))
    assert landed(source, inbox).path.read_bytes() == source.read_bytes()


def test_a_file_that_is_known_is_not_written_again(inbox):
    source = put(inbox, "a.csv")
    kept = landed(source, inbox).path
    before = kept.stat()
    assert landed(source, inbox).path == kept
    assert kept.stat().st_ino == before.st_ino
    assert kept.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_is_gone_may_come_back(inbox):
    with pytest.raises(RetryStepError):
        landed(inbox / "gone.csv", inbox)


@pytest.mark.parametrize(
    "kind", ["outside", "dots", "link out", "dangling link", "folder link", "pipe", "folder", "line break"]
)
def test_what_is_not_a_plain_file_of_the_inbox_is_refused(inbox, kind):
    outside = put(inbox.parent, "secret.csv")
    path = inbox / "x.csv"
    match kind:
        case "outside":
            path = outside
        case "dots":
            path = inbox / ".." / "secret.csv"
        case "link out":
            path.symlink_to(outside)
        case "dangling link":
            path.symlink_to("nowhere")
        case "folder link":
            (inbox / "way").symlink_to(inbox.parent)
            path = inbox / "way" / "secret.csv"
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "line break":
            path = put(inbox, "a\nb.csv")
    with pytest.raises(SetAsideError) as caught:
        landed(path, inbox)
    assert caught.value.reason == "unsafe_name"


def test_a_link_within_the_inbox_is_read(inbox):
    (inbox / "link.csv").symlink_to(put(inbox, "pos/a.csv"))
    assert landed(inbox / "link.csv", inbox).name == "link.csv"


def test_the_files_own_time_is_in_its_path(inbox):
    source = put(inbox, "pos/2025-03-01/a.csv")
    rule = {"path": r"/(\d{4}-\d\d-\d\d)/"}
    assert landed(source, inbox, logical_time=rule).logical_time == datetime(2025, 3, 1, tzinfo=UTC)
    assert landed(source, inbox).logical_time is None
    for name in ("a.csv", "2025-13-01/a.csv"):
        with pytest.raises(SetAsideError, match="rename"):
            landed(put(inbox, name), inbox, logical_time=rule)


def test_matching_files_are_sorted_and_unfinished_ones_left_alone(inbox):
    for name in (
        "pos/b.csv",
        "pos/2025-03-01/a.csv",
        "pos/.c.csv",
        ".old/d.csv",
        "pos/e.csv.tmp",
        "f.csv.part",
        "g.txt",
    ):
        put(inbox, name)

    def found(pattern):
        return [path.relative_to(inbox).as_posix() for path in matching_files(inbox, Files(pattern=pattern))]

    assert found("**/*.csv*") == ["pos/2025-03-01/a.csv", "pos/b.csv"]
    assert found(["g.txt", "pos/*.csv", "pos/*"]) == ["g.txt", "pos/b.csv"]
    for pattern in ("../*", "/etc/*", "pos/../../*"):
        with pytest.raises(UsageError):
            found(pattern)
