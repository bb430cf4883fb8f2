"""The scorecard: its measures on hand-made figures, the shortcuts on hand-made facts, and a scored month."""

import json

import pandas as pd
import pytest

from pipeline_manager.scoring.measures import detection, score
from pipeline_manager.scoring.page import write_page
from pipeline_manager.scoring.shortcuts import dedupe_without_authority, last_snapshot_wins, sum_in_arrival_order
from pipeline_manager.scoring.told import Told
from test.data_warehouse.conftest import drawn

TRUTH = """
    product_code | location_code | knowable | physical
    A            | S1            | 10       | 9
    B            | S1            | 0        | 0
    C            | S1            | -2       | 3
    D            | S1            | 5        | 5
"""
FIGURES = """
    product_code | location_code | quantity
    A            | S1            | 10
    B            | S1            | 4
    C            | S1            | -1
"""
FACTS = """
    what     | feed  | file_no | record_no | document | line | rev | void | product_code | at | quantity
    count    | wms   | 1       | 1         | C1       | 1    |     |      | A            | 1  | 40
    movement | pos   | 2       | 1         | T1       | 1    | 1   |      | A            | 2  | -3
    movement | erp   | 3       | 1         | E1       | 1    |     |      | A            | 2  | -3
    movement | pos   | 4       | 1         | T2       | 1    | 2   |      | A            | 3  | -1
    movement | pos   | 5       | 1         | T2       | 1    | 1   |      | A            | 3  | -2
    movement | pos   | 6       | 1         | T3       | 1    | 1   |      | A            | 4  | -5
    movement | pos   | 7       | 1         | T3       | 1    | 2   | yes  | A            | 4  | -5
"""


def numbers(table: str, *columns: str) -> pd.DataFrame:
    frame = pd.DataFrame(drawn(table))
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in columns})


@pytest.fixture
def told() -> Told:
    facts = numbers(FACTS, "file_no", "record_no", "at", "quantity").rename(columns={"at": "event_time"})
    facts = facts.assign(epoch="", fact_no=1, location_code="S1", is_void=facts["void"].notna())
    kinds = [facts[facts["what"] == kind].reset_index(drop=True) for kind in ("movement", "count")]
    return Told(*kinds)


@pytest.mark.fast
def test_a_score_counts_exact_keys_errors_and_promises_that_are_not_there():
    one = score("ours", "knowable", numbers(FIGURES, "quantity"), numbers(TRUTH, "knowable", "physical"))

    assert (one.keys, one.exact_share) == (4, 0.25), "D has no figure, which is zero, and it has five"
    assert one.mean_absolute_error == (0 + 4 + 1 + 5) / 4
    assert one.bias == (4 + 1 - 5) / 4
    assert (one.oversell_rate, one.oversell_units) == (0.25, 4), "C is below zero either way: nobody promises it"
    assert (one.undersell_rate, one.undersell_units) == (0.25, 5)


@pytest.mark.fast
def test_detection_is_counted_by_file_and_reason():
    key = pd.DataFrame(
        {"file": ["a", "a", "b"], "fate": ["quarantined"] * 3, "reason": ["x", "y", "x"], "records": [2, 1, 1]}
    )
    seen = pd.DataFrame(
        {"file": ["a", "b", "b"], "fate": ["quarantined"] * 3, "reason": ["x", "x", "z"], "records": [1, 1, 2]}
    )

    (found,) = detection(key, seen)

    assert (found.expected, found.found, found.right) == (4, 4, 2)
    assert (found.recall, found.precision) == (0.5, 0.5)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("shortcut", "quantity"),
    [(last_snapshot_wins, 40), (sum_in_arrival_order, 21), (dedupe_without_authority, 32)],
)
def test_each_shortcut_makes_its_own_mistake_where_the_truth_is_36(told, shortcut, quantity):
    # In truth: 40, less 3 (once), less 1 (the second revision), and T3 was voided.
    assert shortcut(told)["quantity"].tolist() == [quantity]


@pytest.mark.fast
def test_the_page_shows_every_method_and_has_no_script(tmp_path):
    truth = numbers(TRUTH, "knowable", "physical")
    scores = [score(name, t, numbers(FIGURES, "quantity"), truth) for t in ("knowable", "physical") for name in "<&"]

    write_page({"seed": 7}, scores, [], tmp_path / "score.html")

    page = (tmp_path / "score.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert "&lt;" in page
    assert "seed 7" in page
    assert json.dumps(page)
