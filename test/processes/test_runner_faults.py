"""The runner dies, sleeps, is started twice, has no room, no memory or another clock (faults P1, P4, P6 to P12)."""

import os
import random as chance
import resource
import shutil
import subprocess
import sys
import time

from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_files
from test.pipeline_manager.test_transforms import workers
from test.run_warehouse import REPO
from test.torture import mishaps
from test.torture.telling import assert_same

STARTS = int(os.environ.get("SYSTOCK_TORTURE_STARTS", "8"))


def command(warehouse, feeds, inbox, limit=None, **environ):
    """Run the flow as a person would, in a process that is started anew."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline_manager.pipeline_flow", "--no-gold-tests", "--feeds", str(feeds),
         "--inbox", str(inbox), "--database-url", warehouse.url],
        env={"PATH": os.environ["PATH"], "HOME": str(warehouse.home), "PYTHONPATH": str(REPO),
             "SYSTOCK_HOME": str(warehouse.home), **environ},
        cwd=warehouse.home, capture_output=True, text=True, timeout=300, check=False, preexec_fn=limit,
    )  # fmt: skip


def test_p4_a_full_landing_folder_stops_the_run_with_a_sentence_and_leaves_no_half_file(
    stage, tortured, clean, feeds, inbox
):
    big = {"move_2025-02-09.csv": "".join(f"E{n},1,1,X,W1,2025-02-01T08:00:00,1,EA,in,\n" for n in range(3_000))}
    crowded = write_files(stage.room("inbox"), big)
    for path in inbox.iterdir():
        shutil.copy(path, crowded)
    done = command(tortured, feeds, crowded, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)))
    assert done.returncode == 1, done
    assert "There is no room to keep move_2025-02-09.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [p for p in (tortured.home / "bronze").rglob("*") if p.name.startswith(".")]
    tortured.finish(feeds, inbox)
    tortured.check_tidy()
    assert_same(clean, tortured)


def test_p6_of_many_starts_at_once_one_does_the_work_and_the_others_say_so(tortured, clean, feeds, inbox):
    runs = [tortured.start(feeds, inbox) for _ in range(STARTS)]
    ended = [run.end() for run in runs]
    assert all(one.code == 0 for one in ended), ended
    assert all(one.is_done or "Another run works on environment 'prod' already" in one.said for one in ended)
    tortured.check()
    assert tortured.value("select count(*) from ops.batch") == clean.value("select count(*) from ops.batch")
    assert_same(clean, tortured)


def test_p7_a_runner_that_slept_while_another_took_over_writes_nothing_when_it_wakes(tortured, clean, feeds, inbox):
    mishaps.paused_and_taken_over(tortured, feeds, inbox, chance.Random(1))
    tortured.check()
    assert_same(clean, tortured)


def test_p8_zone_locale_and_hash_seed_of_the_process_change_nothing(stage, tortured, clean, feeds, inbox):
    first = stage.room("inbox")
    for path in inbox.iterdir():
        if not path.name.startswith("count"):
            shutil.copy(path, first)
    done = command(tortured, feeds, first, TZ="America/St_Johns", LC_ALL="tr_TR.UTF-8", PYTHONHASHSEED="1")
    assert done.returncode == 0, done
    done = command(tortured, feeds, inbox, TZ="Pacific/Kiritimati", LC_ALL="C", LANG="de_DE", PYTHONHASHSEED="77")
    assert done.returncode == 0, done
    assert_same(clean, tortured)


def test_p9_memory_does_not_grow_with_the_file(stage, feeds):
    peaks = []
    for rows in (30_000, 300_000):
        warehouse = stage.make()
        inbox = write_files(stage.room("inbox"), MASTERS)
        with (inbox / "move_2025-02-01.csv").open("w") as file:
            file.write(HEADERS["move"] + "\n")
            for start in range(0, rows, 10_000):
                file.writelines(f"D{n},1,1,A,W1,2025-02-01T08:00:00,1,EA,in,\n" for n in range(start, start + 10_000))
        done = command_peak(warehouse, feeds, inbox)
        peaks.append(done)
        warehouse.drop()
    assert peaks[1] < peaks[0] + 250, peaks


def command_peak(warehouse, feeds, inbox) -> int:
    """Return the peak memory of a run in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline_manager.pipeline_flow", "--no-gold-tests", "--feeds", str(feeds),
         "--inbox", str(inbox), "--database-url", warehouse.url],
        env={"PATH": os.environ["PATH"], "HOME": str(warehouse.home), "PYTHONPATH": str(REPO),
             "SYSTOCK_HOME": str(warehouse.home)},
        cwd=warehouse.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return int(usage.ru_maxrss // 1024)


def test_p10_a_file_that_somebody_still_writes_is_left_for_the_next_run(tortured, clean, feeds, inbox):
    path = inbox / "move_2025-02-01.csv"
    whole = path.read_bytes()
    with path.open("wb") as writer:
        writer.write(whole[: len(whole) // 2])
        writer.flush()
        first = tortured.finish(feeds, inbox)
        assert "move_2025-02-01.csv changed while it was read" in first.said
        assert tortured.value("select count(*) from bronze.file where name like 'move%%'") == 0
        writer.write(whole[len(whole) // 2 :])
    tortured.finish(feeds, inbox)
    assert_same(clean, tortured)


def test_p10_files_under_the_names_of_unfinished_ones_are_left_alone(tortured, feeds, inbox):
    for suffix in ("part", "tmp"):
        (inbox / f"move_2025-02-05.csv.{suffix}").write_text("D9,1")
    (inbox / ".move_2025-02-05.csv").write_text("D9,1")
    tortured.finish(feeds, inbox)
    assert tortured.value("select count(*) from bronze.file where name like '%%02-05%%'") == 0


def test_p11_an_inbox_that_was_emptied_is_not_needed_for_a_rebuild(tortured, clean, feeds, inbox):
    tortured.finish(feeds, inbox)
    for path in inbox.iterdir():
        path.unlink()
    tortured.finish(feeds, inbox, full_refresh=True)
    assert_same(clean, tortured)
    tortured.check_tidy()


def test_p14_a_reader_sees_whole_loads_only(tortured, feeds, inbox):
    """Each file moves three apples from one place to the other: whoever looks, whenever, sees all of them."""
    tortured.finish(feeds, inbox)
    everywhere = "select sum(on_hand) from gold.stock_on_hand where product_code = 'A'"
    start = tortured.value(everywhere)
    seen = 0
    for number in range(3):
        body = "".join(
            f"T{number}{n},1,1,A,{place},2025-02-03T09:00:00,{pieces},EA,adj,\n"
            for n, (place, pieces) in enumerate([("W1", -3), ("S1", 3)] * 40)
        )
        write_files(inbox, {f"move_2025-02-03_{number}.csv": body})
        run = tortured.start(feeds, inbox)
        while not run.is_over(0.005):
            assert tortured.value(everywhere) == start
            seen += 1
        run.end()
    assert seen > 10
    assert tortured.value(everywhere) == start
    assert time.monotonic()


def test_p1_the_processes_that_read_and_conform_end_with_a_runner_that_is_killed(tortured, clean, feeds, inbox):
    run = tortured.start(feeds, inbox, "batch.staged=stop", transforms="process-pool")
    end = time.monotonic() + 60
    while not (started := workers(run.pid)) or not is_stopped(run.pid):
        assert time.monotonic() < end
        time.sleep(0.02)
    run.kill()
    while any(is_at_work(pid) for pid in started):
        assert time.monotonic() < end, f"left behind: {started}"
        time.sleep(0.02)
    tortured.finish(feeds, inbox, transforms="process-pool")
    tortured.check_tidy()
    assert_same(clean, tortured)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as told:
            return told.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_stopped(pid):
    return state(pid) == "T"


def is_at_work(pid):
    return state(pid) not in ("", "Z")
