"""Reading any format into records with addresses: the one door to the formats."""

from collections.abc import Iterator
from pathlib import Path

from etl_pipeline.bronze_layer.delimited import DelimitedReader
from etl_pipeline.bronze_layer.json_records import read_json, read_jsonl
from etl_pipeline.bronze_layer.tables import read_parquet, read_xlsx
from etl_pipeline.bronze_layer.transcoding import in_file_bytes
from etl_pipeline.bronze_layer.unpacking import unpacked
from etl_pipeline.bronze_layer.xml_records import read_xml
from etl_pipeline.contracts.format import Files
from etl_pipeline.contracts.values import RecordChunk

CHUNK_BYTES = 4 << 20


def read_records(
    path: Path, files: Files, *, needed: frozenset[str] = frozenset(), chunk_bytes: int = CHUNK_BYTES
) -> Iterator[RecordChunk]:
    """Yield the records of a landed file in pieces of about `chunk_bytes`.

    Over a file the byte ranges of data, set-aside and non-data records tile the unpacked content, and the chunks'
    `content` joined is that content. What is read does not depend on `chunk_bytes`.

    Args:
        path: a landed file.
        files: how the contract says that it is read.
        needed: source columns that the contract uses.
        chunk_bytes: about how much content a chunk has; memory is bounded by it for delimited text and JSON lines.

    Raises:
        SetAsideError: the file goes to quarantine whole. It may come after chunks were handed out (a wrong trailer,
            a damaged end): then nothing of the file may be kept.
        UsageError: the contract cannot be followed (unknown encoding, malformed path).
    """
    if files.format == "xlsx":
        yield from read_xlsx(path, files, needed, chunk_bytes)
        return
    if files.format == "parquet":
        yield from read_parquet(path, files, needed, chunk_bytes)
        return
    blocks = unpacked(path, files)
    if files.format == "xml":
        yield from read_xml(blocks, files, needed, chunk_bytes)
        return

    def engine(utf8: Iterator[bytes]) -> Iterator[RecordChunk]:
        if files.format == "delimited":
            return DelimitedReader(files, needed).read(utf8, chunk_bytes)
        return (read_json if files.format == "json" else read_jsonl)(utf8, files, needed, chunk_bytes)

    yield from in_file_bytes(blocks, files.encoding, engine)
