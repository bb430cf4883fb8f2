"""A contract comes from strangers: whatever it holds, it gives a mistake, no traceback, and quickly."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_pipeline.contracts.loading import check_folder
from etl_pipeline.contracts.yaml_lines import parse_yaml

pytestmark = pytest.mark.fast
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
ATTACKS = {
    "python object": "feed: !!python/object/apply:os.system [id]",
    "python name": "feed: !!python/name:os.system",
    "python module": "!!python/module:os",
    "own tag": "feed: !evil x",
    "binary": "feed: !!binary aGk=",
    "set": "feed: !!set {a, b}",
    "timestamp tag": "feed: !!timestamp 2024-01-01",
    "alias bomb": BOMB,
    "alias to itself": "feed: &a [*a]",
    "merge with itself": "a: &a {<<: *a}",
    "merge bomb": "a: &a {b: 1}\n" + "".join(f"c{n}: &a {{<<: [*a, *a, *a], d{n}: *a}}\n" for n in range(60)),
    "merge of a text": "a: {<<: x}",
    "unknown alias": "feed: *nowhere",
    "duplicate key": "feed: a\nfeed: b",
    "duplicate deep key": "files: {pattern: a, pattern: b}",
    "deep lists": "feed: " + "[" * 100_000,
    "deep mappings": "feed: " + "{a: " * 20_000,
    "deep blocks": "".join("  " * n + f"a{n}:\n" for n in range(400)),
    "deep dashes": "- " * 50_000,
    "complex key": "? [a, b]\n: c",
    "list as document": "- a\n- b",
    "text as document": "hello",
    "empty": "",
    "only a comment": "# nothing",
    "two documents": "feed: a\n---\nfeed: b",
    "tab": "feed:\n\tname: x",
    "control character": "feed: a\x07b",
    "nul": "feed: a\x00b",
    "unclosed quote": 'feed: "abc',
    "unclosed brace": "feed: {a",
    "foreign version": "%YAML 9.9\n---\nfeed: a",
    "huge number": "feed: " + "9" * 100_000,
    "many keys": "\n".join(f"k{n}: 1" for n in range(30_000)),
    "too large": "# " + "x" * 2_000_000,
    "surrogate escape": 'feed: "\\ud800"',
    "injection by name": 'feed: "x\'; drop table silver.fact_sale; --"',
    "everything wrong": "feed: 1\nfiles: 2\nkey: 3\nyields: 4\nreading: 5\nvoid: 6\nexclude: 7\nfixes: 8\nrevision: 9",
    "lists everywhere": "feed: []\nfiles: []\nkey: []\nyields: []\nreading: []\nvoid: []\nexclude: [[]]\nfixes: [[]]",
    "nulls everywhere": "feed:\nfiles:\nkey:\nyields:\nreading:\nvoid:\nexclude:\nfixes:\nrevision:",
    "deep condition": "void: " + "{any_of: [" * 15 + "{a: b}" + "]}" * 15,
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("name", ["x.yml", "retailer.yml"])
def test_an_attack_is_a_mistake_and_no_traceback(tmp_path, text, name):
    (tmp_path / "x.yml").write_text("feed: x")
    (tmp_path / "retailer.yml").write_text("retailer: shop\ndescribes: A shop.\n")
    (tmp_path / name).write_text(text, encoding="utf-8")
    started = time.process_time()
    result = check_folder(tmp_path)
    assert time.process_time() - started < 20  # an attack that works takes hours, not seconds
    told = [mistake for mistake in result.mistakes if mistake.file == name]
    assert told
    assert all(0 < len(mistake.text) < 600 for mistake in told)
    assert result.feeds is None


@pytest.mark.parametrize("content", [b"feed: \xff\xfe", "feed: größe".encode("utf-16"), b"\x00" * 1000, b"\xf5" * 9])
def test_a_file_that_is_no_utf8_is_a_mistake(tmp_path, content):
    (tmp_path / "x.yml").write_bytes(content)
    assert {mistake.file for mistake in check_folder(tmp_path).mistakes} == {"x.yml", "retailer.yml"}


def test_a_folder_named_like_a_contract_is_a_mistake(tmp_path):
    (tmp_path / "x.yml").mkdir()
    assert "no regular file" in check_folder(tmp_path).mistakes[-1].text or check_folder(tmp_path).mistakes


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats()
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3))
KEYS = (
    "feed",
    "describes",
    "source_system",
    "files",
    "reading",
    "key",
    "revision",
    "void",
    "exclude",
    "fixes",
    "yields",
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1))
@settings(max_examples=60, deadline=None)
def test_any_value_at_any_key_gives_mistakes(tmp_path_factory, document):
    import yaml

    folder = tmp_path_factory.mktemp("any")
    (folder / "x.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8", errors="replace")
    assert check_folder(folder).mistakes


def test_an_anchor_may_be_used_twice_and_merged():
    located = parse_yaml("a: &x {q: 1, r: 2}\nb:\n  <<: *x\n  r: 3\nc: *x\n")
    assert located.value == {"a": {"q": 1, "r": 2}, "b": {"q": 1, "r": 3}, "c": {"q": 1, "r": 2}}
    assert located.line_of(("b", "r")) == 4
