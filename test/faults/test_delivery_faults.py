"""F1 to F18, F40: how files come, and what is wrong with them as files."""

import itertools
from dataclasses import replace

from extract.simulated.retailer import write
from test.faults.fault_world import check, load_in_deliveries, make_month
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files

ARRIVALS = "F3,F4,F5,F6,F7,F8"
DAMAGES = "F9,F10,F11,F12,F13,F14,F15,F16,F17,F18,F19"
TIMES = "F1,F2,F26,F27,F28,F29,F30,F31,F32,F33,F34"
ORDERS = "F35,F36,F37,F38,F39,F40"


def test_f01_late_files_and_late_lines_count_at_their_own_time_in_whatever_order_they_come(load_faults):
    late, early = load_faults(TIMES), load_faults(TIMES, backwards=True)

    assert "late" in late.detections("F1")
    assert late.warehouse.hashes() == early.warehouse.hashes()


def test_f01_a_late_file_restates_the_days_that_it_touches_and_leaves_the_sealed_versions_as_they_were(
    make_warehouse, feeds_folder, tmp_path
):
    month = make_month(tmp_path / "inbox", "F1,F30")
    late = load_in_deliveries(make_warehouse, feeds_folder, month, tmp_path)

    check(late)
    sealed = "select kind, business_date, version, content_hash from gold.snapshot order by 1, 2, 3"
    restated = late.warehouse.rows("select kind, business_date from gold.snapshot where version > 1")
    assert restated
    before = late.warehouse.rows(sealed)
    late.warehouse.run(feeds_folder / "simulated", tmp_path / "delivery_1_False")
    assert late.warehouse.rows(sealed) == before
    touched = late.warehouse.rows(
        "select distinct location_code from gold.snapshot_difference d inner join gold.snapshot s using (snapshot_id) "
        "cross join lateral (select coalesce(new_row, old_row) ->> 'location_code' as location_code) r "
        "where s.kind = 'stock'"
    )
    assert touched == [("WH01",)]  # the file that came late is of the warehouse


def test_f02_a_missing_file_stops_the_watermark_of_its_feed_and_makes_no_false_zero(load_faults):
    loaded = load_faults(TIMES)
    lost = [line for line in loaded.month.expected if line.fault == "F2"]

    gaps = loaded.warehouse.rows("select feed from gold.feed_gap where feed = 'store_movements'")
    assert [line.detection for line in lost] == ["feed_gap"]
    assert gaps, "the file that never came is told of"


def test_f03_the_same_bytes_under_another_name_are_one_file(load_faults, feeds_unsnapped, tmp_path):
    loaded = load_faults(ARRIVALS)
    before = loaded.warehouse.hashes()

    copies = [sheet for sheet in loaded.month.sheets if "F3" in sheet.faults]
    write([replace(sheet, name=sheet.name.replace("_f3.", "_again.")) for sheet in copies], tmp_path)
    loaded.warehouse.run(feeds_unsnapped / "simulated", tmp_path)

    assert loaded.told("F3", "duplicate", "same_file") > 0
    assert loaded.warehouse.hashes() == before


def test_f04_lines_of_a_file_that_is_cut_another_way_are_duplicates(load_faults):
    loaded = load_faults(ARRIVALS)

    assert loaded.told("F4", "duplicate", "same_records") > 0
    assert loaded.told("F4", "accepted") == 0 or loaded.told("F4", "duplicate") > 0


def test_f06_the_order_of_lines_files_and_deliveries_changes_nothing(load_faults):
    assert load_faults(ARRIVALS).warehouse.hashes() == load_faults(ARRIVALS, backwards=True).warehouse.hashes()


def test_f09_nothing_of_a_file_cut_short_is_let_in_and_a_good_one_after_it_is(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.set_aside() >= {"truncated_archive", "missing_trailer", "control_total"}
    assert records_of_set_aside(loaded) == 0


def test_f10_damaged_and_empty_files_are_set_aside_with_a_reason_each(load_faults):
    assert load_faults(DAMAGES).set_aside() >= {"corrupt_archive", "empty_file", "not_this_format"}


def test_f11_another_delimiter_quote_or_decimal_sign_is_never_read_as_the_agreed_one(load_faults):
    loaded = load_faults(DAMAGES)

    assert "wrong_dialect" in loaded.set_aside()
    assert loaded.waiting("not_a_number") == loaded.told("F11", "quarantined", "not_a_number") > 0


def test_f12_other_encodings_are_read_by_their_mark_and_bad_bytes_cost_one_line_each(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.waiting("bad_bytes") == loaded.waiting("nul_byte") == 1
    assert "wrong_encoding" in loaded.set_aside()
    texts = loaded.warehouse.value(
        "select count(*) from gold.product where product_name like '%%' || chr(65533) || '%%'"
    )
    assert texts == 0


def test_f13_a_quote_left_open_costs_its_own_line_and_none_behind_it(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.waiting("stray_quote") == loaded.told("F13", "quarantined", "stray_quote") > 0


def test_f14_a_ragged_line_is_set_aside_and_no_value_moves_into_another_column(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.waiting("field_count") == loaded.told("F14", "quarantined", "field_count") > 1


def test_f15_lines_above_repeated_headers_and_totals_are_no_data_and_a_wrong_total_is_found(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.told("F15", "non_data", "repeated_header") == loaded.told("F15", "non_data", "comment") > 0
    assert "control_total" in loaded.set_aside()


def test_f16_a_header_alone_says_nothing_happened_and_a_file_without_bytes_says_nothing(load_faults):
    loaded = load_faults(DAMAGES)

    heads = loaded.warehouse.rows("select status from gold.feed_file where records = non_data and status = 'loaded'")
    assert heads
    assert "empty_file" in loaded.set_aside()


def test_f17_a_column_more_changes_no_fact(load_faults):
    loaded = load_faults(DAMAGES)

    assert loaded.told("F17", "accepted") > 0


def test_f18_columns_are_read_by_name_and_a_file_that_lacks_one_is_set_aside(load_faults):
    loaded = load_faults(DAMAGES)

    assert "missing_column" in loaded.set_aside()
    assert loaded.told("F18", "accepted") > 0
    assert loaded.waiting("not_a_time") == loaded.told("F18", "quarantined", "not_a_time") > 0


def test_f40_a_file_of_ten_times_the_lines_adds_none_and_one_of_a_tenth_takes_none_away(load_faults):
    loaded = load_faults(ORDERS, days=6)

    assert loaded.told("F40", "duplicate", "same_records") > 0


def records_of_set_aside(loaded) -> int:
    return int(
        loaded.warehouse.value(
            "select count(*) from silver.record r inner join bronze.file f using (file_id) where f.status = 'set_aside'"
        )
    )


def test_f03_equal_bytes_under_names_of_two_days_say_the_same_in_whatever_order_they_come(make_warehouse, tmp_path):
    feeds = write_feeds(tmp_path / "feeds")
    told = "D1,1,1,A,S1,2025-02-01T09:00:00,{},EA,in,\n"
    files = {f"move_2025-02-0{day}.csv": told.format(quantity) for day, quantity in ((1, 5), (2, 7), (3, 5))}
    hashes = []
    for number, order in enumerate(list(itertools.permutations(files))[::2]):
        warehouse = make_warehouse()
        for name in order:
            one = MASTERS | {name: files[name]}
            warehouse.run(feeds, write_files(tmp_path / f"inbox_{number}_{name}", one))
        hashes.append(warehouse.hashes())
    assert all(other == hashes[0] for other in hashes), [h for h in hashes[0] if len({o[h] for o in hashes}) > 1]
