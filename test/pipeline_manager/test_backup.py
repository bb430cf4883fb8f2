"""A backup holds the warehouse and what was received, as of one load; restored, every byte and figure is the same."""

import json
import os
import shutil
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from typer.testing import CliRunner

from data_warehouse.content_hash import content_hash
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import SilentProgress
from pipeline_manager import backing_up
from pipeline_manager.backing_up import DUMP, NOTE, back_up, restore
from pipeline_manager.commands import app
from pipeline_manager.environments.lifecycle import drop
from pipeline_manager.warehouse import open_warehouse
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.run_warehouse import PROD

FIRST = {
    "move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5),
    "move_2025-02-02.csv": "D2,1,1,NO,W1,x,5,EA,in,\n",
}
OLDER = next((path.parent for path in sorted(Path("/usr/lib/postgresql").glob("1[0-6]/bin/pg_restore"))), None)


@pytest.fixture
def feeds(tmp_path):
    return write_feeds(tmp_path / "feeds")


@pytest.fixture
def loaded(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | FIRST))
    return warehouse


@pytest.fixture
def empty(make_warehouse):
    """Another server's database: nothing is deployed."""
    made = make_warehouse()
    made.rows("drop schema if exists bronze, silver, gold, ops cascade; select 1")
    return made


def backed_up(warehouse, out):
    with open_warehouse(warehouse.url, warehouse.settings, Schemas.of(None)) as opened:
        return back_up(opened, out, SilentProgress())


def restored(warehouse, folder):
    with open_warehouse(warehouse.url, warehouse.settings, Schemas.of(None)) as opened:
        return restore(opened, folder, SilentProgress())


def total(warehouse):
    with closing(psycopg2.connect(warehouse.url)) as connection:
        return content_hash(connection, PROD)["total"]


def test_what_is_restored_elsewhere_is_the_same_and_loads_on(loaded, empty, feeds, tmp_path):
    made = backed_up(loaded, tmp_path / "backup")
    assert (made.known, made.files) == (loaded.value("select max(known) from ops.batch"), len(MASTERS | FIRST))
    found, verdict = restored(empty, tmp_path / "backup")
    assert found == made
    assert (verdict.findings, verdict.head) == ([], made.head)
    assert total(empty) == total(loaded)
    more = write_files(tmp_path / "more", {"move_2025-02-03.csv": move("D3", "2025-02-03T09:00:00", 2)})
    for warehouse in (loaded, empty):
        report = warehouse.run(feeds, more)
        assert report.broken_laws == []
    assert total(empty) == total(loaded)
    assert empty.rows("select has_table_privilege('bi_reader', 'gold.stock_on_hand', 'select')") == [(True,)]
    empty.run(feeds, None, full_refresh=True)
    assert total(empty) == total(loaded)


def test_all_of_a_backup_and_all_that_is_restored_is_on_the_disk(loaded, empty, tmp_path, monkeypatch):
    synced, fsync = set(), os.fsync

    def note(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    backed_up(loaded, tmp_path / "backup")
    restored(empty, tmp_path / "backup")
    for kept in (tmp_path / "backup" / "bronze", empty.settings.bronze.own):
        there = [path for path in (kept.parent, kept, *kept.rglob("*")) if path.name not in (DUMP, NOTE)]
        assert len(there) > len(MASTERS | FIRST)
        assert [path for path in there if path.stat().st_ino not in synced] == []


def test_the_commands_say_what_they_did_and_what_is_wrong(loaded, empty, tmp_path, monkeypatch):
    folder = tmp_path / "backup"

    def systock(home, *arguments):
        monkeypatch.setenv("SYSTOCK_HOME", str(home))
        return CliRunner().invoke(app, [str(part) for part in arguments])

    made = systock(loaded.home, "backup", "--out", folder, "--database-url", loaded.url)
    assert made.exit_code == 0, made.output
    assert f"{len(MASTERS | FIRST)} received files" in made.output
    back = systock(empty.home, "restore", folder, "--database-url", empty.url)
    assert back.exit_code == 0, back.output
    assert "Every byte is as it was received." in back.output
    again = systock(empty.home, "restore", folder, "--database-url", empty.url)
    assert (again.exit_code, "is not empty" in again.output) == (2, True)


def test_a_second_backup_into_the_folder_copies_only_what_is_new(loaded, empty, feeds, tmp_path):
    first = backed_up(loaded, tmp_path / "backup")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "bronze").rglob("*") if path.is_file()}
    loaded.run(feeds, write_files(tmp_path / "more", {"move_2025-02-03.csv": move("D3", "2025-02-03T09:00:00", 2)}))
    second = backed_up(loaded, tmp_path / "backup")
    assert (second.known, second.files) == (first.known + 1, first.files + 1)
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert restored(empty, tmp_path / "backup")[1].findings == []
    assert total(empty) == total(loaded)


def test_environments_and_messages_stay_behind(loaded, empty, tmp_path):
    made = loaded.environment("lab", "prod")
    try:
        backed_up(loaded, tmp_path / "backup")
        restored(empty, tmp_path / "backup")
        assert empty.rows("select name from ops.environment") == []
        assert empty.rows("select nspname from pg_namespace where nspname like 'lab%%'") == []
    finally:
        assert drop(loaded.url, loaded.settings, made.name)


