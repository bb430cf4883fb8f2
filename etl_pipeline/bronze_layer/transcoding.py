"""Any encoding as UTF-8 for the engines, and the way back to the file's own bytes.

The engines read UTF-8 only. Other encodings are turned into it so that it can be undone: bytes that do not decode
become what is invalid in UTF-8 as well (a lone surrogate), so that the engine sets their record aside and the
original bytes come back exactly. Afterwards every address and every raw record is put in terms of the file's bytes.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from etl_pipeline.bronze_layer.chunks import Int64Array, bad_bytes_sentence
from etl_pipeline.contracts.values import Addresses, RecordChunk
from etl_pipeline.core.errors import SetAsideError, UsageError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LONGEST_BOM = 4
UNPAIRED = b"\xff"
"""Stands for the odd last byte of UTF-16 or UTF-32; it occurs in no other place of what we make."""
MAX_WHOLE_BYTES = 512 << 20
CONTINUATION_MASK, CONTINUATION, FIRST_LEAD, FIRST_OF_FOUR = 0xC0, 0x80, 0xC2, 0xF0
SEEMS_UTF8 = re.compile(
    rb"(?<![\x80-\xff])"
    rb"(?:\xc2[\xa0-\xbf]|[\xc3-\xc5\xce-\xd1][\x80-\xbf]|\xe2\x80[\x90-\xbf]|\xe2\x82\xac|\xe2\x84\xa2)+"
    rb"(?![\x80-\xff])"
)
"""Letters of European languages and usual signs in UTF-8, with nothing beside them that is not.

