-- stock_band: between which figures on-hand lies, given how far clocks may be off.
-- Grain: one row per product and location.
-- An event happened within its feed's clock tolerance of what it says, and up to an hour later where its local time
-- existed twice. Near the latest count it may so belong to either side of it, and of two counts near each other either
-- may be the last. low and high are the least and greatest on-hand over all of that; on_hand is what the times as
-- written say. Where a product is missing from a count of everything, the largest tolerance of any feed is taken.
-- Reads: silver.position, silver.fact_movement, silver.fact_count, silver.record, ops.feed, product_survivor.
-- Used by: promises, people who ask how sure a figure is.
with

position as (
    select * from {{ source('silver', 'position') }}
),

fact_movement as (
    select * from {{ source('silver', 'fact_movement') }}
    where known_to is null and role = 'authority'
),

fact_count as (
    select * from {{ source('silver', 'fact_count') }}
    where known_to is null and role = 'authority'
),

record as (
    select
        record_id,
        feed_id
    from {{ source('silver', 'record') }}
),

feed as (
    select
        feed_id,
        clock_tolerance_minutes as tolerance
    from {{ source('ops', 'feed') }}
),

widest as (
    select coalesce(max(tolerance), 0) as tolerance
    from feed
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

anchored as (
    select
        p.*,
        {{ minutes_before('p.anchor_at', '(4 * w.tolerance + 120)') }} as near_from,
        {{ minutes_after('p.anchor_at', '(2 * w.tolerance + 60)') }} as near_to,
        w.tolerance as widest_tolerance
    from position as p
    cross join widest as w
    where p.is_anchored
),

listed as (
    select
        a.product_id,
        a.location_id,
        a.state,
        a.bin_code,
        a.lot_code,
        c.count_document,
        c.event_time,
        c.quantity,
        {{ minutes_before('c.event_time', 'f.tolerance') }} as earliest,
        {{ minutes_after('c.event_time', '(f.tolerance + case when c.is_time_ambiguous then 60 else 0 end)') }}
            as latest
    from anchored as a
    inner join fact_count as c
        on
            a.product_id = c.product_id
            and a.location_id = c.location_id
            and a.state = c.state
            and a.bin_code = c.bin_code
            and a.lot_code = c.lot_code
            and a.near_from <= c.event_time
            and a.anchor_at >= c.event_time
    inner join record as r on c.record_id = r.record_id
    inner join feed as f on r.feed_id = f.feed_id
),

whole_document as (
    select
        location_id,
        count_document,
        max(event_time) as event_time,
        {{ any_true('is_time_ambiguous') }} as is_time_ambiguous
    from fact_count
    where scope = 'location' and absence = 'zero'
    group by location_id, count_document
),

observation as (
    select
        product_id,
        location_id,
        state,
        bin_code,
        lot_code,
        quantity,
        earliest,
        latest
    from listed
    union all
    -- not on the list of a count of everything: counted as none
    select
        a.product_id,
        a.location_id,
        a.state,
        a.bin_code,
        a.lot_code,
        0 as quantity,
        {{ minutes_before('w.event_time', 'a.widest_tolerance') }} as earliest,
        {{ minutes_after('w.event_time', '(a.widest_tolerance + case when w.is_time_ambiguous then 60 else 0 end)') }}
            as latest
    from anchored as a
    inner join whole_document as w
        on a.location_id = w.location_id and a.near_from <= w.event_time and a.anchor_at >= w.event_time
    where
        not exists (
            select 1
            from listed as l
            where
                l.product_id = a.product_id
                and l.location_id = a.location_id
                and l.state = a.state
                and l.bin_code = a.bin_code
                and l.lot_code = a.lot_code
                and l.count_document = w.count_document
        )
    union all
    -- counted under the code that it was merged into
    select
        a.product_id,
        a.location_id,
        a.state,
        a.bin_code,
        a.lot_code,
        a.anchor_quantity as quantity,
        {{ minutes_before('a.anchor_at', 'a.widest_tolerance') }} as earliest,
        {{ minutes_after('a.anchor_at', 'a.widest_tolerance') }} as latest
    from anchored as a
    where
        not exists (
            select 1
            from listed as l
            where
                l.product_id = a.product_id
                and l.location_id = a.location_id
                and l.state = a.state
                and l.bin_code = a.bin_code
                and l.lot_code = a.lot_code
                and l.event_time = a.anchor_at
        )
),

candidate as (
    select
        row_number() over (
            order by
                o.product_id, o.location_id, o.state, o.bin_code, o.lot_code, o.earliest, o.latest, o.quantity
        ) as candidate_no,
        o.*
    from (
        select
            b.*,
            max(b.earliest) over (
                partition by b.product_id, b.location_id, b.state, b.bin_code, b.lot_code
            ) as last_earliest
        from observation as b
    ) as o
    where o.latest >= o.last_earliest
),

near as (
    select
        a.product_id,
        a.location_id,
        a.state,
        a.bin_code,
        a.lot_code,
        m.quantity,
        m.event_time > a.anchor_at as is_counted,
        {{ minutes_before('m.event_time', 'f.tolerance') }} as earliest,
        {{ minutes_after('m.event_time', '(f.tolerance + case when m.is_time_ambiguous then 60 else 0 end)') }}
            as latest
    from anchored as a
    inner join fact_movement as m
        on
            a.product_id = m.product_id
            and a.location_id = m.location_id
            and a.state = m.state
            and a.bin_code = m.bin_code
            and a.lot_code = m.lot_code
            and a.near_from <= m.event_time
            and a.near_to >= m.event_time
    inner join record as r on m.record_id = r.record_id
    inner join feed as f on r.feed_id = f.feed_id
),

counted_near as (
    select
        product_id,
        location_id,
        state,
        bin_code,
        lot_code,
        sum(case when is_counted then quantity else 0 end) as quantity
    from near
    group by product_id, location_id, state, bin_code, lot_code
),

-- For each count that may be the last: itself, what surely came after it, and what may have come after it.
figure as (
    select
        c.product_id,
        c.location_id,
        c.state,
        c.bin_code,
        c.lot_code,
        c.quantity
        + coalesce(sum(
            case
                when n.latest <= c.earliest then 0
                when n.earliest > c.latest then n.quantity
                else {{ least_known() }}(n.quantity, 0)
            end
        ), 0) as low,
        c.quantity
        + coalesce(sum(
            case
                when n.latest <= c.earliest then 0
                when n.earliest > c.latest then n.quantity
                else {{ greatest_known() }}(n.quantity, 0)
            end
        ), 0) as high
    from candidate as c
    left join near as n
        on
            c.product_id = n.product_id
            and c.location_id = n.location_id
            and c.state = n.state
            and c.bin_code = n.bin_code
            and c.lot_code = n.lot_code
    group by
        c.candidate_no, c.product_id, c.location_id, c.state, c.bin_code, c.lot_code, c.quantity, c.earliest, c.latest
),

span as (
    select
        product_id,
        location_id,
        state,
        bin_code,
        lot_code,
        min(low) as low,
        max(high) as high
    from figure
    group by product_id, location_id, state, bin_code, lot_code
),

-- What moved later than all that is near is sure: on-hand less its anchor and less what is near.
banded as (
    select
        p.product_id,
        p.location_id,
        p.state,
        p.anchor_at,
        p.quantity,
        coalesce(p.quantity - p.anchor_quantity - coalesce(n.quantity, 0) + s.low, p.quantity) as low,
        coalesce(p.quantity - p.anchor_quantity - coalesce(n.quantity, 0) + s.high, p.quantity) as high
    from position as p
    left join counted_near as n
        on
            p.product_id = n.product_id
            and p.location_id = n.location_id
            and p.state = n.state
            and p.bin_code = n.bin_code
            and p.lot_code = n.lot_code
    left join span as s
        on
            p.product_id = s.product_id
            and p.location_id = s.location_id
            and p.state = s.state
            and p.bin_code = s.bin_code
            and p.lot_code = s.lot_code
),

stock_band as (
    select
        coalesce(v.survivor_code, p.product_code) as product_code,
        l.location_code,
        {{ plain('sum(b.quantity)') }} as on_hand,
        {{ plain('sum(b.low)') }} as low,
        {{ plain('sum(b.high)') }} as high,
        {{ plain("sum(case when b.state = 'sellable' then b.quantity else 0 end)") }} as sellable,
        {{ plain("sum(case when b.state = 'sellable' then b.low else 0 end)") }} as sellable_low,
        {{ plain("sum(case when b.state = 'sellable' then b.high else 0 end)") }} as sellable_high,
        sum(b.low) < sum(b.high) as is_uncertain,
        max(b.anchor_at) as last_count_at
    from banded as b
    inner join product as p on b.product_id = p.product_id
    inner join location as l on b.location_id = l.location_id
    left join survivor as v on p.product_code = v.product_code
    group by coalesce(v.survivor_code, p.product_code), l.location_code
)

select * from stock_band
