-- Snapshots: what stock, products and sales were at the end of a business day, frozen under an id.
-- A sealed snapshot never changes. Facts that come late make a restated version beside it, with its differences.
-- Used by: people and BI tools (gold.snapshot and its rows), the flow (snapshot_days), law 10.
create table if not exists {{ gold }}.snapshot (
    snapshot_id bigint generated always as identity primary key,
    kind text not null check (kind in ('stock', 'product', 'sales')),
    business_date date not null,
    version integer not null,
    known bigint not null,
    rows bigint not null,
    content_hash text not null,
    previous_hash text not null,
    chain_hash text not null,
    restates bigint references {{ gold }}.snapshot,
    sealed_at_known bigint not null,
    unique (kind, business_date, version)
);
comment on table {{ gold }}.snapshot is
'Sealed snapshots. Grain: kind, business date, version; the greatest version is the one that holds.';
comment on column {{ gold }}.snapshot.known is 'Load sequence number up to which facts were considered.';
comment on column {{ gold }}.snapshot.content_hash is 'SHA-256 of the rows in canonical order.';
comment on column {{ gold }}.snapshot.previous_hash is 'chain_hash of the snapshot of its kind before it, or empty.';
comment on column {{ gold }}.snapshot.chain_hash is 'SHA-256 of kind, date, version, content_hash and previous_hash.';
comment on column {{ gold }}.snapshot.restates is 'The version that this one restates.';
comment on column {{ gold }}.snapshot.sealed_at_known is 'Latest load at the moment of sealing.';

create table if not exists {{ gold }}.stock_snapshot (
    snapshot_id bigint not null,
    product_code text not null,
    location_code text not null,
    state text not null,
    bin_code text not null,
    lot_code text not null,
    quantity numeric not null,
    is_anchored boolean not null,
    primary key (snapshot_id, product_code, location_code, state, bin_code, lot_code)
);
comment on table {{ gold }}.stock_snapshot is
'On-hand at the end of a business day. Grain: snapshot, product, location, state, bin, lot.';

create table if not exists {{ gold }}.product_snapshot (
    snapshot_id bigint not null,
    product_code text not null,
    product_name text,
    category_code text,
    base_unit text,
    gtin text,
    is_stocked boolean,
    is_discontinued boolean,
    standard_cost numeric,
    list_price numeric,
    currency text,
    safety_stock numeric,
    reorder_point numeric,
    is_created boolean not null,
    primary key (snapshot_id, product_code)
);
comment on table {{ gold }}.product_snapshot is
'Products as they were at the end of a day of the warehouse''s own zone. Grain: snapshot and product.';

create table if not exists {{ gold }}.sales_snapshot (
    snapshot_id bigint not null,
    location_code text not null,
    channel_code text not null,
    product_code text not null,
    currency text not null,
    quantity_sold numeric not null,
    quantity_returned numeric not null,
    quantity numeric not null,
    net_amount numeric not null,
    line_count bigint not null,
    primary key (snapshot_id, location_code, channel_code, product_code, currency)
);
comment on table {{ gold }}.sales_snapshot is
'Sales of a business day. Grain: snapshot, location, channel, product, currency; charges have an empty product_code.';

create table if not exists {{ gold }}.snapshot_difference (
    snapshot_id bigint not null references {{ gold }}.snapshot,
    row_key jsonb not null,
    old_row jsonb,
    new_row jsonb,
    primary key (snapshot_id, row_key)
);
comment on table {{ gold }}.snapshot_difference is
'What a restated snapshot changed against the version it restates; old_row or new_row is empty where a row is only '
'in one of them. Grain: restated snapshot and key.';

-- Rows belong to a snapshot. Asked once of all rows that come at once: a foreign key would ask row by row.
create or replace function {{ gold }}.refuse_stray_row()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select 1
        from (select distinct a.snapshot_id from added as a) as a
        where not exists (select 1 from {{ gold }}.snapshot as s where s.snapshot_id = a.snapshot_id)
    ) then
        raise exception 'rows of gold.% belong to no snapshot', tg_table_name using errcode = 'foreign_key_violation';
    end if;
    return null;
end
$$;
comment on function {{ gold }}.refuse_stray_row() is 'Keeps rows out that belong to no snapshot.';

create or replace function {{ gold }}.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'gold.% is sealed: a snapshot never changes; late facts make a restated one', tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
comment on function {{ gold }}.refuse_change() is 'Keeps sealed snapshots as they are.';

do $$
declare
    sealed text;
begin
    foreach sealed in array array[
        'snapshot', 'stock_snapshot', 'product_snapshot', 'sales_snapshot', 'snapshot_difference'
    ] loop
        execute format('drop trigger if exists sealed on {{ gold }}.%I', sealed);
        execute format(
            'create trigger sealed before update or delete or truncate on {{ gold }}.%I '
            'for each statement execute function {{ gold }}.refuse_change()', sealed
        );
    end loop;
    foreach sealed in array array['stock_snapshot', 'product_snapshot', 'sales_snapshot'] loop
        execute format('alter table {{ gold }}.%I drop constraint if exists %I', sealed, sealed || '_snapshot_id_fkey');
        execute format('drop trigger if exists belonging on {{ gold }}.%I', sealed);
        execute format(
            'create trigger belonging after insert on {{ gold }}.%I referencing new table as added '
            'for each statement execute function {{ gold }}.refuse_stray_row()', sealed
        );
    end loop;
end
$$;

create or replace function {{ silver }}.default_zone()
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce((select value from {{ ops }}.setting where name = 'zone'), 'UTC')
$$;
comment on function {{ silver }}.default_zone() is 'The zone of the warehouse: ops.setting zone, else UTC.';

-- day_end(day, zone, close_minutes): the first instant that no longer belongs to the business day.
-- Where clocks go back over midnight, midnight exists twice; the new day starts at the first.
create or replace function {{ silver }}.day_end(day date, zone text, close_minutes integer)
returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        case
            when (s.at_zone - interval '1 hour') at time zone zone = s.midnight then s.at_zone - interval '1 hour'
            else s.at_zone
        end + make_interval(mins => coalesce(close_minutes, 0))
    from (
        select cast(day + 1 as timestamp) as midnight, cast(day + 1 as timestamp) at time zone zone as at_zone
    ) as s
$$;
comment on function {{ silver }}.day_end(date, text, integer) is 'Exclusive end of a business day as a UTC instant.';

-- location_day(from_day, to_day): when each business day ended at each location; to_day is not included.
create or replace function {{ silver }}.location_day(from_day date, to_day date)
returns table (location_id integer, business_date date, end_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        k.location_id,
        from_day + s.n,
        {{ silver }}.day_end(from_day + s.n, coalesce(d.zone, {{ silver }}.default_zone()), d.day_close_minutes)
    from {{ silver }}.location_key as k
    left join {{ silver }}.dim_location as d on k.location_code = d.location_code and d.valid_to = 'infinity'
    cross join generate_series(0, to_day - from_day - 1) as s (n)
$$;
comment on function {{ silver }}.location_day(date, date) is 'End of each business day at each location.';
