"""Whether the report page still says what the warehouse says: what it is made of, in one hash beside the file."""

import hashlib
from pathlib import Path

from data_warehouse.dbt_runner import gold_version
from pipeline_manager.warehouse import OpenWarehouse

_STATE = """
    select cast(row(
        (select max(known) from {{ ops }}.batch),
        (select count(*) from {{ bronze }}.file_name),
        (select count(*) from {{ ops }}.rebuild),
        (select array_agg(cast(d as text) order by d.feed, d.sha256, d.record_no) from {{ ops }}.decision as d),
        (select array_agg(cast(f as text) order by f.feed_id) from {{ ops }}.feed as f),
        (
            select array_agg(s.name || '=' || s.value order by s.name)
            from {{ ops }}.setting as s
            where s.name not in ('runner', 'published', 'summary')
        )
    ) as text)
"""


def page_state(opened: OpenWarehouse) -> str:
    """Return a hash of what the page depends on: loads, names, decisions, settings, gold and the page's own code."""
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
    with connection, connection.cursor() as cursor:
        cursor.execute(schemas.render(_STATE))
        found = cursor.fetchone()
    whole = hashlib.sha256(f"{found} {gold_version()}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def is_up_to_date(page: Path, state: str) -> bool:
    """Tell whether a page was written when the warehouse was in this state."""
    beside = _beside(page)
    return page.exists() and beside.exists() and beside.read_text(encoding="utf-8") == state


def remember(page: Path, state: str) -> None:
    """Keep the state that a page was written in."""
    _beside(page).write_text(state, encoding="utf-8")


def _beside(page: Path) -> Path:
    return page.with_name(f".{page.stem}.state")
