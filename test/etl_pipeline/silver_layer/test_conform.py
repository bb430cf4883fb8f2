"""Text becomes facts by contract, or is set aside with a reason and a sentence; never anything between."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl_pipeline.contracts.model import AuthorityRule
from etl_pipeline.core.reasons import RECORD_REASONS
from etl_pipeline.silver_layer.authority import effective_rules
from test.etl_pipeline.silver_layer.drawn import BASE, contract, facts, judged, verdicts

pytestmark = pytest.mark.fast
HEAD = "doc | sku | place | at | qty | kind\n"


def movement(**columns: Any) -> dict[str, Any]:
    """A contract's yields: the usual movement with some columns made otherwise."""
    rule = yaml.safe_load(BASE)["yields"][0]
    return {"yields": [{**rule, "columns": {**rule["columns"], **columns}}]}


def test_a_record_becomes_a_typed_fact():
    out = judged(HEAD + "D1 | A | S1 | 2025-01-15T09:00:00 | -3.50 | sale")
    (fact,) = facts(out)
    assert (fact["product_code"], fact["location_code"], fact["quantity"]) == ("A", "S1", Decimal("-3.5"))
    assert fact["event_time"] == datetime(2025, 1, 15, 9, tzinfo=UTC)
    assert (fact["role"], fact["state"], fact["bin_code"]) == ("authority", "sellable", "")
    assert verdicts(out) == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (" | A | S1 | 2025-01-15 | 1 | sale", "missing_key"),
        ("D1 | | S1 | 2025-01-15 | 1 | sale", "missing_value"),
        ("D1 | A | S1 | 2025-01-15 | | sale", "missing_value"),
        ("D1 | A | S1 | yesterday | 1 | sale", "not_a_time"),
        ("D1 | A | S1 | 2025-01-15 | one | sale", "not_a_number"),
        ("D1 | A | S1 | 2025-01-15 | 3.6E+10 | sale", "digits_lost"),
        ("D1 | A | S1 | 2025-01-15 | 1 | gift", "unknown_value"),
        ("D1 | Z | S1 | 2025-01-15 | 1 | sale", "unknown_product"),
        ("D1 | A | Z9 | 2025-01-15 | 1 | sale", "unknown_location"),
        ("D1 | \u0410100 | S1 | 2025-01-15 | 1 | sale", "mixed_script"),
    ],
)
def test_a_wrong_record_is_set_aside_with_a_reason_and_a_sentence_and_the_others_are_not(row, reason):
    out = judged(HEAD + f"{row}\nD2 | A | S1 | 2025-01-15 | 1 | sale")
    assert verdicts(out) == {1: reason}
    assert reason in RECORD_REASONS
    assert len(out.set_aside.iloc[0]["sentence"]) > 10
    assert [fact["record_no"] for fact in facts(out)] == [2]
    assert out.records["record_no"].to_pylist() == [2]


def test_text_is_trimmed_and_folded_but_letters_of_other_alphabets_are_not():
    row = "\u00a0D1 | \uff21\u200b | S1 | 2025-01-15 | \uff11\uff12 | sale"
    (fact,) = facts(judged(HEAD + row))
    assert (fact["product_code"], fact["quantity"]) == ("A", 12)
    assert verdicts(judged(HEAD + "D1 | \u0391 | S1 | 2025-01-15 | 1 | sale")) == {1: "unknown_product"}


def test_a_time_after_the_file_was_made_is_no_anchor_of_anything():
    table = HEAD + "D1 | A | S1 | 2099-01-01 | 1 | sale\nD2 | A | S1 | 2025-01-16 | 1 | sale"
    assert verdicts(judged(table, logical_time=datetime(2025, 1, 15, tzinfo=UTC))) == {1: "future_time"}
    assert verdicts(judged(table)) == {}


def test_a_null_token_is_empty_and_a_default_fills_it():
    described = contract(
        reading={"null_tokens": ["NULL"]}, **movement(movement_class={"from": "kind", "default": "adjustment"})
    )
    (fact,) = facts(judged(HEAD + "D1 | A | S1 | 2025-01-15 | 1 | NULL", described))
    assert fact["movement_class"] == "adjustment"


