"""F9 to F18, F24 and F25 of the fault list, each by its objective check, at the level of one file. No database."""

import gzip
import zlib
from decimal import Decimal
from pathlib import Path

import pytest

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed, Part
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.silver_layer.conform import conform
from etl_pipeline.silver_layer.identity import needed_columns
from test.damage.canaries import FEEDS, Feed, references, table, truth
from test.damage.judge import RULES, Verdict, check_tiling, conformed, read
from test.damage.polluter import Case, Damaged, Line, Polluted
from test.damage.polluting_bytes import whole_text

pytestmark = pytest.mark.fast
COMMA, GERMAN, PIPED, ESCAPED = (FEEDS[name] for name in ("comma", "german", "piped", "escaped"))


def case_of(feed: Feed, number: int = 1) -> Case:
    return Case(feed, number, table(feed, number))


def became(case: Case, content: bytes, folder: Path, contract: Contract | None = None) -> Verdict:
    """Read and conform bytes as a file of the feed."""
    file = Polluted("", "", case, Damaged(content, frozenset(), case.rows, encoding=case.style.encoding))
    contract = contract or case.feed.contract()
    verdict, chunks = read(file, folder, contract, 1 << 20)
    conformed([(verdict, chunks)], contract)
    return verdict


def clean(case: Case) -> bytes:
    return case.bytes_of(case.lines())


def facts(case: Case, *but: int) -> dict[tuple[str, str], tuple[object, ...]]:
    return truth(case.feed, [row for number, row in enumerate(case.rows) if number not in but])


def reason(verdict: Verdict) -> str | None:
    return verdict.file_reason[0] if verdict.file_reason else None


def why(verdict: Verdict) -> str:
    """The sentence that a file was set aside with."""
    return verdict.file_reason[1] if verdict.file_reason else ""


@pytest.mark.parametrize("cut", [1, 8, 40, 200])
def test_f9_nothing_of_a_cut_file_is_loaded_and_the_good_one_is(tmp_path, cut):
    case = case_of(PIPED)
    packed = gzip.compress(clean(case), mtime=0)
    for content, wanted in ((packed[:-cut], "truncated_archive"), (clean(case)[:-cut], "missing_trailer")):
        verdict = became(case, content, tmp_path)
        if cut == 1 and wanted == "missing_trailer":
            continue  # a trailer without its last line feed is whole
        assert verdict.facts == {}
        assert reason(verdict) in (wanted, "control_total")
    assert became(case, packed, tmp_path).facts == facts(case)


def test_f9_a_trailer_with_another_count_sets_the_file_aside(tmp_path):
    case = case_of(PIPED)
    lines = case.lines()
    del lines[5]
    verdict = became(case, case.bytes_of(lines), tmp_path)
    assert (reason(verdict), verdict.facts) == ("control_total", {})
    assert "counts 14 records and 13 came" in why(verdict)


def test_f9_a_sender_that_ends_every_line_cannot_send_half_a_number(tmp_path):
    case = case_of(ESCAPED)
    for cut in range(1, 12):
        assert reason(became(case, clean(case)[:-cut], tmp_path)) == "cut_short"


def test_f10_a_damaged_archive_and_no_bytes_have_a_reason_and_a_name_means_nothing(tmp_path):
    case = case_of(COMMA)
    packed = bytearray(gzip.compress(clean(case), mtime=0))
    assert zlib.crc32(clean(case)) == int.from_bytes(packed[-8:-4], "little")
    packed[-8] ^= 1
    assert reason(became(case, bytes(packed), tmp_path)) == "corrupt_archive"
    assert reason(became(case, b"", tmp_path)) == "empty_file"
    for name, content in (("sales.csv", gzip.compress(clean(case))), ("sales.csv.gz", clean(case))):
        (tmp_path / name).write_bytes(content)
        chunks = list(read_records(tmp_path / name, COMMA.contract().files))
        assert sum(len(chunk.text) for chunk in chunks) == len(case.rows)


def test_f11_a_wrong_delimiter_is_named_and_never_guessed(tmp_path):
    case = case_of(COMMA)
    verdict = became(case, clean(case).replace(b",", b";"), tmp_path)
    assert reason(verdict) == "wrong_dialect"
    assert "Set files.delimited.delimiter to ';'" in why(verdict)


def test_f11_a_decimal_comma_is_no_thousands_sign(tmp_path):
    case = case_of(COMMA)
    content = clean(case).replace(b"502.15", b'"502,15"').replace(b"3030.24", b'"3.030,24"')
    verdict = became(case, content, tmp_path)
    assert verdict.facts == facts(case, 2, 3)
    assert {row[0] for row in verdict.aside} == {"not_a_number"}


def test_f12_bad_bytes_cost_their_row_and_are_shown_in_hex(tmp_path):
    case = case_of(COMMA)
    content = clean(case).replace("Müller".encode(), b"M\xfcller")
    verdict = became(case, content, tmp_path)
    assert verdict.facts == facts(case, 1)
    assert [row[0] for row in verdict.aside] == ["bad_bytes"]
    assert "FC" in verdict.aside[0][1]
    assert verdict.records == len(case.rows) + 1


