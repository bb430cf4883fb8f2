"""Renders the dimensions: master data with history as type 2 tables, the other masters as views of what is current."""

from data_warehouse.ddl_text import FUNCTION_HEAD, quoted
from etl_pipeline.contracts.facts import FACT_KINDS, SQL_TYPES, Column, FactKind

TYPE2 = ("product", "location")
"""Master data with history; the other masters are views of what is current."""

ORDER_OF_REVISIONS = (
    "r.revision_no desc nulls last, r.updated_at desc nulls last, r.last_file_at desc nulls last, r.content_hash desc"
)


def _dimension(kind: FactKind) -> str:
    """Return table and refresh function of a type 2 dimension."""
    code = kind.columns[0].name
    own = [c for c in kind.columns if c.name not in (code, "effective_from")]
    names = ", ".join(c.name for c in own)
    table = f"{{{{ silver }}}}.dim_{kind.name}"
    columns = ",\n    ".join(f"{c.name} {SQL_TYPES[c.type]}" for c in own)
    comments = "\n".join(f"comment on column {table}.{c.name} is {quoted(c.meaning)};" for c in kind.columns[:-1])
    return f"""
create table if not exists {table} (
    {kind.name}_id integer not null,
    {code} text not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    is_created boolean not null,
    {columns},
    primary key ({code}, valid_from)
);
create index if not exists dim_{kind.name}_id on {table} ({kind.name}_id, valid_from);
comment on table {table} is {quoted(kind.meaning + " Type 2: one row per version, valid_from <= t < valid_to.")};
{comments}

create or replace function {{{{ silver }}}}.refresh_dim_{kind.name}()
returns void
{FUNCTION_HEAD}    delete from pg_temp.fresh_code;
    insert into pg_temp.fresh_code (code)
    with

    -- By itself first: few codes are told by several records, and only of those is more to be known.
    several as materialized (
        select f.{code} as code, f.record_id, f.effective_from
        from pg_temp.repeated as a
        inner join {{{{ silver }}}}.fact_{kind.name} as f on a.record_id = f.record_id
        where exists (
            select 1 from {{{{ silver }}}}.fact_{kind.name} as o
            where o.{code} = f.{code} and o.record_id <> f.record_id
        )
    )

    select f.{code}
    from pg_temp.changed_record as c
    inner join {{{{ silver }}}}.fact_{kind.name} as f on c.record_id = f.record_id
    union
    -- Told once more: another revision may hold at that time now, or from an earlier time on.
    select f.{code}
    from pg_temp.arrived as a
    inner join {{{{ silver }}}}.fact_{kind.name} as f on a.old_record_id = f.record_id
    where exists (
        select 1 from {{{{ silver }}}}.fact_{kind.name} as o where o.{code} = f.{code} and o.record_id <> f.record_id
    )
    union
    -- So may what look_up() found told again; not where all others hold from an earlier time, for then it holds on.
    select s.code
    from several as s
    inner join {{{{ silver }}}}.record as r on s.record_id = r.record_id
    where (
        select max(coalesce(o.effective_from, v.updated_at, v.last_file_at, '-infinity'))
        from {{{{ silver }}}}.fact_{kind.name} as o
        inner join {{{{ silver }}}}.revision as v on o.record_id = v.record_id
        where o.{code} = s.code and o.record_id <> s.record_id
    ) >= coalesce(s.effective_from, r.updated_at, r.file_at, '-infinity')
    union
    select n.code
    from pg_temp.stage_created as n
    where n.set_name = '{kind.name}' and not exists (select 1 from {table} as d where d.{code} = n.code);
    if not found then
        return;
    end if;
    perform {{{{ silver }}}}.know_size('fresh_code');

    delete from {table} as d using pg_temp.fresh_code as n where d.{code} = n.code;

    insert into {table}
    with

    told as (
        select
            f.*,
            t.told_from,
            r.is_current, r.revision_no, r.updated_at, r.last_file_at, r.content_hash,
            max(f.known_from) over (partition by f.record_id) as last_known_from
        from pg_temp.fresh_code as n
        inner join {{{{ silver }}}}.fact_{kind.name} as f on n.code = f.{code}
        inner join {{{{ silver }}}}.revision as r on f.record_id = r.record_id
        inner join {{{{ bronze }}}}.file as b on r.file_id = b.file_id
        -- Where only the file says when, what was said again after something else holds again from then on.
        cross join lateral (
            select coalesce(f.effective_from, r.updated_at, b.logical_time, '-infinity') as told_from
            union
            select r.last_file_at where f.effective_from is null and r.updated_at is null and r.last_file_at is not null
        ) as t
        where not r.is_void and (f.known_to is null or f.effective_from is null)
    ),

    version as (
        select
            r.*,
            row_number() over (
                partition by r.{code}, r.told_from
                order by r.is_current desc, {ORDER_OF_REVISIONS}, r.fact_no
            ) as place
        from told as r
        where r.known_from = r.last_known_from
    ),

    changed as (
        select
            v.*,
            row({names}) is distinct from lag(row({names})) over in_time as is_change,
            lag(v.{code}) over in_time is null as is_first
        from version as v
        where v.place = 1
        window in_time as (partition by v.{code} order by v.told_from)
    ),

    dim as (
        select
            c.{code},
            case when c.is_first then '-infinity' else c.told_from end as valid_from,
            lead(c.told_from, 1, 'infinity') over (partition by c.{code} order by c.told_from) as valid_to,
            {names}
        from changed as c
        where c.is_change or c.is_first
    )

    select
        k.{kind.name}_id, k.{code}, coalesce(d.valid_from, '-infinity'), coalesce(d.valid_to, 'infinity'),
        d.{code} is null, {", ".join(_defaulted(c) for c in own)}
    from pg_temp.fresh_code as n
    inner join {{{{ silver }}}}.{kind.name}_key as k on n.code = k.{code}
    left join dim as d on n.code = d.{code};
end
$$;
comment on function {{{{ silver }}}}.refresh_dim_{kind.name}() is 'Rebuild the versions of the touched codes.';
"""


def _defaulted(column: Column) -> str:
    if column.default is None:
        return f"d.{column.name}"
    return f"coalesce(d.{column.name}, cast({quoted(column.default)} as {SQL_TYPES[column.type]}))"


def _current_master(kind: FactKind) -> str:
    """Return the view of what is current of a master without history."""
    key = "alias_code" if kind.name == "alias" else kind.columns[0].name
    partition = f"f.{key}" if kind.name != "unit_conversion" else "coalesce(f.product_code, ''), f.unit_code"
    names = ", ".join(f"c.{column.name}" for column in kind.columns)
    view = f"{{{{ silver }}}}.{kind.name}"
    comments = "\n".join(f"comment on column {view}.{c.name} is {quoted(c.meaning)};" for c in kind.columns)
    return f"""
create or replace view {view} as
select {names}
from (
    select
        f.*,
        row_number() over (
            partition by {partition}
            order by f.effective_from desc nulls last, {ORDER_OF_REVISIONS}, f.fact_no
        ) as place
    from {{{{ silver }}}}.fact_{kind.name} as f
    inner join {{{{ silver }}}}.revision as r on f.record_id = r.record_id
    where f.known_to is null
) as c
where c.place = 1;
comment on view {view} is {quoted(kind.meaning + " One current row per code.")};
{comments}
"""


def dimensions() -> str:
    """Return the SQL of every dimension built from master data."""
    kinds = [kind for kind in FACT_KINDS.values() if kind.is_master]
    return "".join(_dimension(k) if k.name in TYPE2 else _current_master(k) for k in kinds)