@pytest.mark.parametrize(
    ("when", "records"),
    [
        ({"kind": "sale"}, [1, 2]),
        ({"kind": ["sale", "return"]}, [1, 2, 3]),
        ({"kind": {"not_in": ["sale"]}}, [3, 4]),
        ({"kind": None}, [4]),
        ({"kind": {"is_null": False}}, [1, 2, 3]),
        ({"doc": {"starts_with": "C"}}, [2, 3]),
        ({"doc": {"ends_with": "1"}}, [1]),
        ({"doc": {"matches": "[CD]2|C3"}}, [2, 3]),
        ({"doc": {"matches": "C"}}, []),
        ({"qty": {"less_than": 0}}, [2, 3]),
        ({"qty": {"at_least": 1, "at_most": 5}}, [1]),
        ({"qty": {"greater_than": "5"}}, [4]),
        ({"kind": "sale", "qty": {"greater_than": 0}}, [1]),
        ({"any_of": [{"doc": "D1"}, {"qty": {"greater_than": 5}}]}, [1, 4]),
        ({"all_of": [{"kind": "sale"}, {"any_of": [{"doc": "C2"}, {"doc": "C3"}]}]}, [2]),
        ({"kind": {"equals": "sale"}, "doc": {"equals": "D1"}}, [1]),
    ],
)
def test_a_rule_speaks_about_the_records_of_its_condition(when, records):
    table = (
        HEAD
        + """D1 | A | S1 | 2025-01-15 | 5 | sale
        C2 | A | S1 | 2025-01-15 | -5 | sale
        C3 | A | S1 | 2025-01-15 | -1 | return
        D4 | A | S1 | 2025-01-15 | 50 | """
    )
    rule = movement(movement_class={"const": "adjustment"})["yields"]
    described = contract(unmatched="ignore", yields=[{**rule[0], "when": when}])
    assert [fact["record_no"] for fact in facts(judged(table, described))] == records


def test_a_record_that_no_rule_speaks_about_is_set_aside_unless_the_contract_lets_it_go():
    rule = {**yaml.safe_load(BASE)["yields"][0], "when": {"kind": "sale"}}
    table = HEAD + "D1 | A | S1 | 2025-01-15 | 1 | other"
    assert verdicts(judged(table, contract(yields=[rule]))) == {1: "no_rule"}
    let_go = judged(table, contract(yields=[rule], unmatched="ignore"))
    assert (verdicts(let_go), let_go.records.num_rows, facts(let_go)) == ({}, 1, [])


def test_what_is_excluded_is_counted_and_neither_a_record_nor_a_fault():
    described = contract(exclude=[{"when": {"kind": "training"}, "reason": "training"}])
    out = judged(HEAD + "D1 | ? | ? | ? | ? | training\nD2 | A | S1 | 2025-01-15 | 1 | sale", described)
    assert (out.excluded, verdicts(out), out.records["record_no"].to_pylist()) == ([{"training": 1}], {}, [2])


def test_a_known_fault_is_fixed_only_while_it_is_there():
    fix = {"where": {"doc": "D1"}, "only_while": {"qty": 1200}, "set": {"qty": 12}, "reason": "Cases keyed as pieces."}
    described = contract(fixes=[fix])
    table = HEAD + "D1 | A | S1 | 2025-01-15 | {} | sale\nD2 | A | S1 | 2025-01-15 | 1200 | sale"
    assert [f["quantity"] for f in facts(judged(table.format(1200), described))] == [12, 1200]
    assert [f["quantity"] for f in facts(judged(table.format(13), described))] == [13, 1200]


def test_a_value_is_made_by_its_steps_in_order():
    columns = {
        "bin_code": {"join": ["kind", "qty"], "with": "/"},
        "lot_code": {"from": "doc", "extract": "D(\\d+)", "pad": 4},
        "order_document": {"from": "doc", "clean": ["lower"], "null_if": ["d2"], "default": "none"},
        "quantity": {"from": "qty", "negate": True, "sign": "negative"},
    }
    table = (
        HEAD
        + "D1 | A | S1 | 2025-01-15 | 3 | sale\nD2 | A | S1 | 2025-01-15 | -3 | sale\n"
        + "D2 | A | S1 | 2025-01-15 | 4 | sale"
    )
    out = judged(table, contract(**movement(**columns)))
    assert verdicts(out) == {2: "wrong_sign"}
    one, other = facts(out)
    assert (one["bin_code"], one["lot_code"], one["order_document"], one["quantity"]) == ("sale/3", "0001", "d1", -3)
    assert other["order_document"] == "none"


