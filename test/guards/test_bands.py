"""Between which figures on-hand lies when clocks are off and an hour exists twice (F26, F28, F32)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test.guards.guarded import MASTERS, deliver, write_contracts

BAND = "select low, on_hand, high, is_uncertain from gold.stock_band where product_code = %s and location_code = %s"
START = datetime(2025, 3, 3, 12, tzinfo=UTC)
EXAMPLES = int(os.environ.get("SYSTOCK_EXAMPLES", "5"))
TOLERANCE = 3  # minutes
KEYS = 60


def load(warehouse, feeds, inbox, moves, counts):
    files = {"move/2025-03-03T23.csv": moves, "count_2025-03-04.csv": counts}
    warehouse.run(feeds, deliver(inbox, MASTERS | files))


def test_a_sale_within_the_clocks_tolerance_of_a_count_widens_the_band_and_a_later_one_does_not(warehouse, tmp_path):
    moves = (
        "M1,1,A,S1,2025-03-03T12:03Z,-2,sale,,\nM2,1,A,S1,2025-03-03T11:57Z,-1,sale,,\n"
        "M3,1,A,S1,2025-03-03T12:01Z,5,receipt,,\nM4,1,A,S1,2025-03-03T12:05Z,-10,sale,,\n"
        "M5,1,B,S1,2025-03-03T12:05Z,-4,sale,,\nM6,1,B,S2,2025-03-03T12:05Z,-4,sale,,\n"
    )
    load(warehouse, write_contracts(tmp_path / "feeds"), tmp_path / "in", moves, (
        "C1,1,A,S1,2025-03-03T12:00Z,50,\nC2,1,B,S1,2025-03-03T12:00Z,7,\n"
    ))  # fmt: skip
    assert warehouse.rows(BAND, ("A", "S1")) == [(37, 43, 45, True)]
    assert warehouse.rows(BAND, ("B", "S1")) == [(3, 3, 3, False)]
    assert warehouse.rows(BAND, ("B", "S2")) == [(-4, -4, -4, False)]  # never counted: nothing to be on a side of


def test_of_two_counts_within_the_tolerance_either_may_be_the_last(warehouse, tmp_path):
    load(warehouse, write_contracts(tmp_path / "feeds"), tmp_path / "in", "M1,1,A,S1,2025-03-03T13:00Z,-1,sale,,\n", (
        "C1,1,A,S1,2025-03-03T12:00Z,50,\nC2,1,A,S1,2025-03-03T12:03Z,48,\n"
        "C3,1,B,S1,2025-03-03T12:00Z,50,\nC4,1,B,S1,2025-03-03T12:05Z,48,\n"
    ))  # fmt: skip
    assert warehouse.rows(BAND, ("A", "S1")) == [(47, 47, 49, True)]
    assert warehouse.rows(BAND, ("B", "S1")) == [(48, 48, 48, False)]


def test_with_clocks_that_are_right_the_band_is_one_figure(warehouse, tmp_path):
    moves = "M1,1,A,S1,2025-03-03T12:00Z,-2,sale,,\nM2,1,A,S1,2025-03-03T12:01Z,-1,sale,,\n"
    feeds = write_contracts(tmp_path / "feeds", tolerance=0)
    load(warehouse, feeds, tmp_path / "in", moves, "C1,1,A,S1,2025-03-03T12:00Z,50,\n")
    assert warehouse.rows(BAND, ("A", "S1")) == [(49, 49, 49, False)]


def test_a_sale_in_the_hour_that_exists_twice_lies_on_both_sides_of_a_count_in_it(warehouse, tmp_path):
    feeds = write_contracts(tmp_path / "feeds", replace={'%Y-%m-%dT%H"': '%Y-%m-%dT%H", zone: UTC'})
    moves = "M1,1,A,BER,2025-10-26T02:15:00,-2,sale,,\nM2,1,A,BER,2025-10-26T03:30:00,-1,sale,,\n"
    files = {"move/2025-10-26T23.csv": moves, "count_2025-10-27.csv": "C1,1,A,BER,2025-10-26T00:45:00Z,50,\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | files))
    assert warehouse.rows(BAND, ("A", "BER")) == [(47, 49, 49, True)]


@pytest.mark.parametrize(("tolerance", "is_enough"), [(10, True), (1, False)])
def test_f28_a_till_whose_clock_is_off_by_less_than_its_contract_says_is_wrong_and_the_band_covers_the_truth(
    warehouse, tmp_path, tolerance, is_enough
):
    minutes_off = {"S1": 9, "S2": -9}
    moves = counts = masters = ""
    truth = {}
    for number in range(40):
        masters += f"product,P{number},,\n"
        counted = START + timedelta(minutes=number)
        for place, off in minutes_off.items():
            counts += f"C{number}-{place},1,P{number},{place},{counted.isoformat()},50,\n"
            truth[f"P{number}", place] = 50
            for minute in range(-45, 46, 3):
                sold = counted + timedelta(minutes=minute, seconds=30)
                told = sold + timedelta(minutes=off)
                moves += f"M{number}{place}{minute},1,P{number},{place},{told.isoformat()},-1,sale,,\n"
                truth[f"P{number}", place] -= sold > counted
    feeds = write_contracts(tmp_path / "feeds", tolerance=tolerance)
    deliver(tmp_path / "in", {"master_2.csv": masters})
    load(warehouse, feeds, tmp_path / "in", moves, counts)

    bands = {(p, where): (low, now, high) for p, where, low, now, high in warehouse.rows(
        "select product_code, location_code, low, on_hand, high from gold.stock_band"
    )}  # fmt: skip
    assert all(bands[key][1] != right for key, right in truth.items())  # what the tills say is wrong everywhere
    covered = sum(bands[key][0] <= right <= bands[key][2] for key, right in truth.items())
    assert (covered >= 0.95 * len(truth)) == is_enough
    assert max(high - low for low, _, high in bands.values()) <= 14  # 40 of the 90 minutes, and no more


@dataclass(frozen=True)
class Event:
    """What happened: minutes by the true clock, minutes by the source's clock, quantity; a count or a movement."""

    true_at: float
    told_at: float
    quantity: int
    is_count: bool


