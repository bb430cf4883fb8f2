"""The simulated retailer: the same seed, the same bytes; and its books balance."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extract.simulated import truth
from extract.simulated.catalog import gtin13
from extract.simulated.clock import local_seconds, written_iso
from extract.simulated.retailer import SimulatedMonth, emit, simulate
from extract.simulated.world import World, make_world

pytestmark = pytest.mark.fast

LINE = ["place", "day", "till", "receipt", "line"]


@pytest.fixture(scope="module")
def month(tmp_path_factory) -> SimulatedMonth:
    return simulate(tmp_path_factory.mktemp("inbox"), days=16, stores=3, products=20)


@pytest.fixture(scope="module")
def world(month: SimulatedMonth) -> World:
    return month.world


def small(out: Path, seed: int = 7) -> dict[str, bytes]:
    files = simulate(out, seed=seed, days=4, stores=2, products=8).files
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    assert small(tmp_path / "a") == small(tmp_path / "b")


def test_another_seed_gives_other_bytes(tmp_path):
    assert small(tmp_path / "a") != small(tmp_path / "b", seed=8)


@pytest.mark.parametrize(("days", "stores", "products"), [(1, 1, 1), (2, 1, 3), (3, 5, 2)])
def test_the_smallest_retailers_live_too(tmp_path, days, stores, products):
    month = simulate(tmp_path, days=days, stores=stores, products=products)
    assert len(month.on_hand) == (stores + 1) * products
    assert all(path.stat().st_size for path in month.files)


def test_opening_and_every_movement_give_what_lies_there(world):
    total = world.opening.copy()
    np.add.at(total, (world.movements["place"], world.movements["item"]), world.movements["quantity"])
    assert (total == world.physical).all()
    assert (world.physical >= 0).all()


def test_the_knowable_stock_is_what_the_books_of_the_world_say(month, world):
    books = truth.physical(world.catalog, world.book)
    pd.testing.assert_frame_equal(month.on_hand, books)


def test_knowable_and_physical_stock_differ_only_by_what_no_record_tells_since_the_last_count(month, world):
    key = truth.STOCK_KEY
    last = world.counts.sort_values("at").drop_duplicates(key, keep="last").set_index(key)
    miscounted = last["seen"] - last["quantity"]
    silent = world.movements.loc[~world.movements["is_recorded"]]
    silent = silent.merge(last["at"].rename("counted").reset_index(), on=key)
    unseen = silent.loc[silent["at"] > silent["counted"]].groupby(key)["quantity"].sum()
    both = month.on_hand.merge(month.physical, on=key, suffixes=("_known", "_real")).set_index(key)
    hidden = miscounted.reindex(both.index, fill_value=0) + unseen.reindex(both.index, fill_value=0)
    assert (both["quantity_known"] + hidden == both["quantity_real"]).all()
    assert (hidden != 0).any()
    assert set(silent["movement_class"]) >= {"theft", "misplaced"}


def test_a_transfer_arrives_as_it_left_or_is_still_on_its_way(world):
    lines = world.movements.groupby(["document", "line", "movement_class"])["quantity"].sum().unstack()
    transfers = lines.dropna(subset=["transfer_out"])
    arrived = transfers.dropna(subset=["transfer_in"])
    assert (arrived["transfer_in"] == -arrived["transfer_out"]).all()
    last_day = f"TR2025{world.start.month:02d}{world.days:02d}"
    on_the_way = transfers.loc[transfers["transfer_in"].isna()].index.get_level_values("document")
    assert on_the_way.str.startswith(last_day).all()


def test_receipt_numbers_restart_every_day_at_every_till(world):
    sold = world.till_log.drop_duplicates(["place", "day", "till", "receipt"])
    numbers = sold.groupby(["place", "day", "till"])["receipt"]
    assert (numbers.min() == 1).all()
    assert (numbers.max() == numbers.size()).all()


def test_the_last_version_of_each_till_line_is_what_left_the_shelf(world):
    log = world.till_log
    log = log.loc[~log["is_superseded"] & ~log["is_void"].astype(bool) & log["kind"].isin(["sale", "return"])]
    log = log.loc[log["extra"] != "training"]
    moved = world.movements.loc[world.movements["movement_class"].isin(["sale", "return"])]
    signed = log["quantity"].where(log["kind"] == "return", -log["quantity"])
    assert signed.groupby([log["place"], log["item"]]).sum().to_dict() == (
        moved.groupby(["place", "item"])["quantity"].sum().to_dict()
    )


def test_each_till_line_has_one_row_a_version(world):
    assert not world.till_log.duplicated([*LINE, "version"]).any()
    assert world.till_log["is_void"].any()
    assert (world.till_log["file_day"] > world.till_log["day"]).any()


def test_expected_supply_and_open_reservations_are_never_negative_and_not_empty(month):
    for frame in (month.open_supply, month.open_reservations):
        assert len(frame)
        assert (frame["quantity"] > 0).all()


def test_nothing_is_received_beyond_the_notice(world):
    notices = world.notices.drop_duplicates(["order", "line"], keep="last").set_index(["order", "line"])
    receipts = world.movements.loc[world.movements["movement_class"] == "receipt"]
    received = receipts.groupby(["document", "line"])["quantity"].sum()
    assert (received <= notices["quantity"].reindex(received.index)).all()


def test_nothing_happens_after_the_instant_of_the_truth(month, world):
    last = max(frame["at"].max() for frame in (world.movements, world.counts, world.web_events, world.till_log))
    assert last < month.as_of.timestamp()


def test_expected_dirt_is_in_the_files(month):
    expected = month.expected_set_aside
    assert set(expected["reason"]) >= {
        "unknown_product", "unknown_unit", "field_count", "same_file", "same_records", "training_till", "heartbeat",
    }  # fmt: skip
    assert (expected["records"] > 0).all()
    names = {path.as_posix() for path in month.files}
    assert all(any(name.endswith(file) for name in names) for file in expected["file"])


def test_the_file_sent_twice_is_the_same_and_the_new_cut_holds_only_known_lines(month):
    by_name = {path.name: path for path in month.files}
    again = next(path for path in month.files if path.name.endswith("_f3.csv"))
    assert again.read_bytes() == by_name[again.name.replace("_f3", "")].read_bytes()
    cut = next(path for path in month.files if path.name.endswith("_f4.csv"))
    others = [path for path in cut.parent.glob("*.csv") if path != cut]
    known = {tuple(row) for path in others for row in rows(path)}
    assert {tuple(row) for row in rows(cut)} <= known


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


def test_a_late_store_sells_after_midnight_and_the_day_is_still_yesterday(world):
    sheet = next(s for s in emit(world) if s.name == "pos/ST02/pos_ST02_20250301.csv")
    late = sheet.records.loc[sheet.records["FECHA_HORA"].str.startswith("02/03/2025 00:")]
    assert len(late)
    assert set(late["JORNADA"]) == {"01/03/2025"}


def test_the_default_month_holds_the_change_to_summer_time():
    eight = local_seconds(date(2025, 3, 29), 2, 8 * 60, "Europe/Madrid")
    assert eight[1] - eight[0] == 23 * 3600
    assert written_iso(eight, "Europe/Madrid") == ["2025-03-29T08:00:00+01:00", "2025-03-30T08:00:00+02:00"]


def test_a_gtin_ends_with_its_check_digit():
    assert gtin13("400638133393") == "4006381333931"
    assert gtin13("003600029145") == "0036000291452"


def test_a_second_world_in_the_same_process_is_the_same():
    first, second = (make_world(seed=3, days=3, stores=1, products=5, start=date(2025, 3, 1)) for _ in range(2))
    pd.testing.assert_frame_equal(first.movements, second.movements)


@pytest.mark.parametrize("seed", range(200, 206))
def test_a_retailer_of_one_product_and_one_day_takes_every_fault_that_it_has_a_file_for(seed, tmp_path):
    month = simulate(tmp_path / "inbox", seed=seed, days=1, stores=1, products=1, faults="all")
    assert month.files
