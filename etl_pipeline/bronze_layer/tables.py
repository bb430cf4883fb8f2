"""Spreadsheets and Parquet as records of text.

Neither has lines or a place for a record in its bytes. So that a record can still be shown and addressed, the table is
rendered as JSON lines, one array of texts a row (UTF-8), and the addresses lie in that rendering: it is the same for
the same file, whatever the chunks. `line_no` is the row: of the sheet, or of the rendering with its header line.
"""

import datetime as dt
import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.bronze_layer.arrow_text import as_text
from etl_pipeline.bronze_layer.chunks import (
    Place,
    addresses_of,
    non_data_frame,
    set_aside_frame,
    text_fault,
    text_frame,
    text_table,
)
from etl_pipeline.bronze_layer.columns import resolve_columns
from etl_pipeline.bronze_layer.delimited_slow import field_count_sentence
from etl_pipeline.bronze_layer.unpacking import require_few_members, require_unpacked_size
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError

PARQUET_BATCH_ROWS = 16_384
MAX_EXACT_FLOAT = 1e15
MAX_SHARED_BYTES = 256 << 20
"""Of the parts of a workbook that are held in memory: its texts and styles."""


class _TableReader:
    """Renders rows and collects them into chunks."""

    def __init__(self, path: Path, files: Files, needed: frozenset[str]) -> None:
        self._files, self._needed = files, needed
        self._packed = path.stat().st_size
        self.names: list[str] | None = None
        self._row_no = self._offset = self._chunk_start = 0
        self._restart()

    def _restart(self) -> None:
        self._rendered: list[bytes] = []
        self._rows: list[Sequence[str]] = []
        self._places: list[Place] = []
        self._set_aside: list[tuple[int, int, int, int, bytes, str, str]] = []
        self._non_data: list[tuple[int, int, int, int, str]] = []

    def _render(self, cells: Sequence[str]) -> tuple[Place, bytes]:
        line = json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
        self._row_no += 1
        place = self._row_no, self._row_no, self._offset, self._offset + len(line)
        self._offset += len(line)
        # A text that is stored once may be in a million cells.
        require_unpacked_size(self._packed, self._offset)
        self._rendered.append(line)
        return place, line

    def add_non_data(self, cells: Sequence[str], kind: str) -> None:
        place, _ = self._render(cells)
        self._non_data.append((*place, kind))

    def add_header(self, cells: Sequence[str]) -> None:
        self.names = resolve_columns(cells, self._files.aliases, self._needed)
        self.add_non_data(cells, "header")

    def add_row(self, cells: Sequence[str]) -> None:
        place, line = self._render(cells)
        fault = text_fault(cells)
        width = len(self.names or [])
        if fault is None and len(cells) != width:
            fault = "field_count", field_count_sentence(len(cells), width, has_header=True)
        if fault is None:
            self._rows.append(cells)
            self._places.append(place)
        else:
            self._set_aside.append((*place, line, *fault))

    def require_room(self, more: int) -> None:
        """Refuse a bomb before it is unfolded in memory: `more` is how much comes next, in bytes."""
        require_unpacked_size(self._packed, self._offset + more)

    def is_full(self, chunk_bytes: int) -> bool:
        return self._offset - self._chunk_start >= chunk_bytes

    def chunk(self) -> RecordChunk:
        chunk = RecordChunk(
            text=text_frame(text_table(self.names or [], self._rows)),
            addresses=addresses_of(self._places),
            set_aside=set_aside_frame(self._set_aside),
            non_data=non_data_frame(self._non_data),
            content=b"".join(self._rendered),
            content_start=self._chunk_start,
        )
        self._chunk_start = self._offset
        self._restart()
        return chunk


