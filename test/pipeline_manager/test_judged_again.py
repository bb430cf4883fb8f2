"""Codes that come, change or go away after they were used: the answer is that of a fresh load of the same files."""

from decimal import Decimal
from pathlib import Path

import pytest

from test.pipeline_manager.test_order_independence import assert_same

RETAILER = "retailer: late\ndescribes: Codes that come late.\nzone: Europe/Berlin\ncurrency: EUR\nsnapshot_days: 0\n"
HEADER = """
feed: header
describes: Headers of orders, with a test mark.
source_system: shop
files: {pattern: "header_*.csv", logical_time: {path: '_(\\d{4}-\\d{2}-\\d{2})'}}
key: {document: id}
void: {gone: "1"}
yields:
  - fact: reference
    set: header
    columns: {key: id, test: test, place: place}
"""
LINE = """
feed: line
describes: Lines of orders; test orders are no business of ours.
source_system: shop
files: {pattern: "line_*.csv"}
reading: {unknown_product: create, unknown_location: create, role: authority}
key: {document: id, line: "no"}
derive:
  is_test: {from: id, lookup: header.test}
  each: {from: quantity, times: pack, over: per}
exclude:
  - {when: {is_test: "yes"}, reason: test_order}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: {from: id, lookup: header.place}
      event_time: at
      movement_class: {const: adjustment}
      quantity: each
"""
SOFT = """
feed: soft
describes: Movements whose place may be named by a code or not.
source_system: wms
files: {pattern: "soft_*.csv"}
reading: {unknown_product: create, unknown_location: create, role: authority, zone: location}
key: {document: id}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: {from: place, lookup: header.place, lookup_else: $keep}
      event_time: at
      movement_class: {const: adjustment}
      quantity: quantity
"""
PLACE = """
feed: place
describes: Places with their zones.
source_system: erp
files: {pattern: "place_*.csv"}
key: {document: place}
yields:
  - fact: location
    columns: {location_code: place, location_kind: {const: warehouse}, zone: zone}
"""
COLUMNS = {
    "header": "id,test,place,gone\n",
    "line": "id,no,sku,at,quantity,pack,per\n",
    "soft": "id,sku,place,at,quantity\n",
    "place": "place,zone\n",
}
HEADERS = {"header_2025-02-01.csv": "H1,no,W1,\nH2,no,W1,\n"}
LINES = {"line_1.csv": "H1,1,A,2025-02-01T09:00:00,2,12,1\nH2,1,B,2025-02-01T09:00:00,5,1,2\n"}


@pytest.fixture(scope="module")
def late_feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late")
    for name, text in {"retailer": RETAILER, "header": HEADER, "line": LINE, "soft": SOFT, "place": PLACE}.items():
        (folder / f"{name}.yml").write_text(text)
    return folder


def told(files: dict[str, str]) -> dict[str, str]:
    return {name: COLUMNS[name.partition("_")[0]] + body for name, body in files.items()}


def run_each(make_warehouse, feeds, tmp_path, deliveries):
    warehouse = make_warehouse()
    for number, files in enumerate(deliveries):
        inbox = tmp_path / f"inbox_{id(deliveries)}_{number}"
        inbox.mkdir(parents=True)
        for name, text in told(files).items():
            (inbox / name).write_text(text)
        warehouse.run(feeds, inbox)
    return warehouse


CASES = {
    "a header is voided": {"header_2025-02-02.csv": "H2,,,1\n"},
    "a header is voided and another changes": {"header_2025-02-02.csv": "H1,no,W2,\nH2,,,1\n"},
    "a header turns out to be a test": {"header_2025-02-02.csv": "H1,yes,W1,\n"},
}


@pytest.mark.parametrize("change", CASES.values(), ids=CASES)
def test_lines_follow_their_header_as_if_it_had_been_so_from_the_start(make_warehouse, late_feeds, tmp_path, change):
    late = run_each(make_warehouse, late_feeds, tmp_path, [HEADERS | LINES, change])
    fresh = run_each(make_warehouse, late_feeds, tmp_path, [HEADERS | LINES | change])

    assert_same(fresh, late)
    assert late.books() == []


def test_a_header_that_is_voided_and_sent_again_brings_its_lines_back(make_warehouse, late_feeds, tmp_path):
    gone, back = {"header_2025-02-02.csv": "H2,,,1\n"}, {"header_2025-02-03.csv": "H2,no,W1,\n"}
    late = run_each(make_warehouse, late_feeds, tmp_path, [HEADERS | LINES, gone, back])
    fresh = run_each(make_warehouse, late_feeds, tmp_path, [HEADERS | LINES | gone | back])

    assert_same(fresh, late)
    assert late.value("select on_hand from gold.stock_on_hand where product_code = 'B'") == Decimal("2.5")


def test_a_test_order_that_is_none_after_all_is_counted(make_warehouse, late_feeds, tmp_path):
    mended = {"header_2025-02-02.csv": "H1,no,W1,\n"}
    marked = {"header_2025-02-01.csv": "H1,yes,W1,\nH2,no,W1,\n"}
    late = run_each(make_warehouse, late_feeds, tmp_path, [marked | LINES, mended])
    fresh = run_each(make_warehouse, late_feeds, tmp_path, [marked | LINES | mended])

    assert_same(fresh, late)
    assert late.books() == []
    assert late.value("select on_hand from gold.stock_on_hand where product_code = 'A'") == 24


def test_a_code_without_which_a_feed_went_on_is_used_once_it_comes(make_warehouse, late_feeds, tmp_path):
    soft = {"soft_1.csv": "S1,A,H1,2025-02-01T09:00:00,3\n"}
    late = run_each(make_warehouse, late_feeds, tmp_path, [soft, HEADERS])

    assert late.rows("select location_code, quantity from gold.stock_movement") == [("W1", 3)]


def test_a_created_place_takes_the_zone_of_its_master_when_that_comes(make_warehouse, late_feeds, tmp_path):
    soft = {"soft_1.csv": "S1,A,NY,2025-02-01T09:00:00,3\n"}
    place = {"place_1.csv": "NY,America/New_York\n"}
    late = run_each(make_warehouse, late_feeds, tmp_path, [soft, place])
    fresh = run_each(make_warehouse, late_feeds, tmp_path, [soft | place])

    assert_same(fresh, late)
    assert str(late.value("select event_time from gold.stock_movement")) == "2025-02-01 14:00:00+00:00"
