"""Renders the double entry of stock: as a view over everything, and as a function that costs what its keys cost."""

from collections.abc import Mapping
from pathlib import Path

TEXT = Path(__file__).parent / "schema" / "rendered" / "account_entry.sql"
_ALL = {"kept": "not materialized", "and_wanted": "", "and_wanted_place": ""}
_SOME = {
    "kept": "materialized",
    "and_wanted": """
        and (product_id, location_id) in (
            select t.product_id, t.location_id from unnest(products, locations) as t (product_id, location_id)
        )""",
    "and_wanted_place": """
        and c.location_id = any (locations)""",
}


def _filled(query: str, marks: Mapping[str, str]) -> str:
    for mark, text in marks.items():
        query = query.replace(f"{{{{ {mark} }}}}", text)
    return query


def account_entries() -> str:
    """Return silver.account_entry, and account_entry_of_keys(products, locations): its rows of pairs of them."""
    query = TEXT.read_text(encoding="utf-8")
    return f"""
create or replace view {{{{ silver }}}}.account_entry as
{_filled(query, _ALL)};
comment on view {{{{ silver }}}}.account_entry is
'Double entry of stock: each movement and each count variance with its counter account. A count''s variance is what '
'it found minus what the ledger said just before, posted to shrink.';

drop function if exists {{{{ silver }}}}.account_entry_of_keys(integer[], integer[]);
create or replace function {{{{ silver }}}}.account_entry_of_keys(products integer[], locations integer[])
returns table (
    product_id integer, account text, location_id integer, state text, bin_code text, lot_code text,
    event_time timestamptz, quantity numeric, record_id bigint
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    {_filled(query, _SOME)};
end
$$;
comment on function {{{{ silver }}}}.account_entry_of_keys(integer[], integer[]) is
'silver.account_entry of some products, each at the location beside it.';
"""
