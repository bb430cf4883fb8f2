"""A warehouse with schema and gold, made once; each test gets a copy and fills silver by hand."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.core.names import Schemas
from load.embedded_postgres import EmbeddedServer
from test.run_warehouse import administer

PROD = Schemas.of(None)
KEYS = {"product_code": "product", "location_code": "location"}
ADDRESS = ("feed", "document", "line", "file", "void", "line_no")
_copies = itertools.count(1)


def drawn(table: str) -> list[dict[str, str]]:
    """Read a table drawn as text: a header, then rows; an empty cell is left out."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [{n: c for n, c in zip(lines[0], line, strict=True) if c} for line in lines[1:]]


class Warehouse:
    """A warehouse to fill by hand and to ask."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        self._numbers = itertools.count(1)
        self.known = 0

    def run(self, statement: str, values: Any = None) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def value(self, query: str, values: Any = None) -> Any:
        return self.rows(query, values)[0][0]

    def load(self) -> int:
        """Begin a load: what is told from here on is known at its number."""
        self.known = self.value("insert into ops.batch (run_id) values ('test') returning known")
        return self.known

    def feed(self, name: str) -> int:
        self.run(
            "insert into ops.feed (feed, source_system, describes, contract_hash, has_key) "
            "values (%s, %s, 'facts', 'c', true) on conflict (feed) do nothing",
            (name, name),
        )
        return int(self.value("select feed_id from ops.feed where feed = %s", (name,)))

    def file(self, name: str, feed: str, **columns: Any) -> int:
        found = self.rows("select file_id from bronze.file_name where name = %s", (name,))
        if found:
            return int(found[0][0])
        values = {
            "feed_id": self.feed(feed), "sha256": hashlib.sha256(name.encode()).hexdigest(), "name": name,
            "size_bytes": 0, "status": "loaded", "records": 0, "contract_hash": "c", "known": self.known or self.load(),
        } | columns  # fmt: skip
        file_id = int(self._insert("bronze.file", values, "file_id"))
        self.run("insert into bronze.file_name values (%s, %s, %s)", (file_id, name, self.known))
        return file_id

    def key(self, kind: str, code: str) -> int:
        self.run(
            f"insert into silver.{kind}_key ({kind}_code, known_from) values (%s, 1) on conflict do nothing", (code,)
        )
        return int(self.value(f"select {kind}_id from silver.{kind}_key where {kind}_code = %s", (code,)))

    def master(self, kind: str, code: str, valid_from: str = "-infinity", valid_to: str = "infinity", **columns: Any):
        base: dict[str, Any] = {f"{kind}_id": self.key(kind, code), f"{kind}_code": code, "is_created": False}
        base |= {"valid_from": valid_from, "valid_to": valid_to}
        defaults = {"base_unit": "EA", "is_stocked": True, "is_discontinued": False}
        base |= defaults if kind == "product" else {"location_kind": "store", "day_close_minutes": 0}
        self._insert(f"silver.dim_{kind}", base | columns, f"{kind}_id")

    def tell(self, kind: str, table: str) -> list[int]:
        """Insert the facts drawn in a table, each with a record of its own; return the records."""
        return [self._tell_one(kind, row) for row in drawn(table)]

    def forget(self, record_id: int) -> None:
        """Void a record at the present load: its facts are closed."""
        self.run("update silver.record set is_void = true where record_id = %s", (record_id,))
        for kind in FACT_KINDS.values():
            self.run(
                f"update silver.{kind.table} set known_to = %s where record_id = %s and known_to is null",
                (self.known, record_id),
            )

    def settle(self) -> None:
        """Recompute every position, as the load does for the keys it touched."""
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute("select silver.open_work()")
            cursor.execute(
                "insert into recomputed_key "
                "select product_id, location_id from silver.fact_movement union "
                "select product_id, location_id from silver.fact_count union "
                "select product_id, location_id from silver.position"
            )
            cursor.execute("insert into touched_key select * from recomputed_key")
            cursor.execute("select silver.refresh_position(%s), silver.note_rates_due()", (self.known,))
            cursor.execute(
                "insert into touched_order "
                "select order_document from silver.fact_demand union "
                "select order_document from silver.fact_supply union "
                "select order_document from silver.demand_line union "
                "select order_document from silver.supply_line"
            )
            cursor.execute("select silver.refresh_order_lines(%s)", (self.known,))

    def _tell_one(self, kind: str, row: dict[str, str]) -> int:
        if not self.known:
            self.load()
        number = next(self._numbers)
        content = hashlib.md5(str(sorted(row.items())).encode()).hexdigest()
        feed = row.get("feed", "pos")
        record_id = self._insert(
            "silver.record",
            {
                "feed_id": self.feed(feed), "epoch": "", "document": row.get("document", f"D{number}"),
                "line": row.get("line", "1"), "content_hash": content,
                "is_void": False, "is_current": True, "file_id": self.file(row.get("file", f"{feed}.csv"), feed),
                "record_no": number, "line_no": number, "byte_start": 0, "byte_end": 1, "known_from": self.known,
            },
            "record_id",
        )  # fmt: skip
        fact = {c.name: c.default for c in FACT_KINDS[kind].columns if c.default is not None}
        fact |= {"role": "authority"} if "role" in FACT_KINDS[kind].by_name else {}
        fact |= {name: cell for name, cell in row.items() if name not in ADDRESS}
        values: dict[str, Any] = {"record_id": record_id, "fact_no": 1, "known_from": self.known}
        for name, cell in fact.items():
            if name in KEYS and not FACT_KINDS[kind].is_master:
                values[f"{KEYS[name]}_id"] = self.key(KEYS[name], str(cell))
            else:
                values[name] = cell
        self._insert(f"silver.fact_{kind}", values, "record_id")
        return int(record_id)

    def _insert(self, table: str, values: dict[str, Any], returning: str) -> Any:
        marks = ", ".join(["%s"] * len(values))
        statement = f"insert into {table} ({', '.join(values)}) values ({marks}) returning {returning}"
        return self.value(statement, list(values.values()))


@pytest.fixture
def warehouse(postgres_server: EmbeddedServer, deployed_template: str) -> Iterator[Warehouse]:
    name = f"gold_{os.getpid()}_{next(_copies)}"
    administer(postgres_server, f"create database {name} template {deployed_template}")
    made = Warehouse(postgres_server.url(name))
    yield made
    made.connection.close()
    administer(postgres_server, f"drop database {name} with (force)")
