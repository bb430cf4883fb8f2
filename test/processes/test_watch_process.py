"""The watch as a process: it ends on SIGTERM with nothing half done, and by SIGKILL with nothing lost."""

import os
import signal
import subprocess
import sys
import time

from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_files
from test.processes.conftest import GOOD
from test.run_warehouse import REPO
from test.torture.telling import assert_same

PATIENCE = 120.0


def start(warehouse, feeds, inbox):
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline_manager.pipeline_flow", "--watch", "--feeds", str(feeds), "--inbox",
         str(inbox), "--database-url", warehouse.url],
        env={"PATH": os.environ["PATH"], "HOME": str(warehouse.home), "PYTHONPATH": str(REPO),
             "SYSTOCK_HOME": str(warehouse.home)},
        cwd=warehouse.home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def until(process, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def arrive(inbox, name):
    hidden = inbox / f"{name}.part"
    hidden.write_text(f"{HEADERS[name.partition('_')[0]]}\n{GOOD[name]}", encoding="utf-8")
    hidden.rename(inbox / name)


def test_a_watch_that_is_told_to_stop_says_so_and_leaves_nothing_half_done(stage, tortured, clean, feeds):
    inbox = write_files(stage.room("inbox"), MASTERS)
    process = start(tortured, feeds, inbox)
    until(process, lambda: tortured.rows("select 1 from ops.heartbeat"))
    for number, name in enumerate(GOOD, start=1):
        arrive(inbox, name)
        until(process, lambda number=number: tortured.value("select count(*) from gold.stock_movement") >= number)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "Stopped. After the first run: 2 files" in said
    assert "Traceback" not in said
    tortured.check()
    tortured.check_tidy()
    tortured.finish(feeds, inbox)
    assert_same(clean, tortured)


def test_a_watch_that_is_killed_loses_nothing(stage, tortured, clean, feeds):
    inbox = write_files(stage.room("inbox"), MASTERS)
    process = start(tortured, feeds, inbox)
    until(process, lambda: tortured.rows("select 1 from ops.heartbeat"))
    for name in GOOD:
        arrive(inbox, name)
    time.sleep(0.15)
    process.kill()
    process.communicate(timeout=PATIENCE)
    tortured.check()
    tortured.finish(feeds, inbox)
    tortured.check_tidy()
    assert_same(clean, tortured)
