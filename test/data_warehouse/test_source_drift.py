"""source_drift: what a shadow feed tells beside the authority, and the cause of every difference."""

import random
from decimal import Decimal

import pytest

CAUSES = ("late", "missing", "duplicated", "unit", "unmapped_code", "unrecorded", "unexplained")
HEAD = "feed | role | document | product_code | location_code | event_time | quantity | movement_class"
POS, ERP = "pos | authority", "erp | shadow"


@pytest.fixture
def retailer(warehouse):
    """A store in Madrid that both feeds tell of; the last file is of the end of March."""
    warehouse.load()
    warehouse.master("location", "S1", zone="Europe/Madrid", day_close_minutes=0)
    warehouse.master("product", "A100")
    for feed in ("pos", "erp"):
        warehouse.file(f"{feed}.csv", feed, logical_time="2025-03-31T00:00:00Z")
    warehouse.run("update ops.feed set every_hours = 24, grace_hours = 12")
    line = "document | A100 | S1 | 2025-03-01T08:00:00Z | -1 | sale"
    warehouse.tell("movement", f"{HEAD}\n{POS} | {line}\n{ERP} | {line}")
    return warehouse


def tell(warehouse, *lines, extra=""):
    """Tell of sales of A100 at S1 and others; each line: whose, document, instant, quantity, then more columns."""
    for whose, document, at, quantity, *more in lines:
        cells = [whose, document, "A100", "S1", at, str(quantity), "sale", *more]
        warehouse.tell("movement", f"{HEAD}{extra}\n" + " | ".join(cells))


def drift(warehouse, columns="business_date::text, difference"):
    """Return, of each day with a difference or a cause, the asked columns and its causes."""
    rows = warehouse.rows(f"select {columns}, {', '.join(CAUSES)} from gold.source_drift order by business_date")
    count = len(CAUSES)
    for row in rows:
        if "difference" in columns.split(", ")[-1]:
            assert row[-count - 1] == sum(row[-count:])
    return [
        (*row[:-count], {name: int(part) for name, part in zip(CAUSES, row[-count:], strict=True) if part})
        for row in rows
        if any(row[-count:])
    ]


def test_feeds_that_agree_have_rows_without_difference(retailer):
    assert drift(retailer) == []
    found = retailer.rows("select authority_feeds, shadow_feed, authority_quantity, difference from gold.source_drift")
    assert found == [("pos", "erp", -1, 0)]


def test_a_line_that_one_feed_does_not_have_is_missing(retailer):
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -3), (ERP, "F9", "2025-03-05T09:00Z", -2))
    assert drift(retailer) == [("2025-03-03", 3, {"missing": 3}), ("2025-03-05", -2, {"missing": -2})]


def test_two_lines_of_one_day_and_quantity_are_not_mixed_up_with_a_third(retailer):
    lines = [(POS, f"T{hour}", f"2025-03-03T{hour}:00Z", -3) for hour in (10, 11, 12)]
    tell(retailer, *lines, (ERP, "F1", "2025-03-03T10:00Z", -3), (ERP, "F1", "2025-03-03T12:00Z", -3))
    assert drift(retailer) == [("2025-03-03", 3, {"missing": 3})]


def test_a_line_told_in_the_window_of_the_neighbouring_day_is_late_on_both_days(retailer):
    # 22:30 UTC is half past eleven in Madrid; an hour later it is the next business day there.
    tell(retailer, (POS, "T1", "2025-03-03T22:30Z", -4), (ERP, "F1", "2025-03-03T23:30Z", -4))
    assert drift(retailer) == [("2025-03-03", 4, {"late": 4}), ("2025-03-04", -4, {"late": -4})]


def test_a_line_that_the_other_feed_may_still_tell_is_late_and_then_missing(retailer):
    tell(retailer, (POS, "T1", "2025-03-30T09:00Z", -4))
    assert drift(retailer) == [("2025-03-30", 4, {"late": 4})]
    retailer.file("later.csv", "erp", logical_time="2025-04-02T00:00:00Z")
    assert drift(retailer) == [("2025-03-30", 4, {"missing": 4})]


def test_a_movement_told_twice_under_two_documents_is_duplicated(retailer):
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -2), (ERP, "F1", "2025-03-03T09:00Z", -2))
    tell(retailer, (ERP, "F2", "2025-03-03T09:00Z", -2))
    assert drift(retailer) == [("2025-03-03", -2, {"duplicated": -2})]


def test_two_lines_of_one_document_are_twins_and_losing_one_is_missing(retailer):
    tell(
        retailer, (POS, "T1", "2025-03-03T09:00Z", -2, "1"), (POS, "T1", "2025-03-03T09:00Z", -2, "2"), extra=" | line"
    )
    tell(retailer, (ERP, "F1", "2025-03-03T09:00Z", -2))
    assert drift(retailer) == [("2025-03-03", 2, {"missing": 2})]


def test_pieces_told_as_cases_differ_by_unit(retailer):
    retailer.tell("unit_conversion", "product_code | unit_code | numerator | denominator\nA100 | CS | 12 | 1")
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -24), (ERP, "F1", "2025-03-03T17:00Z", -2))
    tell(retailer, (POS, "T2", "2025-03-05T09:00Z", -7), (ERP, "F2", "2025-03-05T17:00Z", -2))
    assert drift(retailer) == [("2025-03-03", 22, {"unit": 22}), ("2025-03-05", 5, {"missing": 5})]


def test_a_factor_that_the_lines_themselves_were_converted_by_is_known(retailer):
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -24, "CS", "-2"), extra=" | unit_code | source_quantity")
    tell(retailer, (ERP, "F1", "2025-03-03T09:00Z", -2))
    assert drift(retailer) == [("2025-03-03", 22, {"unit": 22})]


