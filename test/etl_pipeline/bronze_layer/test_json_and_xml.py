"""JSON, JSON lines and XML: where records are, what their fields say, and what is refused."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError

pytestmark = pytest.mark.fast


def read(tmp_path, content, format_="json", records="", *, needed=(), chunk_bytes=1 << 20, **how):
    path = tmp_path / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if format_ == "xml":
        how["xml"] = {"records": records}
    else:
        how["json"] = {"records": records}
    contract = Files(pattern="*", format=format_, **how)
    chunks = list(read_records(path, contract, needed=frozenset(needed), chunk_bytes=chunk_bytes))
    assert_tiles(chunks, path.read_bytes())
    return chunks


def assert_tiles(chunks, content):
    assert b"".join(c.content for c in chunks) == content
    position, number = 0, 0
    for chunk in chunks:
        assert chunk.content_start == position
        whole = chunk.all_addresses
        for record_no, start, end in zip(whole.record_no, whole.byte_start, whole.byte_end, strict=True):
            assert (record_no, start) == (number + 1, position)
            number, position = record_no, end
        for row in chunk.set_aside.itertuples():
            assert row.raw == content[row.byte_start : row.byte_end]
    assert position == len(content)


def records_of(chunks):
    names = list(chunks[-1].text.columns)
    return [row for c in chunks for row in c.text.reindex(columns=names, fill_value="").to_dict("records")]


def reasons(chunks):
    return [reason for c in chunks for reason in c.set_aside["reason"]]


def refused(tmp_path, *args, **how):
    started = time.monotonic()
    with pytest.raises(SetAsideError) as caught:
        read(tmp_path, *args, **how)
    assert time.monotonic() - started < 1
    return caught.value


ORDERS = """{"shop": "é", "orders": [
  {"id": 1, "lines": [{"sku": "A", "price": 1.10}, {"sku": "B", "price": 1e308}], "who": {"city": "Köln"}},
  {"id": 2, "lines": []},
  {"id": 3, "lines": [{"sku": "C", "gift": true, "note": null, "tags": [1, {"x": 2.0}]}]}
], "page": 7}"""


@pytest.mark.parametrize("chunk_bytes", [1, 50, 1 << 20])
def test_lines_of_orders_know_their_order_and_their_bytes(tmp_path, chunk_bytes):
    chunks = read(tmp_path, ORDERS, records="orders[].lines[]", chunk_bytes=chunk_bytes)
    got = records_of(chunks)
    assert [(r["sku"], r["price"], r["../id"], r["../who.city"], r["../../page"]) for r in got] == [
        ("A", "1.10", "1", "Köln", "7"),
        ("B", "1e308", "1", "Köln", "7"),
        ("C", "", "3", "", "7"),
    ]
    assert (got[2]["gift"], got[2]["note"], got[2]["tags"]) == ("true", "", '[1,{"x":2.0}]')
    starts = [start for c in chunks for start in c.addresses.byte_start]
    assert [ORDERS.encode()[start : start + 11] for start in starts] == [b'{"sku": "A"', b'{"sku": "B"', b'{"sku": "C"']
    assert [line for c in chunks for line in c.addresses.line_no] == [2, 2, 4]


def test_numbers_keep_the_text_they_were_written_in(tmp_path):
    (chunk,) = read(tmp_path, '[{"a": 00.10}]'.replace("00", "0"))
    assert chunk.text["a"].tolist() == ["0.10"]
    (chunk,) = read(tmp_path, '[{"a": 123456789012345678901234567890, "b": 1E+10, "c": -0}]')
    assert chunk.text.iloc[0].tolist() == ["123456789012345678901234567890", "1E+10", "-0"]


def test_an_element_that_cannot_be_kept_is_set_aside_alone(tmp_path):
    chunks = read(
        tmp_path, '[{"a":1},2,{"a":1,"a":2},{"a":NaN},{"a":"\\ud800"},{"a":"\\u0000"},{"b":{"a":1,"a":1}},{"a":9}]'
    )
    assert [r["a"] for r in records_of(chunks)] == ["1", "9"]
    assert reasons(chunks) == [
        "not_an_object",
        "not_an_object",
        "not_a_number",
        "bad_bytes",
        "nul_byte",
        "not_an_object",
    ]
    assert reasons(read(tmp_path, b'[{"a":"\xff"},{"a":"x"}]')) == ["bad_bytes"]


def test_documents_that_are_no_json_say_where(tmp_path):
    error = refused(tmp_path, '[{"a": 1},\n {"a": }]')
    assert error.reason == "not_this_format"
    assert "line 2, column 8" in error.sentence
    assert "jsonl" in refused(tmp_path, '{"a":1}\n{"a":2}').sentence
    for content in ("[1,]", "[", '{"a":1', "", "[1] x", '{"a":[1}'):
        assert refused(tmp_path, content).reason in ("not_this_format", "empty_file")
    for content in ('{"x":[{"a":1},]}', '{"x":[1] "y":2}', '{"x":[1],}', "{x:[]}", '{"x"}'):
        assert refused(tmp_path, content, records="x[]").reason == "not_this_format"
    assert refused(tmp_path, "[" * 100_000).reason == "not_this_format"
    assert refused(tmp_path, '{"a":' * 101 + "1" + "}" * 101).reason == "not_this_format"


def test_a_document_without_records_is_an_envelope(tmp_path):
    for content, path in (
        ("[]", ""),
        ('{"orders": []}', "orders[]"),
        ('{"orders": null}', "orders[]"),
        ("{}", "orders[]"),
    ):
        (chunk,) = read(tmp_path, content, records=path)
        assert (len(chunk.text), chunk.non_data["kind"].tolist()) == (0, ["header"])
    assert reasons(read(tmp_path, '{"orders": 5}', records="orders[]")) == ["not_an_object"]


def test_a_file_with_none_of_the_needed_fields_is_set_aside(tmp_path):
    assert refused(tmp_path, '[{"x":1}]', needed=["sku"]).reason == "missing_column"
    (chunk,) = read(tmp_path, '[{"Sku":1}]', needed=["sku", "note"], aliases={"sku": ["Sku"]})
    assert chunk.text.to_dict("records") == [{"sku": "1", "note": ""}]


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_a_broken_json_line_is_set_aside_alone(tmp_path, chunk_bytes):
    content = b'\xef\xbb\xbf{"a":1}\r\n\n{"a":\n{"a":2} x\n{"a":"\xff"}\n[{"a":3},{"a":4}]\n{"a":5}'
    chunks = read(tmp_path, content, "jsonl", chunk_bytes=chunk_bytes)
    assert [r["a"] for r in records_of(chunks)] == ["1", "3", "4", "5"]
    assert reasons(chunks) == ["not_an_object", "not_an_object", "bad_bytes"]
    assert [line for c in chunks for line in c.addresses.line_no] == [1, 6, 6, 7]


def test_json_in_utf16_keeps_the_files_addresses(tmp_path):
    chunks = read(tmp_path, ORDERS.encode("utf-16"), records="orders[].lines[]")
    assert len(records_of(chunks)) == 3


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(
    value=JSON_VALUES, indent=st.sampled_from([None, 1]), path=st.sampled_from(["", "a[]", "[].a", "[].a[]", "a.b[]"])
)
def test_any_json_tiles_and_any_cut_of_it_is_refused(tmp_path_factory, value, indent, path):
    folder = tmp_path_factory.mktemp("json")
    content = json.dumps(value, indent=indent, ensure_ascii=False)
    some = read(folder, content, records=path, chunk_bytes=1)
    assert records_of(some) == records_of(read(folder, content, records=path))
    if isinstance(value, dict | list) and path == "":
        assert refused(folder, content[:-1], records=path).reason in ("not_this_format", "empty_file")


XML = """<?xml version="1.0" encoding="UTF-8"?>
<Doc v="7"><Shop>é</Shop>
 <Order id="1"><Line n="1"><Sku>A</Sku><Who><City>X</City></Who></Line>
 <Line><Sku> B </Sku></Line><Total>3</Total></Order>
 <Order id="2"><Line><Sku>C</Sku><Tag>x</Tag><Tag>y</Tag></Line></Order>
