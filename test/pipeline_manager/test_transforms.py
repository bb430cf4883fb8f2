"""Wherever files are read and conformed, the warehouse comes out the same, and a process that dies spoils nothing."""

import os
import signal
from pathlib import Path

import pytest

from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.progress import SilentProgress
from extract.simulated.retailer import simulate
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.transforming import units
from pipeline_manager.transforming.choosing import IN_PROCESS, PROCESS_POOL, PROCESSES, VARIABLE, pays
from pipeline_manager.transforming.units import FileWork, planned
from test.pipeline_manager.small_retailer import write_feeds, write_files
from test.run_warehouse import shared_data

REAL = {
    "openbravo": "openbravo_fb_group",
    "openbravo_qa": "openbravo_qa_testing",
    "adventureworks": "adventureworks",
}


@pytest.fixture
def in_small_units(monkeypatch):
    """Few files a unit, so that even a small load is spread over the processes."""
    monkeypatch.setattr(units, "UNIT_FILES", 5)


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("inbox")
    simulate(folder, days=6, stores=3, products=12, faults="usual")
    broken = sorted((folder / "pos").rglob("*.csv"))
    broken[1].write_bytes(b"nothing,here\n1,2\n")
    broken[7].write_bytes(b"")
    return folder


def workers(of: int | None = None) -> list[int]:
    """The processes of a pool that a process has started, or that are there at all."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"pipeline_manager.transforming.worker" in line and of in (None, parent):
            found.append(int(folder.name))
    return found


class Deadly(SilentProgress):
    """Kills one process of the pool at each file that is taken in, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def advance(self, amount: int = 1) -> None:
        for pid in workers(os.getpid())[:1]:
            if self.left:
                os.kill(pid, signal.SIGKILL)
                self.left -= 1


class Cutting(SilentProgress):
    """Cuts every connection to a warehouse once, in the middle of a load."""

    def __init__(self, warehouse) -> None:
        self.warehouse, self.files, self.is_cut = warehouse, 0, False

    def advance(self, amount: int = 1) -> None:
        self.files += 1
        if workers(os.getpid()) and not self.is_cut:
            self.is_cut = True
            self.warehouse.rows("select pg_terminate_backend(pid) from pg_stat_activity "
                                "where datname = current_database() and pid <> pg_backend_pid()")  # fmt: skip


def load(warehouse, feeds: Path, inbox: Path, way: str, progress: SilentProgress | None = None):
    options = Options(feeds, inbox, gold_tests=False, transforms=way)
    return run_flow(options, warehouse.settings, progress or SilentProgress())


def test_the_simulated_retailer_with_its_faults_is_the_same_hash_for_hash(
    make_warehouse, feeds_folder, inbox, in_small_units
):
    alone, many = make_warehouse(), make_warehouse()
    load(alone, feeds_folder / "simulated", inbox, IN_PROCESS)
    load(many, feeds_folder / "simulated", inbox, PROCESS_POOL)
    assert many.hashes() == alone.hashes()
    assert many.value("select count(*) from bronze.file where status = 'set_aside'")
    assert many.value("select count(*) from silver.quarantine")
    assert many.books() == []
    kept = "select f.name, b.block_no, b.digest from bronze.block as b inner join bronze.file as f using (file_id)"
    assert sorted(many.rows(kept)) == sorted(alone.rows(kept))
    assert workers(os.getpid()) == []


@pytest.mark.slow
@pytest.mark.parametrize("feeds", REAL)
def test_real_data_is_the_same_hash_for_hash(make_warehouse, feeds_unsnapped, feeds, in_small_units, monkeypatch):
    monkeypatch.setattr(units, "SMALL_BYTES", 100_000)  # large files in chunks, too
    alone, many = make_warehouse(), make_warehouse()
    load(alone, feeds_unsnapped / feeds, shared_data(REAL[feeds]), IN_PROCESS)
    load(many, feeds_unsnapped / feeds, shared_data(REAL[feeds]), PROCESS_POOL)
    assert many.hashes() == alone.hashes()


def test_a_process_that_is_killed_costs_a_repetition_and_nothing_else(
    make_warehouse, feeds_unsnapped, inbox, in_small_units
):
    alone, many = make_warehouse(), make_warehouse()
    load(alone, feeds_unsnapped / "simulated", inbox, IN_PROCESS)
    deadly = Deadly(times=2)
    load(many, feeds_unsnapped / "simulated", inbox, PROCESS_POOL, deadly)
    assert deadly.left == 0
    assert many.hashes() == alone.hashes()
    assert many.value("select count(*) from ops.batch") == alone.value("select count(*) from ops.batch")


