-- How stock_at_day_ends works: an instant's slot is the number of day ends of its place up to it, so what happens in a
-- slot counts at the day end that has its number, and at all later ones. What moved is added up by key and slot; of a
-- slot's counts only the last one matters, and what moved after it. A count starts a new sum.

-- lay_slots(from_day, to_day, at_known): pg_temp.day_end_of and pg_temp.slot_of; returns the places that have no slots.
-- A whole-location count whose lines lie on both sides of a day end says different things on different days: its place
-- is asked day by day from the ledger; so is one where a count of a code speaks for codes that were merged into it.
create or replace function {{ silver }}.lay_slots(from_day date, to_day date, at_known bigint)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    straddled integer[];
begin
    create temporary table day_end_of on commit drop as
    select * from {{ silver }}.location_day(from_day, to_day);
    analyze pg_temp.day_end_of;

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

    create temporary table slot_of on commit drop as
    select d.location_id, array_agg(d.end_at order by d.business_date) as ends
    from pg_temp.day_end_of as d
    where d.location_id <> all (straddled)
    group by d.location_id;
    analyze pg_temp.slot_of;
    return straddled;
end
$$;
comment on function {{ silver }}.lay_slots(date, date, bigint) is
'Lays out the day ends of each place; returns the places where a count does not fit between them.';

-- last_counts(at_known, last_end): pg_temp.last_count, the last count of each key in each slot.
-- A whole-location document also counts what it does not list: none.
create or replace function {{ silver }}.last_counts(at_known bigint, last_end timestamptz)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table listed_count on commit drop as
    select
        c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.event_time, c.quantity,
        c.count_document, c.scope = 'location' and c.absence = 'zero' as is_whole,
        cast(r.content_hash as text) as tie,
        width_bucket(c.event_time, h.ends) as slot
    from {{ silver }}.fact_count as c
    inner join pg_temp.slot_of as h on c.location_id = h.location_id
    inner join {{ silver }}.record as r on c.record_id = r.record_id
    where
        c.role = 'authority'
        and c.known_from <= at_known
        and (c.known_to is null or c.known_to > at_known)
        and c.event_time < last_end;
    analyze pg_temp.listed_count;

    if exists (select 1 from pg_temp.listed_count as l where l.is_whole) then
        insert into pg_temp.listed_count
        with
        whole_document as (
            select l.location_id, l.count_document, max(l.event_time) as event_time
            from pg_temp.listed_count as l
            where l.is_whole
            group by l.location_id, l.count_document
        ),

        stock_key as (
            select s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, min(s.event_time) as first_at
            from (
                select m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.event_time
                from {{ silver }}.fact_movement as m
                where
                    m.role = 'authority'
                    and m.known_from <= at_known
                    and (m.known_to is null or m.known_to > at_known)
                    and m.location_id in (select w.location_id from whole_document as w)
                union all
                select l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.event_time
                from pg_temp.listed_count as l
            ) as s
            group by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
        )

        select
            k.product_id, k.location_id, k.state, k.bin_code, k.lot_code, w.event_time, 0, w.count_document, false, '',
            width_bucket(w.event_time, h.ends)
        from stock_key as k
        inner join whole_document as w on k.location_id = w.location_id and k.first_at < w.event_time
        inner join pg_temp.slot_of as h on k.location_id = h.location_id
        where not exists (
            select 1
            from pg_temp.listed_count as l
            where
                l.product_id = k.product_id
                and l.location_id = k.location_id
                and l.state = k.state
                and l.bin_code = k.bin_code
                and l.lot_code = k.lot_code
                and l.count_document = w.count_document
        );
    end if;

    create temporary table last_count on commit drop as
    select distinct on (l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.slot) l.*
    from pg_temp.listed_count as l
    order by
        l.product_id, l.location_id, l.state, l.bin_code, l.lot_code, l.slot, l.event_time desc, l.tie desc;
    analyze pg_temp.last_count;
    drop table pg_temp.listed_count;
