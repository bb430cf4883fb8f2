"""What the summary of a run says about all stock, kept until something says otherwise: two readings of every key."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from psycopg2.extras import RealDictCursor

from pipeline_manager.morning.page_state import page_state
from pipeline_manager.warehouse import OpenWarehouse

NAME = "summary"
"""Of its row in ops.setting; what depends on the settings leaves it out."""
_KEPT = "select value from {{ ops }}.setting where name = %s"
_KEEP = """
    insert into {{ ops }}.setting (name, value) values (%s, %s)
    on conflict (name) do update set value = excluded.value
"""
Rows = list[dict[str, Any]]


def told_of_stock(opened: OpenWarehouse, queries: Mapping[str, str]) -> dict[str, Rows]:
    """Return the rows of queries over gold, as they were found when the warehouse was last in its present state."""
    state = hashlib.sha256(f"{page_state(opened)} {sorted(queries.items())}".encode()).hexdigest()
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
    with connection, connection.cursor() as plain, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        plain.execute(schemas.render(_KEPT), (NAME,))
        kept = json.loads((plain.fetchone() or ["{}"])[0], object_hook=_number)
        if kept.get("state") == state:
            return {name: kept[name] for name in queries}
        told: dict[str, Rows] = {}
        for name, query in queries.items():
            cursor.execute(schemas.render(query))
            told[name] = [dict(row) for row in cursor.fetchall()]
        plain.execute(schemas.render(_KEEP), (NAME, json.dumps({"state": state, **told}, default=_text)))
    return told


def _text(value: object) -> dict[str, str]:
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} is nothing that a summary holds")
    return {"number": str(value)}


def _number(found: dict[str, Any]) -> Any:
    return Decimal(found["number"]) if found.keys() == {"number"} else found
