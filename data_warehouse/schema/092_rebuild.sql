-- rebuild_stock(run): what is kept from the ledger, made anew from it: every position and balance and every order line.
-- It asks the load's own queries (silver.stock_from_ledger, silver.refresh_order_lines) with every key and order for
-- touched, so it cannot come to another figure. What is right stays as it is; what differed stands in ops.rebuild.
-- Reads: the ledger.   Writes: silver.position, stock_balance, demand_line, supply_line, rate_basis, ops.rebuild.
-- Again: nothing differs the second time.
create table if not exists {{ ops }}.rebuild (
    rebuild_id integer generated always as identity primary key,
    run_id text not null,
    known bigint not null,
    rebuilt_at timestamptz not null default clock_timestamp(),
    stock_keys bigint not null,
    keys_differed bigint not null,
    order_lines_differed bigint not null,
    hash_before text not null,
    hash_after text not null
);
comment on table {{ ops }}.rebuild is
'Every rebuild of stock and order lines from the ledger, with how many rows were not what it says. Grain: one rebuild.';

-- stock_hash(): of every position and order line, without the loads that brought them, by numbers of this warehouse.
-- A sum of 64-bit hashes: no row has to be sorted, and equal rows in another order give the same.
create or replace function {{ silver }}.stock_hash()
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(string_agg(h.told, ' ' order by h.told), 'UTF8')), 'hex')
    from (
        select 'position ' || count(*) || ' ' || coalesce(sum(cast(hash_record_extended(row(
            p.product_id, p.location_id, p.state, p.bin_code, p.lot_code, p.quantity, p.is_anchored, p.anchor_at,
            p.anchor_quantity, p.last_movement_at
        ), 0) as numeric)), 0) as told
        from {{ silver }}.position as p
        union all
        select 'demand ' || count(*) || ' ' || coalesce(sum(cast(hash_record_extended(row(
            d.order_document, d.order_line, d.product_id, d.location_id, d.channel_code, d.reserved_at, d.due_at,
            d.expires_at, d.is_soft, d.reserved, d.cancelled, d.shipped, d.open_quantity
        ), 0) as numeric)), 0)
        from {{ silver }}.demand_line as d
        union all
        select 'supply ' || count(*) || ' ' || coalesce(sum(cast(hash_record_extended(row(
            s.order_document, s.order_line, s.product_id, s.location_id, s.supplier_code, s.ordered, s.noticed,
            s.received, s.rejected, s.status, s.ordered_at, s.due_at, s.first_received_at, s.last_received_at,
            s.unit_cost, s.net_amount, s.currency, s.feed_id, s.open_quantity
        ), 0) as numeric)), 0)
        from {{ silver }}.supply_line as s
    ) as h
$$;
comment on function {{ silver }}.stock_hash() is
'A hash of all positions and order lines; the same rows give the same, whatever loads brought them.';

