"""The containers as their users run them: built, started, loaded, restarted, killed in the middle, and gone.

Not part of `make test`: it needs a Docker engine, and takes minutes. `make docker-test` calls it.
"""

import io
import json
import os
import shutil
import signal
import socket
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from extract.bench_lines import write_lines
from extract.simulated.retailer import simulate
from test.bi.superset_server import Asking
from test.containers.engine import Engine, NoEngineError, engine, have_base_images

REPO = Path(__file__).parents[2]
PASSWORD = uuid.uuid4().hex
PATIENCE = 300.0
MOST_IMAGE_MB = 700
BI_IMAGE = "systock-bi:6.1.0"
LINES = 400_000
MAIN_JOB = ("python", "-m", "pipeline_manager.pipeline_flow")
FIGURES: dict[str, float | str] = {}


@dataclass
class Stack:
    """The project of this test: its containers, volumes and network bear a name of their own."""

    engine: Engine
    folder: Path
    port: int
    name: str = field(default_factory=lambda: f"systocktest{uuid.uuid4().hex[:8]}")
    settings: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, patience: float = 900) -> str:
        return self.read(*arguments, patience=patience).decode(errors="replace")

    def read(self, *arguments: str, patience: float = 900) -> bytes:
        environ = {
            "POSTGRES_PASSWORD": PASSWORD, "SYSTOCK_PORT": str(self.port), "SYSTOCK_INBOX": str(self.folder / "inbox"),
            "SYSTOCK_SHARED_BUFFERS": "128MB", **self.settings,
        }  # fmt: skip
        given = Engine({**self.engine.environ, **environ}, self.engine.compose)
        files = ("-f", str(REPO / "docker-compose.yml"), "--project-directory", str(REPO))
        return given.read(*self.engine.compose, "--project-name", self.name, *files, *arguments, patience=patience)

    def in_pipeline(self, *command: str, patience: float = 900) -> str:
        return self.compose("exec", "-T", "pipeline", *command, patience=patience)

    def container(self, service: str) -> str:
        return self.compose("ps", "--quiet", service).split()[0]

    def state(self, service: str) -> str:
        told = json.loads(self.engine.docker("inspect", self.container(service)))[0]["State"]
        return str(told.get("Health", {}).get("Status", told["Status"]))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask from the host, as a BI tool would."""
        where = f"host=127.0.0.1 port={self.port} user=systock dbname=systock password={PASSWORD} connect_timeout=5"
        with closing(psycopg2.connect(where)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def until(self, is_so: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
        """Wait until something is so; return how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < patience:
            try:
                if is_so():
                    return time.monotonic() - began
            except (psycopg2.Error, AssertionError, IndexError):  # not there yet, or just gone
                pass
            time.sleep(0.5)
        raise AssertionError(f"{what}: not within {patience:.0f} s.\n{self.compose('logs', '--tail', '60')[-6000:]}")

    def down(self) -> None:
        every = ("--profile", "watch", "--profile", "bi")
        self.compose(*every, "down", "--volumes", "--remove-orphans", "--timeout", "20")

    def is_healthy(self) -> bool:
        return self.state("warehouse") == self.state("pipeline") == "healthy"


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("containers")
    (folder / "inbox").mkdir()
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)  # user 10001 reads the inbox
    try:
        with engine() as found:
            began = time.monotonic()
            have_base_images(found)
            FIGURES["base images, seconds"] = round(time.monotonic() - began)
            FIGURES["stand-ins"] = ", ".join(found.stand_ins) or "none"
            made = Stack(found, folder, free_port())
            try:
                yield made
            finally:
                made.down()
                built = filter(found.has, ("systock:0.2.0", BI_IMAGE))
                for image in (*built, *reversed(found.stand_ins)):
                    found.docker("rmi", "--force", image)
    except NoEngineError as error:
        pytest.exit(str(error), returncode=2)
    sys.stdout.write("\n" + "".join(f"{name}: {value}\n" for name, value in FIGURES.items()))


