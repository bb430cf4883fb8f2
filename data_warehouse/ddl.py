"""Renders the facts' tables and load functions from contracts/facts.py, so that a column has one home.

The text uses the same `{{ silver }}` marks as the SQL files beside it; `schema_files` gives all of it in order.
"""

from collections.abc import Iterator
from pathlib import Path

from data_warehouse.ddl_accounts import account_entries
from data_warehouse.ddl_masters import dimensions
from data_warehouse.ddl_text import FUNCTION_HEAD, quoted
from data_warehouse.ddl_work import work_function
from etl_pipeline.contracts.facts import FACT_KINDS, SQL_TYPES, Column, FactKind, silver_column, silver_columns


def _indexes(kind: FactKind) -> Iterator[str]:
    names = {name for name, _ in silver_columns(kind)}
    yield f"create index if not exists {kind.table}_record on {{{{ silver }}}}.{kind.table} (record_id);"
    if kind.name in ("movement", "count"):
        yield (
            f"create index if not exists {kind.table}_stock_key on {{{{ silver }}}}.{kind.table} "
            "(product_id, location_id, event_time);"
        )
    elif kind.is_master:
        code = kind.columns[0].name
        yield f"create index if not exists {kind.table}_code on {{{{ silver }}}}.{kind.table} ({code});"
    elif "product_id" in names and kind.name != "sale":
        yield f"create index if not exists {kind.table}_product on {{{{ silver }}}}.{kind.table} (product_id);"


def _later_column(table: str, kind: FactKind, column: Column) -> Iterator[str]:
    """Give a warehouse of an earlier version a column that came later; its facts say what no contract mapped."""
    name, sql_type = silver_column(kind, column)
    if column.default is None:
        yield f"alter table {table} add column if not exists {name} {sql_type};"
    else:
        default = f"cast({quoted(column.default)} as {sql_type})"
        yield f"alter table {table} add column if not exists {name} {sql_type} default {default};"
        yield f"alter table {table} alter column {name} drop default;"


def fact_tables() -> str:
    """Return the SQL of every silver fact table, with comments; safe to run again."""
    lines: list[str] = []
    for kind in FACT_KINDS.values():
        table = f"{{{{ silver }}}}.{kind.table}"
        columns = ["record_id bigint not null", "fact_no smallint not null"]
        columns += ["known_from bigint not null", "known_to bigint"]
        columns += [f"{name} {sql_type}" for name, sql_type in silver_columns(kind)]
        lines.append(f"create table if not exists {table} (\n    " + ",\n    ".join(columns) + "\n);")
        for column in kind.columns:
            lines.extend(_later_column(table, kind, column))
        lines.append(f"comment on table {table} is {quoted(kind.meaning)};")
        for column in kind.columns:
            name = silver_column(kind, column)[0]
            lines.append(f"comment on column {table}.{name} is {quoted(column.meaning)};")
        lines.extend(_indexes(kind))
    return "\n".join(lines)


def _apply_one(table: str, stage: str, pairs: list[tuple[str, str]], joins: str, guard: str) -> str:
    """Return the statements that close, open again and insert the facts of one kind."""
    into = ", ".join(name for name, _ in pairs)
    old = ", ".join(f"o.{name}" for name, _ in pairs)
    new = ", ".join(source for _, source in pairs)
    return f"""
    if cardinality(closed) > 0 then
        update {{{{ silver }}}}.{table} as f
        set known_to = at_known
        from unnest(closed) as c (record_id)
        where f.record_id = c.record_id and f.known_to is null;
    end if;

    if cardinality(reopened) > 0 then
        insert into {{{{ silver }}}}.{table} (record_id, fact_no, known_from, known_to, {into})
        select o.record_id, o.fact_no, at_known, null, {old}
        from unnest(reopened) as c (record_id)
        -- Windows keep this a look-up by record: what it costs follows the change, not the ledger.
        cross join lateral (
            select
                l.*, max(l.known_from) over () as last_known_from, bool_or(l.known_to is null) over () as is_open
            from {{{{ silver }}}}.{table} as l
            where l.record_id = c.record_id
        ) as o
        where o.known_from = o.last_known_from and not o.is_open;
    end if;

    if exists (select 1 from pg_temp.{stage}) then{guard}
        insert into {{{{ silver }}}}.{table} (record_id, fact_no, known_from, known_to, {into})
        select c.record_id, s.fact_no, at_known, case when c.stands then null else at_known end, {new}
        from pg_temp.{stage} as s
        inner join pg_temp.changed_record as c on s.file_id = c.file_id and s.record_no = c.record_no
{joins}        where c.takes_staged
        order by c.record_id;
    end if;
"""