def test_f12_utf8_sent_to_a_contract_of_cp1252_is_not_read_as_other_letters(tmp_path):
    case = case_of(GERMAN)
    verdict = became(case, whole_text(case).encode("utf-8"), tmp_path)
    assert verdict.facts == facts(case, 1, 7, 13)
    assert "'ü' in UTF-8" in " ".join(row[1] for row in verdict.aside)


def test_f12_what_a_brand_may_write_in_cp1252_is_no_utf8(tmp_path):
    case = case_of(GERMAN)
    text = whole_text(case).replace("plain words", "NESTLÉ®")
    verdict = became(case, text.encode("cp1252"), tmp_path)
    assert len(verdict.facts) == len(case.rows)
    assert verdict.aside == []


def test_f12_letters_that_were_lost_before_do_not_reach_the_facts(tmp_path):
    case = case_of(COMMA)
    verdict = became(case, clean(case).replace("Müller".encode(), "M\ufffdller".encode()), tmp_path)
    assert verdict.facts == facts(case, 1)
    assert not any("\ufffd" in str(fact) for fact in verdict.facts.values())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_f12_a_byte_order_mark_decides(tmp_path, encoding):
    case = case_of(COMMA)
    assert became(case, whole_text(case).encode(encoding), tmp_path).facts == facts(case)


def test_f13_mixed_line_ends_and_line_ends_in_values_are_read(tmp_path):
    case = case_of(COMMA)
    lines = case.lines()
    for number, line in enumerate(lines):
        line.end = ("\r\n", "\n", "\r")[number % 3]
    assert became(case, case.bytes_of(lines), tmp_path).facts == facts(case)


def test_f13_an_open_quote_that_an_inch_mark_closes_swallows_no_row(tmp_path):
    rows = 'a,b,note\n1,2,plain\n3,4,"open\n5,6,kept\n7,8,kept too\n9,10,pipe 40"\n11,12,last\n'
    (tmp_path / "file").write_text(rows)
    chunk = next(read_records(tmp_path / "file", Files(pattern="*")))
    assert chunk.text["a"].tolist() == ["1", "5", "7", "11"]
    assert chunk.set_aside["reason"].tolist() == ["stray_quote", "stray_quote"]
    assert "each of these lines is a record by itself" in chunk.set_aside["sentence"][0]


def test_f14_a_field_more_or_less_moves_no_value(tmp_path):
    case = case_of(COMMA)
    for at in range(len(COMMA.columns)):
        lines = case.lines()
        values = list(case.rows[0].values())
        lines[1].text = ",".join(values[:at] + values[at + 1 :])
        values = list(case.rows[8].values())
        lines[9].text = ",".join([*values[:at], "X-99", *values[at:]])
        verdict = became(case, case.bytes_of(lines), tmp_path)
        assert verdict.facts == facts(case, 0, 8)
        assert [row[0] for row in verdict.aside] == ["field_count", "field_count"]


def test_f15_preamble_comments_headers_and_totals_that_the_contract_knows_are_counted(tmp_path):
    case = case_of(PIPED)
    dialect = PIPED.contract().files.delimited.model_copy(update={"skip_lines": 2, "comment": "#"})
    contract = PIPED.contract()
    contract = contract.model_copy(update={"files": contract.files.model_copy(update={"delimited": dialect})})
    header, *rows, trailer = case.lines()
    end = case.style.line_end
    lines = [Line("Report", end), Line("of March", end), header, *rows[:4], Line("# note", end), header,
             *rows[4:], Line("", end), trailer]  # fmt: skip
    verdict = became(case, case.bytes_of(lines), tmp_path, contract)
    assert verdict.facts == facts(case)
    (tmp_path / "kinds").write_bytes(case.bytes_of(lines))
    kinds = [kind for c in read_records(tmp_path / "kinds", contract.files) for kind in c.non_data["kind"]]
    assert kinds == ["preamble", "preamble", "header", "comment", "repeated_header", "blank", "trailer"]
    assert sum(Decimal(str(fact[5])) for fact in verdict.facts.values()) == Decimal(trailer.text.split("|")[2])
    trailer.text = trailer.text[:-1] + "9"
    assert reason(became(case, case.bytes_of(lines), tmp_path, contract)) == "control_total"


def test_f16_a_header_alone_says_no_activity_and_no_bytes_say_nothing(tmp_path):
    case = case_of(COMMA)
    header = became(case, case.bytes_of(case.lines()[:1]), tmp_path)
    assert (reason(header), header.facts, header.records) == (None, {}, 1)
    assert reason(became(case, b"", tmp_path)) == "empty_file"
    assert reason(became(case, b"\n\n", tmp_path)) == "missing_column"


def test_f16_a_file_whose_line_ends_were_lost_is_no_header_alone(tmp_path):
    case = case_of(COMMA)
    verdict = became(case, clean(case).replace(b"\n", b""), tmp_path)
    assert reason(verdict) == "wrong_dialect"
    assert "line ends were lost" in why(verdict)


