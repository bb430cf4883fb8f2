-- Whose demand has to be measured anew: keys of which facts changed since it was, and places whose days moved on.
-- A rate hangs on the facts of its product and location (and of what is merged into it) and on the window of the
-- location: on nothing else, so every other rate would come out as it stands.
-- Used by: silver.refresh_demand_rate.

-- Grain: product and location whose facts changed since demand was measured.
create table if not exists {{ silver }}.rate_due (
    product_id integer not null,
    location_id integer not null,
    primary key (product_id, location_id)
);
comment on table {{ silver }}.rate_due is
'Stock keys whose facts changed since demand was measured. Written by each load, emptied by the measuring.';

-- Grain: location whose demand was measured.
create table if not exists {{ silver }}.rate_basis (
    location_id integer primary key,
    basis text not null
);
comment on table {{ silver }}.rate_basis is
'Window and merges by which the demand of each location was measured; all of a location without a row is due.';

-- note_rates_due(): what this load touched. Of very many keys the places are noted, not the keys.
-- Reads: pg_temp.touched_key.   Writes: rate_due, rate_basis.
create or replace function {{ silver }}.note_rates_due()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    large constant bigint := 100000;
begin
    if exists (select 1 from pg_temp.touched_key as t offset large) then
        delete from {{ silver }}.rate_basis as b
        where b.location_id in (select t.location_id from pg_temp.touched_key as t);
        return;
    end if;
    insert into {{ silver }}.rate_due (product_id, location_id)
    select t.product_id, t.location_id
    from pg_temp.touched_key as t
    order by t.product_id, t.location_id
    on conflict do nothing;
end
$$;
comment on function {{ silver }}.note_rates_due() is 'Note the keys of a load whose demand is to be measured anew.';

-- take_due(days): pg_temp.rate_place, the window of each place and whether all of it is to be measured;
-- rate_member, what is merged into what at the end of the window; rate_due_key, the other keys to be measured, with all
-- that is merged with them. What is due is taken off the list: the caller measures it in this very transaction.
create or replace function {{ silver }}.take_due(days integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    merges text;
    as_of timestamptz;
begin
    create temporary table rate_place on commit drop as
    select w.*, cast(null as text) as basis, true as is_whole from {{ silver }}.demand_window(days) as w;
    as_of := (select max(p.as_of) from pg_temp.rate_place as p);

    create temporary table rate_member on commit drop as
    select distinct on (g.member_code) k.product_id, s.product_id as family_id
    from {{ silver }}.product_merge as g
    inner join {{ silver }}.product_key as k on g.member_code = k.product_code
    inner join {{ silver }}.product_key as s on g.survivor_code = s.product_code
    where g.valid_from <= as_of and g.valid_to > as_of
    order by g.member_code, g.steps desc, g.survivor_code;
    analyze pg_temp.rate_member;
    select md5(coalesce(string_agg(t.told, ' ' order by t.told), '')) into merges
    from (
        select cast(row(g.member_code, g.survivor_code, g.valid_from, g.valid_to, g.steps) as text) as told
        from {{ silver }}.product_merge as g
        union all
        select cast(row(m.product_id, m.family_id) as text) from pg_temp.rate_member as m
    ) as t;

    update pg_temp.rate_place as p
    set basis = cast(row(
        p.zone, p.close_minutes, p.first_day, p.last_day, extract(epoch from p.start_at), merges
    ) as text);
    -- Of a large part of all keys, each asked by itself would cost more than going through all movements once.
    if 4 * (select count(*) from {{ silver }}.rate_due as d) < (
        select greatest(4000, c.reltuples) from pg_class as c
        where c.oid = to_regclass('{{ silver }}.demand_rate')
    ) then
        update pg_temp.rate_place as p
        set is_whole = false
        from {{ silver }}.rate_basis as b
        where p.location_id = b.location_id and p.basis = b.basis;
    end if;
    analyze pg_temp.rate_place;

    create temporary table rate_due_key (product_id integer, location_id integer, family_id integer) on commit drop;
    with

    taken as (
        delete from {{ silver }}.rate_due as d returning d.product_id, d.location_id
    ),

    family as (
        select distinct coalesce(m.family_id, t.product_id) as family_id, t.location_id
        from taken as t
        inner join pg_temp.rate_place as p on t.location_id = p.location_id and not p.is_whole
        left join pg_temp.rate_member as m on t.product_id = m.product_id
    )

    insert into pg_temp.rate_due_key (product_id, location_id, family_id)
    select f.family_id, f.location_id, f.family_id from family as f
    union all
    select m.product_id, f.location_id, f.family_id
    from family as f
    inner join pg_temp.rate_member as m on f.family_id = m.family_id;
    analyze pg_temp.rate_due_key;

    delete from {{ silver }}.rate_basis as b
    where not exists (
        select 1 from pg_temp.rate_place as p where p.location_id = b.location_id and p.basis = b.basis
    );
    insert into {{ silver }}.rate_basis (location_id, basis)
    select p.location_id, p.basis from pg_temp.rate_place as p
    on conflict (location_id) do nothing;
end
$$;
comment on function {{ silver }}.take_due(integer) is
'Say what demand is to be measured anew, and take it off the list.';
