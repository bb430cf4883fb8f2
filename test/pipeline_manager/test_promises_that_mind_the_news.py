"""Promises by stores whose files stay away: minding the age of the news beats every fixed buffer."""

import pandas as pd
import pytest

from pipeline_manager.scoring.outage_story import Story, arrivals, live
from pipeline_manager.scoring.promise_card import plot
from pipeline_manager.scoring.promise_rules import OWN_BUFFERS, advantages, judged, outcomes, staleness_reserve

STORY = Story(seed=11, days=18, stores=3, products=25, calm_days=9)


@pytest.fixture(scope="module")
def mornings(make_warehouse, tmp_path_factory):
    return live(STORY, tmp_path_factory.mktemp("story"), make_warehouse().url)


def test_the_reserve_is_what_gold_takes_off_on_every_morning_of_every_store(mornings):
    assert (mornings["late_hours"] > 0).any()
    assert (staleness_reserve(mornings, 0.9) == mornings["staleness_reserve"]).all()


def test_minding_the_news_oversells_less_than_every_fixed_buffer_at_equal_lost_sales(mornings):
    found = outcomes(mornings)
    # As certain as the reserve is by default, or more; so few mornings say little of a reserve that may well not do.
    compared = [(o, fixed) for o, fixed in advantages(found) if o.quantile and o.quantile >= 0.9]
    assert {o.buffer for o, _ in compared} == set(OWN_BUFFERS)
    assert [(o, fixed) for o, fixed in compared if o.oversell_rate >= fixed] == []
    assert plot(found).startswith("<svg")


def test_a_promise_of_what_is_not_there_is_oversold_and_one_refused_that_is_there_is_lost():
    mornings = pd.DataFrame({"available": [5, 5, 0], "physical": [2, 9, 4], "wanted": [4, 9, 7]})
    assert judged(mornings, 0) == (2 / 20, (4 + 4) / 20)
    assert judged(mornings, 3) == (0, (7 + 4) / 20)


def test_a_stores_files_come_together_once_its_line_is_back_and_all_others_at_once():
    names = [f"pos/ST01/pos_ST01_202503{day:02d}.csv" for day in range(1, 31)] + ["erp/sales/sales_20250320.txt"]
    coming = arrivals(names, Story(seed=11, days=30, calm_days=9), pd.Timestamp("2025-03-01"))
    assert sorted(name for part in coming.values() for name in part if part) == sorted(names)
    assert len(coming[8]) == 9 and any(len(files) > 2 for evening, files in coming.items() if evening > 8)
    assert "erp/sales/sales_20250320.txt" in coming[19]
