"""Why a file's top cannot be read, in a person's words: what it seems to be, and what to set or to ask for.

A file is never read by what is found here. A guess that fits would be right most of the time, and silently wrong else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from etl_pipeline.bronze_layer.delimited_slow import Dialect, cut_record
from etl_pipeline.core.errors import SetAsideError

COMMON_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
OTHER_DELIMITERS = (*COMMON_DELIMITERS, ":", "^", "~", "\x1f", "\x01", "¦", "§")
OTHER_QUOTES = ('""', "''", "``", "\u00b4\u00b4", "“”", "„“", "\u2018\u2019", "«»")
ODD_LINE_ENDS = {"\x0b": "U+000B", "\x0c": "U+000C", "\x1e": "U+001E", "\x85": "U+0085", "\u2028": "U+2028",
                 "\u2029": "U+2029"}  # fmt: skip
VALUE = re.compile(r"[-+]?\d[\d.,:/ -]*")
SAMPLE_BYTES = 64 << 10
SAMPLE_LINES = 50


def explained(
    error: SetAsideError, top: bytes, line_no: int, dialect: Dialect, needed: frozenset[str]
) -> SetAsideError:
    """Return a better reason why a header was refused, or the same error if there is none.

    Args:
        error: what the header was refused for.
        top: the first bytes from the refused header on, or from the preamble before it.
        line_no: lines that came before `top`.
        dialect: the contract's dialect.
        needed: columns that the contract uses.
    """
    if error.reason not in ("missing_column", "wrong_dialect") or not needed:
        return error
    lines = re.split(r"\r\n|\n|\r", top.decode("utf-8", "replace").removeprefix("\ufeff"))[:SAMPLE_LINES]
    own = dialect.delimiter.decode()
    for number, line in enumerate(lines[1:], start=line_no + 2):
        if needed <= set(_names(line, own)):
            return SetAsideError(
                "missing_column",
                f"The header is on line {number}, not where the contract expects it. Set files.delimited.skip_lines "
                f"to {number - 1}, or ask for the table without the lines before it.",
            )
    for number, line in enumerate(lines, start=line_no + 1):
        found = _other_dialect(line, own, needed)
        if found:
            where = "" if number == line_no + 1 else f" (on line {number})"
            return SetAsideError("wrong_dialect", f"The header{where} {found}")
    return error


def _names(line: str, delimiter: str, quotes: str = '"') -> list[str]:
    return [name.strip().strip(quotes).strip() for name in line.split(delimiter)]


def _other_dialect(line: str, own: str, needed: frozenset[str]) -> str | None:
    """Return how a line would be the header, if it would in another dialect."""
    every = "".join(OTHER_QUOTES)
    if needed <= set(_names(line, own, every)):
        return (
            "has its names between quotes of another kind than the contract's. Set files.delimited.quote to the "
            "sender's, or ask for the agreed one."
        )
    for delimiter in OTHER_DELIMITERS:
        if delimiter != own and needed <= set(_names(line, delimiter, every)):
            known = COMMON_DELIMITERS.get(delimiter)
            shown = f"a {known}" if known else repr(delimiter)
            return (
                f"seems to be delimited by {shown}. Set files.delimited.delimiter to {delimiter!r}, or ask for the "
                "agreed delimiter."
            )
    return _lost_line_end(line, own, needed)


def _lost_line_end(line: str, own: str, needed: frozenset[str]) -> str | None:
    for sign, name in ODD_LINE_ENDS.items():
        if needed <= set(_names(line.partition(sign)[0], own)):
            return f"ends with {name}, which ends no line. Ask for lines that end with a line feed."
    names = _names(line, own)
    missing = needed - set(names)
    if len(missing) == 1 and holds_values(names) and any(name.startswith(next(iter(missing))) for name in names):
        return "and the first record are on one line. Ask for the file again, with its line ends."
    return None


def holds_values(names: Sequence[str]) -> bool:
    """Tell whether a header holds numbers or times: then a record is a part of it."""
    return any(VALUE.fullmatch(name) for name in names)


def refuse_header_with_values(names: Sequence[str]) -> None:
    """Refuse a file of which nothing but a header could be read, and the header is no header.

    Raises:
        SetAsideError: `wrong_dialect`.
    """
    value = next((name for name in names if VALUE.fullmatch(name)), None)
    if value is not None:
        raise SetAsideError(
            "wrong_dialect",
            f"No record could be read, and the header holds values ('{value[:40]}'): line ends were lost on the way. "
            "Ask for the file again, with a line feed behind each record.",
        )


def seeming_delimiter(text: str, wrong: str) -> str | None:
    """Return the common delimiter that a text has most of, if it has any."""
    counts = {d: text.count(d) for d in COMMON_DELIMITERS if d != wrong}
    best = max(counts, key=lambda d: counts[d])
    return best if counts[best] else None


def refuse_other_dialect(raw: bytes, width: int, dialect: Dialect) -> None:
    """Refuse a headerless file whose first record shows another dialect.

    Raises:
        SetAsideError: `wrong_dialect`.
    """
    for delimiter in _others(dialect) if width > 1 else ():
        cut = cut_record(raw, 0, len(raw), replace(dialect, delimiter=delimiter.encode()), is_final=True)
        if not cut.fault and len(cut.fields) == width:
            known = COMMON_DELIMITERS.get(delimiter)
            raise SetAsideError(
                "wrong_dialect",
                f"The first record seems to be delimited by {f'a {known}' if known else repr(delimiter)}. "
                f"Set files.delimited.delimiter to {delimiter!r}, or ask for the agreed delimiter.",
            )


def _others(dialect: Dialect) -> Iterator[str]:
    return (delimiter for delimiter in OTHER_DELIMITERS if delimiter.encode() != dialect.delimiter)
