"""S9: deep, huge and doubled values in JSON and XML, and regular expressions that would run away."""

import json
import time

import pyarrow as pa
import pytest

from etl_pipeline.bronze_layer.landing import land
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.expressions import first_in_path, path_pattern_problem, pattern_problem
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.silver_layer.numbers import narrow, parse_numbers

pytestmark = pytest.mark.fast
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
DEEP = 100_000


def outcome(tmp_path, form: str, text: str, **how: object) -> tuple[str, int, list[str]]:
    """Return (reason of the file, records understood, reasons of records)."""
    path = tmp_path / "x"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    started = time.process_time()
    try:
        chunks = list(read_records(path, Files(pattern="*", format=form, **how)))
    except SetAsideError as error:
        return error.reason, 0, []
    finally:
        assert time.process_time() - started < 4
    reasons = [reason for chunk in chunks for reason in chunk.set_aside["reason"]]
    return "", sum(len(chunk.text) for chunk in chunks), reasons


JSON = {
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "deep below a record": '[{"a":' + "[" * DEEP + "]" * DEEP + "}]",
    "open for ever": "[" * DEEP,
    "NaN": '[{"a": NaN}]',
    "Infinity": '[{"a": -Infinity}]',
    "duplicate key": '[{"a": 1, "a": 2}]',
    "duplicate key below": '[{"a": {"b": 1, "b": 2}}]',
    "duplicate key by escape": '[{"a": 1, "\\u0061": 2}]',
    "half a surrogate pair": '[{"a": "\\ud800"}]',
    "NUL": '[{"a": "x\\u0000y"}]',
    "many columns": json.dumps([{f"c{n}": 1 for n in range(50_000)}]),
    "nothing but quotes": '"' * DEEP,
}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON.keys())
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_s09_hostile_json_is_set_aside_within_limits(tmp_path, form, text):
    text = text if form == "json" else text.removeprefix("[").removesuffix("]")
    reason, understood, reasons = outcome(tmp_path, form, text)
    assert reason or reasons
    assert understood == 0


def test_s09_a_number_beyond_any_size_keeps_its_text_and_is_no_quantity(tmp_path):
    for number in ("1e308", "1e999999999", "-1E+400", "9" * 4_000, "0." + "0" * 4_000 + "1"):
        assert outcome(tmp_path, "json", f'[{{"a": {number}}}]') == ("", 1, [])
        started = time.process_time()
        read = parse_numbers(pa.array([number], pa.string()))
        assert time.process_time() - started < 1
        narrowed, too_wide = narrow(read.values)
        assert narrowed[0].as_py() is None
        assert read.unreadable[0] or read.digits_lost[0] or too_wide[0], number[:20]


XML = {
    "entity bomb": f'<!DOCTYPE r [<!ENTITY e0 "x">{ENTITIES}]><r><l><a>&e11;</a></l></r>',
    "external entity": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><l><a>&x;</a></l></r>',
    "parameter entity": '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]><r><l><a>1</a></l></r>',
    "external type": '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><r><l><a>1</a></l></r>',
    "deep": "<r>" + "<a>" * DEEP + "</a>" * DEEP + "</r>",
    "deep below a record": "<r><l>" + "<a>" * DEEP + "</a>" * DEEP + "</l></r>",
    "unclosed": "<r><l><a>1",
    "attribute twice": '<r><l a="1" a="2"/></r>',
    "unknown encoding": '<?xml version="1.0" encoding="x-evil"?><r><l><a>1</a></l></r>',
    "many attributes": "<r><l " + " ".join(f'a{n}="1"' for n in range(20_000)) + "/></r>",
}


@pytest.mark.parametrize("text", XML.values(), ids=XML.keys())
def test_s09_hostile_xml_is_set_aside_within_limits(tmp_path, text):
    reason, understood, reasons = outcome(tmp_path, "xml", text, xml={"records": "l"})
    assert reason or reasons
    assert understood == 0


RUNAWAY = [
    "(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "a*a*a*a*a*a*a*a*a*a*$", r"(\w+\s?)+$", "(?:a?){30}a{30}$",
    r"^(\d+)*\.csv$", ".*.*.*.*.*.*.*=.*",
]  # fmt: skip


@pytest.mark.parametrize("pattern", RUNAWAY)
def test_s09_a_regular_expression_of_a_contract_cannot_run_away(tmp_path, pattern):
    """They are run by RE2, whose time grows with the text and no faster."""
    started = time.process_time()
    pattern_problem(pattern)
    if path_pattern_problem(pattern) is None:
        first_in_path(pattern, "/" + "a" * 4_000 + "!")
    name = "a" * 200 + "!"
    (tmp_path / name).write_bytes(b"a\n1\n")
    files = Files(pattern="*", logical_time={"path": pattern, "format": "%Y"})
    with pytest.raises(SetAsideError):
        land(tmp_path / name, inbox=tmp_path, bronze=BronzeStore(tmp_path / ".bronze"), feed="f", files=files)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        (r"_(\d{8})\.csv$", "/in/till_20250301.csv", "20250301"),
        (r"\d{4}-\d\d", "/in/2025-03/x", "2025-03"),
        (r"(?:a|b)[(](\d+)[)](x)?", "/b(7)", "7"),
        (r"(?P<day>\d+)\((x)\)", "/12(x)", "12"),
        (r"\((\d+)\)", "/(5)", "5"),
        ("(x)", "/abc", None),
    ],
)
def test_s09_the_time_in_a_path_is_found_as_before(pattern, path, found):
    assert path_pattern_problem(pattern) is None
    assert first_in_path(pattern, path) == found


@pytest.mark.parametrize("pattern", [r"(?=x)(\d)", r"(\d)\1", "(", "[", "a" * 501])
def test_s09_a_pattern_that_re2_cannot_run_is_a_mistake(pattern):
    assert path_pattern_problem(pattern)
