"""The true process of the simulated retailer: each thing that happens in it, and the truth hour by hour."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.simulated import truth
from extract.simulated.clock import local_seconds, written, written_iso
from extract.simulated.emitters import sheet
from extract.simulated.hourly import stock_hourly
from extract.simulated.retailer import emit, simulate
from extract.simulated.world import make_world

pytestmark = pytest.mark.fast

START = date(2025, 3, 1)
HOUR = 3600


def lived(**changes) -> Any:  # frames of many types: checking them would take minutes
    options: dict[str, Any] = {"seed": 7, "days": 6, "stores": 2, "products": 9, "start": START} | changes
    return make_world(**options)


@pytest.fixture(scope="module")
def month() -> Any:
    return lived(days=30, stores=4, products=60)


def test_nothing_is_lost_or_made_in_any_world(month):
    for world in (month, lived(seed=1), lived(seed=2, days=1, stores=1, products=1), lived(losses=False)):
        total = world.opening.copy()
        moves = world.movements
        np.add.at(total, (moves["place"], moves["item"]), moves["quantity"])
        assert (total == world.physical).all()
        assert (world.physical >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_without_losses_what_is_known_is_what_is_there_at_every_hour(seed):
    world = lived(seed=seed, days=9, stores=3, losses=False)
    assert (world.book == world.physical).all()
    hourly = stock_hourly(world)
    assert (hourly["knowable"] == hourly["physical"]).all()
    assert world.movements["is_recorded"].all()


def test_a_promotion_sells_more_for_less_money(month):
    log = month.till_log.loc[(month.till_log["kind"] == "sale") & (month.till_log["extra"] == "")]
    off = month.promotions.percent_off[log["day"], log["item"]]
    eur = month.catalog.numbers("eur_cents")[log["item"]]
    is_eur = (log["currency"] == "EUR").to_numpy()
    assert (log["price_cents"].to_numpy() == eur - eur * off // 100)[is_eur].all()
    sold = month.movements.loc[month.movements["movement_class"] == "sale"]
    days = np.searchsorted(local_seconds(START, 30, 6 * 60, "UTC"), sold["at"].to_numpy(), side="right") - 1
    wanted = month.lost_sales.sum(axis=1).astype(float)  # demand: what was sold, and what could not be
    np.subtract.at(wanted, (days, sold["item"].to_numpy()), sold["quantity"].to_numpy())
    demand = wanted / month.catalog.products["rate"].to_numpy()
    is_promoted = month.promotions.percent_off > 0
    assert 0 < is_promoted.mean() < 0.1
    assert demand[is_promoted].mean() > 1.4 * demand[~is_promoted].mean()


def test_a_product_has_one_promotion_at_a_time():
    rows = lived(days=70, products=40).promotions.rows.sort_values(["item", "first_day"])
    follows = rows["item"].to_numpy()[1:] == rows["item"].to_numpy()[:-1]
    assert (rows["first_day"].to_numpy()[1:] >= rows["end_day"].to_numpy()[:-1])[follows].all()
    assert (rows["end_day"] > rows["first_day"]).all()


def test_an_order_may_come_in_parts_too_much_or_be_cancelled_after_the_first_part(month):
    orders = month.purchase_orders.sort_values("version").drop_duplicates(["order", "line"], keep="last")
    orders = orders.set_index(["order", "line"])
    notices = month.notices.drop_duplicates(["order", "line"], keep="last").set_index(["order", "line"])
    receipts = month.movements.loc[month.movements["movement_class"] == "receipt"]
    came = receipts.groupby(["document", "line"])["quantity"].agg(["sum", "size"]).rename_axis(["order", "line"])
    told = notices["quantity"].reindex(came.index)
    pack = month.catalog.numbers("pack_quantity")[orders["item"].reindex(came.index)]
    assert (came["size"] > 1).any()
    over = (came["sum"] - told).to_numpy()
    assert set(over[over > 0] - pack[over > 0]) == {0}
    cancelled = orders["status"].reindex(came.index) == "cancelled"
    assert cancelled.any()
    assert (came["sum"] < told)[cancelled].all()
    assert not (orders["day"].reindex(came.index)[cancelled] >= 30).any()


def test_a_web_order_is_reserved_picked_and_shipped_or_cancelled(month):
    key = ["order", "line"]
    orders, picks = (frame.set_index(key) for frame in (month.web_orders, month.web_picks))
    ends = month.web_events.set_index(key)
    assert ends.index.is_unique
    assert picks.index.is_unique
    both = ends.join(picks[["at", "quantity"]], suffixes=("", "_picked")).join(orders["at"].rename("at_placed"))
    assert (both["at_placed"] < both["at"]).all()
    shipped = both.loc[both["event"] == "ship"]
    assert (shipped["at_picked"] <= shipped["at"]).all()
    assert (shipped["quantity_picked"] == shipped["quantity"]).all()
    assert both.loc[both["reason"] == "customer", "at_picked"].isna().all()
    assert (both.loc[both["reason"] == "not_found", "quantity_picked"] == 0).all()


def test_misplaced_goods_leave_the_shelf_unrecorded_and_most_come_back(month):
    totals = month.movements.groupby("movement_class")["quantity"].sum()
    assert totals["misplaced"] < 0 < totals["found"] < -totals["misplaced"]
    is_silent = month.movements["movement_class"].isin(["theft", "misplaced", "found"])
    assert (is_silent == ~month.movements["is_recorded"]).all()


def test_a_count_takes_a_while_and_each_item_has_its_own_instant():
    world = lived(days=14, stores=6, products=60)
    cycles = world.counts.loc[world.counts["scope"] == "item"]
    spread = cycles.groupby("document")["at"].agg(lambda at: at.max() - at.min())
    assert (spread > 300).all()
    assert (spread < 4 * HOUR).all()
    assert (cycles["at"] % 60 != 0).any()
    moved = world.movements.merge(cycles[["place", "item", "at"]], on=["place", "item"], suffixes=("", "_count"))
    windows = cycles.groupby("place")["at"].agg(["min", "max"]).reindex(moved["place"])
    during = (moved["at"] >= windows["min"].to_numpy()) & (moved["at"] <= windows["max"].to_numpy())
    assert during.any(), "sales go on while it is counted"


def test_a_count_sees_what_lay_there_at_its_instant_and_errs_by_one(month):
    for count in month.counts.sample(80, random_state=1).itertuples():
        moves = month.movements
        here = moves.loc[(moves["place"] == count.place) & (moves["item"] == count.item) & (moves["at"] <= count.at)]
        assert month.opening[count.place, count.item] + here["quantity"].sum() == count.seen
    error = month.counts["quantity"] - month.counts["seen"]
    assert set(error.unique()) == {-1, 0, 1}
    assert 0 < (error != 0).mean() < 0.05


def test_a_merged_product_is_keyed_under_both_codes_from_its_day_on(month):
    merged = month.merged
    assert merged.rows["alias_code"].tolist() == ["C-1008N", "C-1058N"]
    log = month.till_log.loc[month.till_log["item"].isin(merged.rows["item"])]
    before, since = log.loc[log["day"] < merged.from_day], log.loc[log["day"] >= merged.from_day]
    aliases = set(merged.rows["alias_code"])
    assert not aliases & set(before["article"])
    assert aliases | set(merged.rows["product_code"]) == set(since["article"])
    assert not aliases & set(month.movements["product_code"])
    (file,) = [sheet for sheet in emit(month) if sheet.feed == "erp_aliases"]
    assert set(file.records["ALIAS"]) == aliases


@pytest.mark.parametrize("start", [date(2025, 3, 27), date(2025, 10, 23)], ids=["23 hours", "25 hours"])
def test_stores_trade_within_their_hours_around_a_clock_change(start):
    world = lived(start=start, days=6, stores=2, products=40)
    for place, zone, first, last in ((1, "Europe/Madrid", "09:00", "21:00"), (2, "Europe/London", "10:00", "24:45")):
        log = world.till_log.loc[world.till_log["place"] == place]
        local = pd.Series(written(log["at"].to_numpy(), zone, "%Y-%m-%d %H:%M"))
        days = pd.Series([f"{start.fromordinal(start.toordinal() + int(day))}" for day in log["day"]])
        hours = local.str[11:].where(
            local.str[:10] == days, (local.str[11:13].astype(int) + 24).astype(str) + local.str[13:]
        )
        assert hours.between(first, last).all()
        assert log["day"].nunique() == 6
    assert (world.web_carts["at"].diff().dropna() >= 0).all()


def test_times_are_written_as_strftime_and_isoformat_would():
    seconds = local_seconds(date(2025, 3, 29), 3, 30, "UTC") + np.array([0, 12345, 86399])
    for zone in ("Europe/Madrid", "Europe/London", "UTC", "America/St_Johns"):
        instants = pd.to_datetime(seconds, unit="s", utc=True).tz_convert(zone)
        for pattern in ("%Y%m%d", "%H%M%S", "%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"):
            assert written(seconds, zone, pattern) == list(instants.strftime(pattern))
        assert written_iso(seconds, zone) == [instant.isoformat() for instant in instants]


def naive_hourly(world: Any) -> pd.DataFrame:
    """The same as `stock_hourly`, slowly: each key, each hour, each event."""
    rows = []
    last_hour = int(pd.concat([world.movements["at"], world.counts["at"]]).max()) // HOUR + 1
    for item, product in enumerate(world.catalog.products["product_code"]):
        for place, location in enumerate(world.catalog.locations["location_code"]):
            counts = [c for c in world.counts.itertuples() if (c.item, c.place) == (item, place)]
            moves = [m for m in world.movements.itertuples() if (m.item, m.place) == (item, place)]
            before = None
            for hour in range(-(-min(c.at for c in counts) // HOUR), last_hour + 1):
                anchor = max((c for c in counts if c.at <= hour * HOUR), key=lambda c: c.at)
                until = [m for m in moves if m.at <= hour * HOUR]
                known = anchor.quantity + sum(m.quantity for m in until if m.is_recorded and m.at > anchor.at)
                real = int(world.opening[place, item]) + sum(m.quantity for m in until)
                if (known, real) != before:
                    rows.append((product, location, datetime.fromtimestamp(hour * HOUR, UTC), known, real))
                before = (known, real)
    return pd.DataFrame(rows, columns=["product_code", "location_code", "at", "knowable", "physical"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000), days=st.integers(1, 8), stores=st.integers(1, 3), products=st.integers(1, 9),
    start=st.sampled_from([START, date(2025, 3, 29), date(2025, 10, 25)]),
)  # fmt: skip
def test_the_hourly_truth_is_what_a_slow_reckoning_gives(seed, days, stores, products, start):
    world = make_world(seed=seed, days=days, stores=stores, products=products, start=start)
    slow, quick = naive_hourly(world), stock_hourly(world)
    quick["at"] = quick["at"].dt.as_unit("us")
    slow["at"] = slow["at"].dt.as_unit("us")
    key = ["product_code", "location_code", "at"]
    pd.testing.assert_frame_equal(quick, slow.sort_values(key, ignore_index=True))


def test_the_last_hour_is_the_stock_of_the_end(month):
    last = stock_hourly(month).drop_duplicates(truth.STOCK_KEY, keep="last").sort_values(truth.STOCK_KEY)
    for column, stock in (("knowable", month.book), ("physical", month.physical)):
        expected = truth.physical(month.catalog, stock)["quantity"]
        assert last[column].tolist() == expected.tolist()


def test_many_stores_are_supplied_before_the_next_morning():
    world = lived(days=2, stores=120, products=6)
    lines = world.movements.set_index(["document", "line"])
    left = lines.loc[lines["movement_class"] == "transfer_out", "at"]
    arrived = lines.loc[lines["movement_class"] == "transfer_in", "at"]
    assert len(arrived)
    assert (arrived > left.reindex(arrived.index)).all()


def test_a_large_world_makes_the_same_records_bit_by_bit(tmp_path, monkeypatch):
    whole = simulate(tmp_path / "whole", days=3, stores=2, products=12, faults="none").files
    monkeypatch.setattr(sheet, "_SMALL", 0)
    parts = simulate(tmp_path / "parts", days=3, stores=2, products=12, faults="none").files
    names = [path.relative_to(tmp_path / "whole") for path in whole]
    assert names == [path.relative_to(tmp_path / "parts") for path in parts]
    assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in parts]
    monkeypatch.setattr(sheet, "_LONGEST", 7)
    cut = [part for part in emit(lived()) if part.size]
    assert max(part.size for part in cut if part.feed == "pos_sales") == 7
    lines = [number for part in cut if "sales_20250301" in part.name for number in part.records["POS"]]
    assert lines == list(range(1, len(lines) + 1))


@pytest.mark.parametrize("wrong", ["F99", "F3:2", "F3:x", "storm"])
def test_a_fault_that_does_not_exist_is_named(tmp_path, wrong):
    from etl_pipeline.core.errors import UsageError

    with pytest.raises(UsageError):
        simulate(tmp_path, days=1, stores=1, products=1, faults=wrong)
    assert not any(tmp_path.iterdir())
