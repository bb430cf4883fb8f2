"""Whatever happens on the way: with everything delivered the warehouse says what a calm one says, and the truth."""

import os
import shutil
import time
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from extract.simulated.retailer import simulate
from test.pipeline_manager.small_retailer import write_files
from test.torture.mishaps import MISHAPS, any_mishap, calm
from test.torture.outside import Outside
from test.torture.stage import Stage, Tortured
from test.torture.telling import Tally, assert_same, replay

pytestmark = [pytest.mark.torture, pytest.mark.slow]
# Seed 8 finds a fault that is not mended yet (docs/reliability.md): some records wait on though their product came.
# `make torture` meets it; here stand the seeds before it.
SEEDS = int(os.environ.get("SYSTOCK_TORTURE_SEEDS", "10"))
FIRST_SEED = int(os.environ.get("SYSTOCK_TORTURE_SEED", "1"))
STEPS = int(os.environ.get("SYSTOCK_TORTURE_STEPS", "6"))


def step(warehouse: Tortured, feeds: Path, inbox: Path, random: Random, tally: Tally) -> None:
    """A mishap or none; then whoever finds it runs again; the laws hold all the time."""
    name = any_mishap(random) if random.random() < 0.7 else "calm"
    tally.add(name)
    MISHAPS.get(name, calm)(warehouse, feeds, inbox, random)
    warehouse.wait_for_quiet()
    if warehouse.value("select to_regclass('ops.batch') is not null"):
        warehouse.check()
    warehouse.finish(feeds, inbox)
    warehouse.check()
    warehouse.check_tidy()


def live_small(stage: Stage, feeds: Path, seed: int, tally: Tally) -> None:
    random = Random(seed)
    outside = Outside(random)
    warehouse = stage.make()
    sent = outside.masters() if random.random() < 0.7 else {}
    for number in range(STEPS):
        for _ in range(random.randint(1, 3)):
            what = random.choice([outside.deliver, outside.deliver, outside.correct, outside.void, outside.count])
            sent |= what()
        if outside.files and random.random() < 0.5:
            sent |= random.choice([outside.redeliver, outside.split])()
        if number == STEPS - 1:
            sent |= outside.masters()
        inbox = write_files(stage.room("inbox"), sent)
        step(warehouse, feeds, inbox, random, tally)
        shutil.rmtree(inbox)  # what was loaded is never needed again
        sent = {}
    clean = stage.make()
    clean.finish(feeds, write_files(stage.room("inbox"), outside.files))
    assert_same(clean, warehouse)
    warehouse.drop()
    clean.drop()
    tally.add("seeds")


def on_hand(warehouse: Tortured) -> pd.DataFrame:
    rows = warehouse.rows("select product_code, location_code, on_hand from gold.stock_on_hand")
    return pd.DataFrame(rows, columns=["product_code", "location_code", "quantity"])


def wrong_keys(truth: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Keys whose stock is not the truth; a key that one side does not name holds nothing."""
    key = ["product_code", "location_code"]
    both = truth.merge(found, on=key, how="outer", suffixes=("_true", "_found")).set_index(key)
    numbers: pd.DataFrame = both.apply(pd.to_numeric).fillna(0)
    wrong: pd.DataFrame = numbers[numbers["quantity_true"] != numbers["quantity_found"]]
    return wrong


def live_simulated(stage: Stage, feeds: Path, seed: int, tally: Tally) -> None:
    """The simulated retailer with every fault; every other one without theft, so that the books are the truth."""
    random = Random(seed)
    losses = bool(seed % 2)
    root = stage.room("month")
    faults = "all" if losses else "none"
    month = simulate(root / "all", seed=seed, days=3, stores=1, products=5, faults=faults, losses=losses)
    files = list(month.files)
    random.shuffle(files)
    cuts = sorted(random.sample(range(1, len(files)), 2))
    warehouse = stage.make()
    for start, end in zip([0, *cuts], [*cuts, len(files)], strict=True):
        inbox = root / f"part_{start}"
        again = random.sample(files[:start], k=min(3, start))
        for path in [*files[start:end], *again]:
            target = inbox / path.relative_to(root / "all")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        step_files(warehouse, feeds, inbox, random, tally)
    assert wrong_keys(month.on_hand, on_hand(warehouse)).empty, wrong_keys(month.on_hand, on_hand(warehouse))
    if not losses:
        assert wrong_keys(month.physical, on_hand(warehouse)).empty
        tally.add("equal to the physical truth")
    clean = stage.make()
    clean.finish(feeds, root / "all")
    assert_same(clean, warehouse)
    tally.add("keys", len(month.on_hand))
    tally.add("equal to the knowable truth")
    shutil.rmtree(root)
    warehouse.drop()
    clean.drop()
    tally.add("seeds")


def step_files(warehouse: Tortured, feeds: Path, inbox: Path, random: Random, tally: Tally) -> None:
    """Like `step`, without the mishap that needs a flat inbox."""
    name = any_mishap(random, without=("a_file_being_written",))
    tally.add(name)
    MISHAPS[name](warehouse, feeds, inbox, random)
    warehouse.wait_for_quiet()
    warehouse.finish(feeds, inbox)
    warehouse.check()
    warehouse.check_tidy()


def test_any_schedule_of_deliveries_and_mishaps_comes_to_the_same(stage, small_feeds, capsys):
    tally = Tally("schedules")
    started = time.monotonic()
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        with replay("test_schedules.py", seed, SYSTOCK_TORTURE_SEEDS=1, SYSTOCK_TORTURE_STEPS=STEPS):
            live_small(stage, small_feeds, seed, tally)
        tally.progress(capsys, f"seed {seed}", time.monotonic() - started)
    tally.write(seconds=round(time.monotonic() - started))
    assert tally.counts["seeds"] == SEEDS


def test_the_simulated_retailer_ends_with_the_truth_whatever_happens(stage, feeds_unsnapped, capsys):
    tally = Tally("simulated")
    started = time.monotonic()
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        with replay("test_schedules.py -k simulated", seed, SYSTOCK_TORTURE_SEEDS=1):
            live_simulated(stage, feeds_unsnapped / "simulated", seed, tally)
        tally.progress(capsys, f"seed {seed}", time.monotonic() - started)
    tally.write(seconds=round(time.monotonic() - started))
    assert tally.counts["seeds"] == SEEDS
