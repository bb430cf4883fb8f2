"""What `systock rebuild` does: stock and order lines anew from the ledger; whatever differed is mended and told."""

import sys
import uuid
from contextlib import closing
from dataclasses import dataclass

from psycopg2.extras import RealDictCursor

from load.postgres import PostgresWarehouse
from pipeline_manager.warehouse_commands import deployed_warehouse

_REBUILD = "select * from {{ silver }}.rebuild_stock(%s)"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild found.

    Attributes:
        known: the load whose knowledge it is.
        stock_keys: products at a place that were computed anew.
        keys_differed: how many of them were not what the ledger says.
        order_lines_differed: the same of order lines.
        hash_before: of all positions and order lines before.
        hash_after: the same after.
    """

    known: int
    stock_keys: int
    keys_differed: int
    order_lines_differed: int
    hash_before: str
    hash_after: str

    @property
    def was_right(self) -> bool:
        """Whether nothing had to be mended."""
        return self.hash_before == self.hash_after and not self.keys_differed and not self.order_lines_differed

    def sentence(self) -> str:
        """Tell what was found and what was done."""
        told = f"{self.stock_keys:,} stock keys and all order lines rebuilt from the ledger as of load {self.known}: "
        if self.was_right:
            return told + "nothing differed."
        return told + (
            f"{self.keys_differed:,} stock keys and {self.order_lines_differed:,} order lines were not what it says. "
            "They are mended, and ops.rebuild tells of it. Find out who wrote to silver: no load does such a thing."
        )


def rebuild(env: str | None, database_url: str | None) -> bool:
    """Rebuild and print the outcome; return whether everything was right before."""
    with deployed_warehouse(env, database_url) as opened, opened.warehouse.run_lock():
        opened.have_own_tables()
        opened.deploy()
        rebuilt = rebuild_stock(opened.warehouse)
    sys.stdout.write(f"before {rebuilt.hash_before}\nafter  {rebuilt.hash_after}\n{rebuilt.sentence()}\n")
    return rebuilt.was_right


def rebuild_stock(warehouse: PostgresWarehouse) -> Rebuilt:
    """Make positions and order lines anew, in one transaction; readers see the old ones until it is committed."""
    run_id = uuid.uuid4().hex
    warehouse.take_over(run_id)
    connection = warehouse.connection
    with connection, closing(connection.cursor(cursor_factory=RealDictCursor)) as cursor:
        cursor.execute(warehouse.schemas.render(_REBUILD), (run_id,))
        row = dict(cursor.fetchone() or {})
        with closing(connection.cursor()) as plain:
            warehouse.require_fence(plain)
    return Rebuilt(**{name: row[name] for name in Rebuilt.__dataclass_fields__})