def test_a_map_that_lacks_a_value_sets_the_record_aside_or_does_what_it_says():
    table = HEAD + "D1 | A | S1 | 2025-01-15 | 1 | V+\nD2 | A | S1 | 2025-01-15 | 1 | new"
    mapped = {"from": "kind", "map": {"V+": "receipt"}}
    assert verdicts(judged(table, contract(**movement(movement_class=mapped)))) == {2: "unknown_value"}
    out = judged(table, contract(**movement(movement_class={**mapped, "map_else": "adjustment"})))
    assert [fact["movement_class"] for fact in facts(out)] == ["receipt", "adjustment"]


def test_a_lookup_goes_from_set_to_set_and_says_what_it_waits_for():
    sets = {
        "bin": pd.DataFrame({"house": ["h1", "h9"]}, index=["b1", "b2"]),
        "house": pd.DataFrame({"code": ["S1"]}, index=["h1"]),
    }
    described = contract(**movement(location_code={"from": "place", "lookup": ["bin.house", "house.code"]}))
    table = (
        HEAD
        + "D1 | A | b1 | 2025-01-15 | 1 | sale\nD2 | A | b2 | 2025-01-15 | 1 | sale\n"
        + "D3 | A | b3 | 2025-01-15 | 1 | sale"
    )
    out = judged(table, described, sets)
    assert [fact["location_code"] for fact in facts(out)] == ["S1"]
    waits = out.set_aside[["record_no", "wants_set", "wants_key"]].to_numpy().tolist()
    assert waits == [[2, "house", "h9"], [3, "bin", "b3"]]
    assert out.used["bin"] == {"b1", "b2", "b3"}


def test_an_alias_stands_for_its_product_only_where_the_code_is_no_product_itself():
    alias = {"alias": pd.DataFrame({"product_code": ["A", "B"]}, index=["old", "A"])}
    out = judged(HEAD + "D1 | old | S1 | 2025-01-15 | 1 | sale\nD2 | A | S1 | 2025-01-15 | 1 | sale", references=alias)
    assert [fact["product_code"] for fact in facts(out)] == ["A", "A"]


UNITS = {"unit": pd.DataFrame(
    {"numerator": ["12", "10", "1", "1", "7"], "denominator": ["1", "1", "2", "3", "0.5"]},
    index=["|DZ", "A|DZ", "|HALF", "|THIRD", "|ODD"],
)}  # fmt: skip


@pytest.mark.parametrize(
    ("sku", "unit", "quantity", "expected"),
    [
        ("A", "", "3", "3"), ("A", "EA", "3", "3"), ("B", "KG", "3", "3"), ("B", "DZ", "3", "36"),
        ("A", "DZ", "3", "30"),
        ("B", "HALF", "3", "1.5"), ("B", "THIRD", "3", "1"), ("B", "ODD", "3", "42"),
    ],
)  # fmt: skip
def test_quantities_are_turned_into_base_units_and_the_products_own_ratio_wins(sku, unit, quantity, expected):
    described = contract(**movement(unit_code="unit"))
    table = f"doc | sku | place | at | qty | kind | unit\nD1 | {sku} | S1 | 2025-01-15 | {quantity} | sale | {unit}"
    (fact,) = facts(judged(table, described, UNITS))
    assert (fact["quantity"], fact["source_quantity"]) == (Decimal(expected), Decimal(quantity))


