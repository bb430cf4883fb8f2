-- silver.position: what stands where, as far as is known. Kept by the load, key by key, from the ledger.
-- Grain: product, location, state, bin and lot.
create table if not exists {{ silver }}.position (
    product_id integer not null,
    location_id integer not null,
    state text not null,
    bin_code text not null,
    lot_code text not null,
    quantity numeric not null,
    is_anchored boolean not null,
    anchor_at timestamptz,
    anchor_quantity numeric,
    last_movement_at timestamptz,
    known bigint not null,
    primary key (product_id, location_id, state, bin_code, lot_code)
);
comment on table {{ silver }}.position is
'On-hand of every stock key: latest count plus what moved after it. Each touched key is recomputed from the ledger.';

create index if not exists position_anchor on {{ silver }}.position (anchor_at) where anchor_at is not null;
create index if not exists fact_count_whole on {{ silver }}.fact_count (location_id, count_document)
where scope = 'location' and absence = 'zero';
create index if not exists fact_count_whole_at on {{ silver }}.fact_count (location_id, event_time)
where scope = 'location' and absence = 'zero' and role = 'authority' and known_to is null;

-- The truth query that it is kept by, silver.stock_from_ledger, is in rendered/stock_from_ledger.sql.
-- refresh_position(k): keys in pg_temp.recomputed_key are asked of their ledger; to the others what moved is added.
-- Laws 5 and 9 ask the ledger again, before the COMMIT.
drop function if exists {{ silver }}.refresh_position(bigint);
drop function if exists {{ silver }}.refresh_position(bigint, boolean);
create or replace function {{ silver }}.refresh_position(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    recomputed bigint := 0;
    added bigint;
begin
    if exists (select 1 from pg_temp.recomputed_key) then
        recomputed := {{ silver }}.recompute_position(at_known);
    end if;

    insert into {{ silver }}.position as p
    select
        m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.quantity, false, null, null, m.last_at, at_known
    from pg_temp.moved as m
    where
        m.first_at is not null
        and not exists (
            select 1
            from pg_temp.recomputed_key as r
            where r.product_id = m.product_id and r.location_id = m.location_id
        )
    order by m.product_id, m.location_id
    on conflict (product_id, location_id, state, bin_code, lot_code) do update
        set
            quantity = p.quantity + excluded.quantity,
            last_movement_at = greatest(p.last_movement_at, excluded.last_movement_at),
            known = excluded.known
        where
            excluded.quantity <> 0
            or p.last_movement_at is null
            or p.last_movement_at < excluded.last_movement_at;
    get diagnostics added = row_count;
    perform {{ silver }}.refresh_stock_balance();
    return recomputed + added;
end
$$;
comment on function {{ silver }}.refresh_position(bigint) is
'Bring silver.position and silver.stock_balance up to a load: add what moved, recompute the rest; returns how many '
'positions changed.';

create or replace function {{ silver }}.recompute_position(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint;
begin
    insert into pg_temp.fresh_position
    select s.* from {{ silver }}.stock_of_recomputed_keys('infinity', at_known) as s;
    perform {{ silver }}.know_size('fresh_position');

    delete from {{ silver }}.position as p
    using pg_temp.recomputed_key as t
    where
        p.product_id = t.product_id
        and p.location_id = t.location_id
        and not exists (
            select 1
            from pg_temp.fresh_position as f
            where
                f.product_id = p.product_id
                and f.location_id = p.location_id
                and f.state = p.state
                and f.bin_code = p.bin_code
                and f.lot_code = p.lot_code
        );

    insert into {{ silver }}.position as p
    select f.*, at_known
    from pg_temp.fresh_position as f
    order by f.product_id, f.location_id
    on conflict (product_id, location_id, state, bin_code, lot_code) do update
        set
            quantity = excluded.quantity,
            is_anchored = excluded.is_anchored,
            anchor_at = excluded.anchor_at,
            anchor_quantity = excluded.anchor_quantity,
            last_movement_at = excluded.last_movement_at,
            known = excluded.known
        where (p.quantity, p.is_anchored, p.anchor_at, p.anchor_quantity, p.last_movement_at)
            is distinct from (
                excluded.quantity, excluded.is_anchored, excluded.anchor_at, excluded.anchor_quantity,
                excluded.last_movement_at
            );
    get diagnostics changed = row_count;
    return changed;
end
$$;
comment on function {{ silver }}.recompute_position(bigint) is
'Recompute the keys in pg_temp.recomputed_key from the ledger; returns how many rows changed.';
