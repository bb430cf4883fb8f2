"""Records of new keys are copied straight into silver; which lane a record takes changes nothing that can be read."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from load import batch
from load.direct import DirectLane
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_order_independence import QUICKLY, assert_same, deliveries
from test.run_warehouse import administer

_folders = itertools.count(1)
MOVES = [f"D{n},1,1,A,S1,2025-02-01T08:00:00,{n % 5 + 1},EA,in," for n in range(40)]


@pytest.fixture(scope="module")
def contracts(tmp_path_factory):
    return write_feeds(tmp_path_factory.mktemp("contracts"))


def load(make, contracts: Path, folder: Path, runs: list[dict[str, str]]):
    warehouse = make()
    for files in runs:
        warehouse.run(contracts, write_files(folder / f"inbox_{next(_folders)}", files))
    return warehouse


def nothing_goes_straight(self, pieces, conformed):
    return np.zeros(conformed.records.num_rows, dtype=bool)


def moves(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


@QUICKLY
@given(deliveries())
def test_records_decided_about_in_the_database_end_as_those_that_went_straight_in(
    make_warehouse, contracts, tmp_path, postgres_server, delivered
):
    files, order = delivered
    runs = [{name: files[name] for name in run} for run in order]
    straight = load(make_warehouse, contracts, tmp_path, runs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DirectLane, "take", nothing_goes_straight)
        decided = load(make_warehouse, contracts, tmp_path, runs)

    assert_same(decided, straight)
    for warehouse in (straight, decided):
        administer(postgres_server, f"drop database {warehouse.name} with (force)")


def test_a_later_file_of_the_same_load_revises_what_went_straight_in(make_warehouse, contracts, tmp_path):
    first = moves("D1,1,1,A,S1,2025-02-01T08:00:00,4,EA,in,")
    later = moves("D1,1,2,A,S1,2025-02-01T08:00:00,6,EA,in,")
    warehouse = load(make_warehouse, contracts, tmp_path, [
        MASTERS | {"move_2025-02-01_0.csv": first, "move_2025-02-02_0.csv": later},
    ])  # fmt: skip

    assert warehouse.value("select sum(quantity) from silver.fact_movement where known_to is null") == 6
    assert warehouse.value("select sum(quantity) from silver.position") == 6
    assert warehouse.books() == []


def test_a_record_told_twice_in_one_load_is_one_record_with_the_earlier_file_as_its_home(
    make_warehouse, contracts, tmp_path
):
    told = moves("D1,1,1,A,S1,2025-02-01T08:00:00,4,EA,in,")
    warehouse = load(make_warehouse, contracts, tmp_path, [
        MASTERS | {"move_2025-02-02_0.csv": told, "move_2025-02-01_0.csv": told + "\n"},
    ])  # fmt: skip

    home = warehouse.rows(
        "select f.name from silver.record as r inner join bronze.file as f on r.file_id = f.file_id "
        "where r.document = 'D1'"
    )
    assert home == [("move_2025-02-01_0.csv",)]
    assert warehouse.value("select sum(quantity) from silver.position") == 4


def test_what_a_large_chunk_tells_is_copied_beside_the_reader_and_a_failure_there_ends_the_load(
    make_warehouse, contracts, tmp_path, monkeypatch
):
    monkeypatch.setattr(batch, "LARGE", 10)
    warehouse = load(make_warehouse, contracts, tmp_path, [MASTERS])
    before = warehouse.total

    def fails(self, pieces, conformed):
        raise RuntimeError("the server has gone mad")

    with monkeypatch.context() as patch:
        patch.setattr(DirectLane, "take", fails)
        with pytest.raises(RuntimeError, match="gone mad"):
            warehouse.run(contracts, write_files(tmp_path / "large", {"move_2025-02-01_0.csv": moves(*MOVES)}))
    assert warehouse.total == before

    warehouse.run(contracts, tmp_path / "large")
    assert warehouse.value("select count(*) from silver.fact_movement where known_to is null") == len(MOVES)


def test_a_key_that_holds_the_separator_of_keys_is_still_itself(make_warehouse, contracts, tmp_path):
    odd = [line.replace("D1,", "D\x1f1,") for line in MOVES[1:2]]
    runs = [MASTERS, {"move_2025-02-01_0.csv": moves(*MOVES[:1])}, {"move_2025-02-02_0.csv": moves(*odd)}]
    warehouse = load(make_warehouse, contracts, tmp_path, [*runs, {"move_2025-02-03_0.csv": moves(*odd, "")}])

    documents = {row[0] for row in warehouse.rows("select document from silver.record where document like 'D%'")}
    assert documents == {"D0", "D\x1f1"}
    assert warehouse.value("select count(*) from silver.fact_movement where known_to is null") == 2
