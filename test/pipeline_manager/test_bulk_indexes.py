"""A load that dwarfs what is there makes the indexes of its tables once, of all rows; nothing else differs."""

import itertools

import pytest
from hypothesis import given

from load import bulk_indexes
from load.batch import Batch
from load.bulk_indexes import BulkIndexes
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_direct_lane import MOVES, load, moves
from test.pipeline_manager.test_order_independence import QUICKLY, assert_same, deliveries
from test.run_warehouse import administer

_folders = itertools.count(1)
INDEXES = "select indexdef from pg_indexes where schemaname in ('silver', 'bronze') order by 1"
KEYS = (
    "select conname, pg_get_constraintdef(oid) from pg_constraint "
    "where connamespace = cast('silver' as regnamespace) and contype in ('p', 'u') order by 1"
)


@pytest.fixture(scope="module")
def contracts(tmp_path_factory):
    return write_feeds(tmp_path_factory.mktemp("contracts"))


@pytest.fixture
def always(monkeypatch):
    """Every load takes itself for one that dwarfs everything; what was laid down is told."""
    laid: list[bool] = []

    def expects_the_world(self: BulkIndexes, coming: int) -> None:
        expect(self, 1 << 50)
        laid.append(self.are_down)

    expect = BulkIndexes.expect
    monkeypatch.setattr(BulkIndexes, "expect", expects_the_world)
    return laid


@QUICKLY
@given(deliveries())
def test_loads_without_indexes_end_as_those_with_them(make_warehouse, contracts, tmp_path, postgres_server, delivered):
    files, order = delivered
    runs = [{name: files[name] for name in run} for run in order]
    usual = load(make_warehouse, contracts, tmp_path, runs)
    expect = BulkIndexes.expect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BulkIndexes, "expect", lambda self, coming: expect(self, 1 << 50))
        bulky = load(make_warehouse, contracts, tmp_path, runs)

    assert_same(bulky, usual)
    assert bulky.rows(INDEXES) == usual.rows(INDEXES)
    assert bulky.rows(KEYS) == usual.rows(KEYS)
    for warehouse in (usual, bulky):
        administer(postgres_server, f"drop database {warehouse.name} with (force)")


def test_a_chunk_of_told_again_records_has_the_indexes_made_before_it_is_looked_up(
    make_warehouse, contracts, tmp_path, always, monkeypatch
):
    were_down: list[bool] = []
    take_up = BulkIndexes.take_up

    def takes_note(self: BulkIndexes) -> None:
        were_down.append(self.are_down)
        take_up(self)

    monkeypatch.setattr(BulkIndexes, "take_up", takes_note)
    warehouse = load(make_warehouse, contracts, tmp_path, [
        MASTERS | {"move_2025-02-01_0.csv": moves(*MOVES)},
        {"move_2025-02-02_0.csv": moves(*MOVES, "")},
    ])  # fmt: skip

    assert any(always)
    assert were_down.count(True) == always.count(True)
    assert warehouse.value("select count(*) from silver.fact_movement where known_to is null") == len(MOVES)
    assert warehouse.books() == []


def test_a_load_that_is_taken_back_leaves_the_indexes_and_the_rows(
    make_warehouse, contracts, tmp_path, always, monkeypatch
):
    warehouse = load(make_warehouse, contracts, tmp_path, [MASTERS | {"move_2025-02-01_0.csv": moves(*MOVES[:9])}])
    before = warehouse.rows(INDEXES), warehouse.rows(KEYS), warehouse.total

    def fails(self):
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(Batch, "check_laws", fails)
    with pytest.raises(RuntimeError, match="power"):
        warehouse.run(contracts, write_files(tmp_path / "more", {"move_2025-02-02_0.csv": moves(*MOVES[9:])}))
    assert (warehouse.rows(INDEXES), warehouse.rows(KEYS), warehouse.total) == before


def test_only_a_load_that_dwarfs_the_tables_lays_their_indexes_down(make_warehouse, contracts, tmp_path, monkeypatch):
    laid: list[bool] = []
    expect = BulkIndexes.expect

    def takes_note(self: BulkIndexes, coming: int) -> None:
        expect(self, coming)
        laid.append(self.are_down)

    monkeypatch.setattr(BulkIndexes, "expect", takes_note)
    monkeypatch.setattr(bulk_indexes, "BULK_BYTES", 1)
    load(make_warehouse, contracts, tmp_path, [
        MASTERS | {"move_2025-02-01_0.csv": moves(*MOVES)},
        {"move_2025-02-02_0.csv": moves("X1,1,1,A,S1,2025-02-01T08:00:00,4,EA,in,")},
    ])  # fmt: skip

    assert laid[0]
    assert not laid[-1]
