"""Workbooks and Parquet: cells as exact text, rows with an address in their rendering."""

import datetime as dt
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError

pytestmark = pytest.mark.fast


def workbook(tmp_path, rows, title="Data"):
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(row)
    path = tmp_path / "book.xlsx"
    book.save(path)
    return path


def read(path, *, needed=(), chunk_bytes=1 << 20, **how):
    chunks = list(read_records(path, Files(pattern="*", **how), needed=frozenset(needed), chunk_bytes=chunk_bytes))
    position = 0
    for chunk in chunks:
        assert chunk.content_start == position
        whole = chunk.all_addresses
        assert whole.byte_start.tolist() == [position, *whole.byte_end.tolist()][: len(whole)]
        position += len(chunk.content)
    return chunks


def rows_of(chunks):
    return [tuple(row) for c in chunks for row in c.text.itertuples(index=False)]


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_cells_are_text_without_losses(tmp_path, chunk_bytes):
    path = workbook(
        tmp_path,
        [
            ["Report"],
            [" sku ", "qty", "price", "at", "ok"],
            ["007", 5, 0.1, dt.datetime.fromisoformat("2025-03-01 09:30:00"), True],
            [None, None, None, None, None],
            [36000291452, 5.0, 1234567.891, dt.date(2025, 3, 2), False],
            ["x", None, "1,5", dt.time(8, 0), None],
        ],
    )
    chunks = read(path, format="xlsx", xlsx={"header_row": 2}, needed=["sku", "qty"], chunk_bytes=chunk_bytes)
    assert rows_of(chunks) == [
        ("007", "5", "0.1", "2025-03-01 09:30:00", "true"),
        ("36000291452", "5", "1234567.891", "2025-03-02 00:00:00", "false"),
        ("x", "", "1,5", "08:00:00", ""),
    ]
    assert [kind for c in chunks for kind in c.non_data["kind"]] == ["preamble", "header", "blank"]
    assert [line for c in chunks for line in c.addresses.line_no] == [3, 5, 6]


def test_a_row_wider_than_the_header_is_set_aside(tmp_path):
    chunks = read(workbook(tmp_path, [["a", "b"], [1, 2, 3], [4, 5]]), format="xlsx")
    assert rows_of(chunks) == [("4", "5")]
    assert chunks[0].set_aside["reason"].tolist() == ["field_count"]
    assert chunks[0].set_aside["raw"].tolist() == [b'["1","2","3"]\n']


def test_what_is_no_workbook_or_has_no_such_sheet_is_set_aside(tmp_path):
    text = tmp_path / "x.xlsx"
    text.write_bytes(b"a,b\n1,2\n")
    book = workbook(tmp_path, [["a"]])
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(book.read_bytes()[:-100])
    for path, how in ((text, {}), (cut, {}), (book, {"xlsx": {"sheet": "Other"}}), (text, {"format": "parquet"})):
        with pytest.raises(SetAsideError) as caught:
            read(path, **{"format": "xlsx", **how})
        assert caught.value.reason == "not_this_format"
    with pytest.raises(SetAsideError, match="header"):
        read(book, format="xlsx", xlsx={"header_row": 9})


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_parquet_values_are_exact_text(tmp_path, chunk_bytes):
    at = dt.datetime.fromisoformat("2025-03-01 09:00:00.120000")
    table = pa.table(
        {
            "sku": pa.array(["007", None]).dictionary_encode(),
            "price": pa.array([Decimal("1.10"), Decimal("0.00")], pa.decimal128(10, 2)),
            "tiny": pa.array([Decimal("0.0000000001"), None], pa.decimal128(20, 10)),
            "at": pa.array([at, at.replace(microsecond=0)], pa.timestamp("us", "Europe/Paris")),
            "local": pa.array([at, None], pa.timestamp("ns")),
            "day": pa.array([dt.date(2025, 3, 1), None]),
            "ok": pa.array([True, None]),
            "many": pa.array([[1, 2], None]),
            "raw": pa.array([b"x", None], pa.binary()),
            "n": pa.array([2**62, None], pa.int64()),
        }
    )
    path = tmp_path / "x.parquet"
    pq.write_table(table, path)
    chunks = read(path, format="parquet", needed=["sku"], chunk_bytes=chunk_bytes)
    assert rows_of(chunks) == [
        ("007", "1.10", "0.0000000001", "2025-03-01T09:00:00.12Z", "2025-03-01T09:00:00.12", "2025-03-01", "true",
         "[1,2]", "x", "4611686018427387904"),
        ("", "0.00", "", "2025-03-01T09:00:00Z", "", "", "", "", "", ""),
    ]  # fmt: skip
    with pytest.raises(SetAsideError, match="nope"):
        read(path, format="parquet", needed=["nope"])