@pytest.mark.parametrize(
    ("unit", "quantity", "reason"),
    [("XX", "1", "unknown_unit"), ("THIRD", "1", "inexact_quantity"),
    ("HUGE", "999999999999999999", "inexact_quantity"),
     ("LARGE", "999999999999999999", "inexact_quantity")],
)  # fmt: skip
def test_a_quantity_that_cannot_be_converted_exactly_is_set_aside(unit, quantity, reason):
    """A conversion beyond the digits that are kept became an empty quantity in the ledger."""
    more = pd.DataFrame(
        {"numerator": ["1" + "0" * 25, "999999999999"], "denominator": ["1", "1"]}, index=["|HUGE", "|LARGE"]
    )
    described = contract(**movement(unit_code="unit"))
    table = f"doc | sku | place | at | qty | kind | unit\nD1 | A | S1 | 2025-01-15 | {quantity} | sale | {unit}"
    out = judged(table, described, {"unit": pd.concat([UNITS["unit"], more])})
    assert verdicts(out) == {1: reason}
    assert facts(out) == []


@settings(deadline=None)
@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False, allow_infinity=False),
    st.integers(1, 10**6), st.integers(1, 10**4),
)  # fmt: skip
def test_a_conversion_is_exact_or_refused(quantity, top, bottom):
    unit = {"unit": pd.DataFrame({"numerator": [str(top)], "denominator": [str(bottom)]}, index=["|U"])}
    table = f"doc | sku | place | at | qty | kind | unit\nD1 | A | S1 | 2025-01-15 | {quantity:f} | sale | U"
    out = judged(table, contract(**movement(unit_code="unit"), reading={"plausible": {"most": None}}), unit)
    exact = Fraction(quantity) * top / bottom
    if (exact * 10**9).denominator == 1:
        assert Fraction(facts(out)[0]["quantity"]) == exact  # type: ignore[call-overload]
    else:
        assert verdicts(out) == {1: "inexact_quantity"}


@pytest.mark.parametrize(("numerator", "denominator"), [("0", "1"), ("6", "0"), ("-6", "1"), ("6", "-1")])
def test_a_conversion_that_is_no_ratio_is_set_aside(numerator, denominator):
    """A pack that held 6 of 0 stopped every later run with a division by zero."""
    described = contract(
        yields=[{"fact": "unit_conversion", "columns": {"unit_code": "unit", "numerator": "n", "denominator": "d"}}],
        key={"document": "unit"},
    )
    assert verdicts(judged(f"unit | n | d\nCS | {numerator} | {denominator}", described)) == {1: "wrong_sign"}


def identity(table: str, **changes: Any) -> list[tuple[str, ...]]:
    records = judged(table, contract(**changes)).records
    return list(
        zip(*(records[name].to_pylist() for name in ("epoch", "document", "line", "content_hash")), strict=True)
    )


ROW = "D1 | A | S1 | 2025-01-15 | 1 | sale"


def test_the_content_hash_is_the_same_for_ever():
    """Stored hashes are compared with new ones: a change of the hash would make every record a revision."""
    ((_, _, _, found),) = identity(HEAD + ROW)
    assert found == EXPECTED_HASH


EXPECTED_HASH = "ca5cf38ccfdadd0769e690c1f1ce5958"


def test_the_content_hash_follows_what_the_contract_reads_and_nothing_else():
    ((_, _, _, plain),) = identity(HEAD + ROW)
    ((_, _, _, with_more),) = identity("note | " + HEAD + "hello | " + ROW)
    ((_, _, _, reordered),) = identity("kind | qty | at | place | sku | doc\nsale | 1 | 2025-01-15 | S1 | A | D1")
    ((_, _, _, padded),) = identity(HEAD + "D1 |  A  | S1 | 2025-01-15 | \uff11 | sale")
    assert plain == with_more == reordered == padded
    for other in ("D1 | B | S1 | 2025-01-15 | 1 | sale", "D1 | A | S1 | 2025-01-15 | 2 | sale"):
        assert identity(HEAD + other)[0][3] != plain


def test_empty_cells_and_neighbours_do_not_run_into_each_other():
    pairs = identity(
        "doc | sku | place | at | qty | kind\nD1 | A | S1 | 2025-01-15 | 1 | sale",
        **movement(lot_code="a", bin_code="b"),
    )
    assert len(pairs) == 1
    row = "D1 | A | S1 | 2025-01-15 | 1 | sale"
    table = f"doc | sku | place | at | qty | kind | a | b\n{row} | x | \n{row} | | x"
    one, other = identity(table, **movement(lot_code="a", bin_code="b"))
    assert one[3] != other[3]