def test_an_order_line_is_recognised_whatever_its_day_and_quantity(retailer):
    order = " | order_document | order_line"
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -5, "W1", "1"), extra=order)
    tell(retailer, (ERP, "F1", "2025-03-08T09:00Z", -4, "W1", "1"), extra=order)
    assert drift(retailer) == [("2025-03-03", 5, {"late": 5}), ("2025-03-08", -4, {"late": -5, "unexplained": 1})]


def test_one_instant_and_two_quantities_are_unexplained_and_missing_where_a_correction_was(retailer):
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -5), (ERP, "F1", "2025-03-03T09:00Z", -4))
    assert drift(retailer) == [("2025-03-03", 1, {"unexplained": 1})]
    retailer.run(
        "insert into silver.record (feed_id, epoch, document, line, content_hash, is_void, is_current, file_id, "
        "record_no, line_no, byte_start, byte_end, known_from) select feed_id, epoch, document, line, "
        "gen_random_uuid(), false, false, file_id, 99, 99, 0, 1, known_from from silver.record where document = 'T1'"
    )
    assert drift(retailer) == [("2025-03-03", 1, {"missing": 1})]


@pytest.mark.parametrize(
    ("raw", "reason", "cause"),
    [
        ("F7;S1;Z-9999;2025-03-03;3", "unknown_product", "unmapped_code"),
        ("F7;S1;Z-9999;20250303;3,00", "unknown_product", "unmapped_code"),
        ("F7;S1;Z-9999;2025-03-04;3", "unknown_product", "missing"),
        ("F7;S1;Z-9999;2025-03-03;4", "unknown_product", "missing"),
        ("F7;S2;Z-9999;2025-03-03;3", "unknown_product", "missing"),
        ("F7;S1;A100;2025-03-03;3", "not_a_number", "missing"),
    ],
)
def test_a_record_set_aside_for_an_unknown_code_explains_one_missing_line(retailer, raw, reason, cause):
    tell(retailer, (POS, "T1", "2025-03-03T09:00Z", -3))
    retailer.run(
        "insert into silver.quarantine values (%s, 9, 9, 0, 1, %s, %s, 's', null, null, 'c', 1)",
        (retailer.file("erp.csv", "erp"), raw.encode(), reason),
    )
    assert drift(retailer) == [("2025-03-03", 3, {cause: 3})]
    tell(retailer, (POS, "T2", "2025-03-03T10:00Z", -3))
    second = {cause: 6} if cause == "missing" else {"missing": 3, cause: 3}
    assert drift(retailer) == [("2025-03-03", 6, second)]


def test_what_only_the_shadow_tells_and_the_next_count_confirms_was_not_recorded(retailer):
    counts = """
        product_code | location_code | event_time        | quantity | count_document
        A100         | S1            | 2025-03-02T09:00Z | 40       | C1
        A100         | S1            | 2025-03-06T09:00Z | 37       | C2
    """
    retailer.tell("count", counts)
    tell(retailer, (ERP, "F1", "2025-03-03T09:00Z", -2), (ERP, "F2", "2025-03-04T09:00Z", -2))
    assert drift(retailer) == [("2025-03-03", -2, {"unrecorded": -2}), ("2025-03-04", -2, {"missing": -2})]


def test_the_authority_is_compared_only_where_and_since_when_the_shadow_tells(retailer):
    retailer.master("location", "S2", zone="Europe/Madrid")
    tell(retailer, (POS, "T1", "2025-02-27T09:00Z", -3))
    rows = "feed | role | product_code | location_code | event_time | quantity | movement_class"
    retailer.tell("movement", f"{rows}\n{POS} | A100 | S2 | 2025-03-03T09:00Z | -3 | sale")
    retailer.tell("movement", f"{rows}\n{POS} | A100 | S1 | 2025-03-03T09:00Z | 3 | return")
    assert drift(retailer) == []
    assert retailer.value("select count(*) from gold.source_drift") == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_causes_add_up_to_the_difference_whatever_the_feeds_tell(retailer, seed):
    chance = random.Random(seed)
    retailer.tell("unit_conversion", "product_code | unit_code | numerator | denominator\nA100 | CS | 6 | 1")
    retailer.tell("count", "product_code|location_code|event_time|quantity|count_document\nA100|S1|2025-03-09Z|3|C1")
    told = {"pos": Decimal(0), "erp": Decimal(0)}
    for number in range(150):
        whose = chance.choice([POS, ERP])
        at = f"2025-03-{chance.randint(2, 12):02}T{chance.choice([0, 9, 9, 23]):02}:00Z"
        quantity = Decimal(chance.choice(["-1", "-1", "-6", "-12", "2", "0.5"]))
        order = ("W" + str(chance.randrange(6)), "1") if chance.random() < 0.3 else ("", "")
        line = (whose, f"D{chance.randrange(40)}", at, quantity, str(number), *order)
        tell(retailer, line, extra=" | line | order_document | order_line")
        told[whose[:3]] += quantity
    rows = retailer.rows(f"select difference, {', '.join(CAUSES)} from gold.source_drift")
    assert all(difference == sum(causes) for difference, *causes in rows)
    sums = retailer.rows("select sum(authority_quantity), sum(shadow_quantity), sum(difference) from gold.source_drift")
    assert sums == [(told["pos"] - 1, told["erp"] - 1, told["erp"] - told["pos"])]
    assert sum(bool(any(causes)) for _, *causes in rows) >= 10
