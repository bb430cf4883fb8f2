"""JSON documents and JSON lines as records with addresses.

The bytes of a record go from where it starts to where the next one starts. What comes before the first is a non-data
record of kind `header` (the envelope); what comes after the last belongs to the last.
"""

import json
from collections.abc import Iterator

from etl_pipeline.bronze_layer.json_paths import Leaf, TooDeepError, flatten, leaves, skip_space, steps_of
from etl_pipeline.bronze_layer.record_chunks import ChunkBuilder
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError

MAX_DOCUMENT_BYTES = 512 << 20
MAX_LINE_BYTES = 64 << 20
TOO_DEEP = "is nested deeper than 100 levels"


def read_json(blocks: Iterator[bytes], files: Files, needed: frozenset[str], chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the records of one JSON document in UTF-8.

    Raises:
        SetAsideError: it is not JSON, too large, or has none of the needed columns.
    """
    content = _whole(blocks)
    text = content.decode("utf-8", "surrogateescape")
    reader = _DocumentReader(content, text, files, needed)
    try:
        yield from reader.read(steps_of(files.json_.records), chunk_bytes)
    except json.JSONDecodeError as error:
        hint = " It seems to be JSON lines; set `format: jsonl`." if error.msg == "Extra data" else ""
        raise SetAsideError(
            "not_this_format", f"Not JSON at line {error.lineno}, column {error.colno}: {error.msg}.{hint}"
        ) from error
    except TooDeepError as error:
        raise SetAsideError("not_this_format", f"The document {TOO_DEEP}; ask for a flatter one.") from error


def _whole(blocks: Iterator[bytes]) -> bytes:
    held, size = [], 0
    for block in blocks:
        size += len(block)
        if size > MAX_DOCUMENT_BYTES:
            raise SetAsideError(
                "archive_too_large", "A JSON document may have 512 MB at most; ask for JSON lines or smaller files."
            )
        held.append(block)
    return b"".join(held)


class _DocumentReader:
    """Turns places in the text into places in the bytes, and records into chunks."""

    def __init__(self, content: bytes, text: str, files: Files, needed: frozenset[str]) -> None:
        self._content, self._text = content, text
        self._is_ascii = len(content) == len(text)
        self._builder = ChunkBuilder(files, needed)
        self._char = self._byte = 0
        self._line_no = 1
        self._chunk_start = 0

    def read(self, steps: list[str], chunk_bytes: int) -> Iterator[RecordChunk]:
        held: Leaf | None = None
        for leaf in leaves(self._text, 0, steps):
            if isinstance(leaf, int):
                self._require_end(leaf)
                break
            if held is None:
                self._add_envelope(leaf.start)
            else:
                self._add(held, leaf.start)
            held = leaf
            if self._byte - self._chunk_start >= chunk_bytes:
                yield self._chunk()
        if held is None:
            self._add_envelope(len(self._text))
        else:
            self._add(held, len(self._text))
        yield self._chunk()
        self._builder.finish()

    def _require_end(self, end: int) -> None:
        rest = skip_space(self._text, end)
        if rest != len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, rest)

    def _advance(self, char: int) -> tuple[int, int, int]:
        """Go on to a character; return the line, start and end of what was passed."""
        passed = self._text[self._char : char]
        size = len(passed) if self._is_ascii else len(passed.encode("utf-8", "surrogateescape"))
        place = self._line_no, self._byte, self._byte + size
        self._char, self._byte = char, self._byte + size
        self._line_no += passed.count("\n")
        return place

    def _add_envelope(self, char: int) -> None:
        if char > 0:
            self._builder.add_non_data(*self._advance(char), "header")

    def _add(self, leaf: Leaf, next_start: int) -> None:
        fields, fault = flatten(leaf, self._text)
        line_no, start, end = self._advance(next_start)
        if fault is None:
            self._builder.add_data(line_no, start, end, fields)
        else:
            self._builder.add_set_aside(line_no, start, end, self._content[start:end], fault)

    def _chunk(self) -> RecordChunk:
        start, self._chunk_start = self._chunk_start, self._byte
        return self._builder.build(self._content[start : self._byte], start)


def read_jsonl(
    blocks: Iterator[bytes], files: Files, needed: frozenset[str], chunk_bytes: int
) -> Iterator[RecordChunk]:
    """Yield the records of JSON lines in UTF-8; a broken line is set aside alone.

    Raises:
        SetAsideError: a line is longer than 64 MB, or no record has any of the needed columns.
    """
    builder = ChunkBuilder(files, needed)
    steps = steps_of(files.json_.records)
    position = chunk_start = 0
    held: list[bytes] = []
    for line_no, line in enumerate(_lines(blocks), start=1):
        _add_line(builder, line, line_no, position, steps)
        held.append(line)
        position += len(line)
        if position - chunk_start >= chunk_bytes:
            yield builder.build(b"".join(held), chunk_start)
            held, chunk_start = [], position
    yield builder.build(b"".join(held), chunk_start)
    builder.finish()


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends."""
    pending = b""
    for block in blocks:
        lines = (pending + block).split(b"\n")
        pending = lines.pop()
        for line in lines:
            yield line + b"\n"
        if len(pending) > MAX_LINE_BYTES:
            raise SetAsideError("not_this_format", "A line is longer than 64 MB; for one document set `format: json`.")
    if pending:
        yield pending


def _add_line(builder: ChunkBuilder, line: bytes, line_no: int, position: int, steps: list[str]) -> None:
    if not line.strip():
        builder.add_non_data(line_no, position, position + len(line), "blank")
        return
    text = line.decode("utf-8", "surrogateescape")
    fault: tuple[str, str] | None = None
    found: list[Leaf] = []
    try:
        *some, end = leaves(text, 0, steps)
        found = [leaf for leaf in some if isinstance(leaf, Leaf)]
        if isinstance(end, int) and skip_space(text, end) != len(text):
            fault = "not_an_object", f"has more text behind the object, at column {skip_space(text, end) + 1}"
    except json.JSONDecodeError as error:
        fault = "not_an_object", f"is not JSON at column {error.colno}: {error.msg}"
    except TooDeepError:
        fault = "not_an_object", TOO_DEEP
    if fault is not None:
        builder.add_set_aside(line_no, position, position + len(line), line, fault)
    elif not found:
        builder.add_non_data(line_no, position, position + len(line), "blank")
    else:
        _add_leaves(builder, line, (line_no, position), found)


def _add_leaves(builder: ChunkBuilder, line: bytes, place: tuple[int, int], found: list[Leaf]) -> None:
    """Add the records of a line: each from its start to the next one's, the first from the line's start."""
    line_no, position = place
    text = line.decode("utf-8", "surrogateescape")
    cuts, char = [0], 0
    for leaf in found[1:]:  # each from the one before: a line may hold a million of them
        cuts.append(cuts[-1] + len(text[char : leaf.start].encode("utf-8", "surrogateescape")))
        char = leaf.start
    cuts.append(len(line))
    for leaf, start, end in zip(found, cuts[:-1], cuts[1:], strict=True):
        fields, fault = flatten(leaf, text)
        if fault is None:
            builder.add_data(line_no, position + start, position + end, fields)
        else:
            builder.add_set_aside(line_no, position + start, position + end, line[start:end], fault)
