import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from etl_pipeline.core.errors import StopRunError
from load.embedded_postgres import EmbeddedServer
from load.server_binaries import find_binaries

ROOT = Path(__file__).parents[2]
SMALL = {"shared_buffers": "16MB", "max_connections": "10"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="systock-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # where user namespaces are blocked, root's server is another user
        yield Path(name)
        EmbeddedServer.start(Path(name), settings=SMALL).stop()


def one(server: EmbeddedServer, query: str) -> object:
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def execute(server: EmbeddedServer, statement: str) -> None:
    with closing(psycopg2.connect(server.url())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def start_elsewhere(folder: Path, *, ephemeral: bool, then: str) -> subprocess.Popen[str]:
    code = (
        "import sys, time; from pathlib import Path; from load.embedded_postgres import EmbeddedServer\n"
        f"server = EmbeddedServer.start(Path(sys.argv[1]), ephemeral={ephemeral}, settings={SMALL})\n"
        f"print(server.pid, flush=True)\n{then}"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def wait_until_ended(server: EmbeddedServer) -> bool:
    deadline = time.monotonic() + 20
    while server.pid is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return server.pid is None


def test_a_server_starts_in_an_empty_folder_and_has_our_database_and_settings(folder):
    server = EmbeddedServer.start(folder, settings={**SMALL, "work_mem": "5MB"})
    assert server.is_running()
    assert one(server, "select current_database()") == "systock"
    assert one(server, "select current_setting('work_mem')") == "5MB"
    assert one(server, "select current_setting('synchronous_commit') || current_setting('autovacuum')") == "onon"
    assert one(server, "select lower('ÄÖÅ') || (array['b', 'B', 'a'] = array['b', 'B', 'a'])::text") == "äöåtrue"
    server.stop()
    assert not server.is_running()


def test_a_stopped_server_starts_again_with_its_rows(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    execute(server, "create table kept as select 7 as figure")
    server.stop()
    assert one(EmbeddedServer.start(folder, settings=SMALL), "select figure from kept") == 7


def test_stopping_twice_is_no_error(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    server.stop()
    server.stop()


def test_a_server_stays_up_after_its_run_and_the_next_run_adopts_it(folder):
    first = start_elsewhere(folder, ephemeral=False, then="")
    said, _ = first.communicate(timeout=60)
    server = EmbeddedServer.start(folder, settings=SMALL)
    assert server.pid == int(said)
    assert server.is_running()


def test_committed_rows_survive_a_kill_9_of_the_server(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    execute(server, "create table kept as select 7 as figure")
    killed = server.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    again = EmbeddedServer.start(folder, settings=SMALL)
    assert again.pid != killed
    assert one(again, "select figure from kept") == 7


def test_lock_files_that_name_a_living_stranger_do_not_stop_a_start(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    execute(server, "create table kept as select 7 as figure")
    files = [server.cluster / "postmaster.pid", server.socket_folder / ".s.PGSQL.5432.lock"]
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for file in files:
            _, *rest = file.read_text().split("\n")
            file.write_text("\n".join([str(stranger.pid), *rest]))
        assert not server.is_running()
        assert one(EmbeddedServer.start(folder, settings=SMALL), "select figure from kept") == 7
    finally:
        stranger.kill()
        stranger.wait()


def test_an_ephemeral_server_ends_when_its_parent_is_killed(folder):
    parent = start_elsewhere(folder, ephemeral=True, then="time.sleep(60)")
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    server = EmbeddedServer(folder, folder / "run")
    assert server.pid == pid
    parent.kill()
    parent.communicate()
    assert wait_until_ended(server)


def test_an_ephemeral_server_ends_when_its_parent_ends(folder):
    parent = start_elsewhere(folder, ephemeral=True, then="")
    parent.communicate(timeout=60)
    assert wait_until_ended(EmbeddedServer(folder, folder / "run"))


def test_several_starts_at_once_share_one_server(folder):
    runs = [start_elsewhere(folder, ephemeral=False, then="") for _ in range(4)]
    pids = {run.communicate(timeout=120)[0].strip() for run in runs}
    assert len(pids) == 1
    assert pids != {"None"}
    assert [run.returncode for run in runs] == [0, 0, 0, 0]


def test_a_start_that_was_cut_off_during_initdb_is_begun_anew(folder):
    (folder / "cluster.new").mkdir()
    (folder / "cluster.new" / "PG_VERSION").write_text("18\n")
    assert EmbeddedServer.start(folder, settings=SMALL).is_running()


def test_a_path_too_long_for_a_socket_works_and_leaves_nothing_behind(folder):
    server = EmbeddedServer.start(folder / ("long name, " * 12).strip() / "pg", settings=SMALL)
    assert one(server, "select 1") == 1
    assert server.home not in server.socket_folder.parents
    assert server.socket_folder.stat().st_mode & 0o077 == 0
    server.stop()
    assert not server.socket_folder.exists()


def test_the_socket_and_the_cluster_are_closed_to_other_users(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    assert [path.stat().st_mode & 0o077 for path in (server.cluster, server.socket_folder)] == [0, 0]
    assert one(server, "select current_setting('listen_addresses')") == ""


def test_a_cluster_of_another_major_version_is_refused_with_what_to_do(folder):
    server = EmbeddedServer.start(folder, settings=SMALL)
    server.stop()
    version = server.cluster / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    with pytest.raises(StopRunError, match=r"made by PostgreSQL 9.*SYSTOCK_PG_BIN"):
        EmbeddedServer.start(folder, settings=SMALL)
    version.write_text(kept)


def test_a_setting_that_postgres_refuses_is_reported_in_its_own_words(folder):
    with pytest.raises(StopRunError, match="shared_buffers"):
        EmbeddedServer.start(folder, settings={"shared_buffers": "plenty"})


@pytest.mark.fast
def test_a_wrong_folder_for_the_binaries_is_refused():
    with pytest.raises(StopRunError, match="SYSTOCK_PG_BIN"):
        find_binaries({"SYSTOCK_PG_BIN": str(ROOT)})


@pytest.mark.fast
def test_the_folder_of_the_binaries_holds_psql():
    assert (find_binaries({}) / "psql").is_file()
