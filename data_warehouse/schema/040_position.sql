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

create index if not exists fact_count_whole on {{ silver }}.fact_count (location_id, count_document)
where scope = 'location' and absence = 'zero';

-- stock_from_ledger(at, at_known): the truth query of on-hand, for the keys in pg_temp.touched_key.
-- on_hand(E, K) = anchor quantity + movements with anchor time < event_time <= E, over what was known at K.
-- Reads: fact_movement, fact_count, pg_temp.touched_key(product_id, location_id).
-- Used by: the load (E = infinity, K = now), the rebuild, snapshots and stock_as_of. There is no second copy.
create or replace function {{ silver }}.stock_from_ledger(at_time timestamptz, at_known bigint)
returns table (
    product_id integer,
    location_id integer,
    state text,
    bin_code text,
    lot_code text,
    quantity numeric,
    is_anchored boolean,
    anchor_at timestamptz,
    anchor_quantity numeric,
    last_movement_at timestamptz
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with

    movement as (
        select
            m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time, m.quantity
        from pg_temp.touched_key as t
        inner join {{ silver }}.fact_movement as m
            on t.product_id = m.product_id and t.location_id = m.location_id
        where
            m.role = 'authority'
            and m.event_time <= at_time
            and m.known_from <= at_known
            and (m.known_to is null or m.known_to > at_known)
    ),

    listed as (
        select
            c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.event_time, c.quantity,
            c.count_document, r.content_hash
        from pg_temp.touched_key as t
        inner join {{ silver }}.fact_count as c
            on t.product_id = c.product_id and t.location_id = c.location_id
        inner join {{ silver }}.record as r on c.record_id = r.record_id
        where
            c.role = 'authority'
            and c.event_time <= at_time
            and c.known_from <= at_known
            and (c.known_to is null or c.known_to > at_known)
    ),

    stock_key as (
        select s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, min(s.event_time) as first_at
        from (
            select m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time from movement as m
            union all
            select l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time from listed as l
        ) as s
        group by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
    ),

    whole_document as (
        select c.location_id, c.count_document, max(c.event_time) as event_time
        from {{ silver }}.fact_count as c
        where
            c.scope = 'location'
            and c.absence = 'zero'
            and c.role = 'authority'
            and c.event_time <= at_time
            and c.known_from <= at_known
            and (c.known_to is null or c.known_to > at_known)
            and c.location_id in (select t.location_id from pg_temp.touched_key as t)
        group by c.location_id, c.count_document
    ),

    observation as (
        select
            l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time, l.quantity,
            cast(l.content_hash as text) as tie
        from listed as l
        union all
        select
            k.product_id, k.location_id, k.state, k.bin_code, k.lot_code, w.event_time, 0 as quantity, '' as tie
        from stock_key as k
        inner join whole_document as w on k.location_id = w.location_id
        where
            k.first_at < w.event_time
            and not exists (
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
    ),

    -- One sorted pass instead of joins: a misjudged join over a million keys costs hours, a sort costs seconds.
    event as (
        select
            m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time, m.quantity,
            0 as is_count, '' as tie
        from movement as m
        union all
        select
            o.product_id, o.location_id, o.state, o.bin_code, o.lot_code, o.event_time, o.quantity,
            1 as is_count, o.tie
        from observation as o
    ),

    placed as (
        select
            e.*,
            row_number() over (
                partition by e.product_id, e.location_id, e.state, e.bin_code, e.lot_code
                order by e.is_count desc, e.event_time desc, e.tie desc
            ) as place,
            max(case when e.is_count = 1 then e.event_time end) over (
                partition by e.product_id, e.location_id, e.state, e.bin_code, e.lot_code
            ) as anchor_at
        from event as e
    ),

    stock_from_ledger as (
        select
            p.product_id,
            p.location_id,
            p.state,
            p.bin_code,
            p.lot_code,
            sum(
                case
                    when p.is_count = 1 then case when p.place = 1 then p.quantity else 0 end
                    when p.anchor_at is null or p.event_time > p.anchor_at then p.quantity
                    else 0
                end
            ) as quantity,
            max(p.anchor_at) is not null as is_anchored,
            max(p.anchor_at) as anchor_at,
            max(case when p.is_count = 1 and p.place = 1 then p.quantity end) as anchor_quantity,
            max(case when p.is_count = 0 then p.event_time end) as last_movement_at
        from placed as p
        group by p.product_id, p.location_id, p.state, p.bin_code, p.lot_code
    )

    select s.*
    from stock_from_ledger as s;
end
$$;
comment on function {{ silver }}.stock_from_ledger(timestamptz, bigint) is
'On-hand of the keys in pg_temp.touched_key at an event time, over what was known at a load.';

create or replace function {{ silver }}.refresh_position(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint;
begin
    create temporary table fresh_position on commit drop as
    select s.* from {{ silver }}.stock_from_ledger('infinity', at_known) as s;

    delete from {{ silver }}.position as p
    using pg_temp.touched_key as t
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
    drop table pg_temp.fresh_position;
    return changed;
end
$$;
comment on function {{ silver }}.refresh_position(bigint) is
'Recompute the touched keys of silver.position from the ledger; returns how many rows changed.';
