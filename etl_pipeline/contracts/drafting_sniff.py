"""The form of an unknown file: packing, encoding, format, dialect, and its first records as text."""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from etl_pipeline.core.errors import UsageError

HEAD_BYTES = 256 * 1024
MOST_RECORDS = 2_000
MOST_COLUMNS = 500
DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x1f")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_VALUE = re.compile(r"[+-]?[\d.,]*\d[\d.,]*-?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{1,2}:\d{2}.*")


@dataclass
class Sample:
    """The first records of a file, every value text.

    Attributes:
        format: `files.format` of a contract.
        columns: names in order.
        rows: records; a missing field is an empty text.
        compression: gzip, zip or none.
        encoding: of text.
        dialect: what differs from the contract's defaults, under `files.<format>`.
        notes: what a person should know.
        is_cut: the file goes on behind the sample.
    """

    format: str
    columns: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    compression: str = "none"
    encoding: str = "utf-8"
    dialect: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_cut: bool = False


def read_head(path: Path) -> tuple[bytes, str, bool]:
    """Return the first bytes of the unpacked content, its compression, and whether there is more.

    Raises:
        UsageError: nothing to read, or damaged in its first bytes.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file; give a sample file of the feed.")
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if not start:
            raise UsageError(f"{path.name} is empty; give a sample with some records.")
        try:
            if start[:2] == b"\x1f\x8b":
                head, is_cut = _cut(gzip.GzipFile(fileobj=stream).read(HEAD_BYTES + 1))
                return head, "gzip", is_cut
            if start == b"PK\x03\x04":
                return _zip_head(path)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UsageError(f"{path.name} is packed and damaged ({error}); give another sample.") from error
        head, is_cut = _cut(stream.read(HEAD_BYTES + 1))
        return head, "none", is_cut


def _cut(head: bytes) -> tuple[bytes, bool]:
    return head[:HEAD_BYTES], len(head) > HEAD_BYTES


def _zip_head(path: Path) -> tuple[bytes, str, bool]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
        if "[Content_Types].xml" in names or "mimetype" in names:
            return b"", "spreadsheet", False
        if not names:
            raise UsageError(f"{path.name} is an empty archive; give another sample.")
        with archive.open(names[0]) as member:
            head, is_cut = _cut(member.read(HEAD_BYTES + 1))
            return head, "zip", is_cut


def decode(head: bytes, *, is_cut: bool) -> tuple[str, str]:
    """Return the text and its encoding; a character that is cut in two at the end is dropped."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            text = codecs.getincrementaldecoder(name)("replace").decode(head)
            return text.removeprefix("\ufeff"), name
    zeros = head[:2000].count(0)
    if zeros * 4 > len(head[:2000]):
        name = "utf-16-be" if head[:1] == b"\x00" else "utf-16-le"
        return codecs.getincrementaldecoder(name)("replace").decode(head), name
    try:
        return codecs.getincrementaldecoder("utf-8")("strict").decode(head, final=not is_cut), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        # Between 80 and 9F latin-1 has control characters that nobody writes, cp1252 quotes and the euro sign.
        return head.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return head.decode("latin-1"), "latin-1"


def sniff_delimited(text: str, sample: Sample) -> None:
    """Find delimiter, quote, preamble and header, and fill the sample."""
    if sample.is_cut and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    delimiter, quote, rows = _best_dialect(text)
    counts = Counter(len(row) for row in rows if row)
    width = counts.most_common(1)[0][0] if counts else 1
    skipped = next((i for i, row in enumerate(rows) if len(row) == width), 0)
    body = [row for row in rows[skipped:] if any(cell.strip() for cell in row)]
    if delimiter != ",":
        sample.dialect["delimiter"] = delimiter
    if quote != '"':
        sample.dialect["quote"] = quote
    if skipped:
        sample.dialect["skip_lines"] = skipped
        sample.notes.append(f"the first {skipped} line(s) look like a preamble")
    odd = sum(len(row) != width for row in body)
    if odd:
        sample.notes.append(f"{odd} of {len(body)} records have not {width} fields; they will be set aside")
    _take_rows(body, width, sample)


def _best_dialect(text: str) -> tuple[str, str | None, list[list[str]]]:
    """Return delimiter, quote and rows of the reading in which most records have the same, largest number of fields."""
    best: tuple[float, str, str | None, list[list[str]]] = (-1.0, ",", '"', [])
    for delimiter in DELIMITERS:
        for quote in ('"', "'", None):
            if delimiter not in text[:20_000] or (
                quote is not None and quote != '"' and f"{delimiter}{quote}" not in text
            ):
                continue
            rows = _read(text, delimiter, quote)
            counts = Counter(len(row) for row in rows if row)
            if not counts:
                continue
            width, often = counts.most_common(1)[0]
            score = often / sum(counts.values()) + min(width, 40) / 100 + (0.05 if quote == '"' and '"' in text else 0)
            if width > 1 and score > best[0]:
                best = (score, delimiter, quote, rows)
    if best[0] < 0:
        return ",", '"', _read(text, ",", '"')
    if best[2] is None and best[1] != "\t" and '"' not in text:
        return best[1], '"', best[3]
    return best[1], best[2], best[3]


def _read(text: str, delimiter: str, quote: str | None) -> list[list[str]]:
    rows: list[list[str]] = []
    stream = io.StringIO(text, newline="")
    if quote is None:
        reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(stream, delimiter=delimiter, quotechar=quote)
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > MOST_RECORDS:
                break
    except csv.Error:  # a field larger than csv allows: not this dialect
        return rows
    return rows


def _take_rows(body: list[list[str]], width: int, sample: Sample) -> None:
    has_header = looks_like_header(body)
    names = [name.strip() or f"column_{i}" for i, name in enumerate(body[0], start=1)] if has_header else []
    if not has_header:
        names = [f"c{number:02d}" for number in range(1, width + 1)]
        sample.dialect |= {"header": False, "columns": names}
        sample.notes.append("there seems to be no header: give `columns` their real names, in order")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sample.notes.append(f"the header names {', '.join(twice)[:80]} more than once; such a column cannot be used")
    sample.columns = list(dict.fromkeys(names))[:MOST_COLUMNS]
    for row in body[1 if has_header else 0 :]:
        if len(row) == width:
            sample.rows.append({name: row[names.index(name)] for name in sample.columns})


def looks_like_header(body: list[list[str]]) -> bool:
    """Tell whether the first record names columns: short distinct words, while values stand below."""
    if not body:
        return False
    first = [cell.strip() for cell in body[0]]
    filled = [cell for cell in first if cell]
    if not filled or len(filled) * 2 < len(first) or any(_VALUE.fullmatch(cell) for cell in filled):
        return False
    if any(len(cell) > 60 for cell in filled):  # noqa: PLR2004 - longer than any column's name
        return False
    recurs = sum(
        any(len(row) > i and row[i].strip() == cell for row in body[1:200]) for i, cell in enumerate(first) if cell
    )
    return recurs * 3 < len(filled)
