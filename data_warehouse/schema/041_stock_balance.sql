-- silver.stock_balance: what stands of each product at each place, over all states, bins and lots. Kept by the load,
-- key by key, from silver.position: a list by place, or of what is below zero or gone, is an index's question then.
-- It stays under the number that was told: whose stock counts as whose is asked when it is read, since merges begin
-- and end with time, without a load (silver.product_family). Why it is so: docs/decisions/019-kept-balances.md.
-- Grain: product and location that have a position.
create table if not exists {{ silver }}.stock_balance (
    product_id integer not null,
    location_id integer not null,
    on_hand numeric not null,
    sellable numeric not null,
    quality_hold numeric not null,
    quarantine numeric not null,
    damaged numeric not null,
    is_anchored boolean not null,
    is_negative boolean not null,
    is_out_now boolean not null,
    last_count_at timestamptz,
    last_movement_at timestamptz,
    known bigint not null,
    primary key (product_id, location_id)
) with (fillfactor = 80);
comment on table {{ silver }}.stock_balance is
'The sum of the positions of each product at each place. Each touched key is added up anew.';
comment on column {{ silver }}.stock_balance.is_negative is 'Some position of it is below zero.';
comment on column {{ silver }}.stock_balance.is_out_now is
'Nothing of it can be sold: sellable is 0 or less. A column of its own: an index on sellable would be written to by '
'every sale.';

create index if not exists stock_balance_location on {{ silver }}.stock_balance (location_id);
create index if not exists stock_balance_negative on {{ silver }}.stock_balance (location_id) where is_negative;
create index if not exists stock_balance_out_now on {{ silver }}.stock_balance (location_id)
where is_out_now and not is_negative;

-- position_sum: what silver.stock_balance has to say, added up when it is asked for. One home for what a balance is:
-- the load, a rebuild and law 5 ask it, the first and the last key by key.
create or replace view {{ silver }}.position_sum as
select
    p.product_id,
    p.location_id,
    sum(p.quantity) as on_hand,
    coalesce(sum(p.quantity) filter (where p.state = 'sellable'), 0) as sellable,
    coalesce(sum(p.quantity) filter (where p.state = 'quality_hold'), 0) as quality_hold,
    coalesce(sum(p.quantity) filter (where p.state = 'quarantine'), 0) as quarantine,
    coalesce(sum(p.quantity) filter (where p.state = 'damaged'), 0) as damaged,
    bool_and(p.is_anchored) as is_anchored,
    bool_or(p.quantity < 0) as is_negative,
    coalesce(sum(p.quantity) filter (where p.state = 'sellable'), 0) <= 0 as is_out_now,
    max(p.anchor_at) as last_count_at,
    max(p.last_movement_at) as last_movement_at,
    max(p.known) as known
from {{ silver }}.position as p
group by p.product_id, p.location_id;
comment on view {{ silver }}.position_sum is
'The positions of each product at each place, added up. Grain: product and location that have a position.';

-- refresh_stock_balance(): add the keys up anew whose positions refresh_position has just written.
-- Key by key over an index: no plan can be wrong by much, and what it costs follows the change.
create or replace function {{ silver }}.refresh_stock_balance()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {{ silver }}.stock_balance as b
    select s.*
    from (
        select m.product_id, m.location_id from pg_temp.moved as m
        union
        select r.product_id, r.location_id from pg_temp.recomputed_key as r
        order by product_id, location_id -- neighbours are found, and written, on one page
    ) as k
    cross join lateral (
        select p.* from {{ silver }}.position_sum as p
        where p.product_id = k.product_id and p.location_id = k.location_id
        offset 0
    ) as s
    on conflict (product_id, location_id) do update
        set
            on_hand = excluded.on_hand,
            sellable = excluded.sellable,
            quality_hold = excluded.quality_hold,
            quarantine = excluded.quarantine,
            damaged = excluded.damaged,
            is_anchored = excluded.is_anchored,
            is_negative = excluded.is_negative,
            is_out_now = excluded.is_out_now,
            last_count_at = excluded.last_count_at,
            last_movement_at = excluded.last_movement_at,
            known = excluded.known
        where b is distinct from excluded;

    -- Only what is computed anew can lose its last position.
    delete from {{ silver }}.stock_balance as b
    using pg_temp.recomputed_key as r
    where
        b.product_id = r.product_id
        and b.location_id = r.location_id
        and not exists (
            select 1 from {{ silver }}.position as p
            where p.product_id = r.product_id and p.location_id = r.location_id
        );
