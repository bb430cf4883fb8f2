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
    snapshot_id bigint not null references {{ gold }}.snapshot,
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
    snapshot_id bigint not null references {{ gold }}.snapshot,
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
    snapshot_id bigint not null references {{ gold }}.snapshot,
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

-- stock_at_day_ends(from_day, to_day, at_known): silver.stock_from_ledger at the end of many days at once.
-- Grain: business date, product, location, state, bin, lot.   Reads: fact_movement, fact_count.
-- One pass over each key's timeline: an observation starts a new sum, a movement adds to it, a day end reads it.
-- A whole-location count whose lines lie on both sides of a day end says different things on different days;
-- its location is asked day by day from the ledger instead, by silver.stock_of_keys; so is one where a count of a
-- code speaks for codes that were merged into it.
create or replace function {{ silver }}.stock_at_day_ends(from_day date, to_day date, at_known bigint)
returns table (
    business_date date,
    product_id integer,
    location_id integer,
    state text,
    bin_code text,
    lot_code text,
    quantity numeric,
    is_anchored boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    straddled integer[];
    one record;
begin
    create temporary table day_end_of on commit drop as
    select * from {{ silver }}.location_day(from_day, to_day);
    create temporary table last_end_of on commit drop as
    select d.location_id, max(d.end_at) as end_at from pg_temp.day_end_of as d group by d.location_id;
    analyze pg_temp.day_end_of;
    analyze pg_temp.last_end_of;

    select coalesce(array_agg(distinct s.location_id), '{}') into straddled
    from (
        select c.location_id, min(c.event_time) as first_at, max(c.event_time) as last_at
        from {{ silver }}.fact_count as c
        where
            c.role = 'authority'
            and c.known_from <= at_known
            and (c.known_to is null or c.known_to > at_known)
        group by c.location_id, c.count_document
        having bool_or(c.scope = 'location' and c.absence = 'zero')
    ) as s
    inner join pg_temp.day_end_of as d
        on s.location_id = d.location_id and d.end_at > s.first_at and d.end_at <= s.last_at;

    -- A count of a code that others were merged into speaks for them too: rare, and left to the ledger as well.
    select straddled || coalesce(array_agg(distinct c.location_id), '{}') into straddled
    from {{ silver }}.product_merge_at(at_known) as g
    inner join {{ silver }}.fact_count as c on g.survivor_id = c.product_id
    where c.role = 'authority' and c.known_from <= at_known and (c.known_to is null or c.known_to > at_known);

    return query
    with

    movement as materialized (
        select m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time, m.quantity
        from {{ silver }}.fact_movement as m
        inner join pg_temp.last_end_of as h on m.location_id = h.location_id and m.event_time < h.end_at
        where
            m.role = 'authority'
            and m.known_from <= at_known
            and (m.known_to is null or m.known_to > at_known)
            and m.location_id <> all (straddled)
    ),

    listed as materialized (
        select
            c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.event_time, c.quantity,
            c.count_document, c.scope, c.absence, cast(r.content_hash as text) as tie
        from {{ silver }}.fact_count as c
        inner join pg_temp.last_end_of as h on c.location_id = h.location_id and c.event_time < h.end_at
        inner join {{ silver }}.record as r on c.record_id = r.record_id
        where
            c.role = 'authority'
            and c.known_from <= at_known
            and (c.known_to is null or c.known_to > at_known)
            and c.location_id <> all (straddled)
    ),

    stock_key as materialized (
        select s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, min(s.event_time) as first_at
        from (
            select m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time from movement as m
            union all
            select l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time from listed as l
        ) as s
        group by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
    ),

    whole_document as (
        select l.location_id, l.count_document, max(l.event_time) as event_time
        from listed as l
        where l.scope = 'location' and l.absence = 'zero'
        group by l.location_id, l.count_document
    ),

    timeline as (
        select
            m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time as at_time, 1 as place,
            '' as tie, m.quantity, 0 as is_observation, cast(null as date) as business_date
        from movement as m
        union all
        select
            l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time, 2, l.tie, l.quantity, 1, null
        from listed as l
        union all
        select
            k.product_id, k.location_id, k.state, k.bin_code, k.lot_code, w.event_time, 2, '', 0, 1, null
        from stock_key as k
        inner join whole_document as w on k.location_id = w.location_id and k.first_at < w.event_time
        where not exists (
            select 1
            from listed as l
            where
                l.product_id = k.product_id
                and l.location_id = k.location_id
                and l.state = k.state
                and l.bin_code = k.bin_code
                and l.lot_code = k.lot_code
                and l.count_document = w.count_document
        )
        union all
        select
            k.product_id, k.location_id, k.state, k.bin_code, k.lot_code, d.end_at, 0, '', 0, 0, d.business_date
        from stock_key as k
        inner join pg_temp.day_end_of as d on k.location_id = d.location_id and k.first_at < d.end_at
    ),

    counted as (
        select
            t.*,
            sum(t.is_observation) over (
                partition by t.product_id, t.location_id, t.state, t.bin_code, t.lot_code
                order by t.at_time, t.place, t.tie
                rows between unbounded preceding and current row
            ) as observations
        from timeline as t
    ),

    summed as (
        select
            c.*,
            sum(c.quantity) over (
                partition by c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.observations
                order by c.at_time, c.place, c.tie
                rows between unbounded preceding and current row
            ) as on_hand
        from counted as c
    )

    select
        s.business_date, s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, s.on_hand, s.observations > 0
    from summed as s
    where s.business_date is not null;

    if cardinality(straddled) > 0 then
        for one in
            select
                d.business_date, d.end_at, array_agg(k.product_id) as products, array_agg(k.location_id) as locations
            from pg_temp.day_end_of as d
            inner join (
                select m.product_id, m.location_id
                from {{ silver }}.fact_movement as m where m.location_id = any (straddled)
                union
                select c.product_id, c.location_id
                from {{ silver }}.fact_count as c where c.location_id = any (straddled)
            ) as k on d.location_id = k.location_id
            group by d.location_id, d.business_date, d.end_at
        loop
            return query
            select
                one.business_date, f.product_id, f.location_id, f.state, f.bin_code, f.lot_code, f.quantity,
                f.is_anchored
            from {{ silver }}.stock_of_keys(
                one.products, one.locations, one.end_at - interval '1 microsecond', at_known
            ) as f;
        end loop;
    end if;

    drop table pg_temp.day_end_of;
    drop table pg_temp.last_end_of;
end
$$;
comment on function {{ silver }}.stock_at_day_ends(date, date, bigint) is
'On-hand of every stock key at the end of each business day from from_day to before to_day.';
