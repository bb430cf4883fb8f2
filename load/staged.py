"""Copies into staging what has to be decided about: records of known keys, what is set aside, what was used."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from psycopg2 import extensions

from etl_pipeline.contracts.values import Conformed
from load.copying import copy_table, rows_table
from load.pieces import Piece

QUARANTINE_COLUMNS = (
    "record_no", "line_no", "byte_start", "byte_end", "reason", "sentence", "wants_set", "wants_key",
)  # fmt: skip


class Staging:
    """The staging tables of one load.

    Attributes:
        filled: those that hold rows.
    """

    def __init__(self, cursor: extensions.cursor) -> None:
        """Use the cursor of the load's transaction."""
        self._cursor = cursor
        self.filled: set[str] = set()

    def stage(self, pieces: Sequence[Piece], conformed: Conformed, *, again: bool) -> None:
        """Copy what pieces became."""
        numbers = pa.array([piece.tally.file_id for piece in pieces], pa.int64())
        records = conformed.records.append_column("is_again", pa.repeat(pa.scalar(again), conformed.records.num_rows))
        self._copy("stage_record", records, numbers)
        for kind, table in conformed.facts.items():
            self._copy(f"stage_{kind}", table, numbers)
        if conformed.references is not None:
            self._copy("stage_reference", conformed.references, numbers)
        self._stage_set_aside(pieces, conformed.set_aside)
        self._stage_used(numbers, conformed)
        if again:
            for number, piece in enumerate(pieces):
                chunk = piece.part.chunk
                judged = [chunk.addresses.record_no, chunk.set_aside["record_no"].to_numpy(dtype=np.int64)]
                table = pa.table({"record_no": pa.array(np.concatenate(judged))})
                self._copy("stage_again", table.append_column("part", pa.repeat(number, table.num_rows)), numbers)

    def _copy(self, target: str, table: pa.Table, numbers: pa.Array) -> None:
        """Copy a table whose column `part` says which file a row is of."""
        if table.num_rows:
            self.filled.add(target)
            files = numbers.take(table["part"].combine_chunks())
            copy_table(self._cursor, target, table.drop_columns("part").append_column("file_id", files))

    def _stage_set_aside(self, pieces: Sequence[Piece], judged: pd.DataFrame) -> None:
        parts = [piece.part for piece in pieces]
        frames = [(number, part.chunk.set_aside) for number, part in enumerate(parts) if len(part.chunk.set_aside)]
        frames += [(number, judged[judged["part"] == number]) for number in judged["part"].unique().tolist()]
        staged = []
        for number, frame in frames:
            chunk, file_id = parts[number].chunk, pieces[number].tally.file_id
            for row in frame.to_dict("records"):
                start, end = int(row["byte_start"]), int(row["byte_end"])
                raw = row.get("raw")
                if not isinstance(raw, bytes):
                    raw = chunk.content[start - chunk.content_start : end - chunk.content_start]
                kept = {name: row.get(name) for name in QUARANTINE_COLUMNS}
                staged.append(kept | {"file_id": file_id, "raw": "\\x" + raw.hex()})
        if staged:
            self.filled.add("stage_quarantine")
            copy_table(self._cursor, "stage_quarantine", rows_table(staged, list(staged[0])))

    def _stage_used(self, numbers: pa.Array, conformed: Conformed) -> None:
        self._copy("stage_file_reference", conformed.used_by, numbers)
        file_ids = numbers.to_pylist()
        rows = [
            {"file_id": file_ids[number], "set_name": name, "key": key}
            for number, name, key in sorted(conformed.led_to)
        ]
        if rows:
            copy_table(self._cursor, "stage_file_reference", rows_table(rows, list(rows[0])))
        made = [{"set_name": name, "code": code} for name, codes in conformed.created.items() for code in sorted(codes)]
        if made:
            copy_table(self._cursor, "stage_created", rows_table(made, ["set_name", "code"]))
