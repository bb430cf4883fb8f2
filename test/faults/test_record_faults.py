"""F5, F7, F8, F19 to F33, F39: what is wrong with records."""

from datetime import date

import numpy as np
import pyarrow as pa

from etl_pipeline.silver_layer.gtin import is_gtin, whole_gtins
from extract.simulated.catalog import gtin13
from test.faults.fault_world import ORDERS_SEED, assert_waits
from test.guards.guarded import MASTERS, deliver, write_contracts
from test.pipeline_manager import small_retailer as small

ARRIVALS = "F3,F4,F5,F6,F7,F8"
DAMAGES = "F9,F10,F11,F12,F13,F14,F15,F16,F17,F18,F19"
CODES = "F20,F21,F22,F23,F24,F25"
TIMES = "F1,F2,F26,F27,F28,F29,F30,F31,F32,F33,F34"
ORDERS = "F35,F36,F37,F38,F39,F40"


def test_f05_a_line_doubled_within_a_file_counts_once_and_two_real_twins_both_survive(load_faults, warehouse, tmp_path):
    assert load_faults(ARRIVALS).told("F5", "duplicate", "same_records") > 0

    # A line with a key of its own is one line; two equal lines without one are two, however often the file comes.
    twins = {"ticket_2025-02-01.csv": "T1,A,S1,2025-02-01T09:00:00,1,9.99\n" * 2}
    feeds = small.write_feeds(tmp_path / "feeds")
    warehouse.run(feeds, small.write_files(tmp_path / "first", small.MASTERS | twins))
    again = {"ticket_2025-02-02.csv": twins["ticket_2025-02-01.csv"] + "\n"}
    warehouse.run(feeds, small.write_files(tmp_path / "second", again))
    assert warehouse.value("select on_hand from gold.stock_on_hand") == -2


def test_f07_a_correction_holds_whether_it_comes_before_or_after_what_it_corrects(load_faults):
    before, after = load_faults(ARRIVALS), load_faults(ARRIVALS, backwards=True)

    assert before.told("F7", "superseded") > 0
    assert before.warehouse.hashes() == after.warehouse.hashes()


def test_f08_of_two_contradicting_lines_one_holds_in_any_order_and_carries_a_flag(load_faults):
    before, after = load_faults(ARRIVALS), load_faults(ARRIVALS, backwards=True)

    flagged = "select count(*) from silver.record where is_conflict"
    assert before.warehouse.value(flagged) == after.warehouse.value(flagged) == 1
    assert before.warehouse.hashes() == after.warehouse.hashes()


def test_f19_a_kind_that_nobody_knows_sets_its_own_record_aside_and_no_other(load_faults):
    assert_waits(load_faults(DAMAGES), "F19", "no_rule", "unknown_value")


def test_f20_units_are_converted_exactly_and_an_unknown_one_waits(load_faults):
    loaded = load_faults(CODES)

    assert_waits(loaded, "F20", "unknown_unit")
    dozens = loaded.warehouse.value(
        "select count(*) from (select source_quantity, quantity, unit_code from silver.fact_movement"
        " union all select source_quantity, quantity, unit_code from silver.fact_count) f"
        " where unit_code = 'DZ' and quantity = source_quantity * 12"
    )
    assert dozens > 0


def test_f21_records_of_a_late_master_wait_and_are_as_if_it_had_come_first(load_faults):
    late, first = load_faults(CODES), load_faults(CODES, backwards=True)

    assert_waits(late, "F21", "unknown_product")
    assert late.waiting("unknown_location") == 0
    assert late.warehouse.hashes() == first.warehouse.hashes()


def test_f22_stock_told_under_an_old_code_is_that_of_the_product_now(load_faults):
    loaded = load_faults(CODES)

    assert not loaded.warehouse.rows("select 1 from gold.stock_on_hand where product_code like 'OLD%%'")


def test_f23_lost_zeros_come_back_for_a_right_check_digit_and_a_product_that_has_the_code(load_faults):
    assert_waits(load_faults(CODES), "F23", "unknown_reference")