def test_a_connection_that_is_cut_in_the_middle_costs_a_repetition_with_processes_that_start_anew(
    make_warehouse, feeds_unsnapped, inbox, in_small_units
):
    alone, many = make_warehouse(), make_warehouse()
    load(alone, feeds_unsnapped / "simulated", inbox, IN_PROCESS)
    cutting = Cutting(many)
    load(many, feeds_unsnapped / "simulated", inbox, PROCESS_POOL, cutting)
    assert cutting.is_cut
    assert many.hashes() == alone.hashes()


def test_when_processes_die_each_time_the_run_stops_with_a_sentence_and_nothing_of_the_load_is_kept(
    warehouse, feeds_unsnapped, inbox, in_small_units
):
    with pytest.raises(
        StopRunError, match=r"was killed by SIGKILL.*in-process.*3 times in this load; nothing of it was"
    ):
        load(warehouse, feeds_unsnapped / "simulated", inbox, PROCESS_POOL, Deadly(times=10**6))
    assert workers(os.getpid()) == []
    assert warehouse.value("select count(*) from bronze.file") == 0


def test_a_contract_that_cannot_be_followed_is_said_as_ever(
    warehouse, feeds_unsnapped, inbox, tmp_path, in_small_units
):
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    for path in (feeds_unsnapped / "simulated").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        if path.name == "pos_sales.yml":
            text = text.replace("files:\n", "files:\n  encoding: no-such\n", 1)
        (feeds / path.name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as alone:
        load(warehouse, feeds, inbox, IN_PROCESS)
    with pytest.raises(UsageError) as many:
        load(warehouse, feeds, inbox, PROCESS_POOL)
    assert str(many.value) == str(alone.value)


def test_few_small_files_start_no_process(warehouse, tmp_path):
    inbox = write_files(tmp_path / "inbox", {f"move_2025-02-0{day}.csv": "" for day in range(1, 9)})
    seen: list[int] = []

    class Watching(SilentProgress):
        def done(self, note: str = "") -> None:
            seen.extend(workers(os.getpid()))

    load(warehouse, write_feeds(tmp_path / "feeds"), inbox, "auto", Watching())
    assert seen == []


def test_an_unknown_way_and_no_processes_are_refused_before_anything_is_done(warehouse, feeds_folder, inbox):
    with pytest.raises(UsageError, match="auto or in-process or process-pool or spark, not 'threads'"):
        load(warehouse, feeds_folder / "simulated", inbox, "threads")
    for name, value in ((VARIABLE, "pool"), (PROCESSES, "0"), (PROCESSES, "many")):
        with pytest.raises(UsageError, match=f"'{value}'"):
            warehouse.run(feeds_folder / "simulated", inbox, {name: value})


def work(feed: str, size: int, *, again: bool = False) -> FileWork:
    return FileWork(Landed(feed, f"{feed}.csv", Path(feed), "0" * 64, size), is_again=again)


@pytest.mark.fast
def test_small_files_of_a_feed_are_one_unit_and_a_large_file_is_one_by_itself():
    large, small = units.SMALL_BYTES + 1, 1_000
    files = [work("a", small), work("a", small), work("a", large), work("a", small), work("b", small),
             work("b", small, again=True)]  # fmt: skip
    found = planned(files)
    assert [[file.landed.size_bytes for file in unit.files] for unit in found] == [
        [small, small], [large], [small], [small], [small],
    ]  # fmt: skip
    assert [file for unit in found for file in unit.files] == files


@pytest.mark.fast
def test_a_unit_of_small_files_is_bounded_by_bytes_and_by_files():
    found = planned([work("a", units.SMALL_BYTES)] * 7 + [work("a", 10)] * (2 * units.UNIT_FILES))
    most = units.UNIT_BYTES + units.SMALL_BYTES
    assert all(unit.size_bytes <= most and len(unit.files) <= units.UNIT_FILES for unit in found)
    assert len(found) < 10


@pytest.mark.fast
def test_processes_pay_for_much_work_that_can_be_shared_and_not_for_one_file():
    assert not pays(planned([work("a", 500 << 20)]))
    assert not pays(planned([work("a", 10_000)] * 300))
    assert pays(planned([work("a", 10_000)] * 2_000))