def read_xlsx(path: Path, files: Files, needed: frozenset[str], chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the rows of a sheet.

    Raises:
        SetAsideError: it is no workbook, has no such sheet, is a bomb, or lacks a needed column.
    """
    _require_workbook(path)
    reader = _TableReader(path, files, needed)
    for number, cells in enumerate(_sheet_rows(path, files), start=1):
        while cells and not cells[-1]:
            cells.pop()
        if number < files.xlsx.header_row:
            reader.add_non_data(cells, "preamble")
        elif number == files.xlsx.header_row:
            reader.add_header(cells)
        elif not any(cell.strip() for cell in cells):
            reader.add_non_data(cells, "blank")
        else:
            missing = len(reader.names or []) - len(cells)
            reader.add_row([*cells, *[""] * missing])
        if reader.is_full(chunk_bytes):
            yield reader.chunk()
    if reader.names is None:
        row = files.xlsx.header_row
        raise SetAsideError(
            "missing_column", f"The sheet has no row {row} with the header; set xlsx.header_row or xlsx.sheet."
        )
    yield reader.chunk()


def _require_workbook(path: Path) -> None:
    if path.stat().st_size == 0:
        raise SetAsideError("empty_file", "The file has no bytes; ask for it again.")
    try:
        with path.open("rb") as stream:
            require_few_members(stream)
        with zipfile.ZipFile(path) as archive:
            sizes = [(member.compress_size, member.file_size) for member in archive.infolist()]
            held = sum(m.file_size for m in archive.infolist() if not m.filename.startswith("xl/worksheets/"))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise SetAsideError(
            "not_this_format", "The file is no .xlsx workbook (an old .xls, encrypted, or cut short); save it as .xlsx."
        ) from error
    for packed, size in sizes:
        require_unpacked_size(packed, size)
    require_unpacked_size(path.stat().st_size, sum(size for _, size in sizes))
    if held > MAX_SHARED_BYTES:
        raise SetAsideError(
            "archive_too_large", "The texts of the workbook are larger than 256 MB; ask for text files."
        )


def _sheet_rows(path: Path, files: Files) -> Iterator[list[str]]:
    """Yield the rows of the sheet as text."""
    import openpyxl

    try:
        with warnings.catch_warnings():
            # openpyxl warns of styles and extensions that it leaves out; values are not concerned.
            warnings.simplefilter("ignore")
            workbook = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
            try:
                sheet = _sheet(workbook, files.xlsx.sheet)
                sheet.reset_dimensions()
                for row in sheet.iter_rows(values_only=True):
                    yield [_cell_text(value) for value in row]
            finally:
                workbook.close()
    except (SetAsideError, GeneratorExit):
        raise
    except Exception as error:
        # A damaged workbook makes openpyxl raise almost anything (KeyError, ParseError, TypeError ...).
        raise SetAsideError(
            "not_this_format",
            f"The workbook cannot be read ({type(error).__name__}: {str(error)[:120]}); ask for it again.",
        ) from error


def _sheet(workbook: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if not sheets:
        raise SetAsideError("not_this_format", "The workbook has no sheet with cells.")
    if name is None:
        return next(iter(sheets.values()))
    if name not in sheets:
        raise SetAsideError(
            "not_this_format", f"The workbook has no sheet '{name}'; it has: {', '.join(sheets)}. Set xlsx.sheet."
        )
    return sheets[name]


def _cell_text(value: object) -> str:
    """Return a cell as text: whole numbers without a point, times ISO, booleans true and false."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < MAX_EXACT_FLOAT else repr(value)
    if isinstance(value, dt.datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S")
        return f"{text}.{value.microsecond:06d}".rstrip("0") if value.microsecond else text
    if isinstance(value, dt.date):
        return f"{value.isoformat()} 00:00:00"
    return str(value)


def _text_bytes(column: pa.Array) -> int:
    """Return how many bytes of text a column is; 0 where it is no text."""
    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = pc.binary_length(column.dictionary) if _has_length(column.type.value_type) else None
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0) if lengths is not None else 0


def _has_length(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )  # fmt: skip


def read_parquet(path: Path, files: Files, needed: frozenset[str], chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the rows of a Parquet file.

    Raises:
        SetAsideError: it is no Parquet file, or lacks a needed column.
    """
    if path.stat().st_size == 0:
        raise SetAsideError("empty_file", "The file has no bytes; ask for it again.")
    import pyarrow.parquet as pq

    reader = _TableReader(path, files, needed)
    try:
        texts = [field.name for field in pq.read_schema(path) if _has_length(field.type)]
        with pq.ParquetFile(path, read_dictionary=texts) as parquet:
            reader.add_header(parquet.schema_arrow.names)
            for batch in parquet.iter_batches(batch_size=PARQUET_BATCH_ROWS):
                # As dictionaries texts are held once; only then it is known how much they are when written out.
                reader.require_room(sum(_text_bytes(column) for column in batch.columns))
                columns = [as_text(column) for column in batch.columns]
                for row in zip(*columns, strict=True):
                    reader.add_row(row)
                    if reader.is_full(chunk_bytes):
                        yield reader.chunk()
    except (pa.ArrowException, OSError) as error:
        raise SetAsideError(
            "not_this_format", f"The file cannot be read as Parquet ({str(error)[:160]}); ask for it again."
        ) from error
    yield reader.chunk()
