"""Delimited text as records: every line belongs to exactly one record, and every record has an address.

Lines are cut by whole arrays, plain ones are read by Arrow, the others one by one (`delimited_slow`). What comes out
does not depend on where the file is cut into chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.bronze_layer.chunks import Int64Array, is_utf8, set_aside_frame, text_frame
from etl_pipeline.bronze_layer.delimited_fast import Lines, field_counts, parse_plain, plain_lines, undecodable_lines
from etl_pipeline.bronze_layer.delimited_header import Header, refuse_other_dialect
from etl_pipeline.bronze_layer.delimited_slow import (
    MAX_RECORD_LINES,
    Cut,
    Dialect,
    NeedMoreError,
    cut_record,
    field_count_sentence,
    text_fault_of_bytes,
)
from etl_pipeline.bronze_layer.trailer import TrailerCheck
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import NON_DATA_COLUMNS, Addresses, RecordChunk
from etl_pipeline.core.errors import SetAsideError

PLAIN, SINGLE, ASIDE, CONTINUED = 0, 1, 2, 3
BLANK, HEADER, PREAMBLE, COMMENT, TRAILER, REPEATED = 4, 5, 6, 7, 8, 9
KINDS = np.array(["", "", "", "", "blank", "header", "preamble", "comment", "trailer", "repeated_header"], dtype=object)
MAX_PENDING_BYTES = 256 << 20
ENCODING_SAMPLE = 1000
ENCODING_SHARE = 0.05
ENCODING_FEWEST = 10


@dataclass
class _Piece:
    """Lines of a piece and what has been found out about each of them."""

    lines: Lines
    is_last: bool
    kinds: npt.NDArray[np.int8]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)
    fields: dict[int, list[bytes]] = field(default_factory=dict)
    count: int = 0

    def cut(self, index: int, dialect: Dialect) -> tuple[Cut, int]:
        """Cut the record that starts with a line; return it and the number of lines it takes."""
        bounds = self.lines.bounds
        stop = index + (MAX_RECORD_LINES if dialect.is_multiline else 1)
        is_final = self.is_last or stop <= len(self.lines)
        end = int(bounds[min(stop, len(self.lines))])
        cut = cut_record(self.lines.content, int(bounds[index]), end, dialect, is_final=is_final)
        taken = 1
        while not cut.fault and bounds[index + taken] < cut.end:
            taken += 1
        return cut, taken

    def set_aside(self, index: int, reason: str, sentence: str) -> None:
        """Mark the record that starts with this line."""
        self.kinds[index] = ASIDE
        self.faults[index] = (reason, sentence)


class DelimitedReader:
    """Reads one file from first to last piece."""

    def __init__(self, files: Files, needed: frozenset[str], *, is_fast: bool = True) -> None:
        """Begin a file; without `is_fast` every record goes through the machine, for comparison."""
        self._contract = files.delimited
        self._dialect = Dialect.of(files.delimited)
        self._header = Header(files, needed)
        self._is_fast = is_fast
        self._preamble_left = files.delimited.skip_lines
        self._record_no = self._line_no = self._offset = 0
        self._sampled = self._undecodable = self._judged = 0
        self._trailer: TrailerCheck | None = None

    def read(self, blocks: Iterator[bytes], chunk_bytes: int) -> Iterator[RecordChunk]:
        """Yield the records of UTF-8 content.

        Raises:
            SetAsideError: the file is set aside whole. Chunks may have been handed out before: keep nothing of them.
        """
        pending = b""
        for piece in _pieces(blocks, chunk_bytes):
            pending += piece
            is_last = not piece
            chunk = self._chunk(pending, is_last=is_last)
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
        check = self._trailer_check()
        if check is not None:
            check.finish()

    def _chunk(self, content: bytes, *, is_last: bool) -> RecordChunk | None:
        lines = Lines.of(content, is_last=is_last)
        piece = _Piece(lines, is_last, np.zeros(len(lines), dtype=np.int8), count=len(lines))
        first = self._read_top(piece)
        if piece.count == 0:
            return None
        table = self._read_body(piece, first)
        return self._assemble(piece, table)

    # --- the top ---

    def _read_top(self, piece: _Piece) -> int:
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

    def _read_body(self, piece: _Piece, first: int) -> pa.Table:
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
        table = self._without_repeated_headers(piece, chosen, table)
        return self._with_singles(piece, first, table)

    def _chosen(self, piece: _Piece, first: int) -> Int64Array:
        return np.flatnonzero(piece.kinds[first : piece.count] == PLAIN) + first

    def _mark_special(self, piece: _Piece, first: int) -> None:
        kinds, dialect = piece.kinds, self._dialect
        blank = piece.lines.blank()
        blank[:first] = False
        for prefixes, kind in ((dialect.trailers, TRAILER), ((dialect.comment,), COMMENT)):
            for prefix in prefixes:
                if prefix:
                    found = piece.lines.starting_with(prefix)
                    kinds[found[found >= first]] = kind
        kinds[blank] = BLANK

    def _walk(self, piece: _Piece, indices: Int64Array, first: int) -> None:
        """Take the records that start with these lines one by one; a record may take the lines behind it along."""
        next_free = first
        for index in indices.tolist():
            if index < next_free or index >= piece.count:
                continue
            try:
                cut, taken = piece.cut(index, self._dialect)
            except NeedMoreError:
                piece.count = index
                return
            next_free = index + self._judge(piece, index, cut, taken)
            piece.kinds[index + 1 : next_free] = CONTINUED

    def _judge(self, piece: _Piece, index: int, cut: Cut, taken: int) -> int:
        """Mark what a record is; return how many lines it keeps."""
        width, bounds = self._header.width, piece.lines.bounds
        fault = cut.fault
        if not fault and taken > 1 and len(cut.fields) != width:
            fault = (
                f"opens a quote that closes {taken - 1} lines later, and then {self._count_sentence(len(cut.fields))}"
            )
        if fault:
            piece.set_aside(index, "stray_quote", f"{fault}; only this line is set aside, the next ones were read")
            return 1
        raw = piece.lines.content[bounds[index] : cut.end]
        bad = text_fault_of_bytes(raw)
        if bad:
            piece.set_aside(index, *bad)
        elif len(cut.fields) != width:
            self._judge_count(piece, index, len(cut.fields))
        elif self._header.repeats(cut.fields):
            piece.kinds[index] = REPEATED
        else:
            piece.kinds[index] = SINGLE
            piece.fields[index] = cut.fields
        return taken

    def _judge_count(self, piece: _Piece, index: int, count: int) -> None:
        if self._dialect.is_blank(piece.lines.line(index)):
            piece.kinds[index] = BLANK
        else:
            piece.set_aside(index, "field_count", self._count_sentence(count))

    def _count_sentence(self, count: int) -> str:
        return field_count_sentence(count, self._header.width, has_header=self._contract.header)

    def _mark_bad_text(self, piece: _Piece, first: int) -> None:
        """Set aside plain lines with NUL bytes or bytes that are no text."""
        lines = piece.lines
        suspects: list[Int64Array] = []
        if b"\x00" in lines.content:
            suspects.append(lines.of_positions(np.flatnonzero(lines.codes[: lines.bounds[piece.count]] == 0)))
        if not is_utf8(lines.content[: lines.bounds[piece.count]]):
            suspects.append(undecodable_lines(lines))
        for index in np.unique(np.concatenate(suspects)).tolist() if suspects else []:
            if first <= index < piece.count and piece.kinds[index] == PLAIN:
                bad = text_fault_of_bytes(lines.line(index))
                if bad:
                    piece.set_aside(index, *bad)

    def _mark_wrong_counts(self, piece: _Piece, chosen: Int64Array) -> None:
        counts = field_counts(piece.lines, chosen, self._dialect)
        for index in chosen[counts[chosen] != self._header.width].tolist():
            self._judge_count(piece, index, int(counts[index]))

    def _without_repeated_headers(self, piece: _Piece, chosen: Int64Array, table: pa.Table) -> pa.Table:
        """Take out rows that are the header once more."""
        found: set[int] = set()
        for row in self._header.rows:
            if len(row) != table.num_columns or table.num_rows == 0:
                continue
            same = pc.equal(pc.utf8_trim(table.column(0), " \t"), row[0].decode())
            for position in np.flatnonzero(same.to_numpy()).tolist():
                cells = [column[position].as_py().encode() for column in table.columns]
                if self._header.repeats(cells):
                    found.add(position)
        if not found:
            return table
        keep = np.ones(table.num_rows, dtype=np.bool_)
        keep[sorted(found)] = False
        piece.kinds[chosen[~keep]] = REPEATED
        return table.filter(pa.array(keep))

    def _with_singles(self, piece: _Piece, first: int, table: pa.Table) -> pa.Table:
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

    def _assemble(self, piece: _Piece, table: pa.Table) -> RecordChunk:
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
        non_data = places.take(kinds >= BLANK).frame()
        non_data["kind"] = pd.Series(KINDS[kinds[kinds >= BLANK]], dtype="object")
        chunk = RecordChunk(
            text=text_frame(table),
            addresses=places.take(kinds <= SINGLE),
            set_aside=set_aside,
            non_data=non_data[NON_DATA_COLUMNS],
            content=content,
            content_start=self._offset,
        )
        self._record_no += len(heads)
        self._line_no += piece.count
        self._offset += end
        return chunk

    def _set_aside_frame(self, piece: _Piece, heads: Int64Array, places: Addresses, content: bytes) -> pd.DataFrame:
        rows = []
        for i, head in enumerate(heads.tolist()):
            start, end = int(places.byte_start[i]), int(places.byte_end[i])
            raw = content[start - self._offset : end - self._offset]
            place = int(places.record_no[i]), int(places.line_no[i]), start, end
            rows.append((*place, raw, *piece.faults[head]))
        return set_aside_frame(rows)

    def _sample(self, heads: Int64Array, kinds: npt.NDArray[np.int8], piece: _Piece) -> None:
        """Judge dialect and encoding by the file's first records."""
        judged = heads[kinds <= ASIDE]
        if self._judged == 0 and len(judged):
            first = int(judged[0])
            if not self._contract.header and piece.faults.get(first, ("", ""))[0] == "field_count":
                refuse_other_dialect(piece.lines.line(first), self._header.width, self._dialect)
        self._judged += len(judged)
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

    def _check_trailers(self, piece: _Piece, heads: Int64Array, kinds: npt.NDArray[np.int8], table: pa.Table) -> None:
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
                check.verify(self._trailer_fields(piece.lines.line(int(heads[stop]))))
            done = stop

    def _trailer_fields(self, line: bytes) -> list[str]:
        bare = line.rstrip(b"\r\n")
        cut = cut_record(bare, 0, len(bare), self._dialect, is_final=True)
        if cut.fault:
            raise SetAsideError("control_total", f"The trailer {cut.fault}; ask for the file again.")
        return [value.decode("utf-8", "replace") for value in cut.fields]


def _pieces(blocks: Iterator[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """Yield pieces of about `chunk_bytes`, and an empty one at the end."""
    held: list[bytes] = []
    size = 0
    for block in blocks:
        for start in range(0, len(block), chunk_bytes):
            part = block[start : start + chunk_bytes]
            held.append(part)
            size += len(part)
            if size >= chunk_bytes:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)
    yield b""