def _apply_kind(kind: FactKind) -> str:
    pairs: list[tuple[str, str]] = []
    joins, lost = "", []
    for column in kind.columns:
        name, _ = silver_column(kind, column)
        if name == column.name:
            # 12.000000000 and 12 are one quantity; the ledger keeps the shorter.
            pairs.append((name, f"trim_scale(s.{name})" if SQL_TYPES[column.type] == "numeric" else f"s.{name}"))
            continue
        alias = name[0]
        key = name.removesuffix("_id")
        joins += f"    left join {{{{ silver }}}}.{key}_key as {alias} on s.{column.name} = {alias}.{column.name}\n"
        pairs.append((name, f"{alias}.{name}"))
        lost.append(f"(s.{column.name} is not null and {alias}.{name} is null)")
    guard = ""
    if lost:
        guard = f"""
        if exists (
            select 1 from pg_temp.stage_{kind.name} as s
{joins}            where {" or ".join(lost)}
        ) then
            raise exception 'a staged {kind.name} names a code without a key; the transform let it pass';
        end if;
"""
    return _apply_one(kind.table, f"stage_{kind.name}", pairs, joins, guard)


NUMBERED = ("product", "location")
"""Codes that have a durable number."""


def _number(key: str, codes: str) -> str:
    """Return the statement that gives the codes of a query (column `code`) a number where they have none."""
    return f"""
    insert into {{{{ silver }}}}.{key}_key ({key}_code, known_from)
    select distinct n.code, at_known
    from ({codes}) as n
    where not exists (select 1 from {{{{ silver }}}}.{key}_key as k where k.{key}_code = n.code)
    order by n.code;
"""


def number_function() -> str:
    """Return the function by which load/direct.py learns the numbers of codes, and has its own ones numbered."""
    branches = "".join(
        f"""
    if set_name = '{key}' then{_number(key, "select u.code from unnest(own) as u (code)")}
    return query
    select k.{key}_code, k.{key}_id
    from unnest(wanted) as c (code)
    inner join {{{{ silver }}}}.{key}_key as k on c.code = k.{key}_code;
    end if;
"""
        for key in NUMBERED
    )
    return f"""
create or replace function {{{{ silver }}}}.number_codes(
    set_name text, wanted text[], own text[], at_known bigint
)
returns table (code text, number integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
{branches}end
$$;
comment on function {{{{ silver }}}}.number_codes(text, text[], text[], bigint) is
'Numbers of products or locations; codes of the load itself are given one.';
"""


def apply_functions() -> str:
    """Return the functions that number codes and apply the staged facts of every kind."""
    keys = ""
    for key in NUMBERED:
        keys += _number(
            key,
            f"select {key}_code as code from pg_temp.stage_{key}"
            f" union select code from pg_temp.stage_created where set_name = '{key}'",
        )
    bodies = "".join(_apply_kind(kind) for kind in FACT_KINDS.values())
    reference = [(n, f"s.{n}") for n in ("set_name", "key", "attributes")]
    bodies += _apply_one("fact_reference", "stage_reference", reference, "", "")
    return f"""
create or replace function {{{{ silver }}}}.apply_facts(at_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Looked for once: few of a large load's records were known before, and each kind of fact asks for them.
    closed constant bigint[] := array(
        select c.record_id from pg_temp.changed_record as c where not c.is_new and (not c.stands or c.replaces)
    );
    reopened constant bigint[] := array(
        select c.record_id from pg_temp.changed_record as c
        where c.stands and not c.is_new and not coalesce(c.takes_staged, false)
    );
begin
{keys}
    if cardinality(closed) = 0 and cardinality(reopened) = 0 and not exists (select 1 from pg_temp.stage_record) then
        return;
    end if;
{bodies}end
$$;
comment on function {{{{ silver }}}}.apply_facts(bigint) is 'Close, open again and insert the facts of a staged batch.';
"""


def drop_unused() -> str:
    """Return the function that takes created codes back which no standing fact uses any more."""
    bodies = ""
    for key in ("product", "location"):
        kinds = [k for k in FACT_KINDS.values() if not k.is_master and f"{key}_code" in k.by_name]
        closed = "\n        union\n".join(
            f"        select f.{key}_id from pg_temp.changed_record as c"
            f" inner join {{{{ silver }}}}.{k.table} as f on c.record_id = f.record_id where f.known_to = at_known"
            for k in kinds
        )
        unused = "\n".join(
            f"        and not exists (select 1 from {{{{ silver }}}}.{k.table} as f"
            f" where f.{key}_id = d.{key}_id and f.known_to is null)"
            for k in kinds
        )
        bodies += f"""
    delete from {{{{ silver }}}}.dim_{key} as d
    using (
{closed}
    ) as u
    where
        d.is_created and d.{key}_id = u.{key}_id
{unused};
"""
    return f"""
create or replace function {{{{ silver }}}}.drop_unused(at_known bigint)
returns void
{FUNCTION_HEAD}
    if not exists (select 1 from pg_temp.changed_record as c where not c.is_new) then
        return;
    end if;
{bodies}end
$$;
comment on function {{{{ silver }}}}.drop_unused(bigint) is
'Codes that a feed created are masters only as long as a fact uses them.';
"""


