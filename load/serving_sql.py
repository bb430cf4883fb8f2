"""What both engines of a serving warehouse have in common: the SQL of the manifest, of merges and of replacements.

Keys are nowhere enforced by the engine: each statement says by itself which rows are the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import PROD, Schemas
from load.warehouse import Column, Parcel, Relation, Shipment, Shipped

if TYPE_CHECKING:
    import pyarrow as pa

_LATEST = 8
STAGED, KEYS = "shipping", "shipping_keys"
_SHIPMENT = Relation("", "shipment", (
    Column("number", "integer", "bigint"), Column("ledger", "text", "text"), Column("rows_of", "text", "text"),
    Column("horizon", "integer", "bigint"), Column("known", "integer", "bigint"),
    Column("is_done", "boolean", "boolean"),
))  # fmt: skip
_RELATION = Relation("", "shipped_relation", (
    Column("relation", "text", "text"), Column("number", "integer", "bigint"),
    Column("row_count", "integer", "bigint"), Column("content", "text", "text"),
    Column("signature", "text", "text"),
))  # fmt: skip
_NOTE = Relation("", "serving_note", (Column("name", "text", "text"), Column("value", "text", "text")))
_MANIFEST = (_SHIPMENT, _RELATION, _NOTE)


class SqlServing(ABC):
    """A serving warehouse that is spoken to in SQL."""

    def __init__(self, schemas: Schemas) -> None:
        """Serve one environment."""
        self.schemas = schemas

    @abstractmethod
    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""

    @abstractmethod
    def name(self, name: str) -> str:
        """Return a name, quoted."""

    @abstractmethod
    def type_of(self, column: Column, *, staged: bool = False) -> str:
        """Return the type of a column of a table, or of the table beside it that files are loaded into."""

    @abstractmethod
    def from_staged(self, column: Column) -> str:
        """Return the expression that makes a column's value of a staged one."""

    @abstractmethod
    def beside(self, beside: str, relation: Relation) -> str:
        """Return the name of a staged table, quoted."""

    @abstractmethod
    def make_anew(self, table: str, definition: str) -> None:
        """Make a table instead of the one of that name, if there is one."""

    @abstractmethod
    def make_staged(self, table: str, definition: str) -> None:
        """Likewise, one that goes with the connection."""

    @abstractmethod
    def load_files(self, shipment: Shipment, table: str, relation: Relation, files: Sequence[Path]) -> None:
        """Bulk load files into a staged table."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make the statements within visible together, as far as the engine can."""

    @abstractmethod
    def clone_from(self, origin: Schemas) -> bool:
        """Make this environment as a copy of another without copying rows; return False where that cannot be."""

    @abstractmethod
    def rows(self, relation: Relation) -> "Iterator[pa.RecordBatch]":
        """Return a relation's rows."""

    def prepare(self) -> None:
        """Make the schemas and the manifest where they are missing; an environment begins as a clone, if it can."""
        ops, last = _literal(self.schemas.ops), _literal(_MANIFEST[-1].name)
        there = f"select 1 from information_schema.tables where lower(table_schema) = {ops}"
        if self.run(f"{there} and lower(table_name) = {last}"):
            return
        if self.schemas.env != PROD and not self.run(f"{there} limit 1") and self.clone_from(Schemas.of(None)):
            self._own_clone()
            return
        for schema in self._schemas:
            self.run(f"create schema if not exists {self.name(schema)}")
        for table in _MANIFEST:
            self._create(self._manifest(table), table.columns)

    @property
    def _schemas(self) -> tuple[str, ...]:
        return (self.schemas.bronze, self.schemas.silver, self.schemas.gold, self.schemas.ops)

    def _own_clone(self) -> None:
        """Make a clone's manifest this environment's: its rows are there, but no shipment of its own is."""
        relation = self.name("relation")
        self.run(
            f"update {self._manifest(_RELATION)} set {relation} = {_literal(self.schemas.env + '_')} || {relation}"
        )
        self.run(f"delete from {self._manifest(_SHIPMENT)}")
        self.run(f"delete from {self._manifest(_NOTE)}")

    def last_shipments(self) -> tuple[Shipment | None, Shipment | None]:
        """Return the last one that was published, and the last one at all."""
        names = ", ".join(self.name(c.name) for c in _SHIPMENT.columns)
        # At most one is open, for each one clears away those before it.
        found = self.run(
            f"select {names} from {self._manifest(_SHIPMENT)} order by {self.name('number')} desc limit {_LATEST}"
        )
        told = [Shipment(int(r[0]), r[1], r[2], int(r[3]), int(r[4]), bool(r[5])) for r in found]
        told.sort(key=lambda shipment: (shipment.number, shipment.is_done))
        done = [shipment for shipment in told if shipment.is_done]
        return (done[-1] if done else None), (told[-1] if told else None)

    def shipped(self) -> dict[str, Shipped]:
        """Return the manifest of relations; a table that somebody dropped is not there, whatever the manifest says."""
        schemas = ", ".join(map(_literal, self._schemas))
        tables = self.run(
            f"select table_schema, table_name from information_schema.tables where lower(table_schema) in ({schemas})"
        )
        there = {f"{schema}.{table}".lower() for schema, table in tables}
        names = ", ".join(self.name(n) for n in ("relation", "row_count", "content", "signature"))
        found = self.run(f"select {names} from {self._manifest(_RELATION)}")
        return {str(r[0]): Shipped(int(r[1]), r[2], r[3]) for r in found if r[0] in there}

    def note(self, name: str) -> str | None:
        """Return what was noted under a name."""
        found = self.run(
            f"select {self.name('value')} from {self._manifest(_NOTE)} where {self.name('name')} = {_literal(name)}"
        )
        return str(found[0][0]) if found else None

    def write_note(self, name: str, value: str) -> None:
        """Note something under a name, instead of what was noted before."""
        self.run(f"delete from {self._manifest(_NOTE)} where {self.name('name')} = {_literal(name)}")
        self._enter(_NOTE, (name, value))

    def begin(self, shipment: Shipment) -> None:
        """Write down that a shipment begins."""
        self._enter(_SHIPMENT, _values_of(shipment, is_done=False))
        self.run(
            f"delete from {self._manifest(_SHIPMENT)}"
            f" where not {self.name('is_done')} and {self.name('number')} < {shipment.number}"
        )

    def _is_loaded_at_once(self, parcel: Parcel) -> bool:
        """A new table takes the files themselves, where its columns hold what the files hold."""
        return parcel.is_first and all(
            self.from_staged(c) == self.name(c.name) and self.type_of(c) == self.type_of(c, staged=True)
            for c in parcel.relation.columns
        )

    def stage(self, shipment: Shipment, parcel: Parcel) -> None:
        """Load a parcel's files beside the relation; into a new table at once, for nobody reads it yet."""
        relation = parcel.relation
        if parcel.is_first:
            self.make_anew(self._table(relation), f"({self._told(relation.columns)})")
            if self._is_loaded_at_once(parcel):
                if parcel.files:
                    self.load_files(shipment, self._table(relation), relation, parcel.files)
                reached("ship.staged")
                return
        self._stage(shipment, STAGED, parcel.relation, parcel.files)

    def stage_keys(self, shipment: Shipment, parcel: Parcel) -> None:
        """Load the keys of all rows."""
        self._stage(shipment, KEYS, parcel.relation, parcel.files)

    def _stage(self, shipment: Shipment, beside: str, relation: Relation, files: Sequence[Path]) -> None:
        if files:
            table = self.beside(beside, relation)
            self.make_staged(table, f"({self._told(relation.columns, staged=True)})")
            self.load_files(shipment, table, relation, files)
        reached("ship.staged")

    def rows_after(self, parcel: Parcel) -> int:
        """Return how many rows the relation will have once the staged ones are merged into it."""
        if not parcel.files:
            return self.count(parcel.relation)
        target, staged = self._table(parcel.relation), self.beside(STAGED, parcel.relation)
        found = self.run(
            f"select (select count(*) from {target}) + (select count(*) from {staged} as s"
            f" left join {target} as t on {self._same(parcel.relation)}"
            f" where t.{self.name(parcel.relation.key[0])} is null) as {self.name('row_count')}"
        )
        return int(found[0][0])

    def publish(self, shipment: Shipment, parcels: Sequence[Parcel], keyed: set[str]) -> None:
        """Merge or replace what was staged and write the manifest."""
        with self.transaction():
            self._refuse_if_overtaken(shipment)
            for parcel in parcels:
                if self._is_loaded_at_once(parcel):
                    pass
                elif parcel.is_whole:
                    self._replace(parcel)
                elif parcel.files:
                    self._merge(parcel.relation)
                if parcel.relation.full_name in keyed:
                    self._delete_others(parcel.relation)
                reached("ship.merged")
            names = ", ".join(_literal(p.relation.full_name) for p in parcels)
            self.run(f"delete from {self._manifest(_RELATION)} where {self.name('relation')} in ({names})")
            self._enter(
                _RELATION,
                *((p.relation.full_name, shipment.number, p.total, p.content, p.relation.signature) for p in parcels),
            )
            reached("ship.before_manifest")
            # Last, and by itself: a target without transactions is right once this row is there.
            self._enter(_SHIPMENT, _values_of(shipment, is_done=True))
            reached("ship.before_commit")

    def _refuse_if_overtaken(self, shipment: Shipment) -> None:
        """A runner that slept must not publish what another one has shipped anew since."""
        latest = self.run(f"select max({self.name('number')}) from {self._manifest(_SHIPMENT)}")[0][0]
        if int(latest or 0) != shipment.number:
            raise StopRunError(
                "Another shipment to this target began while this one was under way. Nothing of this one was "
                "published; the other one brings it."
            )

    def count(self, relation: Relation) -> int:
        """Return how many rows a relation has."""
        return int(self.run(f"select count(*) from {self._table(relation)}")[0][0])

    def drop_environment(self) -> None:
        """Drop the schemas of this environment."""
        for schema in self._schemas:
            self.run(f"drop schema if exists {self.name(schema)} cascade")

    def _replace(self, parcel: Parcel) -> None:
        relation = parcel.relation
        if not parcel.is_first:
            self.run(f"delete from {self._table(relation)}")
        if not parcel.files:
            return
        names = ", ".join(self.name(c.name) for c in relation.columns)
        self.run(f"insert into {self._table(relation)} ({names}) {self._staged(relation)}")

    def _merge(self, relation: Relation) -> None:
        names = [self.name(c.name) for c in relation.columns]
        others = [self.name(c.name) for c in relation.columns if c.name not in relation.key]
        update = f" when matched then update set {', '.join(f'{n} = s.{n}' for n in others)}" if others else ""
        self.run(
            f"merge into {self._table(relation)} as t using ({self._staged(relation)}) as s on {self._same(relation)}"
            f"{update} when not matched then insert ({', '.join(names)}) values ({', '.join(f's.{n}' for n in names)})"
        )

    def _delete_others(self, relation: Relation) -> None:
        """Delete what the keeper has no more."""
        keys = [self.name(n) for n in relation.key]
        same = " and ".join(f"o.{k} = k.{k}" for k in keys)
        self.run(
            f"merge into {self._table(relation)} as t using (select {', '.join(f'o.{k}' for k in keys)}"
            f" from {self._table(relation)} as o left join {self.beside(KEYS, relation)} as k on {same}"
            f" where k.{keys[0]} is null) as s on {self._same(relation)} when matched then delete"
        )

    def _same(self, relation: Relation) -> str:
        return " and ".join(f"t.{self.name(k)} = s.{self.name(k)}" for k in relation.key)

    def _staged(self, relation: Relation) -> str:
        columns = ", ".join(f"{self.from_staged(c)} as {self.name(c.name)}" for c in relation.columns)
        return f"select {columns} from {self.beside(STAGED, relation)}"

    def _table(self, relation: Relation) -> str:
        return f"{self.name(relation.schema)}.{self.name(relation.name)}"

    @staticmethod
    def short_name(relation: Relation, beside: str) -> str:
        """Return the name of what is laid beside a relation: an environment's name in it would make it too long."""
        return f"{beside}_{relation.schema.rpartition('_')[2]}_{relation.name}"

    def _manifest(self, table: Relation) -> str:
        return f"{self.name(self.schemas.ops)}.{self.name(table.name)}"

    def _create(self, table: str, columns: Sequence[Column]) -> None:
        self.run(f"create table if not exists {table} ({self._told(columns)})")

    def _told(self, columns: Sequence[Column], *, staged: bool = False) -> str:
        return ", ".join(f"{self.name(c.name)} {self.type_of(c, staged=staged)}" for c in columns)

    def _enter(self, table: Relation, *rows: Sequence[object]) -> None:
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        self.run(f"insert into {self._manifest(table)} values {values}")


def _values_of(shipment: Shipment, *, is_done: bool) -> tuple[object, ...]:
    return (shipment.number, shipment.ledger, shipment.rows_of, shipment.horizon, shipment.known, is_done)


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int):
        return str(value).lower()
    text = str(value).replace("'", "''")
    return f"'{text}'"