@given(st.lists(st.text(alphabet="AB/\\", min_size=1, max_size=4), min_size=2, max_size=2),
       st.lists(st.text(alphabet="AB/\\", min_size=1, max_size=4), min_size=2, max_size=2))  # fmt: skip
@example(["A/B", "A"], ["A", "B/A"])
@example(["A\\", "B"], ["A", "\\B"])
def test_two_keys_of_several_columns_are_one_only_when_every_column_is_equal(one, other):
    """US/2 with line 1 and US with line 2/1 were one document, and one of them was superseded."""
    head = "x | y | sku | place | at | qty | kind\n"
    rows = "\n".join(f"{x} | {y} | A | S1 | 2025-01-15 | 1 | sale" for x, y in (one, other))
    first, second = identity(head + rows, key={"document": ["x", "y"]})
    assert (first[1] == second[1]) == (one == other)


def test_a_key_of_several_columns_needs_only_one_of_them():
    head = "x | y | sku | place | at | qty | kind\n"
    out = judged(
        head + " | 7 | A | S1 | 2025-01-15 | 1 | sale\n | | A | S1 | 2025-01-15 | 1 | sale",
        contract(key={"document": ["x", "y"]}),
    )
    assert verdicts(out) == {2: "missing_key"}
    assert out.records["document"].to_pylist() == ["/7"]


STORE_POS = AuthorityRule(facts=["sale"], at=["store"], from_="pos")
HOUSE_WMS = AuthorityRule(facts=["sale", "receipt"], from_="wms")


@pytest.mark.parametrize(
    ("system", "place", "kind", "role"),
    [
        ("pos", "S1", "sale", "authority"), ("wms", "S1", "sale", "shadow"), ("wms", "W1", "sale", "authority"),
        ("pos", "W1", "receipt", "shadow"), ("wms", "W1", "receipt", "authority"),
        ("erp", "W1", "adjustment", "authority"),
    ],
)  # fmt: skip
def test_the_first_rule_that_speaks_about_a_movement_decides_whose_word_counts(system, place, kind, role):
    table = HEAD + f"D1 | A | {place} | 2025-01-15 | 1 | {kind}"
    (fact,) = facts(judged(table, contract(source_system=system), rules=[STORE_POS, HOUSE_WMS]))
    assert fact["role"] == role


def test_a_contract_may_say_its_role_itself():
    out = judged(HEAD + ROW, contract(reading={"role": "shadow"}), rules=[HOUSE_WMS])
    assert [fact["role"] for fact in facts(out)] == ["shadow"]


def test_default_rules_apply_only_for_systems_that_the_retailer_has():
    assert effective_rules(None, {"erp"}) == []
    assert {rule.from_ for rule in effective_rules(None, {"pos", "wms"})} == {"pos", "wms"}
    assert effective_rules([], {"pos"}) == []


def test_codes_may_be_created_where_the_feed_is_the_only_source_of_them():
    described = contract(reading={"unknown_product": "create", "unknown_location": "create"})
    out = judged(HEAD + "D1 | N1 | P1 | 2025-01-15 | 1 | sale\nD2 | N2 | P1 | never | 1 | sale", described)
    assert out.created == {"product": {"N1"}, "location": {"P1"}}


def test_every_record_is_in_exactly_one_place():
    table = HEAD + "\n".join(
        [
            ROW,
            "D2 | Z | S1 | 2025-01-15 | 1 | sale",
            "D3 | ? | ? | ? | ? | training",
            "D4 | A | S1 | 2025-01-15 | 1 | void",
        ]
    )
    out = judged(table, contract(exclude=[{"when": {"kind": "training"}, "reason": "training"}], void={"kind": "void"}))
    assert out.records["record_no"].to_pylist() == [1, 4]
    assert out.records["is_void"].to_pylist() == [False, True]
    assert verdicts(out) == {2: "unknown_product"}
    assert out.excluded == [{"training": 1}]
    assert [fact["record_no"] for fact in facts(out)] == [1]
