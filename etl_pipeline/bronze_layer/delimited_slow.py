"""One record of delimited text, byte by byte: the meaning of the format. The fast way must agree with it.

- A field that starts with the quote is quoted: it ends at the next quote that is not doubled (or escaped).
- A quote anywhere else is a character like any other.
- After a closing quote comes a delimiter, a line end, or the end of the file; anything else is a stray quote.
- A record that does not close, or that spans lines and has a wrong number of fields, loses its first line only:
  reading goes on with the next line, so that one bad row cannot swallow the ones behind it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from etl_pipeline.bronze_layer.chunks import bad_bytes_sentence, is_utf8
from etl_pipeline.contracts.format import Delimited

MAX_RECORD_LINES = 200
BOM = b"\xef\xbb\xbf"
BLANKS = b" \t"
CONTROL = re.compile(rb"\xc2[\x80-\x84\x86-\x9f]")
"""The control signs of Latin-1 as UTF-8: what other encodings have letters for."""
LINE_ENDS = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Dialect:
    """A contract's dialect as bytes of UTF-8, which is what the engine works on."""

    delimiter: bytes
    quote: bytes | None
    escape: bytes | None
    is_doubled: bool
    is_multiline: bool
    comment: bytes | None
    trailers: tuple[bytes, ...]

    @classmethod
    def of(cls, contract: Delimited) -> "Dialect":
        """Return the dialect of a contract."""
        quote = contract.quote.encode() if contract.quote else None
        trailer = contract.trailer.starts_with.encode() if contract.trailer else None
        trailers = () if trailer is None else (trailer,) if quote is None else (trailer, quote + trailer)
        return cls(
            delimiter=contract.delimiter.encode(),
            quote=quote,
            escape=contract.escape.encode() if contract.escape else None,
            is_doubled=contract.doubled_quote,
            is_multiline=contract.multiline,
            comment=contract.comment.encode() if contract.comment else None,
            trailers=trailers,
        )

    def is_blank(self, line: bytes) -> bool:
        """Tell whether a line of one field holds only blanks that do not delimit."""
        return not line.strip(b" \t\r\n") and self.delimiter not in (b" ", b"\t")


@dataclass(frozen=True)
class Cut:
    """What the machine found at a place: fields, or a reason why not, and where the record ends.

    `odd_escape` is what an escape stands before although it needs none; the record can be cut, but not be trusted.
    """

    fields: list[bytes]
    end: int
    fault: str = ""
    odd_escape: bytes = b""


class NeedMoreError(Exception):
    """The record may go on behind what has been read so far."""


@lru_cache(maxsize=64)
def _field_end(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(delimiter) + rb"|\r\n|\n|\r")


@lru_cache(maxsize=64)
def _quote_or_escape(quote: bytes, escape: bytes | None) -> re.Pattern[bytes]:
    return re.compile(re.escape(quote) if escape is None else re.escape(escape) + b"|" + re.escape(quote))


def cut_record(content: bytes, start: int, end: int, dialect: Dialect, *, is_final: bool) -> Cut:
    """Cut one record at `start`, looking no further than `end`, which is the end of a line.

    Args:
        content: UTF-8 text, possibly with bytes that are not.
        start: where the record begins.
        end: where to stop looking.
        dialect: how fields are written.
        is_final: nothing more will come behind `end` for this record: an open quote is a fault.

    Raises:
        NeedMoreError: the record is not closed at `end` and more may come.
    """
    fields: list[bytes] = []
    odd: list[bytes] = []
    # Files that were joined keep their byte order marks; before a quote one would make the quote a character.
    position = start + len(BOM) if content.startswith(BOM, start, end) else start
    while True:
        if dialect.quote is not None and content.startswith(dialect.quote, position, end):
            value, position, fault = _quoted(content, position + len(dialect.quote), end, dialect, odd)
            if fault and not is_final and position == end:
                raise NeedMoreError
            if fault:
                return Cut(fields, position, fault)
        else:
            value, position = _unquoted(content, position, end, dialect, odd)
            if dialect.quote is not None and value[:1] in (b" ", b"\t") and value.lstrip(BLANKS)[:1] == dialect.quote:
                return Cut(fields, position, "has blanks before a quote, so that it is not known what is quoted")
        fields.append(value)
        if content.startswith(dialect.delimiter, position, end):
            position += len(dialect.delimiter)
            continue
        line_end = LINE_ENDS.match(content, position, end)
        return Cut(fields, line_end.end() if line_end else position, "", odd[0] if odd else b"")


