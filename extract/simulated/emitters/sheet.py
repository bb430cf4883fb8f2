"""A file before it is written, and the ways of writing one. Bytes depend on the records alone."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook

from extract.simulated.clock import Ints

_LONG_AGO = (2025, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sheet:
    """One file of one feed.

    Attributes:
        feed: name of the feed's contract.
        name: path below the inbox, with forward slashes.
        records: one row a record; columns named as the contract's reader names them (`../order_id`, `@no`).
        render: writes records in the source's format.
    """

    feed: str
    name: str
    records: pd.DataFrame
    render: Callable[[pd.DataFrame], bytes]

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.render(self.records)

    def with_records(self, records: pd.DataFrame) -> "Sheet":
        """Return the same file with other records."""
        return replace(self, records=records)


def fields(columns: dict[str, Any]) -> pd.DataFrame:
    """Return records of plain Python values: whole numbers stay whole beside empty texts."""
    return pd.DataFrame(columns, dtype=object)


def cut(
    feed: str,
    records: pd.DataFrame,
    days: Ints,
    names: dict[int, str],
    render: Callable[[pd.DataFrame], bytes],
) -> list[Sheet]:
    """Cut records into one sheet a day.

    Args:
        feed: name of the feed.
        records: all records, in the order in which they are written.
        days: number of the day of each record.
        names: path of each day's file; a day without records gets an empty sheet.
        render: writes a sheet.
    """
    return [Sheet(feed, name, records.iloc[np.flatnonzero(days == day)], render) for day, name in names.items()]


def numbers(frame: pd.DataFrame, column: str) -> Ints:
    """Return a column of whole numbers as int64, also of an empty frame."""
    return frame[column].to_numpy(dtype=np.int64)


def money(cents: Ints, decimal: str = ".") -> list[str]:
    """Write minor units with two decimals, such as 12.05; negative ones with a leading minus."""
    signed = cents.tolist()
    return [f"{'-' if c < 0 else ''}{abs(c) // 100}{decimal}{abs(c) % 100:02d}" for c in signed]


def delimited(delimiter: str = ",", encoding: str = "utf-8", line_end: str = "\n") -> Callable[[pd.DataFrame], bytes]:
    """Return a writer of delimited text with a header; no rows give a header alone."""
    return partial(_delimited, delimiter=delimiter, encoding=encoding, line_end=line_end)


def _delimited(records: pd.DataFrame, *, delimiter: str, encoding: str, line_end: str) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(records.columns)
    writer.writerows(zip(*(records[name].tolist() for name in records.columns), strict=True))
    return buffer.getvalue().encode(encoding)


def json_lines(records: pd.DataFrame) -> bytes:
    """Write one object a line; `a.b` is a field b of the object a; empty texts are left out."""
    lines = [json.dumps(_nested(row), ensure_ascii=False) for row in _rows(records)]
    return "".join(f"{line}\n" for line in lines).encode()


def json_document(parents: str, children: str, extra: dict[str, Any]) -> Callable[[pd.DataFrame], bytes]:
    """Return a writer of `{..., parents: [{fields, children: [record, ...]}, ...]}`.

    Columns that start with `../` belong to the parent; consecutive records with equal ones share a parent. Without
    `children` the records are the elements of `parents` themselves.
    """
    return partial(_json_document, parents=parents, children=children, extra=extra)


def _json_document(records: pd.DataFrame, *, parents: str, children: str, extra: dict[str, Any]) -> bytes:
    elements: list[dict[str, Any]] = []
    for row in _rows(records):
        above = {name[3:]: value for name, value in row.items() if name.startswith("../")}
        below = {name: value for name, value in row.items() if not name.startswith("../")}
        if not children:
            elements.append(below)
        elif elements and {k: v for k, v in elements[-1].items() if k != children} == above:
            elements[-1][children].append(below)
        else:
            elements.append(above | {children: [below]})
    return json.dumps(extra | {parents: elements}, ensure_ascii=False, indent=1).encode()


def xml_document(root: str, parent: str, child: str) -> Callable[[pd.DataFrame], bytes]:
    """Return a writer of `<root><parent>fields<child>fields</child>...</parent>...</root>`.

    Columns: `../Field` of the parent, `@name` an attribute of the child, others elements of the child.
    """
    return partial(_xml_document, root=root, parent=parent, child=child)


def _xml_document(records: pd.DataFrame, *, root: str, parent: str, child: str) -> bytes:
    above = [str(name) for name in records.columns if str(name).startswith("../")]
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', f"<{root}>"]
    for _, rows in records.groupby(above, sort=False):
        first = rows.iloc[0]
        parts.append(f"  <{parent}>")
        parts += [f"    <{name[3:]}>{escape(str(first[name]))}</{name[3:]}>" for name in above]
        parts += [_xml_child(row, child) for row in _rows(rows.drop(columns=above))]
        parts.append(f"  </{parent}>")
    parts += [f"</{root}>", ""]
    return "\n".join(parts).encode()


def _xml_child(row: dict[str, Any], child: str) -> str:
    attributes = "".join(f' {k[1:]}="{escape(str(v))}"' for k, v in row.items() if k.startswith("@"))
    fields = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in row.items() if not k.startswith("@"))
    return f"    <{child}{attributes}>{fields}</{child}>"


def workbook(sheet: str, title: str) -> Callable[[pd.DataFrame], bytes]:
    """Return a writer of an Excel file: a title in row 1, the header in row 3, records below."""
    return partial(_workbook, sheet=sheet, title=title)


def _workbook(records: pd.DataFrame, *, sheet: str, title: str) -> bytes:
    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    for row in ([title], [], [str(name) for name in records.columns]):
        page.append(row)
    for record in _rows(records):
        page.append(list(record.values()))
    buffer = io.BytesIO()
    book.save(buffer)
    return _without_clock(buffer.getvalue())


def _without_clock(content: bytes) -> bytes:
    """Repack an Excel file without the times of its making, so that equal records give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            body = source.read(name)
            if name == "docProps/core.xml":
                body = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2025-01-01T00:00:00Z", body)
            # Stored, not deflated: the bytes must not hang on the version of the compressor.
            target.writestr(zipfile.ZipInfo(name, _LONG_AGO), body)
    return buffer.getvalue()


def _rows(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the records as plain Python values (int, str, bool), in column order."""
    columns = [records[name].tolist() for name in records.columns]
    names = [str(name) for name in records.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in row.items():
        if value == "":
            continue
        outer, _, inner = name.partition(".")
        if inner:
            result.setdefault(outer, {})[inner] = value
        else:
            result[name] = value
    return result
