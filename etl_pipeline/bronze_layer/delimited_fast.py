"""Delimited text by whole arrays: which lines are a record on their own, and their fields by Arrow.

A line is *plain* if it is certain, from its quotes alone, that the machine in `delimited_slow` would read it as one
record that ends with the line. Only those lines go to Arrow; all others go to the machine. So the two ways cannot
disagree on where records are, however nasty the text.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from etl_pipeline.bronze_layer.chunks import Int64Array, is_utf8
from etl_pipeline.bronze_layer.delimited_slow import BOM, Dialect

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
LF, CR = 10, 13
CONTROL_LEAD = b"\xc2"
FIRST_CONTROL, LAST_CONTROL, NEXT_LINE = 0x80, 0x9F, 0x85
MIN_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Lines:
    """Content cut at its line ends.

    Attributes:
        content: the bytes up to the end of the last whole line.
        codes: the same bytes as numbers.
        bounds: start of every line, and behind them the end of the last one.
    """

    content: bytes
    codes: Bytes
    bounds: Int64Array

    @classmethod
    def of(cls, content: bytes, *, is_last: bool) -> "Lines":
        r"""Cut content at \\n, \\r\\n and \\r; an unfinished line at the end counts only in the last piece."""
        codes = np.frombuffer(content, dtype=np.uint8)
        ends = np.flatnonzero(codes == LF) + 1
        if b"\r" in content:
            returns = np.flatnonzero(codes == CR) + 1
            if not is_last:
                # The byte behind a last \r is not known yet: it may be its \n.
                returns = returns[returns < len(codes)]
            follows = np.append(codes, 0)[returns]
            ends = np.sort(np.concatenate([ends, returns[follows != LF]]))
        if is_last and len(codes) and (len(ends) == 0 or ends[-1] < len(codes)):
            ends = np.append(ends, len(codes))
        end = int(ends[-1]) if len(ends) else 0
        return cls(content[:end], codes[:end], np.concatenate([[0], ends]).astype(np.int64))

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.bounds) - 1

    def line(self, index: int) -> bytes:
        """Return the bytes of a line with its line end."""
        return self.content[self.bounds[index] : self.bounds[index + 1]]

    def of_positions(self, positions: Int64Array) -> Int64Array:
        """Return the line that each position lies in."""
        return np.searchsorted(self.bounds, positions, side="right") - 1

    def blank(self) -> Mask:
        """Tell which lines are empty."""
        first = self.codes[self.bounds[:-1]]
        is_blank: Mask = (first == LF) | (first == CR)
        return is_blank

    def starting_with(self, prefix: bytes) -> Int64Array:
        """Return the indices of the lines that start with these bytes."""
        found = np.arange(len(self), dtype=np.int64)
        for offset, code in enumerate(prefix):
            at = self.bounds[found] + offset
            fits = at < self.bounds[found + 1]
            found, at = found[fits], at[fits]
            found = found[self.codes[at] == code]
        return found


def plain_lines(lines: Lines, dialect: Dialect) -> Mask:
    """Tell which lines are certainly one record each, if a record starts at their start."""
    plain = np.ones(len(lines), dtype=np.bool_)
    if len(dialect.delimiter) > 1 or len(dialect.quote or b"") > 1 or len(dialect.escape or b"") > 1:
        return ~plain
    if dialect.escape is not None:
        plain[lines.of_positions(np.flatnonzero(lines.codes == dialect.escape[0]))] = False
    if not lines.content.isascii() and BOM in lines.content:
        # Arrow takes a byte order mark off whatever it is given; inside a file it is text.
        plain[lines.starting_with(BOM)] = False
    if dialect.quote is not None and dialect.quote in lines.content:
        _refuse_odd_quotes(plain, lines, dialect)
    return plain


def _refuse_odd_quotes(plain: Mask, lines: Lines, dialect: Dialect) -> None:
    """Leave plain only lines whose quotes open at a field's start and close at a field's end, in turn.

    Between the two, quotes come in pairs: a doubled quote closes and opens at the same place.
    """
    quote = (dialect.quote or b"")[0]
    codes = lines.codes
    is_quote = codes == quote
    quotes = np.flatnonzero(is_quote)
    before = np.searchsorted(quotes, lines.bounds)
    counts = np.diff(before)
    odd = (counts & 1).astype(np.bool_)
    if odd.any():
        plain[odd] = False
        turn = np.arange(len(quotes)) - np.repeat(before[:-1], counts)
        is_open = (turn & 1) == 0
        opening, closing = quotes[is_open], quotes[~is_open]
    else:
        opening, closing = quotes[0::2], quotes[1::2]
    # One place wider on both sides, so that the character before place p is at p and the one behind it at p + 2.
    edges = np.ones(len(codes) + 2, dtype=np.bool_)
    inner = edges[1:-1]
    np.equal(codes, dialect.delimiter[0], out=inner)
    inner |= codes == LF
    if b"\r" in lines.content:
        inner |= codes == CR
    if dialect.is_doubled:
        inner |= is_quote
    for places, beside in ((opening, edges), (closing, edges[2:])):
        fits = beside[places]
        if not fits.all():
            plain[lines.of_positions(places[~fits])] = False


def field_counts(lines: Lines, chosen: Int64Array, dialect: Dialect) -> Int64Array:
    """Return the number of fields of every line; right for the chosen lines, which are plain."""
    codes = lines.codes
    places = np.flatnonzero(codes == dialect.delimiter[0])
    if dialect.quote is not None and dialect.quote in lines.content:
        quotes = np.flatnonzero(codes == dialect.quote[0])
        before = np.searchsorted(quotes, lines.bounds)
        if np.diff(before)[chosen].any():
            owner = lines.of_positions(places)
            passed = np.searchsorted(quotes, places) - before[owner]
            places = places[(passed & 1) == 0]
    return np.diff(np.searchsorted(places, lines.bounds)) + 1


def suspect_lines(lines: Lines, end: int) -> Int64Array:
    """Return the indices of the lines before `end` with bytes that may be no text, once each and sorted."""
    content = lines.content[:end]
    found: list[Int64Array] = []
    if b"\x00" in content:
        found.append(lines.of_positions(np.flatnonzero(lines.codes[:end] == 0)))
    if not is_utf8(content):
        found.append(_undecodable_lines(lines))
    if CONTROL_LEAD in content:
        found.append(lines.of_positions(_control_signs(lines.codes[:end])))
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def _undecodable_lines(lines: Lines) -> Int64Array:
    """Return the indices of the lines with bytes that are not UTF-8."""
    view = memoryview(lines.content)
    found: list[int] = []
    position = 0
    while position < len(view):
        try:
            str(view[position:], "utf-8")
        except UnicodeDecodeError as error:
            line = int(np.searchsorted(lines.bounds, position + error.start, side="right")) - 1
            found.append(line)
            position = int(lines.bounds[line + 1])
        else:
            break
    return np.array(found, dtype=np.int64)


def _control_signs(codes: Bytes) -> Int64Array:
    """Return where the control signs U+0080 to U+009F of Latin-1 stand (but for U+0085, a line end of some)."""
    places = np.flatnonzero(codes[:-1] == CONTROL_LEAD[0])
    follow = codes[places + 1]
    is_control = (follow >= FIRST_CONTROL) & (follow <= LAST_CONTROL) & (follow != NEXT_LINE)
    return np.asarray(places[is_control], dtype=np.int64)


def parse_plain(lines: Lines, chosen: Int64Array, width: int, dialect: Dialect) -> pa.Table | None:
    """Read the chosen plain lines with Arrow; None if any of them has not `width` fields."""
    wrong = False

    def skip(_row: object) -> str:
        nonlocal wrong
        wrong = True
        return "skip"

    names = [str(i) for i in range(width)]
    if len(chosen) == 0:
        return pa.table([pa.array([], type=pa.string())] * width, names=names)
    buffer, longest = _gathered(lines, chosen)
    # Arrow refuses rows that are longer than a block. A block must not end between \r and \n either.
    block = len(buffer) if b"\r" in lines.content else min(len(buffer), max(MIN_BLOCK_BYTES, 2 * longest))
    table = pacsv.read_csv(
        pa.BufferReader(buffer),
        read_options=pacsv.ReadOptions(column_names=names, block_size=block + 16),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter.decode(),
            quote_char=dialect.quote.decode() if dialect.quote and dialect.quote in lines.content else False,
            double_quote=dialect.is_doubled,
            newlines_in_values=False,
            ignore_empty_lines=True,
            invalid_row_handler=skip,
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[],
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    )
    return None if wrong or table.num_rows != len(chosen) else table


def _gathered(lines: Lines, chosen: Int64Array) -> tuple[pa.Buffer, int]:
    """Return the bytes of the chosen lines, without a copy when they follow each other; and the longest."""
    starts, ends = lines.bounds[chosen], lines.bounds[chosen + 1]
    longest = int((ends - starts).max())
    breaks = np.flatnonzero(np.diff(chosen) != 1)
    run_starts = starts[np.concatenate([[0], breaks + 1])]
    run_ends = ends[np.concatenate([breaks, [len(chosen) - 1]])]
    if len(run_starts) == 1:
        return pa.py_buffer(lines.content).slice(int(run_starts[0]), int(run_ends[0] - run_starts[0])), longest
    runs = zip(run_starts.tolist(), run_ends.tolist(), strict=True)
    return pa.py_buffer(b"".join([lines.content[a:b] for a, b in runs])), longest
