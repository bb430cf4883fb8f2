-- What a load's positions must come to, said before they are written: what laws 5, 6 and 9 compare with.
-- By induction: what stood at the previous COMMIT was right, so what stands after this load is that, plus what moved in
-- it, for keys of which nothing else is new. It costs what the load brought, and not what their ledgers hold.
-- It is said from the facts that have this load's records, and from the positions as they were: not from what
-- silver.touch_keys notes and silver.refresh_position adds, so a fault in one of them shows.
-- Used by: law 5, law 6, law 7, law 9.

-- predict_positions(k): before any position of the load is written. A load of very many records is not foretold: laws
-- 5, 6 and 9 ask the whole ledger of a sample of its keys, which is less than what the load itself does.
-- Reads: fact_movement, fact_count, position, pg_temp.changed_record.
-- Writes: pg_temp.predicted_key, predicted_position.
create or replace function {{ ops }}.predict_positions(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off -- what it costs follows the load; the planner guesses it to be a third of the ledger
as $$
declare
    large constant integer := 100000;
    before bigint;
    keys bigint;
begin
    if exists (select 1 from pg_temp.changed_record as c offset large) then
        return 0;
    end if;
    -- Records are numbered in the order of loads, and one load at a time numbers them.
    before := coalesce((
        select r.record_id from {{ silver }}.record as r where r.known_from < at_known order by r.record_id desc limit 1
    ), 0);

    insert into pg_temp.predicted_key (product_id, location_id, is_sure, names_order)
    select m.product_id, m.location_id, true, bool_or(m.order_document <> '' and m.order_line <> '')
    from {{ silver }}.fact_movement as m
    where m.record_id > before
    group by m.product_id, m.location_id;
    get diagnostics keys = row_count;
    perform {{ silver }}.know_size('predicted_key');

    insert into pg_temp.predicted_position
    select
        coalesce(n.product_id, o.product_id), coalesce(n.location_id, o.location_id), coalesce(n.state, o.state),
        coalesce(n.bin_code, o.bin_code), coalesce(n.lot_code, o.lot_code),
        coalesce(o.quantity, 0) + coalesce(n.quantity, 0), coalesce(o.is_anchored, false), o.anchor_at,
        o.anchor_quantity, greatest(o.last_movement_at, n.last_at), coalesce(o.quantity, 0) + coalesce(n.accounted, 0),
        n.first_at
    from (
        select
            m.product_id, m.location_id, m.state, m.bin_code, m.lot_code, sum(m.quantity) as quantity,
            sum(m.quantity) filter (where a.movement_class is not null) as accounted,
            min(m.event_time) as first_at, max(m.event_time) as last_at
        from {{ silver }}.fact_movement as m
        left join {{ silver }}.movement_account as a on m.movement_class = a.movement_class
        where m.record_id > before and m.role = 'authority' and m.known_to is null
        group by m.product_id, m.location_id, m.state, m.bin_code, m.lot_code
    ) as n
    full join (
        select p.*
        from pg_temp.predicted_key as k
        cross join lateral (
            select s.* from {{ silver }}.position as s
            where s.product_id = k.product_id and s.location_id = k.location_id
            offset 0
        ) as p
    ) as o
        on
            n.product_id = o.product_id
            and n.location_id = o.location_id
            and n.state = o.state
            and n.bin_code = o.bin_code
            and n.lot_code = o.lot_code;
    perform {{ silver }}.know_size('predicted_position');
    perform {{ ops }}.doubt_predictions(before);
    return keys;
end
$$;
comment on function {{ ops }}.predict_positions(bigint) is
'Say what the positions of a load must come to, from its facts and the positions before it; returns how many keys.';

-- doubt_predictions(before): keys of which more is new than movements after their last count are not foretold: their
-- ledger is asked. These are the load's own conditions, in other words than silver.touch_keys has for them.
create or replace function {{ ops }}.doubt_predictions(before bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    update pg_temp.predicted_key as k
    set is_sure = false
    from (
        -- what was told before means something else now, or nothing
        select m.product_id, m.location_id
        from pg_temp.changed_record as c
        cross join lateral (
            select f.product_id, f.location_id from {{ silver }}.fact_movement as f
            where f.record_id = c.record_id
            union all
            select o.product_id, o.location_id from {{ silver }}.fact_count as o
            where o.record_id = c.record_id
            offset 0
        ) as m
        where c.record_id <= before
        union
        -- counted by this load
        select o.product_id, o.location_id
        from {{ silver }}.fact_count as o
        where o.record_id > before
        union
        -- moved before its count, or at that very time
        select p.product_id, p.location_id
        from pg_temp.predicted_position as p
        where p.first_at <= p.anchor_at
        union
        -- counts of whatever survives a merged code speak for it
        select y.product_id, y.location_id
        from pg_temp.predicted_key as y
        inner join {{ silver }}.product_key as n on y.product_id = n.product_id
        inner join {{ silver }}.merge_link as l on n.product_code = l.member_code
        union
        -- a count of the whole place came now, or is known to speak of what was there before it
        select p.product_id, p.location_id
        from (
            select d.location_id, w.last_at, n.location_id is not null as is_new
            from (select distinct y.location_id from pg_temp.predicted_key as y) as d
            left join (
                select distinct o.location_id
                from {{ silver }}.fact_count as o
                where o.record_id > before and o.scope = 'location' and o.absence = 'zero'
            ) as n on d.location_id = n.location_id
            left join lateral (
                select o.event_time as last_at
                from {{ silver }}.fact_count as o
                where
                    o.location_id = d.location_id and o.scope = 'location' and o.absence = 'zero'
                    and o.role = 'authority' and o.known_to is null
                order by o.event_time desc
                limit 1
            ) as w on true
        ) as c
        inner join pg_temp.predicted_position as p on c.location_id = p.location_id
        where c.is_new or p.first_at < c.last_at
    ) as u
    where k.product_id = u.product_id and k.location_id = u.location_id;
end
$$;
comment on function {{ ops }}.doubt_predictions(bigint) is 'Mark the keys of which more is new than what moved.';
