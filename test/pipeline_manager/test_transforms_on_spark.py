"""On a cluster of Spark, with executors of their own, the warehouse comes out as in the runner's own process."""

import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from etl_pipeline.contracts.values import References
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import SilentProgress
from extract.simulated.retailer import simulate
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.transforming.choosing import IN_PROCESS, SPARK
from pipeline_manager.transforming.spark import FOLDER, MASTER
from pipeline_manager.transforming.spark_task import TaskDesk, Told, opened, sealed

CLUSTER = "local-cluster[2,1,1024]"
"""Two executors, processes of their own, with a core and a gigabyte each."""
needs_spark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None,
    reason="needs Java and systock[spark]: `make spark-test` runs it",
)


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("inbox")
    simulate(folder, days=3, stores=2, products=12, faults="usual")
    broken = sorted((folder / "pos").rglob("*.csv"))
    broken[1].write_bytes(b"nothing,here\n1,2\n")
    broken[3].write_bytes(b"")
    return folder


class Deadly(SilentProgress):
    """Kills an executor of this test's own cluster once, when the first files are taken in."""

    def __init__(self) -> None:
        self.killed: list[int] = []

    def advance(self, amount: int = 1) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            if not self.killed and b"CoarseGrainedExecutorBackend" in _command(folder) and _is_ours(int(folder.name)):
                os.kill(int(folder.name), signal.SIGKILL)
                self.killed.append(int(folder.name))


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def _is_ours(process: int) -> bool:
    """Whether a process descends from this one; others may run a cluster on the machine, too."""
    while process > 1 and process != os.getpid():
        try:
            told = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return False
        process = int(told.rpartition(")")[2].split()[1])
    return process == os.getpid()


@needs_spark
@pytest.mark.slow
def test_the_simulated_retailer_is_the_same_hash_for_hash_though_an_executor_dies(
    make_warehouse, feeds_unsnapped, inbox, tmp_path
):
    alone, many = make_warehouse(), make_warehouse()
    alone.run(feeds_unsnapped / "simulated", inbox, transforms=IN_PROCESS)
    deadly, shared = Deadly(), tmp_path / "shared"
    settings = many.settings_with({MASTER: CLUSTER, FOLDER: str(shared)})
    run_flow(Options(feeds_unsnapped / "simulated", inbox, gold_tests=False, transforms=SPARK), settings, deadly)

    assert deadly.killed
    assert many.hashes() == alone.hashes()
    assert many.value("select count(*) from bronze.file where status = 'set_aside'")
    assert many.value("select count(*) from silver.quarantine")
    assert list(shared.iterdir()) == []


@needs_spark
@pytest.mark.slow
def test_a_contract_that_cannot_be_followed_is_said_as_ever(warehouse, feeds_unsnapped, inbox, tmp_path):
    feeds = tmp_path / "feeds"
    shutil.copytree(feeds_unsnapped / "simulated", feeds)
    for path in feeds.glob("erp_products.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("files:\n", "files:\n  encoding: no-such\n", 1), encoding="utf-8")
    with pytest.raises(UsageError) as alone:
        warehouse.run(feeds, inbox, transforms=IN_PROCESS)
    with pytest.raises(UsageError) as many:
        warehouse.run(feeds, inbox, {MASTER: "local[2]"}, transforms=SPARK)
    assert str(many.value) == str(alone.value)


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_leaves_nothing_in_the_shared_folder(warehouse, feeds_unsnapped, inbox, tmp_path, how):
    shared = tmp_path / "shared"
    environ = os.environ | {"SYSTOCK_HOME": str(warehouse.home), MASTER: "local[1]", FOLDER: str(shared)}
    command = [
        sys.executable, "-m", "pipeline_manager.pipeline_flow", "--feeds", str(feeds_unsnapped / "simulated"),
        "--inbox", str(inbox), "--database-url", warehouse.url, "--transforms", SPARK, "--no-page",
    ]  # fmt: skip
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: any(shared.glob("*/*")) or run.poll() is not None)
        run.send_signal(how)
    assert run.returncode == -how
    wait_until(lambda: list(shared.iterdir()) == [])


def wait_until(is_so: Callable[[], bool], patience: float = 60) -> None:
    until = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_without_its_packages_spark_is_refused_with_the_extra_to_install(
    warehouse, feeds_unsnapped, inbox, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match=r"pip install 'systock\[spark\]'"):
        warehouse.run(feeds_unsnapped / "simulated", inbox, transforms=SPARK)


@pytest.mark.fast
def test_a_task_notes_what_it_was_not_told_of_and_not_what_is_known_to_be_missing():
    told = Told(References({}), frozenset({"zone"}), {"product": frozenset({"A"})})
    desk = TaskDesk(told)
    assert not desk.complete({"product": ["A", "B"], "zone": ["UTC"], "location": ["S1"]})
    assert not desk.complete({"product": ["C"]})
    assert desk.missing == {"product": {"B", "C"}, "location": {"S1"}}


@pytest.mark.fast
def test_what_came_back_is_only_taken_when_it_is_whole_and_of_this_run():
    key, parts = b"k" * 32, [b"first", b"", b"third"]
    whole = b"".join(sealed(part, key) for part in parts)
    assert list(opened(io.BytesIO(whole).read, key)) == parts
    for spoiled in (whole[:-1], whole[:44], whole.replace(b"third", b"thirD")):
        with pytest.raises(ValueError, match="not what this run wrote"):
            list(opened(io.BytesIO(spoiled).read, key))
    with pytest.raises(ValueError, match="not what this run wrote"):
        list(opened(io.BytesIO(whole).read, b"x" * 32))
