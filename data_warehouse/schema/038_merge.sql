-- Merged codes: two codes of the product master of which one, the member, means the other, the survivor, from an
-- instant on. An alias whose code is itself a product says so; an alias of a code to itself ends it. Facts keep the
-- code that they were told under. Why it is so: docs/decisions/008-merged-codes.md.

create table if not exists {{ silver }}.merge_link (
    member_code text not null,
    survivor_code text not null,
    primary key (member_code, survivor_code)
);
create index if not exists merge_link_survivor on {{ silver }}.merge_link (survivor_code);
comment on table {{ silver }}.merge_link is
'Every pair of products that some alias ever joined, whether it still stands or not: where to look for merges.';

-- product_merge_at(k): who was merged into whom and when, over what was known at a load; directly, and over others.
-- Codes merged into each other in a ring are no merge: neither survives.
create or replace function {{ silver }}.product_merge_at(at_known bigint)
returns table (
    member_id integer, survivor_id integer, valid_from timestamptz, valid_to timestamptz, steps integer
)
language sql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
    with recursive

    told as (
        select
            a.alias_code,
            a.product_code,
            coalesce(a.effective_from, '-infinity') as told_from,
            row_number() over (
                partition by a.alias_code, coalesce(a.effective_from, '-infinity')
                order by
                    r.revision_no desc nulls last, r.updated_at desc nulls last, r.last_file_at desc nulls last,
                    r.content_hash desc, a.fact_no
            ) as place
        from (select distinct l.member_code from {{ silver }}.merge_link as l) as l
        inner join {{ silver }}.fact_alias as a on l.member_code = a.alias_code
        inner join {{ silver }}.revision as r on a.record_id = r.record_id
        where
            a.known_from <= at_known
            and (a.known_to is null or a.known_to > at_known)
            and exists (
                select 1
                from {{ silver }}.fact_product as p
                where
                    p.product_code = a.alias_code
                    and p.known_from <= at_known
                    and (p.known_to is null or p.known_to > at_known or p.effective_from is null)
            )
    ),

    version as (
        select
            t.alias_code,
            t.product_code,
            t.told_from as valid_from,
            lead(t.told_from, 1, 'infinity') over (partition by t.alias_code order by t.told_from) as valid_to
        from told as t
        where t.place = 1
    ),

    edge as (
        select m.product_id as member_id, s.product_id as survivor_id, v.valid_from, v.valid_to
        from version as v
        inner join {{ silver }}.product_key as m on v.alias_code = m.product_code
        inner join {{ silver }}.product_key as s on v.product_code = s.product_code
        where v.alias_code <> v.product_code
    ),

    reach as (
        select e.member_id, e.survivor_id, e.valid_from, e.valid_to, array[e.survivor_id] as way
        from edge as e
        union all
        select
            r.member_id, e.survivor_id, greatest(r.valid_from, e.valid_from), least(r.valid_to, e.valid_to),
            r.way || e.survivor_id
        from reach as r
        inner join edge as e on r.survivor_id = e.member_id
        where
            r.survivor_id <> r.member_id
            and e.survivor_id <> all (r.way)
            and greatest(r.valid_from, e.valid_from) < least(r.valid_to, e.valid_to)
    ),

    sound as (
        select e.*
        from edge as e
        where not exists (
            select 1
            from reach as r
            where
                r.member_id = e.member_id
                and r.survivor_id = e.member_id
                and r.valid_from < e.valid_to
                and r.valid_to > e.valid_from
        )
    ),

    merged as (
        select s.member_id, s.survivor_id, s.valid_from, s.valid_to, 1 as steps
        from sound as s
        union all
        select
            m.member_id, s.survivor_id, greatest(m.valid_from, s.valid_from), least(m.valid_to, s.valid_to), m.steps + 1
        from merged as m
        inner join sound as s on m.survivor_id = s.member_id
        where greatest(m.valid_from, s.valid_from) < least(m.valid_to, s.valid_to)
    )

    select m.member_id, m.survivor_id, m.valid_from, m.valid_to, m.steps
    from merged as m