end
$$;
comment on function {{ silver }}.refresh_stock_balance() is
'Bring silver.stock_balance up to the positions of the keys in pg_temp.moved and recomputed_key.';

-- mend_stock_balance(): put right every balance that is not the sum of its positions; returns whose were not.
-- Rows that are right are neither written nor locked.
create or replace function {{ silver }}.mend_stock_balance()
returns table (product_id integer, location_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set work_mem = '256MB'
as $$
#variable_conflict use_column
begin
    create temporary table differing_balance on commit drop as
    select coalesce(s.product_id, b.product_id) as product_id, coalesce(s.location_id, b.location_id) as location_id
    from {{ silver }}.position_sum as s
    full join {{ silver }}.stock_balance as b on s.product_id = b.product_id and s.location_id = b.location_id
    where row(s.*) is distinct from row(b.*);

    delete from {{ silver }}.stock_balance as b
    using pg_temp.differing_balance as d
    where b.product_id = d.product_id and b.location_id = d.location_id;

    insert into {{ silver }}.stock_balance
    select s.*
    from pg_temp.differing_balance as d
    cross join lateral (
        select p.* from {{ silver }}.position_sum as p
        where p.product_id = d.product_id and p.location_id = d.location_id
        offset 0
    ) as s
    order by s.product_id, s.location_id;

    return query select d.product_id, d.location_id from pg_temp.differing_balance as d;
    drop table pg_temp.differing_balance;
end
$$;
comment on function {{ silver }}.mend_stock_balance() is
'Put right every balance that is not the sum of its positions; returns their keys.';

-- keys_of_balances(is_whole): whose balances law 5 asks: of all, or of the keys that the other laws look at and those
-- that the load touched; of very many, the first by a hash.
create or replace function {{ ops }}.keys_of_balances(is_whole boolean)
returns table (product_id integer, location_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    most constant integer := 5000;
begin
    if is_whole then
        return query
        select y.product_id, y.location_id from pg_temp.law_key as y
        union
        select b.product_id, b.location_id from {{ silver }}.stock_balance as b;
    else
        return query
        select y.product_id, y.location_id from pg_temp.law_key as y
        union
        (
            select t.product_id, t.location_id from pg_temp.touched_key as t
            order by hashint8(t.product_id * 1000003::bigint + t.location_id), t.product_id, t.location_id
            limit most
        );
    end if;
end
$$;
comment on function {{ ops }}.keys_of_balances(boolean) is 'Stock keys whose balance is compared with its positions.';

-- The rest of law 5: each balance is the sum of its positions.
create or replace function {{ ops }}.law_5_balances(is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        k.product_code || ' at ' || l.location_code || ' has a balance of '
        || coalesce(cast(trim_scale(b.on_hand) as text), 'none') || ', its positions add up to '
        || coalesce(cast(trim_scale(s.on_hand) as text), 'none')
    from {{ ops }}.keys_of_balances(is_whole) as y
    left join {{ silver }}.stock_balance as b on y.product_id = b.product_id and y.location_id = b.location_id
    left join lateral (
        select p.* from {{ silver }}.position_sum as p
        where p.product_id = y.product_id and p.location_id = y.location_id
        offset 0
    ) as s on true
    inner join {{ silver }}.product_key as k on y.product_id = k.product_id
    inner join {{ silver }}.location_key as l on y.location_id = l.location_id
    where row(s.*) is distinct from row(b.*);
end
$$;
comment on function {{ ops }}.law_5_balances(boolean) is 'Balances that are not the sum of their positions.';

-- A warehouse of an earlier version has the positions already; so has one that an earlier version has loaded since.
do $$
begin
    perform {{ silver }}.mend_stock_balance();
end
$$;
