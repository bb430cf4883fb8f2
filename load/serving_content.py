"""What a relation's rows come to, in any order: the same on every engine, whatever it was read through."""

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from load.warehouse import Column, Relation

if TYPE_CHECKING:
    import pyarrow as pa

_NULL, _BETWEEN = "\x00", "\x1f"
_BYTES = 16


class Content:
    """Rows and a running hash of them; the sum of the rows' hashes, so their order does not count."""

    def __init__(self, relation: Relation) -> None:
        """Begin with no row."""
        self.rows = 0
        self._relation = relation
        self._sum = 0

    def take(self, batch: "pa.RecordBatch") -> None:
        """Take rows in, with the types of `arrow_schema`."""
        import pyarrow.compute as pc

        if not batch.num_rows:
            return
        texts = [_text(column, batch.column(n)) for n, column in enumerate(self._relation.columns)]
        joined = pc.binary_join_element_wise(*texts, _BETWEEN, null_handling="replace", null_replacement=_NULL)
        for row in joined.to_pylist():
            self._sum += int.from_bytes(hashlib.blake2b(row.encode(), digest_size=_BYTES).digest(), "big")
        self.rows += batch.num_rows

    @property
    def told(self) -> str:
        """The hash as text."""
        return f"{self._sum % (1 << 8 * _BYTES):0{2 * _BYTES}x}"


def content_of(relation: Relation, batches: "Iterable[pa.RecordBatch]") -> Content:
    """Return what rows come to."""
    content = Content(relation)
    for batch in batches:
        content.take(batch)
    return content


def _text(column: Column, values: "pa.Array") -> "pa.Array":
    """Return values as text that is the same for equal values, whoever wrote them."""
    import pyarrow as pa

    if column.kind == "binary":
        return pa.array([None if v is None else v.hex() for v in values.to_pylist()], pa.string())
    if column.kind == "json":
        return pa.array([_json_text(v) for v in values.to_pylist()], pa.string())
    return values.cast(pa.string())


def _json_text(value: Any) -> str | None:
    """Engines keep other spaces, another order within an object, and 2.5 for 2.50."""
    if value is None:
        return None
    return json.dumps(json.loads(value, parse_float=_plain, parse_int=_plain), sort_keys=True, ensure_ascii=False)


def _plain(number: str) -> str:
    return f"{Decimal(number).normalize():f}"