In an encoding of one byte a letter they read as pairs such as `Ã¼`, which no language has; `É®`, which a brand may
have, is none of them."""
HELD_BYTES = 64
Engine = Callable[[Iterator[bytes]], Iterator[RecordChunk]]


def in_file_bytes(blocks: Iterator[bytes], encoding: str, engine: Engine) -> Iterator[RecordChunk]:
    """Run an engine for UTF-8 over content of any encoding; a byte order mark decides over the contract.

    The mark itself belongs to the first record.

    Raises:
        SetAsideError: nothing but a mark (`empty_file`), or bytes that cannot be told apart (`wrong_encoding`).
        UsageError: the contract names an encoding that does not exist.
    """
    start, rest = _start(blocks)
    name = _plain_name(encoding, start)
    bom = b""
    for mark, marked in BOMS:
        # FF FE 00 00 is UTF-32, or UTF-16 that begins with a NUL, which is no text.
        if start.startswith(mark):
            bom, name = mark, marked
            break
    if not bom:
        _refuse_other_width(start, name)
    body = _chain(start[len(bom) :], rest)
    if name != "utf-8":
        yield from _shifted(_through(body, name, engine), bom)
    elif bom:
        yield from _shifted(engine(_not_empty(body)), bom)
    else:
        yield from engine(body)


def _start(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    start = b""
    for block in blocks:
        start += block
        if len(start) >= LONGEST_BOM:
            break
    return start, blocks


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _not_empty(body: Iterator[bytes]) -> Iterator[bytes]:
    is_empty = True
    for block in body:
        is_empty = False
        yield block
    if is_empty:
        raise SetAsideError("empty_file", "The file holds nothing but a byte order mark; ask for it again.")


def _refuse_other_width(start: bytes, name: str) -> None:
    """Refuse bytes without the zero bytes that every delimiter and line end has in UTF-16 and UTF-32, or with others.

    Raises:
        SetAsideError: `wrong_encoding`.
    """
    if name[:6] not in ("utf-16", "utf-32") or not start:
        return
    places = np.flatnonzero(np.frombuffer(start, dtype=np.uint8) == 0)
    in_first = int(np.count_nonzero(places % 2 == 0))
    in_second = len(places) - in_first
    is_other = in_first > in_second if name == "utf-16-le" else in_first < in_second if name == "utf-16-be" else False
    if not len(places) or is_other:
        seems = "UTF-16 with the other byte first" if len(places) else "of one byte a letter, such as UTF-8"
        raise SetAsideError(
            "wrong_encoding",
            f"The contract says {name}, and the content seems to be {seems}; set files.encoding, or ask for a byte "
            "order mark.",
        )


def _plain_name(encoding: str, start: bytes) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # refuses codecs that are no text encoding, such as base64
    except LookupError as error:
        raise UsageError(f"files.encoding '{encoding}' is not known; use utf-8, cp1252, utf-16 ...") from error
    if name == "utf-8-sig":
        return "utf-8"
    if name in ("utf-16", "utf-32"):
        # Without a mark the place of the first zero byte tells which end comes first.
        return f"{name}-be" if start[:1] == b"\x00" else f"{name}-le"
    return name


@dataclass
class _Codec:
    """An encoding, to and fro; `unpaired` is what is left over at the end, less than a unit."""

    name: str
    unit: int
    errors: str
    unpaired: bytes = b""

    @classmethod
    def of(cls, name: str) -> "_Codec":
        unit = {"utf-16": 2, "utf-32": 4}.get(name[:6], 1)
        return cls(name, unit, "surrogateescape" if unit == 1 else "surrogatepass")

    def to_utf8(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield UTF-8, or what is invalid in it where the source is."""
        if self.unit == 1:
            yield from self._bytes_to_utf8(blocks) if is_single_byte(self.name) else [self._whole_to_utf8(blocks)]
            return
        decoder = codecs.getincrementaldecoder(self.name)(self.errors)
        held = b""
        try:
            for block in blocks:
                data = held + block
                whole = len(data) - len(data) % self.unit
                held = data[whole:]
                text = decoder.decode(data[:whole])
                yield text.encode("utf-8", "surrogatepass")
            yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            if self.name.startswith("utf-16") and error.reason in ("unexpected end of data", "truncated data"):
                # Half a surrogate pair at the very end.
                yield error.object[error.start :].decode(self.name, "surrogatepass").encode("utf-8", "surrogatepass")
            else:
                raise SetAsideError(
                    "wrong_encoding",
                    f"The content does not decode as {self.name} ({error.reason}); set files.encoding.",
                ) from error
        self.unpaired = held
        if held:
            yield UNPAIRED * len(held)

    def _bytes_to_utf8(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Every byte is a letter; what is plainly UTF-8 instead is made invalid, and its record is set aside."""
        if "a,;\n".encode(self.name, "ignore") != b"a,;\n":
            for block in blocks:
                yield block.decode(self.name, self.errors).encode("utf-8", "surrogatepass")
            return
        held = b""
        for block in blocks:
            data = held + block
            # A letter of UTF-8 may go on in the next block.
            held = b"" if data.isascii() else data[len(data) - _open_end(data) :]
            yield self._marked(data[: len(data) - len(held)])
        yield self._marked(held)

    def _marked(self, data: bytes) -> bytes:
        text = data.decode(self.name, self.errors)
        if not data.isascii() and _has_pair(data):
            text = "".join(
                part.decode("ascii", "surrogateescape") if number % 2 else part.decode(self.name, self.errors)
                for number, part in enumerate(_cut_at(data))
            )
        return text.encode("utf-8", "surrogatepass")

    def _whole_to_utf8(self, blocks: Iterator[bytes]) -> bytes:
        """Encodings of one to four bytes a character: read whole, because not every one can be undone in pieces."""
        data = b""
        for block in blocks:
            data += block
            if len(data) > MAX_WHOLE_BYTES:
                raise SetAsideError(
                    "archive_too_large", f"In {self.name} a file may have 512 MB at most; ask for UTF-8."
                )
        text = data.decode(self.name, self.errors)
        if text.encode(self.name, self.errors) != data:
            raise SetAsideError("wrong_encoding", f"The content does not decode as {self.name}; set files.encoding.")
        return text.encode("utf-8", "surrogatepass")

    def to_source(self, content: bytes) -> bytes:
        """Return the source's bytes (but for unpaired ones at the end)."""
        return content.decode("utf-8", "surrogatepass").encode(self.name, self.errors)

    def widths(self, content: bytes) -> Int64Array:
        """Return for every byte of UTF-8 how many source bytes it stands for: all on a character's first byte."""
        codes = np.frombuffer(content, dtype=np.uint8)
        is_first = (codes & CONTINUATION_MASK) != CONTINUATION
        if self.unit > 1:
            astral = 4  # both encodings need four bytes for what UTF-8 needs four for
            sizes = np.where(codes >= FIRST_OF_FOUR, astral, 2 if self.unit < astral else astral)
            sizes[codes == UNPAIRED[0]] = 1
            return np.asarray(sizes * is_first, dtype=np.int64)
        widths = np.asarray(is_first, dtype=np.int64)
        if not is_single_byte(self.name):
            text = content.decode("utf-8", "surrogatepass")
            lengths = {char: len(char.encode(self.name, self.errors)) for char in set(text)}
            widths[is_first] = [lengths[char] for char in text]
        return widths


def _open_end(data: bytes) -> int:
    """Return how many bytes at the end are beyond ASCII without a break, up to a limit."""
    size = 0
    while size < min(len(data), HELD_BYTES) and data[len(data) - size - 1] >= CONTINUATION:
        size += 1
    return size


def _has_pair(data: bytes) -> bool:
    """Tell quickly whether anything could be a letter of UTF-8."""
    codes = np.frombuffer(data, dtype=np.uint8)
    return bool(((codes[:-1] >= FIRST_LEAD) & ((codes[1:] & CONTINUATION_MASK) == CONTINUATION)).any())


def _cut_at(data: bytes) -> Iterator[bytes]:
    """Yield what lies between letters of UTF-8, and such letters, in turn."""
    position = 0
    for found in SEEMS_UTF8.finditer(data):
        yield data[position : found.start()]
        yield found.group()
        position = found.end()
    yield data[position:]


@lru_cache(maxsize=32)
def is_single_byte(name: str) -> bool:
    """Tell whether every byte of an encoding is a character."""
    every = bytes(range(256))
    return len(every.decode(name, "surrogateescape")) == len(every)


def _through(body: Iterator[bytes], name: str, engine: Engine) -> Iterator[RecordChunk]:
    codec = _Codec.of(name)
    base = 0
    for chunk in engine(_not_empty(codec.to_utf8(body))):
        restored = _restored(chunk, codec, base)
        base += len(restored.content)
        yield restored


def _restored(chunk: RecordChunk, codec: _Codec, base: int) -> RecordChunk:
    """Return a chunk in terms of the source's bytes; `base` is where the chunk starts in the source."""
    bare = chunk.content.rstrip(UNPAIRED)
    places = base + np.concatenate([[0], np.cumsum(codec.widths(chunk.content))])
    content = codec.to_source(bare)
    odd = len(chunk.content) - len(bare)
    if len(content) + odd != places[-1] - base:
        raise SetAsideError(
            "wrong_encoding",
            f"The bytes are {codec.name} written in an unusual way and have no address; ask for UTF-8.",
        )
    if odd:
        content += codec.unpaired

    def moved(values: Int64Array) -> Int64Array:
        return np.asarray(places[values - chunk.content_start], dtype=np.int64)

    addresses = chunk.addresses
    set_aside = _moved_frame(chunk.set_aside, moved)
    raws = [content[a - base : b - base] for a, b in zip(set_aside["byte_start"], set_aside["byte_end"], strict=True)]
    set_aside["raw"] = pd.Series(raws, index=set_aside.index, dtype="object")
    is_bad = set_aside["reason"] == "bad_bytes"
    set_aside["sentence"] = [
        _bad_bytes(raw, codec.name, sentence) if bad else sentence
        for raw, bad, sentence in zip(set_aside["raw"], is_bad, set_aside["sentence"], strict=True)
    ]
    return replace(
        chunk,
        addresses=Addresses(
            addresses.record_no, addresses.line_no, moved(addresses.byte_start), moved(addresses.byte_end)
        ),
        set_aside=set_aside,
        non_data=_moved_frame(chunk.non_data, moved),
        content=content,
        content_start=base,
    )


def _bad_bytes(raw: bytes, name: str, sentence: str) -> str:
    """Say in terms of the file's encoding what is wrong with the bytes of a record."""
    try:
        raw.decode(name)
    except UnicodeDecodeError:
        return bad_bytes_sentence(raw, name)
    seems = SEEMS_UTF8.search(raw)
    if seems is None or not is_single_byte(name):
        return sentence
    shown = seems.group()
    return (
        f"has the bytes {shown.hex(' ').upper()}, which are '{shown.decode()}' in UTF-8 and "
        f"'{shown.decode(name, 'replace')}' in {name}; set files.encoding to utf-8 if the sender has changed it, "
        f"or ask for the file in {name}"
    )


def _moved_frame(frame: pd.DataFrame, moved: Callable[[Int64Array], Int64Array]) -> pd.DataFrame:
    places = {name: moved(frame[name].to_numpy(dtype=np.int64)) for name in ("byte_start", "byte_end")}
    return frame.assign(**places)


def _shifted(chunks: Iterator[RecordChunk], bom: bytes) -> Iterator[RecordChunk]:
    """Put the byte order mark back: everything lies behind it, and it belongs to the first record."""
    size = len(bom)
    for chunk in chunks:
        if not size:
            yield chunk
            continue
        is_first = chunk.content_start == 0

        def moved(values: Int64Array, *, keeps_zero: bool = is_first) -> Int64Array:
            return np.where((values == 0) & keeps_zero, 0, values + size)

        set_aside = _moved_frame(chunk.set_aside, moved)
        if is_first and len(set_aside):
            set_aside["raw"] = [
                bom + raw if start == 0 else raw
                for start, raw in zip(set_aside["byte_start"], set_aside["raw"], strict=True)
            ]
        old = chunk.addresses
        yield replace(
            chunk,
            addresses=Addresses(old.record_no, old.line_no, moved(old.byte_start), moved(old.byte_end)),
            set_aside=set_aside,
            non_data=_moved_frame(chunk.non_data, moved),
            content=bom + chunk.content if is_first else chunk.content,
            content_start=0 if is_first else chunk.content_start + size,
        )