minutes = st.floats(-20, 20).map(lambda m: round(m, 2))
jitters = st.floats(-TOLERANCE, TOLERANCE).map(lambda m: round(m, 2))
events = st.builds(
    lambda at, jitter, quantity, is_count: Event(at, at + jitter, abs(quantity) if is_count else quantity, is_count),
    minutes, jitters, st.integers(-9, 9), st.booleans(),
)  # fmt: skip


def true_on_hand(happened: list[Event]) -> int:
    """On-hand by the true times: the last count and what moved after it."""
    counts = [e for e in happened if e.is_count]
    last = max(counts, key=lambda e: e.true_at, default=None)
    return (last.quantity if last else 0) + sum(
        e.quantity for e in happened if not e.is_count and (last is None or e.true_at > last.true_at)
    )


def lines(key: int, happened: list[Event], numbers: Callable[[], int]) -> tuple[str, str]:
    """The events of a product as its sources tell them."""
    moves = counts = ""
    for event in happened:
        at = (START + timedelta(minutes=event.told_at)).isoformat()
        if event.is_count:
            counts += f"C{numbers()},1,P{key},S1,{at},{event.quantity},\n"
        else:
            moves += f"M{numbers()},1,P{key},S1,{at},{event.quantity},adjustment,,\n"
    return moves, counts


@pytest.fixture(scope="module")
def feeds(tmp_path_factory):
    return write_contracts(tmp_path_factory.mktemp("jitter") / "feeds", tolerance=TOLERANCE)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds=st.lists(st.lists(events, max_size=8, unique_by=lambda e: e.true_at), min_size=KEYS, max_size=KEYS))
def test_the_true_figure_lies_in_the_band_whatever_the_clocks_do_within_their_tolerance(
    make_warehouse, tmp_path_factory, feeds, worlds
):
    warehouse, numbers = make_warehouse(), count(1)
    moves = counts = ""
    for key, happened in enumerate(worlds):
        more_moves, more_counts = lines(key, happened, lambda: next(numbers))
        moves, counts = moves + more_moves, counts + more_counts
    products = "".join(f"product,P{key},,\n" for key in range(len(worlds)))
    inbox = tmp_path_factory.mktemp("in")
    deliver(inbox, {"master_2.csv": products})
    load(warehouse, feeds, inbox, moves, counts)
    bands = {p: (low, now, high) for p, low, now, high in warehouse.rows(
        "select product_code, low, on_hand, high from gold.stock_band"
    )}  # fmt: skip
    for key, happened in enumerate(worlds):
        low, on_hand, high = bands.get(f"P{key}", (0, 0, 0))
        assert low <= on_hand <= high, happened
        assert low <= true_on_hand(happened) <= high, happened
