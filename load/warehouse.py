"""A warehouse that serves: what it is told of relations and shipments, and the one protocol with engines behind it.

The keeper (PostgreSQL) decides what is true; a serving warehouse holds what was shipped from it, for people and tools.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from etl_pipeline.core.names import Schemas

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["integer", "decimal", "float", "boolean", "text", "binary", "date", "instant", "json"]


@dataclass(frozen=True)
class Column:
    """A column of a shipped relation.

    Attributes:
        name: its name, small letters.
        kind: what it holds.
        native: its type on the keeper.
        scale: digits behind the point of a decimal.
    """

    name: str
    kind: Kind
    native: str
    scale: int = 0


@dataclass(frozen=True)
class Relation:
    """A relation that is shipped, as the keeper's catalogue has it.

    Attributes:
        schema: where it lies, on both sides.
        name: its name.
        columns: in order.
        key: columns that no two rows share; empty where only a whole replacement is possible.
        source: the query that it is read by on the keeper, where it is no table or view of that name.
        is_table: its rows tell when they were written.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    source: str | None = None
    is_table: bool = False

    @property
    def full_name(self) -> str:
        """Schema and name, as they are written in the manifest."""
        return f"{self.schema}.{self.name}"

    @property
    def signature(self) -> str:
        """What the columns are: another signature needs another table."""
        return ", ".join(f"{c.name} {c.native} {c.scale}" for c in self.columns)

    def only(self, names: Sequence[str]) -> "Relation":
        """Return the same with some columns alone."""
        kept = tuple(c for c in self.columns if c.name in names)
        return Relation(self.schema, self.name, kept, self.key, self.source, self.is_table)


@dataclass(frozen=True)
class Parcel:
    """What is shipped of one relation.

    Attributes:
        relation: whose rows.
        files: Parquet files.
        rows: how many they hold.
        is_whole: they are all rows there are, instead of those that changed.
        total: how many rows the keeper has.
        content: a hash of all rows, where all were read and nothing else tells whether any changed.
        is_first: the target has no table of these columns yet.
    """

    relation: Relation
    files: tuple[Path, ...]
    rows: int
    is_whole: bool
    total: int
    content: str | None = None
    is_first: bool = False


@dataclass(frozen=True)
class Shipment:
    """What one shipment brings a serving warehouse up to.

    Attributes:
        number: counts shipments of this target.
        ledger: whose facts: no two ledgers have the same, and no two environments.
        rows_of: the database whose row versions `horizon` speaks of.
        horizon: every transaction of the keeper before this number has been shipped.
        known: the last load in it.
        is_done: it was published; otherwise it died, and the next one brings all that it should have brought.
    """

    number: int
    ledger: str
    rows_of: str
    horizon: int
    known: int
    is_done: bool = False


@dataclass(frozen=True)
class Shipped:
    """What a target has of one relation, by its own manifest."""

    rows: int
    content: str | None
    signature: str


class ServingWarehouse(Protocol):
    """What shipping asks of an engine; each call may be made again after a death in the middle of it."""

    @property
    def shown(self) -> str:
        """Its address without secrets."""

    def prepare(self) -> None:
        """Make the schemas and the manifest where they are missing."""

    def last_shipments(self) -> tuple[Shipment | None, Shipment | None]:
        """Return the last one that was published, and the last one at all."""

    def shipped(self) -> dict[str, Shipped]:
        """Return the manifest of relations by their full names."""

    def note(self, name: str) -> str | None:
        """Return what was noted under a name."""

    def write_note(self, name: str, value: str) -> None:
        """Note something under a name, instead of what was noted before."""

    def begin(self, shipment: Shipment) -> None:
        """Write down that a shipment begins."""

    def stage(self, shipment: Shipment, parcel: Parcel) -> None:
        """Bulk load a parcel's files beside the relation, where nobody reads them; make its table where it has none."""

    def rows_after(self, parcel: Parcel) -> int:
        """Return how many rows the relation will have once the staged ones are merged into it."""

    def stage_keys(self, shipment: Shipment, parcel: Parcel) -> None:
        """Bulk load the keys of all rows that the keeper has: others are deleted when it is published."""

    def publish(self, shipment: Shipment, parcels: Sequence[Parcel], keyed: set[str]) -> None:
        """Merge or replace what was staged and write the manifest: in one transaction, where the engine has any.

        Args:
            shipment: which one.
            parcels: what was staged.
            keyed: full names of the relations whose keys were staged.
        """

    def count(self, relation: Relation) -> int:
        """Return how many rows a relation has."""

    def rows(self, relation: Relation) -> "Iterator[pa.RecordBatch]":
        """Return a relation's rows with the columns and types of `arrow_schema`."""

    def drop_environment(self) -> None:
        """Drop the schemas of this environment."""

    def clone_from(self, origin: Schemas) -> bool:
        """Make this environment as a copy of another without copying rows; return False where that cannot be."""

    def close(self) -> None:
        """End the connection."""


def arrow_schema(relation: Relation) -> "pa.Schema":
    """Return how a relation's rows travel: the types of the files, and of what is compared."""
    import pyarrow as pa

    types = {
        "integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "text": pa.string(),
        "binary": pa.binary(), "date": pa.date32(), "instant": pa.timestamp("us"), "json": pa.string(),
    }  # fmt: skip
    return pa.schema(
        [(c.name, pa.decimal128(38, c.scale) if c.kind == "decimal" else types[c.kind]) for c in relation.columns]
    )
