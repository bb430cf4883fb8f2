"""Files that cannot be read as they are: cut short, damaged, empty, of another kind, dialect or encoding."""

import gzip
from functools import partial

import pandas as pd

from extract.simulated.emitters import pos, shop, store
from extract.simulated.emitters.sheet import RAW, Sheet, delimited, workbook
from extract.simulated.faults.fault import (
    NONE_NEEDED,
    Chance,
    Fault,
    Inbox,
    cells_of,
    has_usual_layout,
    sound,
    written_columns,
)
from extract.simulated.faults.till_lines import plain_sale, sold_on

_FEWEST_QUOTED = 3
"""A column of so many values, all between other quotes, shows that the whole file is written so."""
_CRC_AT = -8  # a gzip file ends with its checksum and its length, four bytes each


def cut_short(inbox: Inbox, chance: Chance) -> None:
    """A packed file ends early, a file ends before its trailer, and a trailer counts other lines."""
    for sheet in chance.some(inbox.of(pos.FEED)):
        inbox.damage(sheet, "gz", "truncated_archive", lambda content: _packed(content)[:-12])
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: len(sound(sheet)) > 0):
        inbox.damage(sheet, "short", "missing_trailer", _without_last_line)
        inbox.damage(sheet, "count", "control_total", _without_first_record)


def corrupt(inbox: Inbox, chance: Chance) -> None:
    """A packed file's checksum is wrong, a file has no bytes, and one is of another kind than its name says."""
    for sheet in chance.some(inbox.of(pos.FEED)):
        inbox.damage(sheet, "crc", "corrupt_archive", _with_wrong_checksum)
    for sheet in chance.some(inbox.of(shop.ORDERS)):
        inbox.damage(sheet, "zero", "empty_file", lambda _: b"")
    for sheet in chance.some(inbox.of(pos.FEED)):
        inbox.damage(sheet, "kind", "not_this_format", partial(_as_workbook, sheet))


def other_dialect(inbox: Inbox, chance: Chance) -> None:
    """Another delimiter, another quote sign, another decimal sign; the right file comes after it."""
    for sheet in sold_on(inbox, chance, _FEWEST_QUOTED):
        other = inbox.copy(sheet, "comma", source=sound(sheet), render=delimited(","), aside="wrong_dialect", finish=())
        inbox.tell(sheet.feed, other.name, 1, "wrong_dialect")
        records = sound(sheet)
        records = records.loc[plain_sale(records)]
        points = {name: records[name].str.replace(",", ".") for name in ("PRECIO", "DESCUENTO", "IMPORTE")}
        _wrong_lines(inbox, sheet, "point", records.assign(**points), "not_a_number")
        quoted = records.assign(ARTICULO="'" + records["ARTICULO"].astype(str) + "'")
        other = inbox.copy(sheet, "quote", source=quoted, aside="wrong_dialect", finish=())
        inbox.tell(sheet.feed, other.name, 1, "wrong_dialect")


def other_encoding(inbox: Inbox, chance: Chance) -> None:
    """A byte order mark, UTF-16 with and without one, bytes of another encoding and a NUL in single lines."""
    for sheet in sold_on(inbox, chance, 2):
        inbox.copy(sheet, "bom", source=sound(sheet), finish=(b"\xef\xbb\xbf".__add__,), extra=())
        marked = inbox.copy(sheet, "utf16", source=sound(sheet), finish=(_utf16,), extra=())
        inbox.tell(sheet.feed, marked.name, marked.size, NONE_NEEDED)
        inbox.damage(sheet, "nomark", "wrong_encoding", lambda content: _utf16(content)[2:])
        records = sound(sheet)
        places = chance.rows(records, 2)
        if len(places) > 1 and has_usual_layout(sheet):
            _one_bad_line(inbox, sheet, "latin", records.iloc[places[:1]], cashier="Jos\udce9", reason="bad_bytes")
            _one_bad_line(inbox, sheet, "nul", records.iloc[places[1:]], cashier="Jos\x00", reason="nul_byte")


def nothing_in_it(inbox: Inbox, chance: Chance) -> None:
    """A header alone says that nothing happened; a file without bytes says nothing."""
    for sheet in chance.some(inbox.of(shop.CARTS)):
        inbox.damage(sheet, "zero", "empty_file", lambda _: b"")
    for sheet in chance.some(inbox.of(store.MOVEMENTS)):
        bare = inbox.copy(sheet, "header", source=sheet.records.iloc[:0], extra=(), finish=())
        inbox.tell(sheet.feed, bare.name, 1, NONE_NEEDED)


def _wrong_lines(inbox: Inbox, sheet: Sheet, label: str, records: pd.DataFrame, reason: str) -> None:
    """Send lines that cannot be read beside the file that has them right."""
    if len(records):
        wrong = inbox.mark(records, f"quarantined:{reason}")
        made = inbox.copy(sheet, label, source=wrong, finish=(), extra=())
        inbox.tell(sheet.feed, made.name, len(records), reason)


def _one_bad_line(inbox: Inbox, sheet: Sheet, label: str, line: pd.DataFrame, *, cashier: str, reason: str) -> None:
    """Send a line whose last field cannot be text, between two that can."""
    raw = ";".join([*cells_of(line)[:-1], cashier])
    around = sound(sheet).head(1)
    wrong = inbox.mark(line, f"quarantined:{reason}").assign(**{RAW: pd.Series([raw], index=line.index, dtype=object)})
    records = pd.concat([around, wrong, around], ignore_index=True)
    made = inbox.copy(sheet, label, source=records, finish=(), extra=())
    inbox.tell(sheet.feed, made.name, 1, reason)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _with_wrong_checksum(content: bytes) -> bytes:
    packed = bytearray(_packed(content))
    packed[_CRC_AT] ^= 0xFF
    return bytes(packed)


def _without_last_line(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


def _without_first_record(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([lines[0], *lines[2:]])


def _utf16(content: bytes) -> bytes:
    return b"\xff\xfe" + content.decode("utf-8", "replace").encode("utf-16-le")


def _as_workbook(sheet: Sheet, _: bytes) -> bytes:
    records = sound(sheet)
    return workbook("Export", "tills")(records[written_columns(records)])


FAULTS = (
    Fault("F9", "A file is cut short, or its trailer does not fit.", cut_short, phase=2),
    Fault("F10", "A file is damaged, empty or of another kind than its name says.", corrupt, phase=2),
    Fault("F11", "Another delimiter, quote or decimal sign.", other_dialect, phase=2),
    Fault("F12", "Another encoding, a byte order mark, bytes that are no text.", other_encoding, phase=2),
    Fault("F16", "A header alone, or no bytes at all.", nothing_in_it, phase=2),
)
