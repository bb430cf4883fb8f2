-- What moved and stood in the trailing days, for silver.demand_rate: only what sold is looked at, and only the days on
-- which something changed are written down, so that many products and a long window stay cheap.
-- Used by: silver.refresh_demand_rate.

-- demand_window(days): the trailing full business days of each place, and the instants between which they lie.
-- The last is the day before that of the latest instant known; no rows where nothing is known.
create or replace function {{ silver }}.demand_window(days integer)
returns table (
    location_id integer, location_code text, zone text, close_minutes integer, first_day date, last_day date,
    start_at timestamptz, as_of timestamptz
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    latest as materialized (
        select
            coalesce(
                (select max(f.logical_time) from {{ bronze }}.file as f where f.status = 'loaded'),
                (select m.event_time from {{ silver }}.latest_movement as m)
            ) as as_of
    ),

    place as (
        select
            k.location_id,
            k.location_code,
            coalesce(d.zone, {{ silver }}.default_zone()) as zone,
            coalesce(d.day_close_minutes, 0) as close_minutes
        from {{ silver }}.location_key as k
        left join {{ silver }}.dim_location as d on k.location_code = d.location_code and d.valid_to = 'infinity'
    ),

    dated as (
        select
            p.*,
            n.as_of,
            cast((n.as_of - make_interval(mins => p.close_minutes)) at time zone p.zone as date) - 1 as last_day
        from place as p
        cross join latest as n
        where isfinite(n.as_of)
    ),

    -- Places share their clocks: asked once for each clock, not for each place.
    clock as materialized (
        select c.*, {{ silver }}.day_end(c.last_day - days, c.zone, c.close_minutes) as start_at
        from (select distinct d.zone, d.close_minutes, d.last_day from dated as d) as c
    )

    select
        d.location_id, d.location_code, d.zone, d.close_minutes, d.last_day - days + 1, d.last_day, c.start_at, d.as_of
    from dated as d
    inner join clock as c on d.zone = c.zone and d.close_minutes = c.close_minutes and d.last_day = c.last_day
$$;
comment on function {{ silver }}.demand_window(integer) is 'The trailing full business days of each place.';

-- note_sold(days): pg_temp.rate_place, rate_move (what moved on which day) and rate_key (the keys of what sold): of the
-- places and keys that take_due names. Days after the window are one: they are needed to come from today's stock back
-- to the window.
create or replace function {{ silver }}.note_sold(days integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    since timestamptz;
begin
    perform {{ silver }}.take_due(days);
    since := (select min(p.start_at) from pg_temp.rate_place as p where p.is_whole);

    create temporary table rate_move (
        product_id integer, location_id integer, family_id integer, day date, moved numeric, demand numeric,
        returned numeric
    ) on commit drop;
    if since is not null then
        insert into pg_temp.rate_move
        select
            m.product_id, m.location_id, coalesce(g.family_id, m.product_id),
            least(
                cast((m.event_time - make_interval(mins => p.close_minutes)) at time zone p.zone as date),
                p.last_day + 1
            ),
            case when m.state = 'sellable' then m.quantity else 0 end,
            case when m.movement_class in ('sale', 'shipment') then -m.quantity else 0 end,
            case when m.movement_class = 'return' then m.quantity else 0 end
        from {{ silver }}.fact_movement as m
        inner join pg_temp.rate_place as p on m.location_id = p.location_id and p.is_whole
        left join pg_temp.rate_member as g on m.product_id = g.product_id
        where m.role = 'authority' and m.known_to is null and m.event_time >= since and m.event_time >= p.start_at;
    end if;
    insert into pg_temp.rate_move
    select
        m.product_id, m.location_id, d.family_id,
        least(
            cast((m.event_time - make_interval(mins => p.close_minutes)) at time zone p.zone as date),
            p.last_day + 1
        ),
        case when m.state = 'sellable' then m.quantity else 0 end,
        case when m.movement_class in ('sale', 'shipment') then -m.quantity else 0 end,
        case when m.movement_class = 'return' then m.quantity else 0 end
    from pg_temp.rate_due_key as d
    inner join pg_temp.rate_place as p on d.location_id = p.location_id
    -- key by key: what it costs follows what is due
    cross join lateral (
        select f.* from {{ silver }}.fact_movement as f
        where
            f.product_id = d.product_id and f.location_id = d.location_id and f.event_time >= p.start_at
            and f.role = 'authority' and f.known_to is null
        offset 0
    ) as m;
    analyze pg_temp.rate_move;

    create temporary table rate_key on commit drop as
    with

    sold as (
        select distinct m.family_id, m.location_id
        from pg_temp.rate_move as m
        inner join pg_temp.rate_place as p on m.location_id = p.location_id
        where m.demand > 0 and m.day <= p.last_day
    )

    select s.family_id, s.location_id, s.family_id as product_id
    from sold as s
    union all
    select s.family_id, s.location_id, g.product_id
    from sold as s
    inner join pg_temp.rate_member as g on s.family_id = g.family_id;
    analyze pg_temp.rate_key;
end
$$;
comment on function {{ silver }}.note_sold(integer) is 'What moved and sold in the trailing days, by key and day.';

-- note_observed(): pg_temp.rate_observed, every count of a key of pg_temp.rate_key since the window opened, and what
-- counts of a whole place or of a surviving code say of keys they do not name: nothing there.
-- Grain: product, location, state sellable, bin, lot, instant and count.
create or replace function {{ silver }}.note_observed()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table rate_observed on commit drop as
    with

    listed as (
        select
            c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.event_time, c.quantity, c.count_document,
            cast(r.content_hash as text) as tie
        from pg_temp.rate_key as k
        inner join pg_temp.rate_place as p on k.location_id = p.location_id
        inner join {{ silver }}.fact_count as c on k.product_id = c.product_id and k.location_id = c.location_id
        inner join {{ silver }}.record as r on c.record_id = r.record_id
        where c.role = 'authority' and c.known_to is null and c.event_time >= p.start_at
    ),

    spoken as (
        select cast(null as integer) as product_id, c.location_id, c.count_document, max(c.event_time) as event_time
        from {{ silver }}.fact_count as c
        inner join pg_temp.rate_place as p on c.location_id = p.location_id
        where
            c.role = 'authority' and c.known_to is null and c.scope = 'location' and c.absence = 'zero'
            and c.location_id in (select k.location_id from pg_temp.rate_key as k)
        group by c.location_id, c.count_document, p.start_at
        having max(c.event_time) >= p.start_at
        union all
        select g.member_id, c.location_id, c.count_document, c.event_time
        from {{ silver }}.product_merge_at(9223372036854775807) as g
        inner join {{ silver }}.fact_count as c on g.survivor_id = c.product_id
        inner join pg_temp.rate_place as p on c.location_id = p.location_id
        where
            c.role = 'authority' and c.known_to is null and c.event_time >= p.start_at
            and c.event_time >= g.valid_from and c.event_time < g.valid_to
    )

    select l.product_id, l.location_id, l.bin_code, l.lot_code, l.event_time, l.quantity, l.tie
    from listed as l
    where l.state = 'sellable'
    union all
    select n.product_id, n.location_id, n.bin_code, n.lot_code, s.event_time, 0, ''
    from spoken as s
    inner join pg_temp.rate_key as k
        on s.location_id = k.location_id and (s.product_id is null or s.product_id = k.product_id)
    inner join {{ silver }}.position as n
        on k.product_id = n.product_id and k.location_id = n.location_id and n.state = 'sellable'
    where not exists (
        select 1
        from listed as l
        where
            l.product_id = n.product_id and l.location_id = n.location_id and l.state = n.state
            and l.bin_code = n.bin_code and l.lot_code = n.lot_code
            and l.count_document = s.count_document
    )
    and (
        exists (
            select 1
            from {{ silver }}.fact_movement as m
            where
                m.product_id = n.product_id and m.location_id = n.location_id and m.state = n.state
                and m.bin_code = n.bin_code and m.lot_code = n.lot_code and m.event_time < s.event_time
                and m.role = 'authority' and m.known_to is null
        )
        or exists (
            select 1
            from {{ silver }}.fact_count as c
            where
                c.product_id = n.product_id and c.location_id = n.location_id and c.state = n.state
                and c.bin_code = n.bin_code and c.lot_code = n.lot_code and c.event_time < s.event_time
                and c.role = 'authority' and c.known_to is null
        )
    );
    analyze pg_temp.rate_observed;
end
$$;
comment on function {{ silver }}.note_observed() is 'Counts since the window opened, of what sold in it.';

-- stock_steps(): how the sellable stock of each key of pg_temp.rate_key changed, day by day of the window; the day
-- before it stands for what was there when it opened. A key that was not counted since then is what it is today less
-- what moved; for a counted one each count begins a new sum, as in silver.stock_at_day_ends.
-- Grain: product and location by whose key they are, and day on which something moved or was counted; several of a
-- merged or counted product are to be added up.
create or replace function {{ silver }}.stock_steps()
returns table (
    family_id integer, location_id integer, day date, change numeric, is_counted boolean, demand numeric,
    returned numeric
)
language plpgsql rows 1000000
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    create temporary table rate_counted on commit drop as
    select distinct o.product_id, o.location_id from pg_temp.rate_observed as o;
    analyze pg_temp.rate_counted;

    return query
    select k.family_id, k.location_id, p.first_day - 1, n.quantity - coalesce(m.moved, 0), n.is_anchored, 0.0, 0.0
    from pg_temp.rate_key as k
    inner join pg_temp.rate_place as p on k.location_id = p.location_id
    inner join (
        select o.product_id, o.location_id, sum(o.quantity) as quantity, bool_or(o.is_anchored) as is_anchored
        from pg_temp.rate_key as w
        inner join {{ silver }}.position as o on w.product_id = o.product_id and w.location_id = o.location_id
        where o.state = 'sellable'
        group by o.product_id, o.location_id
    ) as n on k.product_id = n.product_id and k.location_id = n.location_id
    left join (
        select v.product_id, v.location_id, sum(v.moved) as moved
        from pg_temp.rate_move as v
        group by v.product_id, v.location_id
    ) as m on k.product_id = m.product_id and k.location_id = m.location_id
    where not exists (
        select 1 from pg_temp.rate_counted as c
        where c.product_id = k.product_id and c.location_id = k.location_id
    )
    and (
        n.is_anchored
        or n.quantity <> coalesce(m.moved, 0)
        or exists (
            select 1 from {{ silver }}.fact_movement as v
            where
                v.product_id = k.product_id and v.location_id = k.location_id and v.event_time < p.start_at
                and v.role = 'authority' and v.known_to is null
        )
    )
    union all
    select
        k.family_id, m.location_id, m.day, case when c.product_id is null then m.moved else 0 end, false, m.demand,
        m.returned
    from pg_temp.rate_move as m
    inner join pg_temp.rate_key as k on m.product_id = k.product_id and m.location_id = k.location_id
    inner join pg_temp.rate_place as p on m.location_id = p.location_id
    left join pg_temp.rate_counted as c on m.product_id = c.product_id and m.location_id = c.location_id
    where m.day <= p.last_day;

    return query
    with

    timeline as (
        select
            b.product_id, b.location_id, b.bin_code, b.lot_code, p.start_at - interval '1 microsecond' as at_time,
            0 as place, '' as tie, b.quantity, 1 as is_start, b.is_anchored
        from (
            select o.start_at, array_agg(c.product_id) as products, array_agg(c.location_id) as locations
            from pg_temp.rate_counted as c
            inner join pg_temp.rate_place as o on c.location_id = o.location_id
            group by o.start_at
        ) as p
        cross join lateral {{ silver }}.stock_of_keys(
            p.products, p.locations, p.start_at - interval '1 microsecond', 9223372036854775807
        ) as b
        where b.state = 'sellable'
        union all
        select
            m.product_id, m.location_id, m.bin_code, m.lot_code, m.event_time, 1, '', m.quantity, 0, false
        from pg_temp.rate_counted as c
        inner join pg_temp.rate_place as p on c.location_id = p.location_id
        inner join {{ silver }}.fact_movement as m on c.product_id = m.product_id and c.location_id = m.location_id
        where
            m.role = 'authority' and m.known_to is null and m.state = 'sellable' and m.event_time >= p.start_at
        union all
        select o.product_id, o.location_id, o.bin_code, o.lot_code, o.event_time, 2, o.tie, o.quantity, 1, true
        from pg_temp.rate_observed as o
    ),

    started as (
        select
            t.*,
            sum(t.is_start) over (
                partition by t.product_id, t.location_id, t.bin_code, t.lot_code
                order by t.at_time, t.place, t.tie
                rows between unbounded preceding and current row
            ) as starts
        from timeline as t
    ),

    summed as (
        select
            s.*,
            sum(s.quantity) over (
                partition by s.product_id, s.location_id, s.bin_code, s.lot_code, s.starts
                order by s.at_time, s.place, s.tie -- movements of one instant all read their common sum
            ) as on_hand,
            cast((s.at_time - make_interval(mins => p.close_minutes)) at time zone p.zone as date) as day,
            p.last_day
        from started as s
        inner join pg_temp.rate_place as p on s.location_id = p.location_id
    ),

    closing as (
        select
            s.product_id, s.location_id, s.bin_code, s.lot_code, s.day,
            (array_agg(s.on_hand order by s.starts desc, s.at_time desc, s.place desc, s.tie desc))[1] as on_hand,
            bool_or(s.is_anchored) as is_counted
        from summed as s
        where s.day <= s.last_day
        group by s.product_id, s.location_id, s.bin_code, s.lot_code, s.day
    )

    select
        k.family_id, c.location_id, c.day,
        c.on_hand - coalesce(lag(c.on_hand) over (
            partition by c.product_id, c.location_id, c.bin_code, c.lot_code
            order by c.day
        ), 0),
        c.is_counted, 0.0, 0.0
    from closing as c
    inner join pg_temp.rate_key as k on c.product_id = k.product_id and c.location_id = k.location_id;
    drop table pg_temp.rate_counted;
end
$$;
comment on function {{ silver }}.stock_steps() is 'How the stock of what sold changed, day by day of the window.';