$$;
comment on function {{ silver }}.product_merge_at(bigint) is
'Who was merged into whom and when (half-open), as known at a load. Of several rows that hold at an instant, the one '
'with the most steps names the code that is left.';

create or replace view {{ silver }}.product_merge as
select
    m.product_code as member_code,
    s.product_code as survivor_code,
    g.valid_from,
    g.valid_to,
    g.steps
from {{ silver }}.product_merge_at(9223372036854775807) as g
inner join {{ silver }}.product_key as m on g.member_id = m.product_id
inner join {{ silver }}.product_key as s on g.survivor_id = s.product_id;
comment on view {{ silver }}.product_merge is
'Who is merged into whom and when, by all that is known. Grain: member, survivor and valid_from.';

-- note_merges(): remember the pairs of products that the changed aliases and products of this load join.
create or replace function {{ silver }}.note_merges()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {{ silver }}.merge_link (member_code, survivor_code)
    select a.alias_code, a.product_code
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_alias as a on c.record_id = a.record_id
    where
        a.alias_code <> a.product_code
        and exists (select 1 from {{ silver }}.fact_product as p where p.product_code = a.alias_code)
    union
    select a.alias_code, a.product_code
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_product as p on c.record_id = p.record_id
    inner join {{ silver }}.fact_alias as a on p.product_code = a.alias_code
    where a.alias_code <> a.product_code
    on conflict do nothing;
end
$$;
comment on function {{ silver }}.note_merges() is 'Fill silver.merge_link from the changed records.';

-- touch_members(): add to pg_temp.touched_key the keys whose stock a changed merge, or a count of a survivor, concerns.
create or replace function {{ silver }}.touch_members()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform {{ silver }}.note_merges();
    if not exists (select 1 from {{ silver }}.merge_link) then
        return;
    end if;

    insert into pg_temp.touched_key (product_id, location_id)
    with recursive

    remade as (
        select a.alias_code as product_code
        from pg_temp.changed_record as c
        inner join {{ silver }}.fact_alias as a on c.record_id = a.record_id
        where exists (select 1 from {{ silver }}.merge_link as l where l.member_code = a.alias_code)
        union
        select p.product_code
        from pg_temp.changed_record as c
        inner join {{ silver }}.fact_product as p on c.record_id = p.record_id
        where exists (select 1 from {{ silver }}.merge_link as l where l.member_code = p.product_code)
        union
        select l.member_code
        from remade as r
        inner join {{ silver }}.merge_link as l on r.product_code = l.survivor_code
    ),

    counted as (
        select k.product_code, o.location_id
        from pg_temp.changed_record as c
        inner join {{ silver }}.fact_count as o on c.record_id = o.record_id
        inner join {{ silver }}.product_key as k on o.product_id = k.product_id
        where exists (select 1 from {{ silver }}.merge_link as l where l.survivor_code = k.product_code)
        union
        select l.member_code, d.location_id
        from counted as d
        inner join {{ silver }}.merge_link as l on d.product_code = l.survivor_code
    ),

    concerned as (
        select p.product_id, p.location_id
        from remade as r
        inner join {{ silver }}.product_key as k on r.product_code = k.product_code
        inner join {{ silver }}.position as p on k.product_id = p.product_id
        union
        select p.product_id, p.location_id
        from counted as d
        inner join {{ silver }}.product_key as k on d.product_code = k.product_code
        inner join {{ silver }}.position as p on k.product_id = p.product_id and d.location_id = p.location_id
    )

    select n.product_id, n.location_id
    from concerned as n
    where not exists (
        select 1
        from pg_temp.touched_key as t
        where t.product_id = n.product_id and t.location_id = n.location_id
    );
end
$$;
comment on function {{ silver }}.touch_members() is
'Add the stock keys of merged codes to pg_temp.touched_key, where a merge or a count of the survivor changed.';
