-- The truth query of on-hand. There is no second copy: ddl.py renders this text once for each place that the keys may
-- come from, by filling in the marks for them.
--   stock_from_ledger(at, at_known): the keys in pg_temp.touched_key. Used by the rebuild and by law 5 over everything.
--   stock_of_recomputed_keys(at, at_known): the keys in pg_temp.recomputed_key. Used by the load.
--   stock_of_keys(products, locations, at, at_known): the keys in two arrays, pair by pair; it needs no temporary
--   table, so anybody may ask. Used by gold.stock_as_of, gold.stock_explanation and snapshots.
--   stock_of_few_keys(...): the same for a handful, with a plan that is kept. Used by the laws.
-- on_hand(E, K) = anchor quantity + movements with anchor time < event_time <= E, over what was known at K.
-- Reads: fact_movement, fact_count, record, product_merge_at.
create or replace function {{ silver }}.{{ name_and_keys }}at_time timestamptz, at_known bigint)
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
set plan_cache_mode = {{ plan_cache_mode }}
as $$
#variable_conflict use_column
begin
    return query
    with

    movement as (
        select
            m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time, m.quantity
        from {{ wanted_key }}
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
        from {{ wanted_key }}
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
            and c.location_id in (select t.location_id from {{ wanted_key }})
        group by c.location_id, c.count_document
    ),

    -- A count of a code speaks for the codes that were merged into it by then: their goods were counted with it.
    counted_as_survivor as (
        select k.product_id, k.location_id, k.state, k.bin_code, k.lot_code, c.event_time
        from {{ silver }}.product_merge_at(at_known) as g
        inner join stock_key as k on g.member_id = k.product_id
        inner join {{ silver }}.fact_count as c
            on
                g.survivor_id = c.product_id
                and k.location_id = c.location_id
                and k.state = c.state
                and k.bin_code = c.bin_code
                and k.lot_code = c.lot_code
        where
            c.role = 'authority'
            and c.event_time <= at_time
            and c.known_from <= at_known
            and (c.known_to is null or c.known_to > at_known)
            and c.event_time >= g.valid_from
            and c.event_time < g.valid_to
            and k.first_at < c.event_time
            and not exists (
                select 1
                from listed as l
                where
                    l.product_id = k.product_id
                    and l.location_id = k.location_id
                    and l.state = k.state
                    and l.bin_code = k.bin_code
                    and l.lot_code = k.lot_code
                    and l.count_document = c.count_document
            )
    ),

    observation as (
        select
            l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time, l.quantity,
            cast(l.content_hash as text) as tie
        from listed as l
        union all
        select
            s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, s.event_time, 0 as quantity, '' as tie
        from counted_as_survivor as s
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

    anchor as (
        select distinct on (o.product_id, o.location_id, o.state, o.bin_code, o.lot_code) o.*
        from observation as o
        order by
            o.product_id, o.location_id, o.state, o.bin_code, o.lot_code, o.event_time desc, o.tie desc
    ),

    -- A full join is done by hashing or sorting, never by nested loops: misjudged over a million keys they take hours.
    stock_from_ledger as (
        select
            coalesce(m.product_id, a.product_id) as product_id,
            coalesce(m.location_id, a.location_id) as location_id,
            coalesce(m.state, a.state) as state,
            coalesce(m.bin_code, a.bin_code) as bin_code,
            coalesce(m.lot_code, a.lot_code) as lot_code,
            coalesce(max(a.quantity), 0)
            + coalesce(sum(case when a.event_time is null or m.event_time > a.event_time then m.quantity end), 0)
                as quantity,
            max(a.event_time) is not null as is_anchored,
            max(a.event_time) as anchor_at,
            max(a.quantity) as anchor_quantity,
            max(m.event_time) as last_movement_at
        from movement as m
        full join anchor as a
            on
                m.product_id = a.product_id
                and m.location_id = a.location_id
                and m.state = a.state
                and m.bin_code = a.bin_code
                and m.lot_code = a.lot_code
        group by
            coalesce(m.product_id, a.product_id), coalesce(m.location_id, a.location_id), coalesce(m.state, a.state),
            coalesce(m.bin_code, a.bin_code), coalesce(m.lot_code, a.lot_code)
    )

    select s.*
    from stock_from_ledger as s;
end
$$;
comment on function {{ silver }}.{{ name_and_types }}timestamptz, bigint) is
'On-hand of the wanted keys at an event time, over what was known at a load.';
