"""S16: one byte changed anywhere in what was received is found and named."""

import json
import shutil
from contextlib import closing

import psycopg2
import pytest

from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.verifying import Verdict, show_verdict, verify
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import PROD, RunWarehouse, administer

DAYS = [f"2025-02-0{day}" for day in range(1, 4)]
MOVES = {
    f"move_{day}.csv": f"D{day},1,1,A,W1,{day}T09:00:00,5,EA,in,\nX{day},1,1,NO-SUCH,W1,{day}T10:00:00,1,EA,in,\n"
    for day in DAYS
}


@pytest.fixture(scope="module")
def loaded(make_warehouse, tmp_path_factory):
    """Two loads with records set aside and snapshots sealed."""
    warehouse = make_warehouse()
    contracts = write_feeds(tmp_path_factory.mktemp("contracts"))
    retailer = contracts / "retailer.yml"
    retailer.write_text(retailer.read_text().replace("snapshot_days: 0", "snapshot_days: 400"))
    inbox = write_files(tmp_path_factory.mktemp("inbox"), MASTERS | dict(list(MOVES.items())[:2]))
    warehouse.run(contracts, inbox)
    write_files(inbox, MOVES)
    (inbox / "move_2025-02-09.csv").write_bytes(b"\x1f\x8b\x08\x00broken")
    warehouse.run(contracts, inbox)
    return warehouse


@pytest.fixture
def copy(loaded, postgres_server, tmp_path):
    """A copy to tamper with."""
    name = f"{loaded.name}_copy"
    administer(postgres_server, f"create database {name} template {loaded.name}")
    shutil.copytree(loaded.home, tmp_path / "home")
    yield RunWarehouse(name, postgres_server.url(name), tmp_path / "home")
    administer(postgres_server, f"drop database {name} with (force)")


def look(warehouse: RunWarehouse, expected_head: str | None = None) -> Verdict:
    with closing(connect(warehouse.url)) as connection:
        settings = Settings(home=warehouse.home, database_url=warehouse.url)
        opened = PostgresWarehouse(connection, PROD)
        return verify(opened, settings, make_progress("silent"), expected_head=expected_head)


def tamper(warehouse: RunWarehouse, statement: str) -> None:
    """Change the warehouse as a superuser who switches triggers off."""
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount == 1, "the tampering itself must have worked"


def test_s16_what_nobody_touched_is_whole(loaded):
    verdict = look(loaded)
    assert verdict.findings == []
    assert verdict.unsealed_files == 0
    assert verdict.checked["files"] == 7
    assert verdict.checked["blocks"] == 6  # the broken archive has none
    assert verdict.checked["loads"] >= 2
    assert verdict.checked["set_aside"] == 3
    assert verdict.checked["snapshots"] > 0
    assert len(verdict.head) == 64


def test_s16_one_byte_of_a_landed_file_is_found_and_the_file_named(copy):
    sha256 = copy.value("select sha256 from bronze.file where name = 'move_2025-02-02.csv'")
    path = copy.home / "bronze" / sha256[:2] / sha256
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    [finding] = look(copy).findings
    assert finding.what == "landed_file"
    assert "move_2025-02-02.csv" in finding.where
    assert sha256 in finding.where


def test_s16_a_landed_file_that_is_missing_is_named(copy):
    sha256 = copy.value("select sha256 from bronze.file where name = 'move_2025-02-03.csv'")
    (copy.home / "bronze" / sha256[:2] / sha256).unlink()
    [finding] = look(copy).findings
    assert (finding.what, "move_2025-02-03.csv" in finding.where, "missing" in finding.problem) == (
        "landed_file", True, True,
    )  # fmt: skip


