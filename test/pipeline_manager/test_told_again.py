"""Full extracts say nearly everything once more: that costs little, and changes nothing that can be read."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from load.direct import DirectLane
from load.staged import Staging
from pipeline_manager.transforming import units
from test.pipeline_manager.small_retailer import HEADERS, MASTERS, PRODUCT, feed_of, write_feeds
from test.pipeline_manager.test_order_independence import QUICKLY, assert_same
from test.run_warehouse import administer

_folders = itertools.count(1)
UNDATED = PRODUCT.replace("revision: {updated_at: updated}\n", "")
OTHER = UNDATED.replace("feed: product", "feed: other").replace("product_*", "other_*")
EACH_DAY = {
    "product": [["A,Ann,EA,", "A,Bob,EA,", "A,Bob,CS,"], ["B,Bread,EA,", "B,Brot,EA,"], ["C,Corn,EA,"]],
    "other": [["A,Ann,EA,", "A,Eve,EA,"], ["C,Corn,CS,", "C,Cob,EA,"]],
    "alias": [["old-A,A,2025-01-01", "old-A,B,2025-01-01"], ["new-B,B,2025-01-02", "new-B,B,2025-01-03"]],
    "size": [["A,CS,2,2025-02-01", "A,CS,3,2025-02-01"], ["B,CS,4,2025-02-01"]],
    "kind": [["new,receipt,2025-01-01", "new,adjustment,2025-01-01"], ["in,receipt,2025-01-01"]],
    "move": [
        ["D1,1,1,A,S1,2025-02-01T08:00:00,4,EA,in,", "D1,1,1,A,S1,2025-02-01T08:00:00,5,EA,in,"],
        ["D1,2,1,old-A,S1,2025-02-01T08:00:00,2,CS,in,", "D1,2,2,old-A,S1,2025-02-01T08:00:00,2,CS,in,void"],
        ["D2,1,1,C,W1,2025-02-02T08:00:00,6,EA,new,", "D2,1,1,B,W1,2025-02-02T08:00:00,6,EA,new,"],
        ["D3,1,1,X,W1,2025-02-02T08:00:00,1,EA,in,"],
    ],
    "count": [
        ["C1,1,A,S1,2025-02-01T12:00:00,3,item,unknown,", "C1,2,A,S1,2025-02-01T12:00:00,4,item,unknown,void"],
        ["C2,1,B,W1,2025-02-02T12:00:00,7,location,zero,", "C2,1,B,W1,2025-02-02T12:00:00,8,location,zero,"],
    ],
}
"""Feed -> what it may say of each of its keys; each file says something of most keys."""


CHANGED_BACK = [
    MASTERS,
    {"product_2025-02-01_0.csv": "A,Ann,EA,\nB,Bread,EA,\n"},
    {"product_2025-02-02_1.csv": "A,Bob,EA,\nB,Bread,EA,\n"},
    {"product_2025-02-03_2.csv": "A,Ann,EA,\nB,Bread,EA,\nB,Bread,EA,\n"},  # A as before, B twice
    {"other_2025-02-02_0.csv": "A,Eve,EA,\n", "other_2025-02-01_1.csv": "A,Eve,EA,\nC,Cob,EA,\n"},
    {"product_2025-02-04_3.csv": "A,Ann,EA,\nB,Bread,EA,\n"},
    {"other_2025-02-05_2.csv": "A,Eve,EA,\n", "other_2025-02-01_3.csv": "A,Eve,EA,\n\nC,Cob,EA,\n"},  # late
    {"product_2025-02-05_4.csv": "A,Ann,EA,\n"},
]
CONTRADICTED = [
    MASTERS,
    {"product_2025-02-01_0.csv": "A,Ann,EA,\n", "product_2025-02-01_1.csv": "A,Bob,EA,\n\n"},
    {"product_2025-02-02_2.csv": "A,Ann,EA,\n"},
    {"product_2025-02-03_3.csv": "A,Bob,EA,\n"},
    {"product_2025-02-04_4.csv": "A,Bob,EA,\n\n"},
    {"product_2025-02-04_5.csv": "A,Ann,EA,\n\n\n"},
]
VOIDED = [
    MASTERS | {"alias_2025-01-01_0.csv": "old-A,A,2025-01-01\n"},
    {"move_2025-02-01_0.csv": EACH_DAY["move"][1][0] + "\nD9,1,2,A,S1,2025-02-01T08:00:00,4,EA,in,\n"},
    {"move_2025-02-02_1.csv": EACH_DAY["move"][1][1] + "\nD9,1,1,A,S1,2025-02-01T08:00:00,9,EA,in,\n"},
    {"move_2025-02-03_2.csv": "\n".join(EACH_DAY["move"][1]) + "\nD9,1,2,A,S1,2025-02-01T08:00:00,4,EA,in,\n"},
    {"size_2025-02-01_0.csv": "A,CS,2,2025-02-01\n", "alias_2025-01-02_1.csv": "old-A,B,2025-01-02\n"},
    {"move_2025-02-04_3.csv": EACH_DAY["move"][1][1] + "\nD9,1,2,A,S1,2025-02-01T08:00:00,4,EA,in,\n"},
]


@st.composite
def extracts(draw: st.DrawFn) -> tuple[list[dict[str, str]], int]:
    """A few days' extracts of every feed, in some order of runs; how many bytes are conformed together, about."""
    files: dict[str, str] = {}
    for feed, keys in EACH_DAY.items():
        for number, day in enumerate(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))):
            told = [draw(st.sampled_from([*ways, ways[0], ways[0], ""])) for ways in keys]
            told += draw(st.lists(st.sampled_from([line for line in told if line] or [""]), max_size=1))
            files[f"{feed}_2025-02-0{day}_{number}.csv"] = "".join(f"{line}\n" for line in told if line) + "\n" * number
    order = draw(st.permutations(sorted(files)))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=4)))
    runs = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [MASTERS, *({name: files[name] for name in run} for run in runs)], draw(st.sampled_from([0, 100_000]))


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_feeds(tmp_path_factory.mktemp("contracts"))
    (folder / "product.yml").write_text(UNDATED.lstrip(), encoding="utf-8")
    (folder / "other.yml").write_text(OTHER.lstrip(), encoding="utf-8")
    return folder