def files_using() -> str:
    """Return the function that tells which files used a changed code, over every kind of fact that holds codes.

    A superseded revision used it too: judged again it may be no record at all, or stand once the later one is gone.
    """
    parts = []
    for key in ("product", "location"):
        for kind in FACT_KINDS.values():
            if not kind.is_master and f"{key}_code" in kind.by_name:
                parts.append(f"""    union
    select r.file_id
    from pg_temp.changed_key as c
    inner join {{{{ silver }}}}.{key}_key as k on c.key = k.{key}_code
    inner join {{{{ silver }}}}.{kind.table} as f on k.{key}_id = f.{key}_id
    inner join {{{{ silver }}}}.record as r on f.record_id = r.record_id
    where c.set_name = '{key}' and (f.known_to is null or not r.is_current)
""")
    for kind in FACT_KINDS.values():  # masters that speak of a product hold its code, not its number
        if kind.is_master and kind.name != "product" and "product_code" in kind.by_name:
            parts.append(f"""    union
    select r.file_id
    from pg_temp.changed_key as c
    inner join {{{{ silver }}}}.{kind.table} as f on c.key = f.product_code
    inner join {{{{ silver }}}}.record as r on f.record_id = r.record_id
    where c.set_name = 'product' and (f.known_to is null or not r.is_current)
""")
    return f"""
drop function if exists {{{{ silver }}}}.files_using(text, text);
create or replace function {{{{ silver }}}}.files_using(at_known bigint, soft_sets text[])
returns table (file_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into pg_temp.changed_key (set_name, key)
    select c.set_name, c.key from {{{{ silver }}}}.changed_keys(at_known, soft_sets) as c;
    if not found then
        return;
    end if;
    perform {{{{ silver }}}}.know_size('changed_key');
    return query
    select u.file_id
    from pg_temp.changed_key as c
    inner join {{{{ silver }}}}.file_reference as u on c.set_name = u.set_name and c.key = u.key
{"".join(parts)}    ;
end
$$;
comment on function {{{{ silver }}}}.files_using(bigint, text[]) is
'Files whose records have to be judged again, since a load changed the meaning of a code that they used.';
"""


_ARRAYS = (
    "products integer[], locations integer[], ",
    "integer[], integer[], ",
    "unnest(products, locations) as t (product_id, location_id)",
)
STOCK_KEYS = {
    "stock_from_ledger": ("", "", "pg_temp.touched_key as t", "force_custom_plan"),
    "stock_of_recomputed_keys": ("", "", "pg_temp.recomputed_key as t", "force_custom_plan"),
    "stock_of_keys": (*_ARRAYS, "force_custom_plan"),
    "stock_of_few_keys": (*_ARRAYS, "auto"),
}
"""Function -> (its own arguments, their types, where the wanted keys are read from, whether a plan may be kept).

For a handful of keys planning costs more than looking; for a million, a plan made for a handful would never end.
"""


def stock_functions() -> str:
    """Return the truth query of on-hand as a function for each place that the wanted keys may come from."""
    query = (Path(__file__).parent / "schema" / "rendered" / "stock_from_ledger.sql").read_text(encoding="utf-8")
    made = []
    for name, (arguments, types, wanted_key, plan) in STOCK_KEYS.items():
        text = query.replace("{{ name_and_keys }}", f"{name}({arguments}")
        text = text.replace("{{ name_and_types }}", f"{name}({types}")
        text = text.replace("{{ plan_cache_mode }}", plan)
        made.append(text.replace("{{ wanted_key }}", wanted_key))
    return "\n".join(made)


def schema_files() -> list[tuple[str, str]]:
    """Return (name, SQL) of everything to deploy, in order: files, and what is rendered between them."""
    folder = Path(__file__).parent / "schema"
    parts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.sql")}
    parts["035_facts (rendered)"] = fact_tables()
    parts["045_stock_functions (rendered)"] = stock_functions()
    parts["057_work (rendered)"] = work_function()
    parts["050_dimensions (rendered)"] = dimensions()
    parts["088_movement_account_entry (rendered)"] = account_entries()
    parts["063_files_using (rendered)"] = files_using()
    parts["066_drop_unused (rendered)"] = drop_unused()
    parts["058_number_codes (rendered)"] = number_function()
    parts["065_apply_facts (rendered)"] = apply_functions()
    return sorted(parts.items())