BLOCK = "bronze.block as b set {} from bronze.file as f where b.file_id = f.file_id and f.name = 'move_2025-02-02.csv'"
FILE = "update bronze.file set {} where name = 'move_2025-02-02.csv'"
FLIPS = {
    "a byte of a block": (
        "update " + BLOCK.format("content = set_byte(content, 50, get_byte(content, 50) # 1)"),
        "block", "move_2025-02-02.csv",
    ),
    "a place in a block": ("update " + BLOCK.format("record_starts[2] = record_starts[2] + 1"), "block", "block 0"),
    "a block with its digest": (
        "update " + BLOCK.format(
            "content = overlay(content placing 'Y' from 45), digest = bronze.block_digest(block_no, byte_start,"
            " byte_end, first_record_no, first_line_no, record_starts, line_nos, overlay(content placing 'Y' from 45))"
        ),
        "file", "move_2025-02-02.csv",
    ),
    "a block that is gone": (
        "delete from bronze.block where file_id = (select file_id from bronze.file where name = 'move_2025-02-02.csv')",
        "file", "move_2025-02-02.csv",
    ),
    "the name of a file": (FILE.format("name = 'move_2025-02-0Z.csv'"), "manifest", "move_2025-02-0Z.csv"),
    "the size of a file": (FILE.format("size_bytes = size_bytes + 1"), "manifest", "move_2025-02-02.csv"),
    "the hash of a file": (FILE.format("sha256 = overlay(sha256 placing 'f0' from 3)"), "manifest", "move_2025-02-02"),
    "the load of a file": (FILE.format("known = known + 1"), "manifest", "move_2025-02-02.csv"),
    "a row of the manifest": ("delete from bronze.file where name = 'move_2025-02-02.csv'", "load", "load "),
    "a load that is taken out": ("delete from ops.batch where known = 2", "load", "load 3"),
    "the number of a load's run": ("update ops.batch set run_id = 'other' where known = 2", "load", "load 2"),
    "a byte that was set aside": (
        "update silver.quarantine as q set raw = set_byte(raw, 0, get_byte(raw, 0) # 1) from bronze.file as f"
        " where q.file_id = f.file_id and f.name = 'move_2025-02-02.csv'",
        "quarantine", "move_2025-02-02.csv",
    ),
    "an address of a record": (
        "update silver.record set byte_end = byte_end + 100000 where document = 'D2025-02-02'",
        "record", "move_2025-02-02.csv",
    ),
    "a row of a snapshot": (
        "update gold.stock_snapshot set quantity = quantity + 1 where snapshot_id = (select max(snapshot_id)"
        " from gold.stock_snapshot)",
        "snapshot", "stock snapshot of 2025-02",
    ),
    "a link of the snapshots": (
        "update gold.snapshot set chain_hash = overlay(chain_hash placing 'f0' from 3) where snapshot_id ="
        " (select min(snapshot_id) from gold.snapshot where kind = 'stock')",
        "snapshot", "stock snapshot of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "what", "where"), FLIPS.values(), ids=FLIPS.keys())
def test_s16_a_change_in_the_warehouse_is_found_and_named(copy, statement, what, where):
    tamper(copy, statement)
    verdict = look(copy)
    assert not verdict.is_whole
    assert [f for f in verdict.findings if f.what == what and where in f.where], verdict.findings


def test_s16_a_row_sealed_anew_still_breaks_its_load(copy):
    """Whoever can write may compute the row's own seal again; the chain of loads is over all rows."""
    tamper(copy, FILE.format("size_bytes = size_bytes + 1"))
    tamper(
        copy,
        "update bronze.file as f set seal = s.expected_seal from bronze.sealed_file as s"
        " where f.file_id = s.file_id and f.name = 'move_2025-02-02.csv'",
    )
    loads = [f for f in look(copy).findings if f.what == "load"]
    assert loads
    assert "move_2025-02-02.csv" in loads[0].problem


def test_s16_a_chain_that_was_cut_off_is_found_with_the_head_noted_before(copy):
    head = look(copy).head
    assert look(copy, expected_head=head[:20]).is_whole
    last = copy.value("select max(known) from ops.batch")
    tamper(copy, f"delete from ops.batch where known = {last}")
    assert any(f.where.startswith("head ") for f in look(copy, expected_head=head).findings)


def test_s16_files_loaded_before_seals_were_kept_are_told_apart(copy):
    tamper(copy, "update ops.batch set chain_hash = null, content_hash = null, previous_hash = null where known = 1")
    tamper(copy, FILE.format("seal = null, blocks_digest = null, bytes_known = null"))
    assert look(copy).unsealed_files == 1


def test_s16_the_command_tells_people_and_machines_and_ends_with_its_verdict(copy, capsys, monkeypatch):
    monkeypatch.setenv("SYSTOCK_HOME", str(copy.home))
    assert show_verdict(None, copy.url, as_json=False, expected_head=None)
    assert capsys.readouterr().out.startswith("whole: 7 files")
    tamper(copy, FILE.format("name = E'\\x1b[2Jx\\nload 9: all well'"))
    assert not show_verdict(None, copy.url, as_json=False, expected_head=None)
    out = capsys.readouterr().out
    assert "CHANGED  manifest: move: \\x1b[2Jx\\nload 9" in out
    assert "\x1b" not in out
    assert not show_verdict(None, copy.url, as_json=True, expected_head=None)
    told = json.loads(capsys.readouterr().out)
    assert told["is_whole"] is False
    assert told["findings"][0]["what"] == "manifest"