def test_up_builds_and_starts_everything_healthy_without_root_and_below_the_size_that_is_promised(stack):
    began = time.monotonic()
    stack.compose("build")
    FIGURES["build, seconds"] = round(time.monotonic() - began)
    stack.compose("up", "--build", "-d")
    FIGURES["up to healthy, seconds"] = round(stack.until(stack.is_healthy, "healthy"))
    assert stack.in_pipeline("id", "-u").strip() == "10001"
    size = json.loads(stack.engine.docker("image", "inspect", "systock:0.2.0"))[0]["Size"] / 1e6
    FIGURES["pipeline image, MB"] = round(size)
    assert size < MOST_IMAGE_MB
    assert PASSWORD not in stack.engine.docker("history", "--no-trunc", "systock:0.2.0")


def test_the_main_job_runs_in_the_service_and_gold_is_read_from_the_host(stack):
    # It is healthy while it loads, too, and then the job says that another one is at work.
    stack.until(lambda: "the warehouse stands as it was" in stack.in_pipeline(*MAIN_JOB), "nothing new to load")
    assert "9 of 9 kept" in stack.compose("logs", "--no-color", "pipeline")
    assert stack.rows("select count(*) > 100 from gold.stock_on_hand") == [(True,)]
    assert stack.in_pipeline("systock", "audit").strip()
    assert stack.rows("select count(*) from pg_roles where rolname = 'bi_reader'") == [(1,)]


def test_the_page_and_a_backup_come_out_and_the_backup_goes_into_empty_volumes_as_the_documents_say(stack):
    assert "</html>" in stack.in_pipeline("cat", "/var/lib/systock/report.html")
    before = stack.in_pipeline("systock", "hash").splitlines()[-1]
    stack.in_pipeline("systock", "backup", "--out", "/var/lib/systock/backup")
    packed = stack.read("exec", "-T", "pipeline", "tar", "-C", "/var/lib/systock", "-c", "backup")
    with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
        opened.extractall(stack.folder, filter="data")
    stack.down()
    kept = f"{stack.folder / 'backup'}:/backup:ro"
    told = stack.compose("run", "--rm", "-T", "-v", kept, "pipeline", "systock", "restore", "/backup")
    assert "Every byte is as it was received." in told
    stack.compose("up", "-d")
    stack.until(stack.is_healthy, "healthy after the restore")
    assert stack.in_pipeline("systock", "hash").splitlines()[-1] == before
    assert "1\n" in stack.compose("exec", "-T", "warehouse", "psql", "-U", "systock", "systock", "-Atc", "select 1")


def test_what_is_in_it_survives_a_restart_and_new_containers(stack):
    before = stack.in_pipeline("systock", "hash").splitlines()[-1]
    stack.compose("restart")
    stack.until(stack.is_healthy, "healthy after a restart")
    assert stack.in_pipeline("systock", "hash").splitlines()[-1] == before
    stack.compose("up", "-d", "--force-recreate")
    stack.until(stack.is_healthy, "healthy in new containers")
    assert stack.in_pipeline("systock", "hash").splitlines()[-1] == before


def test_ones_own_contracts_and_inbox_are_settings_and_a_file_that_arrives_is_in_gold_by_itself(stack):
    days = stack.folder / "days"
    simulate(days, days=32, seed=7)
    last = sorted((days / "pos").rglob("*.csv"))[-1]
    late = stack.folder / last.name
    shutil.move(last, late)
    shutil.copytree(days, stack.folder / "inbox", dirs_exist_ok=True)
    (stack.folder / "inbox" / "closed").mkdir(mode=0o700)  # another user's: it must not stop the rest
    stack.settings["SYSTOCK_FEEDS"] = "feeds/simulated"
    stack.compose("up", "-d")
    stack.until(stack.is_healthy, "healthy with its own contracts")
    assert "Watching /inbox" in stack.compose("logs", "pipeline")
    files = "select count(*) from bronze.file"
    stack.until(lambda: stack.rows("select count(*) > 400 from bronze.file") == [(True,)], "loaded")
    before = stack.rows(files)[0][0]
    arrived = stack.folder / "inbox" / last.relative_to(days)
    shutil.copy(late, arrived.with_suffix(".part"))
    arrived.with_suffix(".part").rename(arrived)
    FIGURES["a file that arrives, seconds"] = round(
        stack.until(lambda: stack.rows(files)[0][0] == int(str(before)) + 1, "arrived"), 1
    )
    stack.until(
        lambda: "folder closed may not be looked into" in stack.in_pipeline(*MAIN_JOB), "the closed one is told"
    )