def test_f23_of_a_hundred_thousand_random_codes_none_is_taken_for_another(load_faults):
    rng = np.random.default_rng(23)
    numbers = rng.integers(10**5, 10**12, size=100_000)
    real = [gtin13(f"{number:012d}") for number in numbers.tolist()]
    assert whole_gtins(pa.array([code.lstrip("0") for code in real])).to_pylist() == real

    # With another last digit no zeros are put back: the text stays what it was, and matches nothing.
    wrong = [f"{code[:-1]}{(int(code[-1]) + 1) % 10}".lstrip("0") for code in real]
    assert whole_gtins(pa.array(wrong)).to_pylist() == wrong
    assert not any(is_gtin(code) for code in wrong)
    # Random digits pass the check one time in ten; only one that is a product's own code may match it.
    random = [str(number) for number in rng.integers(10**6, 10**12, size=100_000).tolist()]
    master = set(real)
    matched = [(text, whole) for text, whole in zip(random, whole_gtins(pa.array(random)).to_pylist(), strict=True)
               if whole in master]  # fmt: skip
    assert all(int(text) == int(whole) for text, whole in matched)


def test_f24_rounded_codes_and_dates_are_never_guessed_and_a_needless_point_zero_goes(load_faults):
    loaded = load_faults(CODES)

    assert_waits(loaded, "F24", "unknown_reference", "unknown_product", "digits_lost")
    known = set(loaded.month.world.catalog.products["product_code"])
    moved = {row[0] for row in loaded.warehouse.rows("select distinct product_code from gold.stock_movement")}
    assert moved <= known


def test_f25_wide_and_invisible_characters_change_no_code_and_a_cyrillic_letter_makes_none(load_faults):
    loaded = load_faults(CODES)

    assert_waits(loaded, "F25", "mixed_script")
    codes = {row[0] for row in loaded.warehouse.rows("select product_code from gold.product")}
    assert codes == set(loaded.month.world.catalog.products["product_code"])


def test_f26_a_time_that_clocks_skipped_waits_and_one_that_came_twice_is_counted_twice(load_faults):
    spring = load_faults("F26", days=3, stores=1, products=4, start=date(2025, 3, 29))
    autumn = load_faults("F26", days=3, stores=1, products=4, start=date(2025, 10, 25))

    assert_waits(spring, "F26", "local_time_gap")
    fees = (
        "select count(*), count(distinct sold_at) from gold.sale_line "
        "where charge_code = 'BAG' and sold_at between '2025-10-25 22:00Z' and '2025-10-26 03:00Z'"
    )
    assert autumn.warehouse.rows(fees) == [(2, 1)]


def test_f27_a_sale_and_a_count_of_2099_wait_and_freeze_no_stock(load_faults):
    loaded = load_faults(TIMES)

    assert_waits(loaded, "F27", "future_time")
    assert loaded.waiting("future_time") == 2
    assert loaded.warehouse.value("select max(event_time) < '2026-01-01' from gold.stock_count")


def test_f27_a_time_after_its_own_file_waits_also_when_it_comes_again_a_week_later(make_warehouse, tmp_path):
    feeds = write_contracts(tmp_path / "feeds")
    # By the clock on the wall 2025-03-05 is long over; when the file was made it was not.
    first = "C1,1,A,S1,2025-03-01T08:00Z,40,\nC2,1,A,S1,2025-03-05T08:00Z,400,\nC3,1,B,S1,2099-03-01T08:00Z,9,\n"
    week = {"till/S1/2025-03-08.csv": "T1,A,S1,2025-03-08T10:00Z,1\nT2,B,S1,2025-03-08T10:00Z,1\n"}
    told = [MASTERS | {"count_2025-03-01.csv": first}, week, {"count_2025-03-01_again.csv": first + "\n"}]
    waits = "select file_name, line_no, reason from gold.quarantine order by 1, 2"
    stock = "select product_code, on_hand, is_anchored from gold.stock_on_hand order by 1"
    warehouse = make_warehouse()
    for number, files in enumerate(told):
        warehouse.run(feeds, deliver(tmp_path / f"in{number}", files))
    assert warehouse.rows(waits) == [
        (name, line, "future_time")
        for name in ("count_2025-03-01.csv", "count_2025-03-01_again.csv") for line in (3, 4)
    ]  # fmt: skip
    assert warehouse.rows(stock) == [("A", 39, True), ("B", -1, False)]  # no count of the future freezes anything

    other = make_warehouse()
    for number in (2, 1, 0):
        other.run(feeds, tmp_path / f"in{number}")
    assert other.hashes() == warehouse.hashes()


def test_f28_times_of_1970_and_years_of_two_digits_wait_and_a_skewed_till_still_counts(load_faults):
    loaded = load_faults(TIMES)

    assert_waits(loaded, "F28", "past_time", "not_a_time")


