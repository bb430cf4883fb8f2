"""XML elements as records with addresses, streaming.

The bytes of a record go from its start tag to the next record's; what comes before the first is a non-data record of
kind `header`, what comes after the last belongs to the last. Document types and entities are refused, as defusedxml
does: they can read files and blow up memory, and no feed needs them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from etl_pipeline.bronze_layer.chunks import text_fault
from etl_pipeline.bronze_layer.record_chunks import ChunkBuilder, Fault, require_few_characters
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError, UsageError

MAX_DEPTH = 100
MAX_PENDING_BYTES = 512 << 20
FEED_BYTES = 64 << 10


@dataclass
class _Element:
    """An open element: its text and the fields found in it so far."""

    name: str
    text: list[str] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    has_children: bool = False

    def take(self, name: str, value: str) -> None:
        self.fields.setdefault(name, []).append(value)


@dataclass(frozen=True)
class _Ready:
    """A record whose parents are complete (but for the root)."""

    start: int
    line_no: int
    fields: dict[str, str]
    fault: Fault | None


@dataclass(frozen=True)
class _Record:
    """A record whose parents may still be open."""

    start: int
    line_no: int
    element: _Element
    parents: tuple[_Element, ...]


class _Handler:
    """Listens to expat and collects records. Field dicts of parents are shared and grow until the parent closes."""

    def __init__(self, parser: expat.XMLParserType, path: list[str]) -> None:
        self._parser, self._path = parser, path
        self._open: list[_Element] = []
        self._starts: list[tuple[int, int]] = []
        self.waiting: list[_Record] = []
        self.ready: list[_Ready] = []
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ExternalEntityRefHandler = _refuse
        parser.UnparsedEntityDeclHandler = _refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise SetAsideError(
                "not_this_format", f"The XML is nested deeper than {MAX_DEPTH} levels; ask for a flatter one."
            )
        if self._open:
            self._open[-1].has_children = True
        element = _Element(_local(name))
        for key, value in attributes.items():
            element.take("@" + _local(key), value)
        self._open.append(element)
        self._starts.append((self._parser.CurrentByteIndex, self._parser.CurrentLineNumber))

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        start, line_no = self._starts.pop()
        names = [entry.name for entry in self._open[1:]] + [element.name]
        depth = len(names)
        if self._open and names == self._path:
            self.waiting.append(_Record(start, line_no, element, tuple(reversed(self._open))))
        elif self._open and names != self._path[:depth]:
            self._hand_up(element)
        if depth == 1 or not self._open:
            # The outermost element of the path is complete, and with it the parents' fields.
            self.ready += self._complete()
            self.waiting = []

    def _complete(self) -> Iterator[_Ready]:
        characters = 0
        for record in self.waiting:
            fields, fault = _flat(record)
            characters += sum(map(len, fields.values()))
            require_few_characters(characters)
            yield _Ready(record.start, record.line_no, fields, fault)

    def _hand_up(self, element: _Element) -> None:
        """A closed element is a field of the one around it."""
        around = self._open[-1]
        text = "".join(element.text)
        if not element.has_children:
            around.take(element.name, text)
        for name, values in element.fields.items():
            for value in values:
                around.take(f"{element.name}.{name}", value)


def _refuse(*_details: object) -> NoReturn:
    raise SetAsideError(
        "not_this_format", "The XML declares a document type or entities, which are refused; ask for it without."
    )


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def read_xml(blocks: Iterator[bytes], files: Files, needed: frozenset[str], chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the records of an XML document in the encoding that it declares.

    Fields of the root that stand behind a record are not known to it; fields of other parents are.

    Raises:
        SetAsideError: it is not well-formed, declares entities, or has none of the needed columns.
        UsageError: the contract has no path to the records.
    """
    if files.xml is None:
        raise UsageError("A feed of format xml needs `xml: {records: Path/Of/Element}`.")
    parser = expat.ParserCreate()
    parser.buffer_text = True
    reader = _Reader(_Handler(parser, files.xml.records.strip("/").split("/")), ChunkBuilder(files, needed))
    try:
        for block in blocks:
            for start in range(0, len(block), FEED_BYTES):
                part = block[start : start + FEED_BYTES]
                reader.pending += part
                parser.Parse(part, False)
                yield from reader.chunks(chunk_bytes)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        why = expat.errors.messages.get(error.code, "not XML")
        raise SetAsideError(
            "not_this_format", f"Not XML at line {error.lineno}, column {error.offset + 1}: {why}; ask for it again."
        ) from error
    except (LookupError, ValueError) as error:
        raise SetAsideError("wrong_encoding", f"The XML's encoding cannot be read ({error}); ask for UTF-8.") from error
    yield reader.last()


class _Reader:
    """Hands complete records to the builder; `pending` is the content since the last chunk."""

    def __init__(self, handler: _Handler, builder: ChunkBuilder) -> None:
        self._handler, self._builder = handler, builder
        self.pending = bytearray()
        self._chunk_start = self._done = 0
        self._held: _Ready | None = None

    def chunks(self, chunk_bytes: int) -> Iterator[RecordChunk]:
        self._take()
        if self._done - self._chunk_start >= chunk_bytes:
            yield self._chunk()
        elif len(self.pending) > MAX_PENDING_BYTES + chunk_bytes:
            raise SetAsideError(
                "archive_too_large", "One element of the XML is larger than 512 MB; ask for smaller files."
            )

    def last(self) -> RecordChunk:
        self._take()
        end = self._chunk_start + len(self.pending)
        if self._held is not None:
            self._add(self._held, end)
        elif end > self._done:
            self._builder.add_non_data(1, self._done, end, "header")
        self._done = end
        chunk = self._chunk()
        self._builder.finish()
        return chunk

    def _take(self) -> None:
        for record in self._handler.ready:
            if self._held is not None:
                self._add(self._held, record.start)
            elif record.start:
                self._builder.add_non_data(1, 0, record.start, "header")
                self._done = record.start
            self._held = record
        self._handler.ready = []

    def _add(self, record: _Ready, end: int) -> None:
        start, self._done = self._done, end
        if record.fault is None:
            self._builder.add_data(record.line_no, start, end, record.fields)
        else:
            raw = bytes(self.pending[start - self._chunk_start : end - self._chunk_start])
            self._builder.add_set_aside(record.line_no, start, end, raw, record.fault)

    def _chunk(self) -> RecordChunk:
        size = self._done - self._chunk_start
        content = bytes(self.pending[:size])
        del self.pending[:size]
        start, self._chunk_start = self._chunk_start, self._done
        return self._builder.build(content, start)


def _flat(record: _Record) -> tuple[dict[str, str], Fault | None]:
    """Return the fields of a record; a name that occurs more than once is a JSON list of its texts."""
    fields = {name: _one(values) for name, values in record.element.fields.items()}
    if not record.element.has_children and (text := "".join(record.element.text)).strip():
        fields["."] = text
    for up, parent in enumerate(record.parents, start=1):
        fields.update({"../" * up + name: _one(values) for name, values in parent.fields.items()})
    return fields, text_fault(fields.values())


def _one(values: list[str]) -> str:
    return values[0] if len(values) == 1 else json.dumps(values, ensure_ascii=False, separators=(",", ":"))
