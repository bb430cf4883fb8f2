"""The layout of a file: line ends, lines that are no data, columns added, moved, renamed or dropped."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from extract.simulated.clock import written
from extract.simulated.emitters import pos, store
from extract.simulated.emitters.sheet import RAW, Sheet, numbers
from extract.simulated.faults.fault import (
    NONE_NEEDED,
    Chance,
    Fault,
    Inbox,
    cells_of,
    changed,
    has_raw_lines,
    has_usual_layout,
    sound,
    untouched,
    written_columns,
)
from extract.simulated.faults.till_lines import has_sold, plain_sale, sold_on

Render = Callable[[pd.DataFrame], bytes]


def line_ends(inbox: Inbox, chance: Chance) -> None:
    """Three kinds of line end in one file, a line break inside a field, and a quote that nobody closes."""
    for sheet in chance.some(inbox.of(pos.FEED)):
        inbox.put(replace(sheet, finish=(*sheet.finish, _mixed_ends)))
        inbox.tell(sheet.feed, sheet.name, sheet.size, NONE_NEEDED)
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: len(untouched(sheet)) > 1):
        rows = untouched(sheet)[-1:]
        changed(inbox, sheet, rows, lambda part: part.assign(reason="WET\nFLOOR"), NONE_NEEDED)
        inbox.add(inbox.sheets[sheet.name], _open_quote(inbox, sheet), "quarantined:stray_quote")
        grown = inbox.sheets[sheet.name]
        records = grown.records  # the open quote must not swallow the lines behind it: it goes to the front
        inbox.put(grown.with_records(pd.concat([records.tail(1), records.iloc[:-1]], ignore_index=True)))


def no_data_lines(inbox: Inbox, chance: Chance) -> None:
    """A line above the header, the header once more in the middle, and a total that does not fit."""
    for sheet in chance.some(inbox.of(pos.FEED), lambda sheet: has_usual_layout(sheet) and has_sold(sheet, 2)):
        header = ";".join(written_columns(sheet.records))
        again = inbox.mark(sheet.records.tail(1).assign(**{RAW: header, "$kind": ""}), "non_data:repeated_header")
        half = sheet.size // 2
        records = pd.concat([sheet.records.iloc[:half], again, sheet.records.iloc[half:]], ignore_index=True)
        above = (*sheet.finish, b"# till software 4.1\r\n".__add__)
        inbox.put(replace(sheet, source=records, finish=above, extra=(*sheet.extra, ("non_data", "comment"))))
        inbox.tell(sheet.feed, sheet.name, 1, "repeated_header")
        inbox.tell(sheet.feed, sheet.name, 1, "comment")


def wrong_total(inbox: Inbox, chance: Chance) -> None:
    """Lines above and between the records, and a footer whose total does not fit."""
    no_data_lines(inbox, chance)
    for sheet in chance.some(inbox.of(store.MOVEMENTS)):
        inbox.damage(sheet, "total", "control_total", _with_other_total)


def column_added(inbox: Inbox, chance: Chance) -> None:
    """The tills begin to send one more column, in the middle."""
    for sheet in chance.some(inbox.of(pos.FEED), lambda sheet: not has_raw_lines(sheet)):
        inbox.put(replace(sheet, render=partial(_with_promo, sheet.render)))
        inbox.tell(sheet.feed, sheet.name, sheet.size, NONE_NEEDED)


def columns_changed(inbox: Inbox, chance: Chance) -> None:
    """Columns change places and one its name; elsewhere one is dropped, or its times are written another way."""
    for sheet in chance.some(inbox.of(pos.FEED), lambda sheet: not has_raw_lines(sheet)):
        inbox.put(replace(sheet, render=partial(_moved, sheet.render)))
        inbox.tell(sheet.feed, sheet.name, sheet.size, NONE_NEEDED)
    for sheet in sold_on(inbox, chance):
        dropped = inbox.copy(
            sheet, "dropped", source=sound(sheet), render=partial(_without_article, sheet.render), finish=(), extra=(),
            aside="missing_column",
        )  # fmt: skip
        inbox.tell(sheet.feed, dropped.name, 1, "missing_column")
        records = sound(sheet)
        records = records.loc[plain_sale(records)]
        iso = records.assign(FECHA_HORA=written(numbers(records, "$at"), "UTC", "%Y-%m-%dT%H:%M:%S"))
        retyped = inbox.copy(sheet, "retyped", source=inbox.mark(iso, "quarantined:not_a_time"), finish=(), extra=())
        inbox.tell(sheet.feed, retyped.name, len(iso), "not_a_time")


def _open_quote(inbox: Inbox, sheet: Sheet) -> pd.DataFrame:
    line = sound(sheet).tail(1)
    raw = ",".join([*cells_of(line)[:-1], '"WET'])
    return line.assign(**{RAW: raw, "$kind": ""})


def _mixed_ends(content: bytes) -> bytes:
    ends = (b"\r\n", b"\n", b"\r")
    lines = content.split(b"\r\n")
    parts = [line + ends[number % len(ends)] for number, line in enumerate(lines[:-1])]
    return b"".join([*parts, lines[-1]])


def _with_other_total(content: bytes) -> bytes:
    head, _, last = content.rstrip(b"\n").rpartition(b"\n")
    trailer, count, total = last.split(b",")
    return head + b"\n" + b",".join([trailer, count, str(int(total) + 1).encode()]) + b"\n"


def _with_promo(render: Render, records: pd.DataFrame) -> bytes:
    grown = records.copy()
    grown.insert(6, "PROMO", "SPRING")
    return render(grown)


def _moved(render: Render, records: pd.DataFrame) -> bytes:
    first = [name for name in records if name != RAW]
    order = [*first[3:], *first[:3], *(name for name in records if name == RAW)]
    return render(records[order].rename(columns={"CANTIDAD": "UNIDADES"}))


def _without_article(render: Render, records: pd.DataFrame) -> bytes:
    return render(records.drop(columns="ARTICULO"))


FAULTS = (
    Fault("F13", "Mixed line ends, line breaks in fields, a quote left open.", line_ends),
    Fault("F15", "Lines above the header, repeated headers, totals.", wrong_total, phase=2),
    Fault("F17", "A column more.", column_added),
    Fault("F18", "Columns moved, renamed, dropped or written another way.", columns_changed, phase=2),
)
