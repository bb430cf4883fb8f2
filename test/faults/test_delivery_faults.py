"""F1 to F18, F40: how files come, and what is wrong with them as files."""

import itertools
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from extract.simulated.emitters import pos
from extract.simulated.retailer import write
from test.faults.fault_world import (
    ORDERS_SEED,
    check,
    day_of,
    differing_facts,
    load_in_deliveries,
    make_month,
)
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
    (lost,) = [line for line in loaded.month.expected if line.fault == "F2"]
    series = lost.file.rpartition("/")[0] + "/"
    since = datetime.strptime(lost.file[-12:-4], "%Y%m%d").replace(tzinfo=UTC)
    ask = loaded.warehouse.rows

    gaps = "select feed, series, gap_from, gap_to, windows from gold.feed_gap"
    assert ask(gaps) == [("store_movements", series, since, since + timedelta(days=1), 1)]
    shown = "select series, status, watermark_at from gold.feed_freshness where feed = 'store_movements' order by 1"
    end = since.replace(day=6)
    stores = {"store/ST01/": ("fresh", end), "store/ST02/": ("fresh", end)} | {series: ("gap", since)}
    assert ask(shown) == [(name, *told) for name, told in stores.items()]
    alerts = [sentence for (sentence,) in ask("select sentence from gold.alert where kind like 'feed%%'")]
    assert len(alerts) == 1
    assert f"missing from {since:%Y-%m-%d} 00:00" in alerts[0]
    # What was in the lost file is in no fact, not even as nothing; the days beside it are there. The stock is checked.
    moved = "select distinct event_time::date from gold.stock_movement where feed = 'store_movements' and location_code"
    days = {row[0] for row in ask(f"{moved} = %s", (series.split("/")[1],))}
    assert days
    assert since.date() not in days


def test_f03_the_same_bytes_under_another_name_are_one_file(load_faults, feeds_unsnapped, tmp_path):
    loaded = load_faults(ARRIVALS)
    before = loaded.warehouse.hashes()

    copies = [sheet for sheet in loaded.month.sheets if "F3" in sheet.faults]
    write([replace(sheet, name=sheet.name.replace("_f3.", "_again.")) for sheet in copies], tmp_path)
    loaded.warehouse.run(feeds_unsnapped / "simulated", tmp_path)

    assert loaded.told("F3", "duplicate", "same_file") > 0
    assert loaded.warehouse.hashes() == before


def test_f04_lines_of_a_file_that_is_cut_another_way_are_duplicates(load_faults):
    clean, cut = load_faults("none"), load_faults("F4,F17")

    (overlap,) = [line.records for line in cut.month.expected if line.fault == "F4"]
    counted = "select sum(duplicate)::int from gold.feed_file"
    assert (clean.warehouse.value(counted), cut.warehouse.value(counted)) == (0, overlap)
    assert differing_facts(clean, cut) == {"gold.alert"}  # of the column that F17 adds


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

    became = (
        "select file_name, status, reason, records - non_data from gold.feed_file where file_name like '%%\\_f16%%'"
    )
    zero, bare = [line.file for line in loaded.month.expected if line.fault == "F16"]
    assert loaded.warehouse.rows(f"{became} order by 1") == [
        (zero, "set_aside", "empty_file", 0), (bare, "loaded", None, 0)
    ]  # fmt: skip


def test_f17_a_column_more_changes_no_fact_and_is_told(load_faults):
    clean, grown = load_faults("none"), load_faults("F4,F17")

    assert differing_facts(clean, grown) == {"gold.alert"}
    (file,) = [line.file for line in grown.month.expected if line.fault == "F17"]
    kept = grown.warehouse.rows(
        "select convert_from(r.content, 'UTF8') from bronze.file f cross join bronze.records(f.file_id) r"
        " where f.name = %s order by r.record_no",
        (file,),
    )
    assert [line.split(";")[6] for (line,) in kept] == ["PROMO", *["SPRING"] * (len(kept) - 1)]
    told = "select kind, subject from gold.alert where kind like 'column%'"
    assert clean.warehouse.rows(told) == []
    assert grown.warehouse.rows(told) == [("column_added", f"{pos.FEED} PROMO")]


def test_f18_columns_are_read_by_name_and_a_file_that_lacks_one_is_set_aside(load_faults):
    loaded = load_faults(DAMAGES)

    assert "missing_column" in loaded.set_aside()
    assert loaded.told("F18", "accepted") > 0
    assert loaded.waiting("not_a_time") == loaded.told("F18", "quarantined", "not_a_time") > 0


def test_f40_a_file_of_ten_times_the_lines_adds_none_and_one_of_a_tenth_takes_none_away(load_faults):
    loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED)

    assert loaded.told("F40", "duplicate", "same_records") > 0


def test_f40_a_file_outside_the_contracts_bounds_waits_and_readers_keep_what_they_had(
    load_faults, make_warehouse, feeds_unsnapped, tmp_path
):
    month = make_month(tmp_path / "month", "F40")
    odd = [sheet for sheet in month.sheets if "F40" in sheet.faults]
    usual = [sheet.size for sheet in month.sheets if sheet.feed == pos.FEED and sheet not in odd]
    few, many = sorted(sheet.size for sheet in odd)
    assert few < min(usual) <= max(usual) < many
    feeds = with_bounds(feeds_unsnapped / "simulated", tmp_path / "feeds", min(usual), max(usual))
    folder, day = odd[0].name.rpartition("/")[0], day_of(odd[0])
    right = [s for s in month.sheets if s not in odd and s.name.startswith(f"{folder}/") and day_of(s) == day]
    warehouse = make_warehouse()

    write([sheet for sheet in month.sheets if sheet not in [*odd, *right]], tmp_path / "before")
    warehouse.run(feeds, tmp_path / "before")
    before = warehouse.hashes()
    write(odd, tmp_path / "odd")
    report = warehouse.run(feeds, tmp_path / "odd")
    held = "select file_name, reason, accepted from gold.feed_file where status = 'set_aside' order by 1"
    assert warehouse.rows(held) == [(sheet.name, "unusual_volume", 0) for sheet in sorted(odd, key=lambda s: s.name)]
    assert [a["kind"] for a in report.alerts if sum(s.name in a["subject"] for s in odd)] == ["file_set_aside"] * 2
    after = warehouse.hashes()
    assert {name for name in before if before[name] != after[name]} - {"total"} == {
        "gold.feed_file", "gold.alert", "gold.feed_gap", "gold.feed_freshness",
        "silver.lateness", "gold.availability", "gold.atp",  # what is not known of the day is kept back from promises
    }  # fmt: skip
    write(right, tmp_path / "right")
    warehouse.run(feeds, tmp_path / "right")
    assert differing_facts(load_faults("none"), warehouse) == {"gold.alert"}


def with_bounds(feeds: Path, folder: Path, least: int, most: int) -> Path:
    """Copy contracts, and let the tills' file have so many records."""
    shutil.copytree(feeds, folder)
    contract = folder / "pos_sales.yml"
    pattern = "  pattern: pos/*/pos_*.csv\n"
    text = contract.read_text(encoding="utf-8")
    assert pattern in text
    bounds = f"  records: {{at_least: {least}, at_most: {most}}}\n"
    contract.write_text(text.replace(pattern, pattern + bounds), encoding="utf-8")
    return folder


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
