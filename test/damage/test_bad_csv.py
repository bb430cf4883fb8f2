"""Hostile files that others collected (csv-spectrum, messytables), with contracts by hand and by `feeds draft`.

The judge of the delimited ones is Python's own csv module, which knows nothing of ours: what it reads with the right
number of fields must be ours, or lie in what was set aside.
"""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.drafting import draft_contract
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError, UsageError
from test.damage.judge import check_tiling
from test.run_warehouse import shared_data

HORROR = "bad_csv/messytables_horror"
SPECTRUM = "bad_csv/csv_spectrum"
BY_HAND: dict[str, dict[str, Any]] = {
    "211.csv": {"encoding": "mac_roman"},
    "begrotingsanalyse-2011.csv": {"skip_lines": 3},
    "characters.csv": {"encoding": "big5"},
    "complex.csv": {},
    "example.tsv": {"delimiter": "\t"},
    "excel_pasting.csv": {"skip_lines": 3},
    "long.csv": {"header": False, "columns": ["word"]},
    "mixedGLB.csv": {"skip_lines": 3},
    "null.csv": {"header": False, "columns": ["a", "b", "c", "d"]},
    "simple.csv": {},
    "simple.psv": {"delimiter": "|"},
    "simple.ssv": {"delimiter": ";"},
    "skip_initials.csv": {},
    "small.csv": {},
    "spanish_chars.csv": {"encoding": "cp1252"},
    "sparse_with_column_errors.csv": {"encoding": "cp1252"},
    "utf-16le_encoded.csv": {"encoding": "utf-16"},
    "utf8bom.csv": {},
    "weird_head_padding.csv": {"delimiter": ";", "skip_lines": 8},
}
NOT_TO_BE_READ = {
    "blank_line.ods": "not_this_format", "encrypted_no_password.xls": "not_this_format",
    "excel_properties.xls": "not_this_format", "loffice-4.4.1.2.ods": "not_this_format",
    "multilineods.ods": "not_this_format", "ods_formats.ods": "not_this_format", "simple.ods": "not_this_format",
    "simple.unknown": "empty_file", "simple.xls": "not_this_format", "span_rich.xls": "not_this_format",
    "unicode_sheet_name.xls": "not_this_format",
}  # fmt: skip
WORKBOOKS = {"libreoffice.xlsx": 0, "simple.xlsx": 6, "sw_gen.xlsx": 15}


def files(settings: dict[str, Any]) -> Files:
    dialect = {key: value for key, value in settings.items() if key != "encoding"}
    return Files.model_validate({"pattern": "*", "encoding": settings.get("encoding", "utf-8"), "delimited": dialect})


def by_python(path: Path, contract: Files) -> tuple[list[tuple[str, ...]], int]:
    """The rows behind the header as Python's csv module reads them, and how many fields they should have."""
    encoding = {"utf-8": "utf-8-sig"}.get(contract.encoding, contract.encoding)
    text = path.read_bytes().decode(encoding)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=contract.delimited.delimiter)
    rows = [tuple(row) for row in reader][contract.delimited.skip_lines :]
    width = len(contract.delimited.columns or rows[0])
    return rows[contract.delimited.header :], width


def text_rows(chunks: list[RecordChunk]) -> list[tuple[str, ...]]:
    return [tuple(row) for chunk in chunks for row in chunk.text.itertuples(index=False)]


@pytest.mark.parametrize("name", BY_HAND)
def test_what_python_reads_is_read_or_set_aside(name):
    path, contract = shared_data(HORROR) / name, files(BY_HAND[name])
    chunks = list(read_records(path, contract))
    assert list(check_tiling(chunks, path.read_bytes())) == []
    theirs, width = by_python(path, contract)
    missing = Counter(row for row in theirs if len(row) == width) - Counter(text_rows(chunks))
    held = "\n".join(row["raw"].decode(contract.encoding) for c in chunks for row in c.set_aside.to_dict("records"))
    assert [row for row in missing if not all(cell.strip() in held for cell in row)] == []
    assert Counter(text_rows(chunks)) - Counter(theirs) == Counter()
    ragged = sum(1 for row in theirs if len(row) not in (0, width) and any(cell.strip() for cell in row))
    assert ragged <= sum(len(chunk.set_aside) for chunk in chunks)


@pytest.mark.parametrize("name", sorted({*BY_HAND, *WORKBOOKS, "simple.zip"}))
def test_a_drafted_contract_loses_nothing(name):
    path = shared_data(HORROR) / name
    try:
        drafted = yaml.safe_load(draft_contract(path))
    except UsageError as error:
        assert "no records" in str(error)
        return
    chunks = list(read_records(path, Files.model_validate(drafted["files"])))
    is_text = path.suffix not in (".xlsx", ".zip")
    assert list(check_tiling(chunks, path.read_bytes() if is_text else None)) == []


@pytest.mark.parametrize("name", NOT_TO_BE_READ)
def test_what_is_no_text_and_no_workbook_is_set_aside_with_a_reason(name):
    path = shared_data(HORROR) / name
    with pytest.raises(SetAsideError) as caught:
        list(read_records(path, Files(pattern="*", format="xlsx")))
    assert caught.value.reason == NOT_TO_BE_READ[name]
    with pytest.raises(UsageError):
        draft_contract(path)
    reasons = {"empty_file", "not_this_format", "wrong_encoding", "missing_column"}
    with pytest.raises(SetAsideError) as caught:
        list(read_records(path, files({}), needed=frozenset({"date"})))
    assert caught.value.reason in reasons


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_gives_its_rows(name):
    chunks = list(read_records(shared_data(HORROR) / name, Files(pattern="*", format="xlsx")))
    assert sum(len(chunk.text) for chunk in chunks) == WORKBOOKS[name]


def test_csv_spectrum_is_read_as_its_json_says():
    folder = shared_data(SPECTRUM)
    paths = sorted((folder / "csvs").glob("*.csv"))
    assert len(paths) == 12
    for path in paths:
        if path.stem == "location_coordinates":
            continue  # its JSON tells of another record than its CSV
        chunks = list(read_records(path, files({})))
        told = json.loads((folder / "json" / f"{path.stem}.json").read_text("utf-8"))
        assert [row for chunk in chunks for row in chunk.text.to_dict("records")] == told
        assert list(check_tiling(chunks, path.read_bytes())) == []
