"""The top of a delimited file: preamble, header, and the dialect that they give away."""

from dataclasses import dataclass, field

from etl_pipeline.bronze_layer.chunks import is_utf8
from etl_pipeline.bronze_layer.columns import resolve_columns
from etl_pipeline.bronze_layer.delimited_diagnosis import COMMON_DELIMITERS, seeming_delimiter
from etl_pipeline.bronze_layer.delimited_slow import BOM, Cut
from etl_pipeline.contracts.format import Files
from etl_pipeline.core.errors import SetAsideError


@dataclass
class Header:
    """What is known of the header so far.

    Attributes:
        files: how the file is read.
        needed: columns that the contract uses.
        rows: the header's records, for recognising a repetition.
        names: the columns' names, once the header is complete.
    """

    files: Files
    needed: frozenset[str]
    rows: list[list[bytes]] = field(default_factory=list)
    names: list[str] | None = None

    def __post_init__(self) -> None:
        """A file without a header has its names from the contract."""
        columns = self.files.delimited.columns
        if not self.files.delimited.header and columns is not None:
            self.names = resolve_columns(columns, self.files.aliases, self.needed)

    @property
    def width(self) -> int:
        """The number of fields of a record."""
        return len(self.names or [])

    def add(self, cut: Cut, raw: bytes) -> None:
        """Take in the next record of the header.

        Raises:
            SetAsideError: it cannot be the header that the contract describes.
        """
        _refuse_unreadable(cut, raw)
        self.rows.append(comparable(cut.fields))
        if len(self.rows) < self.files.delimited.header_rows:
            return
        width = max(len(row) for row in self.rows)
        padded = [[cell.decode() for cell in row] + [""] * (width - len(row)) for row in self.rows]
        names = [" ".join(part for cell in column if (part := cell.strip())) for column in zip(*padded, strict=True)]
        if width == 1:
            self._refuse_other_delimiter(names[0])
        self.names = resolve_columns(names, self.files.aliases, self.needed)

    def require_complete(self) -> None:
        """Refuse a file that ended before its header.

        Raises:
            SetAsideError: `missing_column`.
        """
        if self.names is None:
            wanted = f" with the columns {', '.join(sorted(self.needed))}" if self.needed else ""
            raise SetAsideError("missing_column", f"The file has no header{wanted}; ask for it again, with its header.")

    def repeats(self, fields: list[bytes]) -> bool:
        """Tell whether a record is the header once more."""
        found = comparable(fields)
        return found in self.rows or (not self.files.delimited.header and found == self._told())

    def known_cells(self) -> frozenset[str]:
        """Return every text that stands in a header of this file: in its own one, or in the contract."""
        names = {cell.decode() for row in [*self.rows, self._told()] for cell in row}
        return frozenset(names - {""})

    def _told(self) -> list[bytes]:
        return [name.encode() for name in self.files.delimited.columns or self.names or []]

    def _refuse_other_delimiter(self, name: str) -> None:
        seems = seeming_delimiter(name, self.files.delimited.delimiter)
        if seems is None or (self.needed and self.needed <= {name, *self._proper_names(name)}):
            return
        raise SetAsideError(
            "wrong_dialect",
            f"The header is one field, '{name[:80]}'; it seems to be delimited by a {COMMON_DELIMITERS[seems]}. "
            f"Set files.delimited.delimiter to {seems!r}, or ask for the agreed delimiter.",
        )

    def _proper_names(self, name: str) -> list[str]:
        return [proper for proper, others in self.files.aliases.items() if name in others]


def comparable(fields: list[bytes]) -> list[bytes]:
    """Return a header record so that a repetition of it compares equal."""
    stripped = [value.strip(b" \t") for value in fields]
    stripped[0] = stripped[0].removeprefix(BOM).strip(b" \t")
    return stripped


def _refuse_unreadable(cut: Cut, raw: bytes) -> None:
    if b"\x00" in raw:
        if raw.count(b"\x00") * 3 > len(raw):
            raise SetAsideError("wrong_encoding", "The header seems to be UTF-16; set `encoding: utf-16`.")
        raise SetAsideError(
            "not_this_format",
            "The file is binary, not delimited text; ask for text, or set files.format to what it is.",
        )
    if not is_utf8(raw):
        raise SetAsideError(
            "wrong_encoding",
            f"The header's bytes are not of the contract's encoding: {raw[:60]!a}; set `encoding`.",
        )
    if cut.fault:
        raise SetAsideError("wrong_dialect", f"The header {cut.fault}; set files.delimited.quote, or ask for it again.")