def test_the_profile_bi_shows_every_chart_of_the_dashboards_to_a_login_that_sees_gold_only(stack):
    port = free_port()
    secrets = {
        name: uuid.uuid4().hex for name in ("SYSTOCK_BI_PASSWORD", "SYSTOCK_BI_ADMIN_PASSWORD", "SUPERSET_SECRET_KEY")
    }
    stack.settings.update(secrets, SYSTOCK_BI_PORT=str(port))
    began = time.monotonic()
    stack.compose("--profile", "bi", "build", "bi")
    FIGURES["image of Superset, seconds"] = round(time.monotonic() - began)
    stack.compose("--profile", "bi", "up", "-d")
    FIGURES["Superset up to healthy, seconds"] = round(
        stack.until(lambda: stack.state("bi") == "healthy", "Superset healthy", 600)
    )
    size = json.loads(stack.engine.docker("image", "inspect", BI_IMAGE))[0]["Size"] / 1e6
    FIGURES["image of Superset, MB"] = round(size)
    rows = Asking(f"http://127.0.0.1:{port}", secrets["SYSTOCK_BI_ADMIN_PASSWORD"]).rows_by_chart()
    assert len(rows) == len(list((REPO / "data_warehouse" / "bi" / "bundle" / "charts").glob("*.yaml")))
    assert [name for name, count in rows.items() if count == 0] == []
    assert stack.rows("select pg_has_role('systock_bi', 'bi_reader', 'member')") == [(True,)]
    assert [secret for secret in secrets.values() if secret in stack.compose("logs")] == []
    stack.compose("--profile", "bi", "rm", "--force", "--stop", "bi", "bi-login")


def test_a_database_killed_in_the_middle_of_a_load_comes_back_and_every_law_holds(stack):
    stack.settings["SYSTOCK_FEEDS"] = "feeds/bench"
    for left in list((stack.folder / "inbox").iterdir()):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    stack.compose("down", "--volumes", "--timeout", "20")
    stack.compose("up", "-d")
    stack.until(stack.is_healthy, "healthy and empty")
    write_lines(stack.folder / "lines.part", LINES)
    shutil.move(stack.folder / "lines.part", stack.folder / "inbox" / "lines.csv")
    at_work = "select count(*) from pg_stat_activity where state = 'active' and query ilike 'copy %'"
    stack.until(lambda: stack.rows(at_work)[0][0] != 0, "copying")
    # The load's own row comes with it; the facts are locked until then, since it makes their indexes at its end.
    assert stack.rows("select count(*) from ops.batch") == [(0,)]
    inspected = json.loads(stack.engine.docker("inspect", stack.container("warehouse")))[0]
    os.kill(inspected["State"]["Pid"], signal.SIGKILL)
    FIGURES["back and loaded after the kill, seconds"] = round(
        stack.until(lambda: stack.rows("select count(*) from silver.fact_sale") == [(LINES,)], "loaded again", 600)
    )
    stack.until(stack.is_healthy, "healthy after the kill")
    restarts = json.loads(stack.engine.docker("inspect", stack.container("warehouse")))[0]["RestartCount"]
    assert restarts == 1
    stack.in_pipeline("systock", "audit")
    stack.in_pipeline("systock", "verify")


def test_the_profile_watch_looks_at_the_deliveries_without_the_pipeline(stack):
    stack.compose("stop", "pipeline")
    stack.compose("--profile", "watch", "up", "-d", "watch")
    stack.until(lambda: "pos_lines" in stack.compose("logs", "watch"), "looked at")
    assert "Traceback" not in stack.compose("logs")


def test_down_leaves_nothing(stack):
    stack.down()
    for kind in ("container", "volume", "network"):
        every = ("--all",) if kind == "container" else ()
        listed = stack.engine.docker(kind, "ls", *every, "--quiet", "--filter", f"name={stack.name}")
        assert not listed.strip(), kind