def test_f29_impossible_quantities_never_reach_the_stock(load_faults):
    loaded = load_faults(TIMES)

    assert_waits(loaded, "F29", "wrong_sign", "implausible_quantity")
    assert loaded.warehouse.value("select max(on_hand) < 99999 from gold.stock_on_hand")


def test_f30_a_void_and_a_price_change_after_the_close_take_back_and_mend_their_lines(load_faults):
    loaded = load_faults(TIMES)

    assert loaded.told("F30", "superseded") >= 2
    mended = loaded.warehouse.rows("select net_amount from gold.sale_line where net_amount = 0.02")
    assert len(mended) == 1


def test_f31_what_the_erp_tells_once_more_is_shadow_and_stands_in_the_drift(load_faults):
    loaded = load_faults(TIMES)

    counted = "select count(*) from gold.stock_movement where feed = 'erp_sales' and is_counted"
    assert loaded.warehouse.value(counted) == 0
    drift = "select count(*) from gold.source_drift where shadow_feed = 'erp_sales' and difference <> 0"
    assert loaded.warehouse.value(drift) > 0


def test_f32_sales_of_before_a_count_that_come_late_change_no_stock_after_it(load_faults, warehouse, tmp_path):
    assert "late" in load_faults(TIMES).detections("F32")

    feeds = write_contracts(tmp_path / "feeds", replace={"{at_least: 2, at_most: 4}": "{at_least: 1}"})
    counts = {"count_2025-03-01.csv": "C1,1,A,S1,2025-03-01T08:00Z,40,\n",
              "count_2025-03-03.csv": "C2,1,A,S1,2025-03-03T08:00Z,30,\n"}  # fmt: skip
    sold = {"till/S1/2025-03-03.csv": "T1,A,S1,2025-03-02T10:00Z,8\nT2,A,S1,2025-03-03T10:00Z,1\n"}
    found = "select event_time::date::text, variance from gold.count_variance(array['A']) order by 1"
    shrink = "select coalesce(sum(quantity), 0) from silver.account_entry where account = 'shrink'"
    stock = "select on_hand, last_count_at from gold.stock_on_hand"
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | counts | sold))
    before = warehouse.rows(stock)
    assert [row[0] for row in before] == [29]
    assert (warehouse.rows(found)[-1], warehouse.value(shrink)) == (("2025-03-03", -2), -38)  # 40 found, 2 lost
    late = {"till/S1/2025-03-04.csv": "T3,A,S1,2025-03-03T07:59Z,2\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", late))
    assert warehouse.rows(stock) == before
    assert (warehouse.rows(found)[-1], warehouse.value(shrink)) == (("2025-03-03", 0), -40)


def test_f33_a_count_speaks_of_what_stands_on_it_alone(load_faults, warehouse, tmp_path):
    loaded = load_faults(TIMES)

    assert loaded.detections("F33") == {"not_counted", "same_records"}
    assert loaded.told("F33", "duplicate") > 0

    feeds = write_contracts(tmp_path / "feeds")
    both = {"count_2025-03-01.csv": "C1,1,A,S1,2025-03-01T08:00Z,40,\nC1,1,B,S1,2025-03-01T08:00Z,7,\n"}
    stock = "select product_code, on_hand, last_count_at::date::text from gold.stock_on_hand order by 1"
    warehouse.run(feeds, deliver(tmp_path / "in", MASTERS | both))
    warehouse.run(feeds, deliver(tmp_path / "in", {"count_2025-03-03.csv": "C2,1,A,S1,2025-03-03T08:00Z,33,\n"}))
    part = warehouse.rows(stock)
    assert part == [("A", 33, "2025-03-03"), ("B", 7, "2025-03-01")]
    stale = {"count_2025-03-02.csv": "C3,1,A,S1,2025-03-02T08:00Z,90,\nC3,1,B,S1,2025-02-28T08:00Z,90,\n"}
    warehouse.run(feeds, deliver(tmp_path / "in", stale))
    assert warehouse.rows(stock) == part  # a count of before the last one is history


def test_f39_training_receipts_and_gift_cards_are_counted_and_left_out(load_faults):
    loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED)

    kinds = dict(loaded.warehouse.rows("select kind, sum(records) from gold.feed_non_data group by kind"))
    assert kinds["excluded: gift_card"] == loaded.told("F39", "non_data", "gift_card") > 0
    assert kinds["excluded: training_till"] > 0
