"""The first records of files that are no delimited text: JSON, JSON lines, XML, XLSX, Parquet."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.parsers import expat

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from etl_pipeline.contracts.drafting_sniff import (
    MOST_COLUMNS,
    MOST_RECORDS,
    Sample,
    decode,
    read_head,
    sniff_delimited,
)
from etl_pipeline.core.errors import UsageError

MOST_DEPTH = 8
MOST_XLSX_BYTES = 50_000_000


def sample_of(path: Path) -> Sample:
    """Read the first records of a file of any format.

    Raises:
        UsageError: it is empty, damaged, or nothing that can be read.
    """
    head, compression, is_cut = read_head(path)
    if compression == "spreadsheet":
        return _xlsx(path)
    if head.startswith(b"PAR1"):
        return _parquet(path)
    text, encoding = decode(head, is_cut=is_cut)
    if "\x00" in text or head.startswith(b"\xd0\xcf\x11\xe0"):
        raise UsageError(f"{path.name} is binary and no format that is read; export it as CSV, JSON, XLSX or Parquet.")
    sample = Sample("delimited", compression=compression, encoding=encoding, is_cut=is_cut)
    start = text.lstrip()[:1]
    if start == "<":
        _xml(head, sample)
    elif start in ("{", "[") and _json(text, sample):
        pass
    else:
        sniff_delimited(text, sample)
    if not sample.columns:
        raise UsageError(f"{path.name}: no records were found in it; give a sample with some records.")
    return sample


def _json(text: str, sample: Sample) -> bool:
    """Fill the sample from JSON or JSON lines; False if it is neither."""
    lines = [line for line in text.splitlines()[:MOST_RECORDS] if line.strip()]
    objects = [value for line in lines[:2] if isinstance(value := _loads(line), dict)]
    if len(objects) == len(lines[:2]) and (len(lines) > 1 or not text.lstrip().startswith("[")):
        values = [_loads(line) for line in (lines[:-1] if sample.is_cut and len(lines) > 1 else lines)]
        sample.format = "jsonl"
        documents: Any = [value for value in values if isinstance(value, dict)]
    else:
        documents = _loads(text)
        if documents is None:
            documents = _loads(_closed(text))
        if not isinstance(documents, dict | list):
            return False
        sample.format = "json"
    path = _largest_list(documents, "") if sample.format == "json" else _inner_list(documents)
    if path not in ("", "[]"):
        sample.dialect["records"] = path.removeprefix("[].") if sample.format == "jsonl" else path
        sample.notes.append("each element of the largest list is a record; fields around it are `../name`")
    records: list[dict[str, str]] = []
    _flatten_all(documents, _steps(path, documents), (), records)
    _take_records(records, sample)
    return True


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _closed(text: str) -> str:
    """Return a JSON text that was cut off, up to its last complete element, with its brackets closed."""
    stack: list[str] = []
    best, closers = 0, ""
    is_string = is_escaped = False
    for place, char in enumerate(text):
        if is_string:
            is_string = is_escaped or char != '"'
            is_escaped = char == "\\" and not is_escaped
        elif char == '"':
            is_string = True
        elif char in "{[":
            stack.append("}" if char == "{" else "]")
        elif char in "}]" and stack:
            stack.pop()
            best, closers = place + 1, "".join(reversed(stack))
    return text[:best] + closers


def _largest_list(value: Any, path: str) -> str:
    """Return the path of the list of objects that holds most of the document, innermost where lists are nested."""
    found: Counter[str] = Counter()
    _count_lists(value, path, found, 0)
    best = max(found, key=lambda name: (found[name], name.count("[]"))) if found else ""
    return best if found[best] else ""


def _inner_list(documents: list[dict[str, Any]]) -> str:
    found: Counter[str] = Counter()
    _count_lists(documents, "", found, 0)
    del found["[]"]
    best = max(found, key=lambda name: (found[name], name.count("[]"))) if found else ""
    return best if best and found[best] >= len(documents) else "[]"


def _count_lists(value: Any, path: str, found: Counter[str], depth: int) -> None:
    if depth > MOST_DEPTH:
        return
    if isinstance(value, list):
        found[path + "[]"] += sum(isinstance(entry, dict) for entry in value)
        for entry in value[:MOST_RECORDS]:
            _count_lists(entry, path + "[]", found, depth + 1)
    elif isinstance(value, dict):
        for name, entry in value.items():
            if "." not in name and "[" not in name:
                _count_lists(entry, f"{path}.{name}".lstrip("."), found, depth + 1)


def _steps(path: str, documents: Any) -> list[str]:
    steps = [step for part in path.replace("[]", ".[]").split(".") if (step := part)]
    return ["[]", *steps] if isinstance(documents, list) and steps[:1] != ["[]"] else steps


def _flatten_all(value: Any, steps: list[str], parents: tuple[dict[str, Any], ...], out: list[dict[str, str]]) -> None:
    if len(out) >= MOST_RECORDS:
        return
    if not steps:
        if isinstance(value, dict):
            record: dict[str, str] = {}
            _flatten(value, "", record, has_lists=True)
            for up, parent in enumerate(parents, start=1):
                _flatten(parent, "../" * up, record, has_lists=False)
            out.append(record)
    elif steps[0] == "[]" and isinstance(value, list):
        for entry in value:
            _flatten_all(entry, steps[1:], parents, out)
    elif isinstance(value, dict) and steps[0] in value:
        around = {name: entry for name, entry in value.items() if name != steps[0]}
        _flatten_all(value[steps[0]], steps[1:], (around, *parents), out)


def _flatten(value: dict[str, Any], prefix: str, record: dict[str, str], *, has_lists: bool, depth: int = 0) -> None:
    for key, entry in value.items():
        if isinstance(entry, dict) and entry and depth < MOST_DEPTH:
            _flatten(entry, f"{prefix}{key}.", record, has_lists=has_lists, depth=depth + 1)
        elif isinstance(entry, list | dict):
            if has_lists:
                record[prefix + key] = json.dumps(entry)[:200]
        else:
            record[prefix + key] = "" if entry is None else str(entry).lower() if isinstance(entry, bool) else entry


def _take_records(records: list[dict[str, str]], sample: Sample) -> None:
    names = dict.fromkeys(name for record in records for name in record)
    sample.columns = list(names)[:MOST_COLUMNS]
    sample.rows = [{name: record.get(name, "") for name in sample.columns} for record in records[:MOST_RECORDS]]


class _XmlCollector:
    """Collects every element with its path, and how often paths repeat under one parent."""

    def __init__(self) -> None:
        self.repeats: Counter[str] = Counter()
        self.records: dict[str, list[dict[str, str]]] = {}
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        fields = {"@" + key.rpartition(":")[2]: value for key, value in attributes.items()}
        self._open.append((name.rpartition(":")[2], fields, []))

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, fields, text = self._open.pop()
        if not self._open:
            return
        path = "/".join([entry[0] for entry in self._open[1:]] + [name])
        around = self._open[-1][1]
        if not fields:
            around.setdefault(name, "".join(text).strip())
            return
        self.repeats[path] += 1
        kept = self.records.setdefault(path, [])
        if len(kept) < MOST_RECORDS:
            parents: dict[str, str] = {}
            for up, (_, outer, _text) in enumerate(reversed(self._open), start=1):
                parents |= {"../" * up + key: value for key, value in outer.items() if "." not in key}
            kept.append(fields | parents)
        for key, value in fields.items():
            around.setdefault(f"{name}.{key}", value)


def _xml(head: bytes, sample: Sample) -> None:
    """Fill the sample from the elements that repeat most."""
    collector = _XmlCollector()
    parser = expat.ParserCreate()
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(head, not sample.is_cut)
    except expat.ExpatError as error:
        if not collector.repeats:
            raise UsageError(f"The sample is no XML: {error}; give another one.") from error
        sample.notes.append(f"the XML does not read to its end: {error}")
    sample.format = "xml"
    if collector.repeats:
        path = max(collector.repeats, key=lambda name: (collector.repeats[name], -name.count("/")))
        sample.dialect["records"] = path
        _take_records(collector.records[path], sample)


def _refuse_doctype(*_details: object) -> None:
    raise UsageError("The XML declares a document type, which is refused; ask for it without.")


def _cells(sheet: Any) -> list[list[str]]:
    rows = sheet.iter_rows(max_row=MOST_RECORDS + 20, max_col=MOST_COLUMNS, values_only=True)
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def _xlsx(path: Path) -> Sample:
    if path.stat().st_size > MOST_XLSX_BYTES:
        raise UsageError(f"{path.name} is too large for a sample; give the first rows of it.")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = [(sheet.title, _cells(sheet)) for sheet in book.worksheets[:20]]
        title, rows = max(sheets, key=lambda pair: sum(any(row) for row in pair[1]))
        is_first = title == book.worksheets[0].title
        book.close()
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise UsageError(f"{path.name} is no spreadsheet that can be read ({error}); save it as .xlsx.") from error
    sample = Sample("xlsx")
    widest = max((sum(cell != "" for cell in row) for row in rows), default=0)
    at = next((i for i, row in enumerate(rows) if widest and sum(cell != "" for cell in row) * 2 > widest), None)
    if at is None:
        raise UsageError(f"{path.name}: no records were found in it; give a sample with some records.")
    sample.dialect = ({} if is_first else {"sheet": title}) | ({"header_row": at + 1} if at else {})
    width = max(i for row in rows[at:] for i, cell in enumerate(row, start=1) if cell)
    names = [cell.strip() or f"column_{i}" for i, cell in enumerate(rows[at][:width], start=1)]
    _take_records([dict(zip(names, row, strict=False)) for row in rows[at + 1 :] if any(row)], sample)
    sample.columns = sample.columns or list(dict.fromkeys(names))
    return sample


def _parquet(path: Path) -> Sample:
    sample = Sample("parquet")
    try:
        file = pq.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=MOST_RECORDS), None)
        sample.columns = file.schema_arrow.names[:MOST_COLUMNS]
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path.name} is no Parquet file that can be read ({error}); ask for it again.") from error
    for row in batch.to_pylist() if batch is not None else []:
        sample.rows.append({name: "" if row[name] is None else str(row[name]) for name in sample.columns})
    return sample
