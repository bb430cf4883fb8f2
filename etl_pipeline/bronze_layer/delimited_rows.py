"""What the rows of delimited text give away about the file: headers among them, and quotes that are not the contract's.

Here whole values are seen, after the text was cut. A row that would load with a changed value is set aside; a file that
changes its columns half way, or quotes in another way throughout, is set aside whole.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.bronze_layer.chunks import Int64Array
from etl_pipeline.bronze_layer.delimited_diagnosis import OTHER_QUOTES
from etl_pipeline.bronze_layer.delimited_header import Header
from etl_pipeline.bronze_layer.delimited_piece import REPEATED, Piece
from etl_pipeline.core.errors import SetAsideError

SAMPLE_ROWS = 100
FEWEST_QUOTED = 3
BLANKS = " \t"
QUOTED = {
    b'"': ('"', r'(?s)^[ \t]*".*"[ \t]*$'),
    b"''": ("'", r"(?s)^[ \t]*'(.*''.*)?'[ \t]*$"),
}
"""Bytes that must occur in a piece, and what a value looks like that another writer's quotes stand around."""


class RowJudge:
    """Judges the rows of one file, piece by piece."""

    def __init__(self, header: Header, quote: bytes | None) -> None:
        """Begin a file with its header and the contract's quote."""
        self._header = header
        self._quote = quote
        self._seen = 0
        self._filled: list[int] = []
        self._wrapped: dict[str, list[int]] = {}

    def judge(self, piece: Piece, rows: Int64Array, table: pa.Table) -> pa.Table:
        """Return the rows that are data; the others are marked in the piece.

        Raises:
            SetAsideError: `changed_header` or `wrong_dialect`: the file is set aside whole.
        """
        if table.num_rows == 0:
            return table
        keep = np.ones(table.num_rows, dtype=np.bool_)
        self._find_headers(piece, rows, table, keep)
        self._find_quotes(piece, rows, table, keep)
        if not keep.all():
            table = table.filter(pa.array(keep))
        self._sample(table)
        return table

    def finish(self) -> None:
        """Judge a file that had fewer rows than the sample wants.

        Raises:
            SetAsideError: `wrong_dialect`.
        """
        self._judge_sample()

    # --- headers among the rows ---

    def _find_headers(self, piece: Piece, rows: Int64Array, table: pa.Table, keep: npt.NDArray[np.bool_]) -> None:
        known = self._header.known_cells()
        words = pa.array(sorted(known), pa.string())
        found: set[int] = set()
        for place in {0, table.num_columns - 1}:
            column = table.column(place)
            there = pc.is_in(pc.utf8_trim(column, BLANKS) if place == 0 else column, value_set=words)
            found.update(np.flatnonzero(there.to_numpy()).tolist())
        for position in sorted(found):
            cells = [column[position].as_py() for column in table.columns]
            if self._header.repeats([cell.encode() for cell in cells]):
                keep[position] = False
                piece.kinds[rows[position]] = REPEATED
            elif self._is_header(cells, known):
                self._refuse_change(piece, int(rows[position]), cells)

    @staticmethod
    def _is_header(cells: Sequence[str], known: frozenset[str]) -> bool:
        """Half of the names of a header in one row are no accident."""
        names = {cell.strip(BLANKS) for cell in cells} & known
        return len(names) >= max(2, (len(cells) + 1) // 2)

    def _refuse_change(self, piece: Piece, index: int, cells: Sequence[str]) -> None:
        text = piece.lines.line(index).decode("utf-8", "replace").strip()
        raise SetAsideError(
            "changed_header",
            f"A header stands among the records, and its columns are not those of the file's top: {text[:160]!r}. "
            f"Its {len(cells)} columns cannot be read by other names; ask for one table a file"
            + ("." if self._header.files.delimited.header else ", or put its order into files.delimited.columns."),
        )

    # --- quotes of another writer ---

    def _find_quotes(self, piece: Piece, rows: Int64Array, table: pa.Table, keep: npt.NDArray[np.bool_]) -> None:
        for needle, (sign, pattern) in QUOTED.items():
            content = piece.lines.content
            # One byte is found ten times faster than two.
            if sign.encode() == self._quote or needle[:1] not in content or needle not in content:
                continue
            for column in table.columns:
                there = pc.match_substring_regex(column, pattern).to_numpy()
                for position in np.flatnonzero(there & keep).tolist():
                    keep[position] = False
                    piece.set_aside(
                        int(rows[position]),
                        "stray_quote",
                        f"has a value between quotes ({column[position].as_py()[:40]!r}), and the contract's quote is "
                        f"{self._quote.decode() if self._quote else 'none'}; set files.delimited.quote to {sign!r}, "
                        "or ask for the agreed quote",
                    )

    def _sample(self, table: pa.Table) -> None:
        """Count in the first rows how many values of each column stand between quotes of another kind."""
        left = SAMPLE_ROWS - self._seen
        if left <= 0 or table.num_rows == 0:
            return
        if not self._filled:
            self._filled = [0] * table.num_columns
            own = self._quote.decode() if self._quote else ""
            self._wrapped = {pair: [0] * table.num_columns for pair in OTHER_QUOTES if pair[0] != own}
        for place, column in enumerate(table.slice(0, left).columns):
            values = [value for text in column.to_pylist() if (value := text.strip())]
            self._filled[place] += len(values)
            ends = Counter(value[0] + value[-1] for value in values if len(value) > 1)
            for pair, counts in self._wrapped.items():
                counts[place] += ends[pair]
        self._seen += min(left, table.num_rows)
        if self._seen == SAMPLE_ROWS:
            self._judge_sample()

    def _judge_sample(self) -> None:
        for pair, counts in self._wrapped.items():
            always = [n for n, filled in zip(counts, self._filled, strict=True) if filled and n == filled]
            is_every = len(always) == sum(filled > 0 for filled in self._filled)
            if always and (is_every or max(always) >= FEWEST_QUOTED):
                raise SetAsideError(
                    "wrong_dialect",
                    f"The values stand between quotes of another kind ({pair}) than the contract's. Set "
                    "files.delimited.quote to the sender's, or ask for the agreed one.",
                )