end
$$;
comment on function {{ silver }}.last_counts(bigint, timestamptz) is 'Finds the last count of each key in each slot.';

-- sum_slots(at_known, last_end): pg_temp.slot_sum, what moved of each key in each slot, after the slot's last count.
-- Without merge joins: they would have every movement sorted by six columns, where hashing needs no order.
create or replace function {{ silver }}.sum_slots(at_known bigint, last_end timestamptz)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_mergejoin = off
as $$
begin
    -- Fenced off by `offset 0`, so that the day ends are left behind there and not carried through the grouping.
    create temporary table slot_sum on commit drop as
    select
        m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.slot,
        sum(case when m.event_time > o.event_time or o.event_time is null then m.quantity else 0 end) as quantity
    from (
        select
            f.product_id, f.location_id, f.state, f.bin_code, f.lot_code, f.event_time, f.quantity,
            width_bucket(f.event_time, h.ends) as slot
        from {{ silver }}.fact_movement as f
        inner join pg_temp.slot_of as h on f.location_id = h.location_id
        where
            f.role = 'authority'
            and f.known_from <= at_known
            and (f.known_to is null or f.known_to > at_known)
            and f.event_time < last_end
        offset 0
    ) as m
    left join pg_temp.last_count as o
        on
            m.product_id = o.product_id
            and m.location_id = o.location_id
            and m.state = o.state
            and m.bin_code = o.bin_code
            and m.lot_code = o.lot_code
            and m.slot = o.slot
    group by m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, m.slot;
    analyze pg_temp.slot_sum;
end
$$;
comment on function {{ silver }}.sum_slots(bigint, timestamptz) is 'Adds up what moved of each key in each slot.';

-- stock_at_day_ends(from_day, to_day, at_known): silver.stock_from_ledger at the end of many days at once.
-- Grain: business date, product, location, state, bin, lot.   Reads: fact_movement, fact_count.
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
    days integer := to_day - from_day;
    straddled integer[] := {{ silver }}.lay_slots(from_day, to_day, at_known);
    last_end timestamptz := (select max(d.end_at) from pg_temp.day_end_of as d);
    one record;
begin
    perform {{ silver }}.last_counts(at_known, last_end);
    perform {{ silver }}.sum_slots(at_known, last_end);
    return query
    with

    step as (
        select t.product_id, t.location_id, t.state, t.bin_code, t.lot_code, t.slot, t.quantity, 0 as is_observation
        from pg_temp.slot_sum as t
        union all
        select o.product_id, o.location_id, o.state, o.bin_code, o.lot_code, o.slot, o.quantity, 1
        from pg_temp.last_count as o
    ),

    counted as (
        select
            s.*,
            sum(s.is_observation) over (
                partition by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
                order by s.slot, s.is_observation desc
                rows between unbounded preceding and current row
            ) as observations,
            lead(s.slot, 1, days) over (
                partition by s.product_id, s.location_id, s.state, s.bin_code, s.lot_code
                order by s.slot, s.is_observation desc
            ) as next_slot
        from step as s
    ),

    summed as (
        select
            c.*,
            sum(c.quantity) over (
                partition by c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.observations
                order by c.slot, c.is_observation desc
                rows between unbounded preceding and current row
            ) as on_hand
        from counted as c
    )

    select
        from_day + generate_series(s.slot, s.next_slot - 1),
        s.product_id, s.location_id, s.state, s.bin_code, s.lot_code, s.on_hand, s.observations > 0
    from summed as s
    where s.next_slot > s.slot;

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
    drop table pg_temp.slot_of;
    drop table pg_temp.last_count;
    drop table pg_temp.slot_sum;
end
$$;
comment on function {{ silver }}.stock_at_day_ends(date, date, bigint) is
'On-hand of every stock key at the end of each business day from from_day to before to_day.';