def test_a_database_that_is_not_empty_is_left_as_it_is(loaded, make_warehouse, tmp_path):
    backed_up(loaded, tmp_path / "backup")
    with pytest.raises(UsageError, match="is not empty"):
        restored(make_warehouse(), tmp_path / "backup")


def test_a_folder_without_a_whole_backup_is_refused(empty, loaded, tmp_path):
    with pytest.raises(UsageError, match="holds no backup"):
        restored(empty, tmp_path)
    backed_up(loaded, tmp_path / "backup")
    (tmp_path / "backup" / DUMP).unlink()
    with pytest.raises(UsageError, match="no whole backup"):
        restored(empty, tmp_path / "backup")


@contextmanager
def half_of(dump):
    """For a while only the first half of a dump is there."""
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) // 2])
    yield
    dump.write_bytes(whole)


def test_a_damaged_dump_leaves_the_database_empty(loaded, empty, tmp_path):
    backed_up(loaded, tmp_path / "backup")
    with half_of(tmp_path / "backup" / DUMP), pytest.raises(StopRunError, match="pg_restore failed"):
        restored(empty, tmp_path / "backup")
    assert restored(empty, tmp_path / "backup")[1].findings == []


def test_a_server_before_version_17_gets_it_by_psql_whole_or_not_at_all(loaded, empty, tmp_path, monkeypatch):
    monkeypatch.setattr(backing_up, "_KNOWS_ALL_SETTINGS", 10**9)
    backed_up(loaded, tmp_path / "backup")
    half = half_of(tmp_path / "backup" / DUMP)
    with half, pytest.raises(StopRunError, match="pg_restore failed: pg_restore: error"):
        restored(empty, tmp_path / "backup")
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(backing_up, "_hand_on", hand_on_all_and_be_interrupted)
        restored(empty, tmp_path / "backup")
    monkeypatch.setattr(backing_up, "_UNKNOWN_SETTING", b"SET lock_timeout = 0;\n")  # this server knows the other one
    assert restored(empty, tmp_path / "backup")[1].findings == []
    assert total(empty) == total(loaded)


def hand_on_all_and_be_interrupted(source, target):
    shutil.copyfileobj(source, target)
    raise KeyboardInterrupt


def test_what_a_server_answers_to_the_dump_is_said(loaded, empty, tmp_path, monkeypatch):
    monkeypatch.setattr(backing_up, "_KNOWS_ALL_SETTINGS", 10**9)
    backed_up(loaded, tmp_path / "backup")
    with psycopg2.connect(empty.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create function public.fails() returns event_trigger language plpgsql as $$ begin raise 'No.'; end $$"
        )
        cursor.execute("create event trigger fails on ddl_command_start execute function public.fails()")
    connection.close()
    with pytest.raises(StopRunError, match=r"pg_restore failed: .*ERROR: +No\."):
        restored(empty, tmp_path / "backup")


@pytest.mark.skipif(OLDER is None, reason="no PostgreSQL before 17 is installed beside the embedded one")
def test_programs_older_than_the_server_or_the_dump_say_what_to_set(loaded, empty, tmp_path, monkeypatch):
    backed_up(loaded, tmp_path / "backup")
    monkeypatch.setenv("SYSTOCK_PG_BIN", str(OLDER))
    with pytest.raises(StopRunError, match=r"pg_dump failed: .*mismatch.*too old.*in SYSTOCK_PG_BIN\.$"):
        backed_up(loaded, tmp_path / "backup")
    with pytest.raises(StopRunError, match=r"pg_restore failed: .*unsupported version.*in SYSTOCK_PG_BIN\.$"):
        restored(empty, tmp_path / "backup")
    monkeypatch.delenv("SYSTOCK_PG_BIN")
    assert restored(empty, tmp_path / "backup")[1].findings == []


def test_a_damaged_file_of_a_backup_is_said(loaded, empty, tmp_path):
    backed_up(loaded, tmp_path / "backup")
    damaged = next(path for path in (tmp_path / "backup" / "bronze").rglob("*") if path.is_file())
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes().swapcase() or b"x")
    findings = restored(empty, tmp_path / "backup")[1].findings
    assert [finding.what for finding in findings] == ["landed_file"]


def test_a_chain_that_was_cut_off_in_the_dump_is_said(loaded, empty, tmp_path):
    made = backed_up(loaded, tmp_path / "backup")
    note = tmp_path / "backup" / NOTE
    note.write_text(json.dumps({**made.__dict__, "head": "0" * 64}))
    findings = restored(empty, tmp_path / "backup")[1].findings
    assert any(finding.what == "load" for finding in findings)


def test_without_its_received_files_no_backup_is_called_one(loaded, tmp_path):
    elsewhere = replace(loaded.settings, home=tmp_path / "nowhere")
    with (
        open_warehouse(loaded.url, elsewhere, Schemas.of(None)) as opened,
        pytest.raises(StopRunError, match="is missing"),
    ):
        back_up(opened, tmp_path / "backup", SilentProgress())
    assert not (tmp_path / "backup" / NOTE).exists()
