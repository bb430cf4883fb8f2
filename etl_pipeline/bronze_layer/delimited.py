"""Delimited text as records: every line belongs to exactly one record, and every record has an address.

Lines are cut by whole arrays, plain ones are read by Arrow, the others one by one (`delimited_slow`). What comes out
does not depend on where the file is cut into chunks.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from etl_pipeline.bronze_layer.chunks import NO_NON_DATA, NO_SET_ASIDE, Int64Array, set_aside_frame, text_frame
from etl_pipeline.bronze_layer.delimited_diagnosis import (
    SAMPLE_BYTES,
    explained,
    refuse_header_with_values,
    refuse_other_dialect,
)
from etl_pipeline.bronze_layer.delimited_fast import Lines, field_counts, parse_plain, plain_lines, suspect_lines
from etl_pipeline.bronze_layer.delimited_header import Header
from etl_pipeline.bronze_layer.delimited_piece import (
    ASIDE,
    BLANK,
    COMMENT,
    CONTINUED,
    HEADER,
    KINDS,
    PLAIN,
    PREAMBLE,
    REPEATED,
    SINGLE,
    TRAILER,
    Piece,
    pieces_of,
    trailer_fields,
)
from etl_pipeline.bronze_layer.delimited_rows import RowJudge
from etl_pipeline.bronze_layer.delimited_slow import (
    Cut,
    Dialect,
    NeedMoreError,
    escape_fault,
    field_count_sentence,
    text_fault_of_bytes,
)
from etl_pipeline.bronze_layer.trailer import TrailerCheck
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import NON_DATA_COLUMNS, Addresses, RecordChunk
from etl_pipeline.core.errors import SetAsideError

MAX_PENDING_BYTES = 256 << 20
ENCODING_SAMPLE = 1000
ENCODING_SHARE = 0.05
ENCODING_FEWEST = 10


class DelimitedReader:
    """Reads one file from first to last piece."""

    def __init__(self, files: Files, needed: frozenset[str], *, is_fast: bool = True) -> None:
        """Begin a file; without `is_fast` every record goes through the machine, for comparison."""
        self._contract = files.delimited
        self._dialect = Dialect.of(files.delimited)
        self._header = Header(files, needed)
        self._rows = RowJudge(self._header, self._dialect.quote)
        self._needed = needed
        self._is_fast = is_fast
        self._preamble_left = files.delimited.skip_lines
        self._record_no = self._line_no = self._offset = 0
        self._sampled = self._undecodable = self._judged = self._read_rows = 0
        self._doubtful: set[int] = set()
        self._last_byte = b""
        self._trailer: TrailerCheck | None = None

    def read(self, blocks: Iterator[bytes], chunk_bytes: int) -> Iterator[RecordChunk]:
        """Yield the records of UTF-8 content.

        Raises:
            SetAsideError: the file is set aside whole. Chunks may have been handed out before: keep nothing of them.
        """
        pending = b""
        pieces = pieces_of(blocks, chunk_bytes)
        for piece in pieces:
            pending += piece
            is_last = not piece
            try:
                chunk = self._chunk(pending, is_last=is_last)
            except SetAsideError as error:
                if self._header.names is not None:
                    raise
                # What is said of a file must not depend on how much of it was read at once.
                top = pending + b"".join(islice(pieces, 1 + SAMPLE_BYTES // chunk_bytes))
                raise explained(error, top[:SAMPLE_BYTES], self._line_no, self._dialect, self._needed) from error
            if chunk is not None:
                pending = pending[len(chunk.content) :]
                yield chunk
            elif len(pending) > MAX_PENDING_BYTES:
                raise SetAsideError(
                    "not_this_format", "A record is longer than 256 MB; the file is not delimited text."
                )
        self._finish()

    def _finish(self) -> None:
        self._header.require_complete()
        self._judge_encoding()
        self._rows.finish()
        if self._contract.last_line_end == "required" and self._last_byte not in (b"\n", b"\r"):
            raise SetAsideError(
                "cut_short",
                "The last line has no end, and this sender ends every line: the file was cut short. Ask for it again.",
            )
        if self._contract.header and not self._read_rows:
            refuse_header_with_values(self._header.names or [])
        check = self._trailer_check()
        if check is not None:
            check.finish()

    def _chunk(self, content: bytes, *, is_last: bool) -> RecordChunk | None:
        lines = Lines.of(content, is_last=is_last)
        piece = Piece(lines, is_last, np.zeros(len(lines), dtype=np.int8), count=len(lines))
        first = self._read_top(piece)
        if piece.count == 0:
            return None
        table = self._read_body(piece, first)
        return self._assemble(piece, table)

    # --- the top ---

    def _read_top(self, piece: Piece) -> int:
        """Mark preamble and header; return the first line behind them."""
        index = 0
        while index < piece.count and (self._preamble_left or self._header.names is None):
            line = piece.lines.line(index)
            taken = 1
            if self._preamble_left:
                self._preamble_left -= 1
                piece.kinds[index] = PREAMBLE
            elif not line.strip(b"\r\n") or self._dialect.is_blank(line):
                piece.kinds[index] = BLANK
            elif self._dialect.comment and line.startswith(self._dialect.comment):
                piece.kinds[index] = COMMENT
            else:
                try:
                    cut, taken = piece.cut(index, self._dialect)
                except NeedMoreError:
                    piece.count = index
                    break
                self._header.add(cut, line if cut.fault else piece.lines.content[piece.lines.bounds[index] : cut.end])
                piece.kinds[index : index + taken] = CONTINUED
                piece.kinds[index] = HEADER
            index += taken
        return index

    # --- the body ---

    def _read_body(self, piece: Piece, first: int) -> pa.Table:
        """Find out what every line from `first` on is; return the text of the data records in order."""
        width = self._header.width
        if self._header.names is None:
            return pa.table({})
        self._mark_special(piece, first)
        plain = plain_lines(piece.lines, self._dialect) if self._is_fast else np.zeros(len(piece.lines), dtype=np.bool_)
        self._walk(piece, np.flatnonzero(~plain & (piece.kinds == PLAIN)), first)
        self._mark_bad_text(piece, first)
        chosen = self._chosen(piece, first)
        table = parse_plain(piece.lines, chosen, width, self._dialect)
        if table is None:
            self._mark_wrong_counts(piece, chosen)
            chosen = self._chosen(piece, first)
            table = parse_plain(piece.lines, chosen, width, self._dialect)
        if table is None:
            # Arrow saw other rows than we did. The machine is right by definition.
            self._walk(piece, chosen, first)
            chosen = self._chosen(piece, first)
            table = parse_plain(piece.lines, chosen, width, self._dialect)
        table = self._with_singles(piece, first, table)
        return self._rows.judge(piece, piece.rows(first), table)

    def _chosen(self, piece: Piece, first: int) -> Int64Array:
        return np.flatnonzero(piece.kinds[first : piece.count] == PLAIN) + first

    def _mark_special(self, piece: Piece, first: int) -> None:
        kinds, dialect = piece.kinds, self._dialect
        blank = piece.lines.blank()
        blank[:first] = False
        for prefixes, kind in ((dialect.trailers, TRAILER), ((dialect.comment,), COMMENT)):
            for prefix in prefixes:
                if prefix:
                    found = piece.lines.starting_with(prefix)
                    kinds[found[found >= first]] = kind
        kinds[blank] = BLANK

    def _walk(self, piece: Piece, indices: Int64Array, first: int) -> None:
        """Take the records that start with these lines one by one; a record may take the lines behind it along."""
        next_free = first
        for index in indices.tolist():
            if index < next_free or index >= piece.count:
                continue
            if self._offset + int(piece.lines.bounds[index]) in self._doubtful:
                piece.set_aside(index, "stray_quote", "has the end of a quote that was opened in a line before it")
                continue
            try:
                cut, taken = piece.cut(index, self._dialect)
            except NeedMoreError:
                piece.count = index
                return
            next_free = index + self._judge(piece, index, cut, taken)
            piece.kinds[index + 1 : next_free] = CONTINUED

    def _judge(self, piece: Piece, index: int, cut: Cut, taken: int) -> int:
        """Mark what a record is; return how many lines it keeps."""
        width, bounds = self._header.width, piece.lines.bounds
        fault = cut.fault or self._doubt(piece, index, cut, taken)
        if fault:
            piece.set_aside(index, "stray_quote", f"{fault}; only this line is set aside, the next ones were read")
            return 1
        raw = piece.lines.content[bounds[index] : cut.end]
        bad = text_fault_of_bytes(raw)
        if bad:
            piece.set_aside(index, *bad)
        elif cut.odd_escape:
            piece.set_aside(index, *escape_fault(cut.odd_escape))
        elif len(cut.fields) != width:
            self._judge_count(piece, index, len(cut.fields))
        elif self._header.repeats(cut.fields):
            piece.kinds[index] = REPEATED
        else:
            piece.kinds[index] = SINGLE
            piece.fields[index] = cut.fields
        return taken

    def _doubt(self, piece: Piece, index: int, cut: Cut, taken: int) -> str:
        """Return why a record of several lines cannot be one: it would swallow what stands in the lines behind it.

        A stray quote that meets another one lines later makes one record of many. It has another number of fields
        then, or each of its lines is a whole record by itself. The line with the other quote is no record either.
        """
        if taken == 1:
            return ""
        last = index + taken - 1
        if len(cut.fields) != self._header.width:
            fault = (
                f"opens a quote that closes {taken - 1} lines later, and then {self._count_sentence(len(cut.fields))}"
            )
        elif self._is_swallowing(piece, index, last):
            fault = f"opens a quote that closes {taken - 1} lines later, and each of these lines is a record by itself"
        else:
            return ""
        if piece.lines.line(last).count(self._dialect.quote or b'"') % 2:
            self._doubtful.add(self._offset + int(piece.lines.bounds[last]))
        return fault

    def _is_swallowing(self, piece: Piece, index: int, last: int) -> bool:
        width, delimiter = self._header.width, self._dialect.delimiter
        if width == 1 or piece.lines.line(index).count(delimiter) != width - 1:
            return False
        return all(piece.is_whole_alone(n, width, self._dialect) for n in range(index + 1, last + 1))

    def _judge_count(self, piece: Piece, index: int, count: int) -> None:
        if self._dialect.is_blank(piece.lines.line(index)):
            piece.kinds[index] = BLANK
        else:
            piece.set_aside(index, "field_count", self._count_sentence(count))

    def _count_sentence(self, count: int) -> str:
        return field_count_sentence(count, self._header.width, has_header=self._contract.header)

    def _mark_bad_text(self, piece: Piece, first: int) -> None:
        """Set aside plain lines with NUL bytes or bytes that are no text."""
        lines = piece.lines
        for index in suspect_lines(lines, int(lines.bounds[piece.count])).tolist():
            if first <= index < piece.count and piece.kinds[index] == PLAIN:
                bad = text_fault_of_bytes(lines.line(index))
                if bad:
                    piece.set_aside(index, *bad)

    def _mark_wrong_counts(self, piece: Piece, chosen: Int64Array) -> None:
        counts = field_counts(piece.lines, chosen, self._dialect)
        for index in chosen[counts[chosen] != self._header.width].tolist():
            self._judge_count(piece, index, int(counts[index]))

    def _with_singles(self, piece: Piece, first: int, table: pa.Table) -> pa.Table:
        """Put the records that were read one by one among the others, in the file's order."""
        kinds = piece.kinds[: piece.count]
        singles = np.flatnonzero(kinds == SINGLE)
        names = self._header.names or []
        if len(singles) == 0:
            return table.rename_columns(names)
        columns = zip(*(piece.fields[i] for i in singles.tolist()), strict=True)
        arrays = [pa.array([value.decode() for value in column], type=pa.string()) for column in columns]
        whole = pa.concat_tables([table, pa.table(arrays, names=table.column_names)])
        places = np.concatenate([self._chosen(piece, first), singles])
        return whole.take(pa.array(np.argsort(places, kind="stable"))).rename_columns(names)

    # --- the chunk ---

    def _assemble(self, piece: Piece, table: pa.Table) -> RecordChunk:
        bounds = piece.lines.bounds
        end = int(bounds[piece.count])
        heads = np.flatnonzero(piece.kinds[: piece.count] != CONTINUED)
        kinds = piece.kinds[heads]
        places = Addresses(
            record_no=self._record_no + 1 + np.arange(len(heads), dtype=np.int64),
            line_no=self._line_no + 1 + heads,
            byte_start=self._offset + bounds[heads],
            byte_end=self._offset + np.append(bounds[heads[1:]], end),
        )
        content = piece.lines.content[:end]
        set_aside = self._set_aside_frame(piece, heads[kinds == ASIDE], places.take(kinds == ASIDE), content)
        self._sample(heads, kinds, piece)
        self._check_trailers(piece, heads, kinds, table)
        is_other = kinds >= BLANK
        non_data = NO_NON_DATA
        if is_other.any():
            non_data = places.take(is_other).frame().assign(kind=KINDS[kinds[is_other]])[NON_DATA_COLUMNS]
        chunk = RecordChunk(
            text=text_frame(table),
            addresses=places.take(kinds <= SINGLE),
            set_aside=set_aside,
            non_data=non_data,
            content=content,
            content_start=self._offset,
        )
        self._record_no += len(heads)
        self._line_no += piece.count
        self._offset += end
        self._last_byte = content[-1:]
        return chunk

    def _set_aside_frame(self, piece: Piece, heads: Int64Array, places: Addresses, content: bytes) -> pd.DataFrame:
        rows = []
        for i, head in enumerate(heads.tolist()):
            start, end = int(places.byte_start[i]), int(places.byte_end[i])
            raw = content[start - self._offset : end - self._offset]
            place = int(places.record_no[i]), int(places.line_no[i]), start, end
            rows.append((*place, raw, *piece.faults[head]))
        return set_aside_frame(rows) if rows else NO_SET_ASIDE

    def _sample(self, heads: Int64Array, kinds: npt.NDArray[np.int8], piece: Piece) -> None:
        """Judge dialect and encoding by the file's first records."""
        judged = heads[kinds <= ASIDE]
        if self._judged == 0 and len(judged):
            first = int(judged[0])
            if not self._contract.header and piece.faults.get(first, ("", ""))[0] in ("field_count", "stray_quote"):
                refuse_other_dialect(piece.lines.line(first), self._header.width, self._dialect)
        self._judged += len(judged)
        self._read_rows += int(np.count_nonzero(kinds <= SINGLE))
        sample = judged[: ENCODING_SAMPLE - self._sampled]
        self._sampled += len(sample)
        if piece.faults:
            self._undecodable += sum(piece.faults.get(i, ("", ""))[0] == "bad_bytes" for i in sample.tolist())
        if self._sampled == ENCODING_SAMPLE:
            self._judge_encoding()

    def _judge_encoding(self) -> None:
        """Many undecodable records are not bad records: the contract names the wrong encoding."""
        if self._undecodable >= ENCODING_FEWEST and self._undecodable > ENCODING_SHARE * self._sampled:
            raise SetAsideError(
                "wrong_encoding",
                f"{self._undecodable} of the first {self._sampled:,} records have bytes that are not of the contract's "
                "encoding; set files.encoding to what the sender uses (often cp1252), or ask for UTF-8.",
            )

    # --- the trailer ---

    def _trailer_check(self) -> TrailerCheck | None:
        if self._trailer is None and self._contract.trailer is not None and self._header.names is not None:
            self._trailer = TrailerCheck(self._contract.trailer, self._header.names)
        return self._trailer

    def _check_trailers(self, piece: Piece, heads: Int64Array, kinds: npt.NDArray[np.int8], table: pa.Table) -> None:
        check = self._trailer_check()
        if check is None:
            return
        data_before = np.concatenate([[0], np.cumsum(kinds <= SINGLE)])
        aside_before = np.concatenate([[0], np.cumsum(kinds == ASIDE)])
        values = None if check.column is None else table.column(check.column)
        done = 0
        for stop in [*np.flatnonzero(kinds == TRAILER).tolist(), len(heads)]:
            begin, count = int(data_before[done]), int(data_before[stop] - data_before[done])
            part = values.slice(begin, count) if values is not None and count else None
            check.add(part, count, int(aside_before[stop] - aside_before[done]))
            if stop < len(heads):
                check.verify(trailer_fields(piece.lines.line(int(heads[stop])), self._dialect))
            done = stop
