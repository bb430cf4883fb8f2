"""A file before it is written, and the ways of writing one. Bytes depend on the records alone."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook

from extract.simulated.clock import Ints

_SMALL = 500_000  # rows of which all records may lie in memory at once, which is quicker
_LONGEST = 250_000  # records of one file of a large world
_LONG_AGO = (2025, 1, 1, 0, 0, 0)
RAW = "$raw"
"""Column of delimited records: a text here stands for the whole line, just as it is; None for an ordinary record."""


@dataclass(frozen=True)
class Made:
    """Records that are made each time they are asked for, so that a large month is never held whole.

    Attributes:
        size: number of records.
        make: makes them; the same ones each time.
    """

    size: int
    make: Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Sheet:
    """One file of one feed.

    Attributes:
        feed: name of the feed's contract.
        name: path below the inbox, with forward slashes.
        source: the records, or how they are made.
        render: writes records in the source's format.
        delivery: number of the delivery that brings the file, from 1; on disk everything lies at once.
        finish: what is done to the bytes after rendering, in this order.
        aside: reason for which the whole file must be set aside; empty for a readable file.
        extra: records that `finish` puts in, as pairs of fate and reason: ("non_data", "comment").
        faults: names of the faults that it has.
    """

    feed: str
    name: str
    source: pd.DataFrame | Made
    render: Callable[[pd.DataFrame], bytes]
    delivery: int = 1
    finish: tuple[Callable[[bytes], bytes], ...] = ()
    aside: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def records(self) -> pd.DataFrame:
        """One row a record; columns named as the contract's reader names them (`../order_id`, `@no`).

        Columns that start with $ are not written: they tell the answer key what a record means (`answer_key`).
        Made anew at each call where the source is `Made`: keep it in a variable, and not for longer than needed.
        """
        return self.source.make() if isinstance(self.source, Made) else self.source

    @property
    def size(self) -> int:
        """The number of records, without making them."""
        return self.source.size if isinstance(self.source, Made) else len(self.source)

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        records = self.records
        shown = [name for name in records.columns if not str(name).startswith("$") or name == RAW]
        content = self.render(records if len(shown) == len(records.columns) else records[shown])
        for step in self.finish:
            content = step(content)
        return content

    def with_records(self, records: pd.DataFrame) -> "Sheet":
        """Return the same file with other records."""
        return replace(self, source=records)


def fields(columns: dict[str, Any]) -> pd.DataFrame:
    """Return records of plain Python values: whole numbers stay whole beside empty texts."""
    return pd.DataFrame(columns, dtype=object)


def cut(
    feed: str,
    rows: pd.DataFrame,
    days: Ints,
    names: dict[int, str],
    render: Callable[[pd.DataFrame], bytes],
    *,
    make: Callable[[pd.DataFrame], pd.DataFrame],
    within: Ints | None = None,
) -> list[Sheet]:
    """Cut what happened into one sheet a day; of a large world the records are made when they are asked for.

    Args:
        feed: name of the feed.
        rows: what happened, in the order in which it is written.
        days: number of the day of each row.
        names: path of each day's file; a day without rows gets an empty sheet.
        render: writes a sheet.
        make: makes the records of some rows, each from its row alone.
        within: positions of the rows to take, ascending; all without it.
    """
    taken = np.arange(len(rows)) if within is None else within
    by_day = positions(days[taken])
    is_small = len(rows) <= _SMALL
    records = make(rows.take(taken)) if is_small else pd.DataFrame()
    sheets = []
    for day, name in names.items():
        part = by_day.get(day, taken[:0])
        if is_small:
            sheets.append(Sheet(feed, name, records.take(part).reset_index(drop=True), render))
            continue
        for place in range(0, max(len(part), 1), _LONGEST):
            piece = _made(rows, taken[part[place : place + _LONGEST]], make)
            sheets.append(Sheet(feed, _numbered(name, place // _LONGEST), piece, render))
    return sheets


def _numbered(name: str, part: int) -> str:
    """A system that writes very much a day begins a new file now and then: `messages_20250301_part2.jsonl`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}_part{part + 1}{dot}{ending}" if part else name


def _made(rows: pd.DataFrame, taken: Ints, make: Callable[[pd.DataFrame], pd.DataFrame]) -> Made:
    return Made(len(taken), lambda: make(rows.take(taken).reset_index(drop=True)))


def positions(values: Ints) -> dict[int, Ints]:
    """Return the positions of each value, ascending."""
    order = np.argsort(values, kind="stable")
    distinct, first = np.unique(values[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, first[1:]), strict=True)) if len(values) else {}


def numbers(frame: pd.DataFrame, column: str) -> Ints:
    """Return a column of whole numbers as int64, also of an empty frame."""
    return frame[column].to_numpy(dtype=np.int64)


def money(cents: Ints, decimal: str = ".") -> list[str]:
    """Write minor units with two decimals, such as 12.05; negative ones with a leading minus."""
    place, distinct = pd.factorize(cents)
    texts = [f"{'-' if c < 0 else ''}{abs(c) // 100}{decimal}{abs(c) % 100:02d}" for c in distinct.tolist()]
    return chosen(texts, place)


def chosen(texts: Sequence[object], place: Ints) -> list[Any]:
    """Return the text of each place: many rows share few texts."""
    shared = np.empty(len(texts), dtype=object)
    shared[:] = texts
    few: list[Any] = shared[place].tolist()
    return few


def delimited(
    delimiter: str = ",", encoding: str = "utf-8", line_end: str = "\n", total_of: str = ""
) -> Callable[[pd.DataFrame], bytes]:
    """Return a writer of delimited text with a header; no rows give a header alone.

    With `total_of` a last line tells the number of records and the total of that column: `T,2,-3`.
    """
    return partial(_delimited, delimiter=delimiter, encoding=encoding, line_end=line_end, total_of=total_of)


def _delimited(records: pd.DataFrame, *, delimiter: str, encoding: str, line_end: str, total_of: str) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=line_end)
    raw = records[RAW].tolist() if RAW in records else []
    columns = [name for name in records.columns if name != RAW]
    rows = zip(*(records[name].tolist() for name in columns), strict=True)
    writer.writerow(columns)
    if not raw:
        writer.writerows(rows)
    for text, row in zip(raw, rows, strict=False):
        if isinstance(text, str):
            buffer.write(text + line_end)
        else:
            writer.writerow(row)
    if total_of:
        told = records.loc[~records[RAW].map(lambda text: isinstance(text, str))] if raw else records
        writer.writerow(["T", len(records), sum(told[total_of].astype(int))])
    return buffer.getvalue().encode(encoding, "surrogateescape")


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