def test_f17_a_new_column_changes_no_fact_and_is_kept(tmp_path):
    case = case_of(COMMA)
    case.rows[:] = [{**row, "shelf": f"S-{number}"} for number, row in enumerate(case.rows)]
    content = case.bytes_of(case.lines(columns=("shelf", *COMMA.columns)))
    assert became(case, content, tmp_path).facts == facts(case)
    (tmp_path / "kept").write_bytes(content)
    assert next(read_records(tmp_path / "kept", COMMA.contract().files)).text["shelf"].tolist()[:2] == ["S-0", "S-1"]


@pytest.mark.parametrize("gone", sorted(needed_columns(COMMA.contract())))
def test_f18_a_file_without_a_needed_column_is_never_filled_up(tmp_path, gone):
    case = case_of(COMMA)
    removed = case.bytes_of(case.lines(columns=tuple(name for name in COMMA.columns if name != gone)))
    renamed = clean(case).replace(gone.encode(), b"renamed", 1)
    for content in (removed, renamed):
        verdict = became(case, content, tmp_path)
        assert (reason(verdict), verdict.facts) == ("missing_column", {})
        assert f"'{gone}'" in why(verdict)


def test_f18_order_is_harmless_an_alias_is_known_and_another_type_is_set_aside(tmp_path):
    case = case_of(COMMA)
    assert became(case, case.bytes_of(case.lines(columns=COMMA.columns[::-1])), tmp_path).facts == facts(case)
    assert became(case, clean(case).replace(b"article", b"item_no", 1), tmp_path).facts == facts(case)
    retyped = became(case, clean(case).replace(b",11,500.13,", b",eleven,500.13,"), tmp_path)
    assert retyped.facts == facts(case, 0)
    assert [row[0] for row in retyped.aside] == ["not_a_number"]


def test_f18_a_second_header_in_another_order_does_not_rename_the_rows_below_it(tmp_path):
    case = case_of(COMMA)
    swapped = tuple({"pieces": "price", "price": "pieces"}.get(name, name) for name in COMMA.columns)
    lines = case.lines()
    lines.insert(6, Line(",".join(swapped), "\n"))
    verdict = became(case, case.bytes_of(lines), tmp_path)
    assert (reason(verdict), verdict.facts) == ("changed_header", {})


def test_f24_lost_digits_are_not_found_again_and_a_point_zero_goes_only_where_nothing_is_lost(tmp_path):
    case = case_of(COMMA)
    content = clean(case).replace(b",11,500.13,", b",1.1E+01,500.13,").replace(b",12,501.14,", b",12.0,501.14,")
    content = content.replace(b",13,502.15,", b",13.5e0,502.15,").replace(b"A-1005", b"1-May", 1)
    verdict = became(case, content, tmp_path)
    assert verdict.facts == facts(case, 0, 2, 4)
    assert sorted(row[0] for row in verdict.aside) == ["digits_lost", "digits_lost", "unknown_product"]


def test_f25_the_same_code_in_other_signs_is_the_same_code_and_a_look_alike_is_not(tmp_path):
    case = case_of(COMMA)
    lines = case.lines()
    codes = ["\uff21-1001", "A\u200b-1002", "\u00a0A-1003\u00a0", "A-1004\ufeff", "\u0410-1005"]
    for line, code in zip(lines[1:6], codes, strict=True):
        line.text = line.text.replace(case.rows[line.row or 0]["article"], code)
    verdict = became(case, case.bytes_of(lines), tmp_path)
    assert verdict.facts == facts(case, 4)
    assert [row[0] for row in verdict.aside] == ["mixed_script"]


def test_f25_a_look_alike_makes_no_new_product_where_the_feed_may_make_some(tmp_path):
    contract = COMMA.contract()
    creates = contract.reading.model_copy(update={"unknown_product": "create"})
    contract = contract.model_copy(update={"reading": creates})
    case = case_of(COMMA)
    (tmp_path / "file").write_bytes(clean(case).replace(b"A-1005", "\u0410-1005".encode()))
    chunks = list(read_records(tmp_path / "file", contract.files, needed=needed_columns(contract)))
    parts = [Part(Landed("comma", "file", tmp_path / "file", "0" * 64, 0), chunk) for chunk in chunks]
    assert conform(parts, contract, RULES, references()).created.get("product", set()) == set()


def test_records_of_every_case_above_tile_their_file(tmp_path):
    for feed in FEEDS.values():
        case = case_of(feed)
        (tmp_path / "file").write_bytes(clean(case))
        chunks = list(read_records(tmp_path / "file", feed.contract().files, chunk_bytes=97))
        assert list(check_tiling(chunks, clean(case))) == []


def test_a_format_that_is_not_text_is_told_as_such(tmp_path):
    (tmp_path / "file").write_bytes(b"\x7fELF\x02\x01\x01\x00" * 40)
    with pytest.raises(SetAsideError) as caught:
        list(read_records(tmp_path / "file", Files(pattern="*"), needed=frozenset({"a"})))
    assert caught.value.reason in ("not_this_format", "wrong_encoding")