-- mend_positions(k): put right every position that is not what the ledger says, and every balance that is not what the
-- positions say; returns how many stock keys were not right.
-- Rows that are right are neither written nor locked: a rebuild that finds nothing leaves nothing to vacuum.
create or replace function {{ silver }}.mend_positions(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set work_mem = '256MB'
as $$
declare
    differed bigint;
begin
    create temporary table differing on commit drop as
    select
        coalesce(n.product_id, o.product_id) as product_id,
        coalesce(n.location_id, o.location_id) as location_id,
        coalesce(n.state, o.state) as state,
        coalesce(n.bin_code, o.bin_code) as bin_code,
        coalesce(n.lot_code, o.lot_code) as lot_code,
        n.product_id is not null as stands,
        n.quantity, n.is_anchored, n.anchor_at, n.anchor_quantity, n.last_movement_at
    from {{ silver }}.stock_from_ledger('infinity', at_known) as n
    full join {{ silver }}.position as o
        on
            n.product_id = o.product_id
            and n.location_id = o.location_id
            and n.state = o.state
            and n.bin_code = o.bin_code
            and n.lot_code = o.lot_code
    where
        (n.quantity, n.is_anchored, n.anchor_at, n.anchor_quantity, n.last_movement_at)
        is distinct from (o.quantity, o.is_anchored, o.anchor_at, o.anchor_quantity, o.last_movement_at);

    delete from {{ silver }}.position as p
    using pg_temp.differing as d
    where
        not d.stands
        and p.product_id = d.product_id
        and p.location_id = d.location_id
        and p.state = d.state
        and p.bin_code = d.bin_code
        and p.lot_code = d.lot_code;

    insert into {{ silver }}.position
    select
        d.product_id, d.location_id, d.state, d.bin_code, d.lot_code, d.quantity, d.is_anchored, d.anchor_at,
        d.anchor_quantity, d.last_movement_at, at_known
    from pg_temp.differing as d
    where d.stands
    order by d.product_id, d.location_id
    on conflict (product_id, location_id, state, bin_code, lot_code) do update
        set
            quantity = excluded.quantity,
            is_anchored = excluded.is_anchored,
            anchor_at = excluded.anchor_at,
            anchor_quantity = excluded.anchor_quantity,
            last_movement_at = excluded.last_movement_at,
            known = excluded.known;

    select count(*) into differed
    from (
        select d.product_id, d.location_id from pg_temp.differing as d
        union
        select b.product_id, b.location_id from {{ silver }}.mend_stock_balance() as b
    ) as k;
    drop table pg_temp.differing;
    return differed;
end
$$;
comment on function {{ silver }}.mend_positions(bigint) is
'Put right the positions of the keys in pg_temp.touched_key, and all balances; returns how many stock keys were wrong.';

-- mend_order_lines(k): the same for the lines of customers' and purchase orders; returns how many lines were not right.
create or replace function {{ silver }}.mend_order_lines(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set work_mem = '256MB'
as $$
declare
    differed bigint;
begin
    create temporary table touched_order on commit drop as
    select d.order_document from {{ silver }}.fact_demand as d
    union
    select s.order_document from {{ silver }}.fact_supply as s
    union
    select d.order_document from {{ silver }}.demand_line as d
    union
    select s.order_document from {{ silver }}.supply_line as s;
    analyze pg_temp.touched_order;
    create temporary table line_before on commit drop as
    select true as is_demand, d.order_document, d.order_line, d.product_id, d.location_id
    from {{ silver }}.demand_line as d
    union all
    select false, s.order_document, s.order_line, s.product_id, s.location_id
    from {{ silver }}.supply_line as s;

    differed := {{ silver }}.refresh_order_lines(at_known);
    -- That told of lines that came or changed; here are those that nobody ever told of.
    select differed + count(*) into differed
    from (
        select b.* from pg_temp.line_before as b
        except
        (
            select true, d.order_document, d.order_line, d.product_id, d.location_id
            from {{ silver }}.demand_line as d
            union all
            select false, s.order_document, s.order_line, s.product_id, s.location_id
            from {{ silver }}.supply_line as s
        )
    ) as gone;
    drop table pg_temp.touched_order;
    drop table pg_temp.line_before;
    return differed;
end
$$;
comment on function {{ silver }}.mend_order_lines(bigint) is
'Compute the lines of all orders anew from the facts; returns how many were not what the facts say.';

create or replace function {{ silver }}.rebuild_stock(at_run text)
returns setof {{ ops }}.rebuild
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    at_known constant bigint := (select coalesce(max(b.known), 0) from {{ ops }}.batch as b);
    before constant text := {{ silver }}.stock_hash();
    key_count bigint;
    keys_mended bigint;
    lines_mended bigint;
begin
    create temporary table touched_key on commit drop as
    select m.product_id, m.location_id from {{ silver }}.fact_movement as m
    union
    select c.product_id, c.location_id from {{ silver }}.fact_count as c
    union
    select p.product_id, p.location_id from {{ silver }}.position as p;
    get diagnostics key_count = row_count;
    analyze pg_temp.touched_key;
    keys_mended := {{ silver }}.mend_positions(at_known);
    drop table pg_temp.touched_key;
    lines_mended := {{ silver }}.mend_order_lines(at_known);
    delete from {{ silver }}.rate_basis; -- so demand is measured anew, too, whatever was measured from

    return query
    insert into {{ ops }}.rebuild (
        run_id, known, stock_keys, keys_differed, order_lines_differed, hash_before, hash_after
    )
    values (
        at_run, at_known, key_count, keys_mended, lines_mended, before,
        case when keys_mended = 0 and lines_mended = 0 then before else {{ silver }}.stock_hash() end
    )
    returning *;
end
$$;
comment on function {{ silver }}.rebuild_stock(text) is
'Make positions and order lines anew from the ledger, in the caller''s transaction; writes and returns ops.rebuild.';
