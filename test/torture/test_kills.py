"""Runners killed at every named point and at any instant: nothing is lost, nothing doubled, nothing left over."""

import json
import os
import time
from pathlib import Path
from random import Random

import pytest

from etl_pipeline.core.failpoints import NAMES
from test.pipeline_manager.small_retailer import write_files
from test.torture.outside import Outside
from test.torture.stage import Stage, Tortured
from test.torture.telling import Tally, assert_same, replay

pytestmark = [pytest.mark.torture, pytest.mark.slow]
KILLS = int(os.environ.get("SYSTOCK_TORTURE_KILLS", "20"))
FIRST_SEED = int(os.environ.get("SYSTOCK_TORTURE_SEED", "1"))
KILLS_IN_A_LIFE = 25
SNAPPED = "snapshot_days: 0"


def inbox_of(stage: Stage, files: dict[str, str]) -> Path:
    return write_files(stage.room("inbox"), files)


@pytest.fixture(scope="module")
def snapped_feeds(small_feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small retailer's feeds with snapshots of every day, so that sealing is reached."""
    folder = tmp_path_factory.mktemp("snapped")
    for path in small_feeds.iterdir():
        (folder / path.name).write_text(path.read_text().replace(SNAPPED, "snapshot_days: 7"))
    return folder


@pytest.fixture(scope="module")
def story(stage: Stage, snapped_feeds: Path) -> tuple[Tortured, dict[str, str], dict[str, str], Tortured]:
    """A warehouse that is in use, what it holds, what comes now, and a warehouse that took all undisturbed."""
    outside = Outside(Random(5))
    before = outside.masters() | outside.deliver()
    now: dict[str, str] = {}
    for _ in range(3):
        now |= outside.deliver() | outside.correct()
    now["pack_2025-02-03_1.csv"] = "A,CS,4,2025-02-09\nB,CS,3,2025-02-09\n"  # changes what was loaded: judged again
    clean = stage.make()
    clean.finish(snapped_feeds, inbox_of(stage, before | now))
    used = stage.make()
    used.finish(snapped_feeds, inbox_of(stage, before))
    return used, before, now, clean


IN_A_DEPLOY = [name for name in NAMES if name.startswith("deploy.")]
IN_A_REBUILD = [name for name in NAMES if name.startswith("rebuild.")]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IN_A_DEPLOY])
def test_killed_at_a_named_point_the_next_run_comes_to_the_same(stage, snapped_feeds, story, name):
    used, _, now, clean = story
    warehouse = stage.copy_of(used)
    inbox = inbox_of(stage, now)

    ended = warehouse.start(snapped_feeds, inbox, failpoint=name, full_refresh=name in IN_A_REBUILD).end()
    assert ended.code is None, f"{name} was never reached: {ended}"
    if name != "rebuild.dropped":
        warehouse.check()
    warehouse.finish(snapped_feeds, inbox)

    warehouse.check()
    warehouse.check_tidy()
    assert_same(clean, warehouse)
    warehouse.drop()


@pytest.mark.parametrize("name", IN_A_DEPLOY)
def test_killed_while_the_schema_is_deployed_it_is_all_there_or_not_at_all(stage, snapped_feeds, story, name):
    _, before, now, clean = story
    warehouse = stage.make(empty=True)
    inbox = inbox_of(stage, before | now)
    ended = warehouse.start(snapped_feeds, inbox, failpoint=name + (":7" if name == "deploy.file" else "")).end()
    assert ended.code is None, ended
    warehouse.wait_for_quiet()
    assert bool(warehouse.value("select to_regclass('ops.batch') is not null")) == (name == "deploy.after_commit")
    from data_warehouse.dbt_runner import gold_version
    from data_warehouse.deploy import schema_version

    if name == "deploy.file":  # one of them goes on to the end; dbt takes its time
        warehouse.finish(snapped_feeds, inbox)
        assert_same(clean, warehouse)
        assert warehouse.rows("select value from ops.setting where name like '%version' order by name") == [
            (gold_version(),),
            (schema_version(),),
        ]
    warehouse.drop()


def test_every_point_of_the_registry_lies_somewhere_in_the_code():
    code = "".join(p.read_text() for room in ("pipeline_manager", "load", "data_warehouse", "etl_pipeline")
                   for p in Path(room).rglob("*.py"))  # fmt: skip
    applied = [name for name in NAMES if name.startswith("apply.")]
    missing = [name for name in NAMES if name not in applied and f'reached("{name}")' not in code]
    assert missing == []


def live(stage: Stage, feeds: Path, seed: int, kills: int, tally: Tally) -> None:
    """One life: files come, the runner is killed at random instants; at the end it is compared with a calm life."""
    random = Random(seed)
    outside = Outside(random)
    warehouse = stage.make()
    everything = stage.room("inbox")
    write_files(everything, outside.masters() | outside.deliver())
    usual = warehouse.finish(feeds, everything).seconds
    done = 0
    while done < kills:
        if random.random() < 0.5:
            step = random.choice([outside.deliver, outside.correct, outside.void, outside.count, outside.split])
            write_files(everything, step())
        run = warehouse.start(feeds, everything, full_refresh=random.random() < 0.01)
        if run.is_over(random.random() * usual * 1.1):
            ended = run.end()
            assert ended.is_done, ended
            tally.add("ended before the kill")
            continue
        run.kill()
        done += 1
        tally.add("kills")
        warehouse.wait_for_quiet()
        if done % 5 == 0 and warehouse.value("select to_regclass('ops.batch') is not null"):
            warehouse.check()
    warehouse.finish(feeds, everything)
    warehouse.check()
    warehouse.check_tidy()
    clean = stage.make()
    clean.finish(feeds, everything)
    assert_same(clean, warehouse)
    warehouse.drop()
    clean.drop()
    tally.add("lives")


def test_random_kills_lose_nothing_and_double_nothing(stage, small_feeds, capsys):
    tally = Tally("kills")
    started = time.monotonic()
    seed, left = FIRST_SEED, KILLS
    while left > 0:
        kills = min(KILLS_IN_A_LIFE, left)
        with replay("test_kills.py", seed, SYSTOCK_TORTURE_KILLS=kills):
            live(stage, small_feeds, seed, kills, tally)
        left -= kills
        seed += 1
        tally.progress(capsys, f"{KILLS - left} of {KILLS} kills", time.monotonic() - started)
    tally.write(seconds=round(time.monotonic() - started))
    assert tally.counts["kills"] == KILLS
    assert json.dumps(tally.counts)