def load(warehouse, contracts: Path, folder: Path, runs: list[dict[str, str]]):
    for files in runs:
        inbox = folder / f"inbox_{next(_folders)}"
        inbox.mkdir()
        for name, body in files.items():
            header = (HEADERS | {"other": HEADERS["product"]})[feed_of(name)]
            (inbox / name).write_text(f"{header}\n{body}", encoding="utf-8")
        warehouse.run(contracts, inbox)
    return warehouse


def nothing_goes_straight(self, pieces, conformed):
    return np.zeros(conformed.records.num_rows, dtype=bool)


@pytest.fixture
def staged(monkeypatch):
    """How many records each chunk left to be decided about."""
    numbers = []
    stage = Staging.stage

    def counted(self, pieces, conformed, *, again):
        numbers.append(conformed.records.num_rows)
        stage(self, pieces, conformed, again=again)

    monkeypatch.setattr(Staging, "stage", counted)
    return numbers


@QUICKLY
@given(extracts())
@example((CHANGED_BACK, 100_000))
@example((CONTRADICTED, 0))
@example((VOIDED, 0))
def test_extracts_that_repeat_each_other_end_as_if_each_record_had_been_decided_about(
    make_warehouse, contracts, tmp_path, postgres_server, delivered
):
    runs, together = delivered
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "UNIT_BYTES", together)  # none: each file is a chunk of its own
        straight = load(make_warehouse(), contracts, tmp_path, runs)
        patch.setattr(DirectLane, "take", nothing_goes_straight)
        decided = load(make_warehouse(), contracts, tmp_path, runs)

    assert_same(decided, straight)
    assert straight.books() == []
    for warehouse in (straight, decided):
        administer(postgres_server, f"drop database {warehouse.name} with (force)")


def test_of_a_full_extract_only_what_changed_is_decided_about(make_warehouse, contracts, tmp_path, staged):
    known = "A,Ann,EA,\nB,Bread,EA,\nC,Corn,EA,\n"
    changed = "A,Ann,EA,\nB,Brot,EA,\nC,Corn,EA,\nD,Dill,EA,\n"
    days = [{"product_2025-02-01.csv": known}, {"product_2025-02-02.csv": changed}, {"product_2025-02-03.csv": changed}]
    warehouse = make_warehouse()
    for day, left in zip(days, [0, 1, 0], strict=True):
        staged.clear()
        load(warehouse, contracts, tmp_path, [day])
        assert sum(staged) == left

    told = "select document, last_file_at::date::text from silver.revision where is_current order by document"
    assert warehouse.rows(told) == [(code, "2025-02-03") for code in "ABCD"]
    assert warehouse.books() == []


def test_an_earlier_file_that_repeats_a_record_becomes_its_home(make_warehouse, contracts, tmp_path, staged):
    same = "A,Ann,EA,\n"
    days = [{f"product_2025-02-0{day}.csv": same + "\n" * day} for day in (2, 3, 1)]
    warehouse = load(make_warehouse(), contracts, tmp_path, days)

    assert staged == [0, 0, 1]
    home = "select f.name, r.file_at::date::text, v.last_file_at::date::text from silver.record as r"
    home += " inner join silver.revision as v using (record_id) inner join bronze.file as f on r.file_id = f.file_id"
    assert warehouse.rows(home) == [("product_2025-02-01.csv", "2025-02-01", "2025-02-03")]


def test_what_was_told_again_is_found_wanting_too_when_its_home_is(make_warehouse, contracts, tmp_path):
    move = "D1,1,1,old-A,S1,2025-02-01T08:00:00,4,EA,in,\n"
    warehouse = load(make_warehouse(), contracts, tmp_path, [
        MASTERS,
        {"merge_2025-01-01.csv": "old-A,1,A,2025-01-01,\n"},
        {"move_2025-02-01.csv": move},
        {"move_2025-02-02.csv": move + "\n"},
        {"merge_2025-02-03.csv": "old-A,2,A,2025-01-01,void\n"},
    ])  # fmt: skip

    assert warehouse.value("select count(*) from silver.fact_movement where known_to is null") == 0
    waiting = "select f.name from silver.quarantine as q inner join bronze.file as f using (file_id)"
    waiting += " where q.known_to is null order by f.name"
    assert warehouse.rows(waiting) == [("move_2025-02-01.csv",), ("move_2025-02-02.csv",)]
    assert warehouse.books() == []
