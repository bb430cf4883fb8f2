"""A warehouse of an earlier release is brought up to this code by the next run: what it said stays, and it goes on."""

import csv
import lzma
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from data_warehouse.deploy import deploy
from etl_pipeline.core.errors import StopRunError
from load.server_binaries import find_binaries
from pipeline_manager.rebuild_command import rebuild_stock
from pipeline_manager.warehouse import open_warehouse
from pipeline_manager.warehouse_commands import audit_laws
from test.run_warehouse import PROD, REPO, RunWarehouse

RELEASES = sorted(path.name for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name[0].isdigit())
FEEDS = REPO / "feeds" / "simulated"


@pytest.fixture(params=RELEASES)
def release(request) -> Path:
    return Path(__file__).parent / str(request.param)


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def stands(database_url: str, release: Path, home: Path) -> RunWarehouse:
    """Put the release's warehouse into an empty database, with its received files, and leave it as it was."""
    statements = lzma.decompress((release / "warehouse.sql.xz").read_bytes())
    command = [str(find_binaries() / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", database_url]
    done = subprocess.run(command, input=statements, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return RunWarehouse("upgraded", database_url, home)


def as_told(release: Path, name: str) -> list[tuple[str, ...]]:
    with (release / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return [tuple(row) for row in csv.reader(lines)][1:]


def on_hand(warehouse: RunWarehouse) -> list[tuple[str, ...]]:
    query = """
        select product_code, location_code, cast(on_hand as text) from gold.stock_on_hand
        order by product_code collate "C", location_code collate "C"
    """
    return list(warehouse.rows(query))


def test_an_upgraded_warehouse_says_what_it_said_loads_on_and_is_what_a_new_one_would_be(
    release, database_url, make_warehouse, tmp_path
):
    before = unpacked(release / "before.tar.xz", tmp_path / "before")
    after = unpacked(release / "after.tar.xz", tmp_path / "after")
    old = stands(database_url, release, tmp_path / "home")
    report = old.run(FEEDS, before)
    assert sum(line.files_new for line in report.feeds.values()) == 0
    assert on_hand(old) == as_told(release, "stock_on_hand")
    sealed = "select kind, business_date::text, version::text, chain_hash from gold.snapshot order by 1, 2, 3"
    assert old.rows(sealed) == as_told(release, "snapshots")

    report = old.run(FEEDS, after)
    assert sum(line.files_new for line in report.feeds.values()) > 5
    assert len(report.laws) == 9
    assert report.broken_laws == []
    assert audit_laws(None, old.url)
    with open_warehouse(old.url, old.settings, PROD) as opened, opened.warehouse.run_lock():
        assert rebuild_stock(opened.warehouse).was_right

    new = make_warehouse()
    new.run(FEEDS, before)
    new.run(FEEDS, after)
    assert on_hand(old) == on_hand(new)
    assert old.total == new.total


def test_a_warehouse_of_a_later_release_is_left_alone_by_an_earlier_one(warehouse):
    with closing(psycopg2.connect(warehouse.url)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("delete from ops.setting where name in ('release', 'schema_version')")
            cursor.execute("insert into ops.setting values ('release', '99.1.0'), ('schema_version', 'another')")
        with pytest.raises(StopRunError, match=r"SyStock 99\.1\.0"):
            deploy(connection, PROD)
        connection.rollback()
    assert warehouse.value("select value from ops.setting where name = 'schema_version'") == "another"