def _quoted(content: bytes, position: int, end: int, dialect: Dialect, odd: list[bytes]) -> tuple[bytes, int, str]:
    """Return value, position behind the closing quote, fault."""
    quote = dialect.quote or b""
    marks = _quote_or_escape(quote, dialect.escape)
    parts: list[bytes] = []
    while True:
        mark = marks.search(content, position, end)
        if mark is None:
            return b"", end, "opens a quote that is not closed"
        parts.append(content[position : mark.start()])
        position = mark.end()
        if dialect.is_doubled and mark.group() == quote and content.startswith(quote, position, end):
            parts.append(quote)
            position += len(quote)
        elif mark.group() == dialect.escape and (dialect.escape != quote or content.startswith(quote, position, end)):
            _note_odd(content, position, dialect, odd)
            parts.append(content[position : position + 1])
            position = min(position + 1, end)
        else:
            break
    if position < end and not _field_end(dialect.delimiter).match(content, position, end):
        # Not the end of what was looked at, even if nothing follows: more input cannot mend it.
        return b"", min(position, end - 1), "has text after a closing quote"
    return b"".join(parts), position, ""


def _unquoted(content: bytes, position: int, end: int, dialect: Dialect, odd: list[bytes]) -> tuple[bytes, int]:
    """Return value and the position of what ends it."""
    found = _field_end(dialect.delimiter).search(content, position, end)
    stop = found.start() if found else end
    if dialect.escape is None or dialect.escape not in content[position:stop]:
        return content[position:stop], stop
    return _unquoted_with_escapes(content, position, end, dialect, odd)


def _unquoted_with_escapes(
    content: bytes, position: int, end: int, dialect: Dialect, odd: list[bytes]
) -> tuple[bytes, int]:
    """An escaped delimiter, quote or escape is that character; before a line end the escape is literal."""
    escape = dialect.escape or b""
    marks = re.compile(re.escape(escape) + b"|" + _field_end(dialect.delimiter).pattern)
    parts: list[bytes] = []
    while True:
        mark = marks.search(content, position, end)
        if mark is None:
            return b"".join([*parts, content[position:end]]), end
        parts.append(content[position : mark.start()])
        if mark.group() != escape:
            return b"".join(parts), mark.start()
        position = mark.end()
        if position >= end or content[position : position + 1] in (b"\r", b"\n"):
            parts.append(escape)
        else:
            _note_odd(content, position, dialect, odd)
            parts.append(content[position : position + 1])
            position += 1


def _note_odd(content: bytes, position: int, dialect: Dialect, odd: list[bytes]) -> None:
    r"""Note what an escape stands before, if it needs none: \n may mean a line feed, an n, or a backslash and an n."""
    needs = (dialect.delimiter, dialect.quote or b"", dialect.escape or b"", b"\r", b"\n")
    if not any(sign and content.startswith(sign, position) for sign in needs):
        odd.append(content[position : position + 1])


def escape_fault(before: bytes) -> tuple[str, str]:
    """Return reason and sentence of a record with an escape before something that needs none."""
    sign = before.decode("ascii", "backslashreplace")
    return "stray_escape", (
        f"has an escape before '{sign}', which needs none: it may be a sign of its own. Ask for escapes before "
        "delimiters, quotes and escapes only, or set files.delimited.escape to null"
    )


def text_fault_of_bytes(raw: bytes) -> tuple[str, str] | None:
    """Return reason and sentence if the bytes of a record cannot be kept as text."""
    if b"\x00" in raw:
        return "nul_byte", f"has a NUL byte at position {raw.index(0) + 1}; ask for the file without NUL bytes"
    if not is_utf8(raw):
        return "bad_bytes", bad_bytes_sentence(raw, "utf-8")
    if not raw.isascii() and (lost := CONTROL.search(raw)):
        return "bad_bytes", (
            f"has the control sign U+{ord(lost.group().decode()):04X}, which is no letter in any text: it was read in "
            "a wrong encoding on its way. Ask for it in its right one"
        )
    return None


def field_count_sentence(count: int, wanted: int, *, has_header: bool) -> str:
    """Say how many fields a record has and how many it should have."""
    fields = f"has {count} field{'' if count == 1 else 's'}"
    return f"{fields}, the header has {wanted}" if has_header else f"{fields}, the contract names {wanted}"
