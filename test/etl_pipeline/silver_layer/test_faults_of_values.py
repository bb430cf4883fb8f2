"""Faults F19 to F29 of the design's list, as far as one record can show them: right, or set aside with its reason."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from etl_pipeline.silver_layer.gtin import gtin_forms, is_gtin
from etl_pipeline.silver_layer.look_alikes import could_be_latin, skeleton
from test.etl_pipeline.silver_layer.drawn import contract, facts, judged, verdicts

HEAD = "doc | sku | place | at | qty | kind\n"
WITH_UNIT = "doc | sku | place | at | qty | unit | kind\n"
CREATES = {"unknown_product": "create"}


def one(sku: str = "A", at: str = "2025-01-15", qty: str = "1", kind: str = "sale") -> str:
    return HEAD + f"D1 | {sku} | S1 | {at} | {qty} | {kind}"


def units(described=None):
    described = described or contract()
    described.yields[0].columns["unit_code"] = "unit"
    return described


def alias(**codes: str) -> dict[str, pd.DataFrame]:
    return {"alias": pd.DataFrame({"product_code": list(codes.values())}, index=[c.strip("_") for c in codes])}


def masters(*codes: str, base_unit: str = "EA") -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame({"base_unit": base_unit, "is_created": "false"}, index=list(codes))
    return {"product": frame}


def microseconds(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000


def test_f19_a_new_kind_sets_its_own_records_aside_and_lets_the_others_in():
    out = judged(one() + "\nD2 | A | S1 | 2025-01-15 | 1 | teleported")
    assert verdicts(out) == {2: "unknown_value"}
    assert len(facts(out)) == 1


def test_f20_a_conversion_holds_from_its_day_on_and_the_first_one_before_it_too():
    held = {"unit": pd.DataFrame(
        {"numerator": ["10", "6"], "denominator": ["1", "1"],
         "valid_from": [microseconds(2025, 2, 1), microseconds(2025, 1, 1)]}, index=["A|CS", "A|CS"],
    )}  # fmt: skip
    days = ("2024-06-01", "2025-01-31T23:59:59", "2025-02-01T00:00:00", "2025-06-01")
    rows = "\n".join(f"D{n} | A | S1 | {day} | 2 | CS | sale" for n, day in enumerate(days))
    assert [f["quantity"] for f in facts(judged(WITH_UNIT + rows, units(), held))] == [12, 12, 20, 20]


def test_f20_an_unknown_unit_is_set_aside_and_says_what_it_waits_for():
    out = judged(WITH_UNIT + "D1 | A | S1 | 2025-01-15 | 2 | PALLET | sale", units())
    assert verdicts(out) == {1: "unknown_unit"}
    assert out.set_aside["wants_key"].tolist() == ["PALLET"]


@pytest.mark.parametrize("reason", ["unknown_product", "unknown_location"])
def test_f21_an_unknown_code_is_set_aside_and_says_what_it_waits_for(reason):
    row = "D1 | NEW | S1" if reason == "unknown_product" else "D1 | A | NEW"
    out = judged(HEAD + row + " | 2025-01-15 | 1 | sale")
    assert verdicts(out) == {1: reason}
    assert out.set_aside["wants_key"].tolist() == ["NEW"]


def test_f22_a_re_used_code_means_what_it_meant_on_the_day():
    codes = {"alias": pd.DataFrame(
        {"product_code": ["B", "A"], "valid_from": [microseconds(2025, 2, 1), microseconds(2025, 1, 1)]},
        index=["old", "old"],
    )}  # fmt: skip
    rows = "D1 | old | S1 | 2025-01-31 | 1 | sale\nD2 | old | S1 | 2025-02-01 | 1 | sale"
    assert [f["product_code"] for f in facts(judged(HEAD + rows, references=codes))] == ["A", "B"]


def test_f22_a_code_that_is_a_product_keeps_its_facts_though_it_is_merged():
    out = judged(one("A"), references=alias(A="B"))
    assert [f["product_code"] for f in facts(out)] == ["A"]


def test_f23_a_gtin_that_lost_its_zeros_is_the_one_product_that_has_it():
    known = alias(_036000291452="A")
    assert [f["product_code"] for f in facts(judged(one("36000291452"), references=known))] == ["A"]
    assert [f["product_code"] for f in facts(judged(one("0036000291452"), references=known))] == ["A"]


@pytest.mark.parametrize("code", ["36000291453", "1452", "3600029145X", "036000291453"])
def test_f23_what_is_no_gtin_is_matched_to_nothing(code):
    assert verdicts(judged(one(code), references=alias(_036000291452="A"))) == {1: "unknown_product"}


def test_f23_a_number_without_a_right_check_digit_gets_no_zeros_though_a_product_has_it_with_them():
    assert verdicts(judged(one("36000291453"), references=alias(_036000291453="A"))) == {1: "unknown_product"}
    whole = judged(one("036000291453"), references=alias(_036000291453="A"))
    assert [f["product_code"] for f in facts(whole)] == ["A"]


def test_f23_a_gtin_that_two_products_could_mean_is_set_aside():
    two = alias(_036000291452="A", _0036000291452="B")
    assert verdicts(judged(one("36000291452"), references=two)) == {1: "unknown_product"}
    one_product = alias(_036000291452="A", _0036000291452="A")
    assert [f["product_code"] for f in facts(judged(one("36000291452"), references=one_product))] == ["A"]


def test_f23_of_100_000_numbers_none_is_matched_wrongly():
    chance = random.Random(23)
    known = {f"{chance.randrange(10**12):013d}" for _ in range(20_000)}
    known = {code[:-1] + digit for code in known for digit in "0123456789" if is_gtin(code[:-1] + digit)}
    asked = [code.lstrip("0") if chance.random() < 0.3 else str(chance.randrange(10**7, 10**13)) for code in
             chance.choices(sorted(known), k=100_000)]  # fmt: skip
    wrong = right = 0
    for code in asked:
        found = known.intersection([code, *gtin_forms(code)])
        wrong += any(int(match) != int(code) for match in found) or len(found) > 1
        right += bool(found)
    assert wrong == 0
    assert right > 20_000


@pytest.mark.parametrize("rule", ["quarantine", "create"])
@pytest.mark.parametrize("code", ["3.6E+10", "3,60003E+11", "4E+12"])
def test_f24_a_code_in_scientific_notation_is_never_guessed_nor_created(code, rule):
    out = judged(one(code), contract(reading={"unknown_product": rule}))
    assert verdicts(out) == {1: "digits_lost"}
    assert not any(out.created.values())


def test_f24_a_code_of_digits_and_an_e_is_a_code():
    assert facts(judged(one("12E5"), contract(reading=CREATES)))[0]["product_code"] == "12E5"


@pytest.mark.parametrize("quantity", ["3.6E+10", "1e3", "2E-1"])
def test_f24_a_quantity_in_scientific_notation_has_lost_its_digits(quantity):
    assert verdicts(judged(one(qty=quantity))) == {1: "digits_lost"}


def test_f24_a_code_that_a_sheet_turned_into_a_day_is_unknown():
    assert verdicts(judged(one("1-Mar"), references=masters("MAR1"))) == {1: "unknown_product"}


@pytest.mark.parametrize(("quantity", "read"), [("12.0", 12), ("12.000000000000", 12)])
def test_f24_a_decimal_zero_is_stripped_where_nothing_is_lost(quantity, read):
    assert facts(judged(one(qty=quantity)))[0]["quantity"] == read


@pytest.mark.parametrize(
    "code", ["\uff21", "A\u00a0", "\u200bA", "\u202eA", "A\ufe0f", "\u3164A", "A\u00ad", "\u2066A\u2069", "\ufeffA"]
)
def test_f25_what_nobody_sees_does_not_make_another_code(code):
    assert [f["product_code"] for f in facts(judged(one(code)))] == ["A"]


def test_f25_a_letter_and_its_accent_are_one_code_however_they_are_written():
    known = masters("CAF\u00c9")
    for code in ("CAF\u00c9", "CAFE\u0301", "CAFE\u200d\u0301"):
        assert [f["product_code"] for f in facts(judged(one(code), references=known))] == ["CAF\u00c9"]


@pytest.mark.parametrize("code", ["\u0410100", "AB\u0421", "\u0391-1", "x\u0443"])
def test_f25_look_alikes_of_two_alphabets_in_one_code_are_set_aside_and_make_no_product(code):
    out = judged(one(code), contract(reading=CREATES))
    assert verdicts(out) == {1: "mixed_script"}
    assert not any(out.created.values())


def test_f25_a_code_that_only_looks_like_a_known_one_is_named_beside_it():
    known = masters("ABC")
    disguised = "\u0410\u0412\u0421"
    out = judged(one(disguised), references=known)
    assert verdicts(out) == {1: "unknown_product"}
    assert "only looks like 'ABC'" in out.set_aside["sentence"][0]
    created = judged(one(disguised), contract(reading=CREATES), known)
    assert verdicts(created) == {1: "mixed_script"}
    assert "only looks like 'ABC'" in created.set_aside["sentence"][0]


def test_f25_codes_of_another_alphabet_are_codes_once_they_cannot_be_mistaken():
    word = "\u0445\u043b\u0435\u0431"  # has letters that no Latin one looks like
    assert not could_be_latin(word)
    assert facts(judged(one(word), contract(reading=CREATES)))[0]["product_code"] == word
    assert could_be_latin("\u0421\u041e\u041a")
    assert skeleton("\u0421\u041e\u041a-1") == "COK-1"


ZONED = {"zone": "Europe/Berlin"}


def test_f26_a_time_that_exists_twice_is_taken_once_and_flagged():
    rows = one(at="2025-10-26T02:30:00") + "\nD2 | A | S1 | 2025-10-26T02:30:00 | 1 | sale"
    found = facts(judged(rows, contract(reading=ZONED)))
    assert [f["is_time_ambiguous"] for f in found] == [True, True]
    assert {f["event_time"] for f in found} == {datetime(2025, 10, 26, 0, 30, tzinfo=UTC)}


def test_f26_a_time_that_never_was_is_set_aside():
    assert verdicts(judged(one(at="2025-03-30T02:30:00"), contract(reading=ZONED))) == {1: "local_time_gap"}


def test_f27_a_time_after_the_files_own_is_set_aside_whenever_the_file_comes():
    made = datetime(2025, 1, 16, tzinfo=UTC)
    assert verdicts(judged(one(at="2099-01-01"), logical_time=made)) == {1: "future_time"}
    assert verdicts(judged(one(at="2025-01-17T11:00:00"), logical_time=made)) == {}


@pytest.mark.parametrize(("at", "formats"), [("25-01-15", ["iso"]), ("15.01.25", ["%d.%m.%Y"]), ("0", ["iso"])])
def test_f28_a_year_of_two_digits_is_read_only_by_a_contract_that_says_so(at, formats):
    assert verdicts(judged(one(at=at), contract(reading={"formats": formats}))) == {1: "not_a_time"}
    (read,) = facts(judged(one(at="15.01.25"), contract(reading={"formats": ["%d.%m.%y"]})))
    assert read["event_time"] == datetime(2025, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "formats"),
    [("1970-01-01T00:00:00", ["iso"]), ("0", ["epoch_s"]), ("1900-01-01", ["iso"]), ("15/01/0025", ["%d/%m/%Y"])],
)
def test_f28_a_clock_that_was_never_set_tells_no_time(at, formats):
    out = judged(one(at=at), contract(reading={"formats": formats}))
    assert verdicts(out) == {1: "past_time"}


@pytest.mark.parametrize(("sign", "quantity"), [("positive", "0"), ("positive", "-1"), ("negative", "1"),
                                                ("not_negative", "-1")])  # fmt: skip
def test_f29_a_sign_that_does_not_fit_is_set_aside(sign, quantity):
    described = contract()
    described = contract(yields=[{"fact": "movement", "columns": {
        "product_code": "sku", "location_code": "place", "event_time": "at",
        "quantity": {"from": "qty", "sign": sign}, "movement_class": "kind"}}])  # fmt: skip
    assert verdicts(judged(one(qty=quantity), described)) == {1: "wrong_sign"}


def test_f29_pieces_are_whole_where_the_master_says_pieces():
    known = {"product": pd.DataFrame(
        {"base_unit": ["EA", "KG", "EA"], "is_created": ["false", "false", "true"]}, index=["A", "B", "C"],
    )}  # fmt: skip
    rows = "\n".join(f"D{n} | {sku} | S1 | 2025-01-15 | 1.5 | sale" for n, sku in enumerate("ABC", 1))
    out = judged(HEAD + rows, references=known)
    assert verdicts(out) == {1: "fractional_quantity"}
    assert [f["quantity"] for f in facts(out)] == [Decimal("1.5"), Decimal("1.5")]


@pytest.mark.parametrize("quantity", ["999999", "-999999", "100001"])
def test_f29_a_huge_quantity_waits_for_a_person(quantity):
    bounded = contract(reading={"plausible": {"most": 100_000}})
    assert verdicts(judged(one(qty=quantity), bounded)) == {1: "implausible_quantity"}
    assert verdicts(judged(one(qty=quantity))) == {}, "a contract that gives no bound lets it in"


def test_f29_a_number_longer_than_any_quantity_is_no_number():
    assert verdicts(judged(one(qty="9" * 19))) == {1: "not_a_number"}
