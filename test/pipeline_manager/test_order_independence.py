"""Any permutation, duplication, split or replay of the same files gives the same silver and gold."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import RunWarehouse

EXAMPLES = int(os.environ.get("SYSTOCK_EXAMPLES", "6"))
QUICKLY = settings(
    max_examples=EXAMPLES, deadline=None, derandomize="SYSTOCK_EXAMPLES" not in os.environ, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
SKUS = st.sampled_from(["A", "B", "C", "old-A", "X"])  # C's master may be missing, old-A is an alias, X is never sent
PLACES = st.sampled_from(["S1", "W1"])
TIMES = st.sampled_from([f"2025-02-0{day}T{hour}:00:00" for day in (1, 2, 3) for hour in ("08", "12")])
DAYS = st.sampled_from(["2025-02-01", "2025-02-02", "2025-02-03"])
DOCS = st.sampled_from(["D1", "D2", "D3"])
_folders = itertools.count(1)


def lines(*columns: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.tuples(*columns).map(lambda cells: ",".join(map(str, cells))), max_size=most)


MOVES = lines(
    DOCS, st.sampled_from(["1", "2"]), st.integers(1, 3), SKUS, PLACES, TIMES, st.integers(-3, 6),
    st.sampled_from(["", "EA", "DZ", "CS", "XX"]), st.sampled_from(["in", "out", "new"]),
    st.sampled_from(["", "", "", "void"]), most=10,
)  # fmt: skip
COUNTS = lines(
    st.sampled_from(["C1", "C2"]), st.integers(1, 2), SKUS, PLACES, TIMES, st.integers(0, 9),
    st.sampled_from(["item", "location"]), st.sampled_from(["unknown", "zero"]),
    st.sampled_from(["", "", "", "void"]), most=5,
)  # fmt: skip
TICKETS = lines(
    st.sampled_from(["T1", "T2"]), st.sampled_from(["A", "B", "C"]), PLACES, TIMES, st.integers(1, 2), st.just("9.99"),
    most=8,
)  # fmt: skip
PRODUCTS = lines(
    st.sampled_from(["A", "B", "C"]), st.sampled_from(["Ann", "Bob"]), st.sampled_from(["EA", "CS"]), DAYS, most=4
)
PLACE_LINES = lines(
    PLACES, st.sampled_from(["store", "warehouse"]), st.sampled_from(["", "UTC", "America/New_York"]), DAYS, most=3
)
KINDS = lines(st.sampled_from(["in", "new"]), st.sampled_from(["receipt", "adjustment"]), DAYS, most=3)
ALIASES = lines(st.just("old-A"), st.sampled_from(["A", "B"]), DAYS, most=2)
PACKS = lines(st.sampled_from(["A", "B", ""]), st.sampled_from(["CS", "DZ"]), st.integers(2, 4), DAYS, most=3)
MERGES = lines(
    st.sampled_from(["A", "B", "C", "old-A"]), st.integers(1, 2), st.sampled_from(["A", "B", "C"]), DAYS,
    st.sampled_from(["", "", "", "void"]), most=4,
)  # fmt: skip
SIZES = lines(st.sampled_from(["A", "B"]), st.sampled_from(["CS"]), st.integers(2, 4), DAYS, most=3)
BODIES = {
    "move": MOVES, "count": COUNTS, "ticket": TICKETS, "product": PRODUCTS, "place": PLACE_LINES, "kind": KINDS,
    "alias": ALIASES, "pack": PACKS, "merge": MERGES, "size": SIZES,
}  # fmt: skip


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, str], list[list[str]]]:
    """Files of every feed that overlap and repeat each other, and an order of runs that brings each at least once."""
    files: dict[str, str] = {}
    for feed, bodies in BODIES.items():
        rows = draw(bodies)
        for number in range(draw(st.integers(1, 3)) if rows else 0):
            part = rows if number == 0 else draw(st.lists(st.sampled_from(rows), max_size=len(rows)))
            # Equal bytes under several names are a case of their own: the number keeps these apart.
            day = draw(DAYS)
            files[f"{feed}_{day}_{number}.csv"] = "".join(f"{row}\n" for row in part) + "\n" * number
    files |= MASTERS
    order = draw(st.permutations(sorted(files)))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=3)))
    runs = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    runs[-1] = runs[-1] + draw(st.lists(st.sampled_from(order), max_size=2))
    return files, [run for run in runs if run]


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("contracts"))


def load(make: Callable[[], RunWarehouse], contracts: Path, folder: Path, runs: list[dict[str, str]]) -> RunWarehouse:
    """Load each group of files as a run of its own into a fresh warehouse."""
    warehouse = make()
    for files in runs:
        inbox = write_files(folder / f"inbox_{next(_folders)}", files)
        warehouse.run(contracts, inbox)
    return warehouse


def assert_same(expected: RunWarehouse, found: RunWarehouse) -> None:
    """Compare every relation; show the rows of the first that differs."""
    left, right = expected.hashes(), found.hashes()
    different = sorted(name for name in left if left[name] != right[name] and name != "total")
    shown = {}
    for name in different[:4]:
        query = f"select to_jsonb(t)::text from {name} as t order by 1"
        one, other = {r[0] for r in expected.rows(query)}, {r[0] for r in found.rows(query)}
        shown[name] = {"all at once": sorted(one - other)[:6], "in parts": sorted(other - one)[:6]}
    assert different == [], shown


@QUICKLY
@given(deliveries())
def test_any_order_split_and_repetition_of_files_gives_the_same_silver_and_gold(
    make_warehouse, contracts, tmp_path, postgres_server, delivered
):
    from test.run_warehouse import administer

    files, runs = delivered
    at_once = load(make_warehouse, contracts, tmp_path, [files])
    in_parts = load(make_warehouse, contracts, tmp_path, [{name: files[name] for name in run} for run in runs])

    assert_same(at_once, in_parts)
    assert at_once.books() == []
    assert in_parts.books() == []
    for warehouse in (at_once, in_parts):
        administer(postgres_server, f"drop database {warehouse.name} with (force)")