</Doc>
"""


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_elements_know_their_parents(tmp_path, chunk_bytes, encoding):
    content = XML.replace("UTF-8", encoding).encode(encoding)
    got = records_of(read(tmp_path, content, "xml", "Order/Line", chunk_bytes=chunk_bytes))
    assert [(r["Sku"], r["../@id"], r["../Total"], r["../../Shop"], r["../../@v"]) for r in got] == [
        ("A", "1", "3", "é", "7"),
        (" B ", "1", "3", "é", "7"),
        ("C", "2", "", "é", "7"),
    ]
    assert (got[0]["@n"], got[0]["Who.City"], got[2]["Tag"]) == ("1", "X", '["x","y"]')


def test_xml_records_may_lie_right_below_the_root(tmp_path):
    chunks = read(tmp_path, "<r><x a='1'/><y/><x a='2'>t</x></r>", "xml", "x")
    assert [r["@a"] for r in records_of(chunks)] == ["1", "2"]
    assert read(tmp_path, "<r/>", "xml", "x")[0].non_data["kind"].tolist() == ["header"]


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r><x>&b;</x></r>',
        '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        "<r><x></r>",
        "<r><x>",
        "a,b\n1,2\n",
        "<r>&nbsp;</r>",
        "<a>" * 101 + "</a>" * 101,
        '<?xml version="1.0" encoding="no-such"?><r/>',
        b"<r><x>\xff</x></r>",
    ],
)
def test_xml_that_is_broken_or_dangerous_is_refused(tmp_path, content):
    assert refused(tmp_path, content, "xml", "x").reason in ("not_this_format", "wrong_encoding")
