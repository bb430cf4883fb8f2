-- shrink: what counts found missing or too much, and what was booked as a count difference, by month.
-- Grain: one row per product, location and month of the place's business days. net_quantity = found - lost: exactly
-- the stock legs of the shrink account, but for the first count of each stock key, which says what was there when the
-- warehouse first looked and stands beside it (first_counted). A late record that explains a loss restates its month.
-- Value is at the standard cost then, else the cost of what came in before: what FIFO and moving average took is in
-- stock_value_change.
-- Reads: silver.account_entry, silver.fact_movement, silver.value_flow, silver.dim_location, silver.product_family.
-- Used by: loss prevention, the morning report.
with

entry as (
    select * from {{ source('silver', 'account_entry') }}
    where account = 'shrink'
),

booked as (
    select distinct m.record_id
    from {{ source('silver', 'fact_movement') }} as m
    inner join {{ source('silver', 'movement_account') }} as a on m.movement_class = a.movement_class
    where m.known_to is null and m.role = 'authority' and a.counter_account = 'shrink'
),

flow as (
    select * from {{ source('silver', 'value_flow') }}
    where account = 'shrink'
),

family as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_family') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

place as (
    select
        k.location_id,
        k.location_code,
        coalesce(d.zone, s.value, 'UTC') as zone_name,
        coalesce(d.day_close_minutes, 0) as close_minutes
    from {{ source('silver', 'location_key') }} as k
    left join {{ source('silver', 'dim_location') }} as d
        on k.location_code = d.location_code and d.valid_to = {{ forever() }}
    left join {{ source('ops', 'setting') }} as s on s.name = 'zone'
),

ranked as (
    select
        e.*,
        b.record_id is not null as is_booked,
        row_number() over (
            partition by
                e.product_id, e.location_id, e.state, e.bin_code, e.lot_code, b.record_id is not null
            order by e.event_time, e.quantity
        ) as place
    from entry as e
    left join booked as b on e.record_id = b.record_id
),

by_instant as (
    select
        f.product_code,
        r.location_id,
        r.event_time,
        sum(case when r.place > 1 or r.is_booked then {{ greatest_known() }}(0, -r.quantity) else 0 end) as found,
        sum(case when r.place > 1 or r.is_booked then {{ greatest_known() }}(0, r.quantity) else 0 end) as lost,
        sum(case when r.place = 1 and not r.is_booked then -r.quantity else 0 end) as first_counted
    from ranked as r
    inner join family as f on r.product_id = f.product_id
    group by f.product_code, r.location_id, r.event_time
),

cost as (
    select
        p.product_code,
        w.location_id,
        w.event_time,
        max(w.unit_cost) as unit_cost,
        max(w.currency) as currency
    from flow as w
    inner join product as p on w.product_id = p.product_id
    group by p.product_code, w.location_id, w.event_time
),

-- Where finds and losses of one instant cancel out, nothing flowed, and there is nothing to value.
valued as (
    select
        i.*,
        (i.found - i.lost) * coalesce(c.unit_cost, 0) as net_value,
        c.currency
    from by_instant as i
    left join cost as c
        on i.product_code = c.product_code and i.location_id = c.location_id and i.event_time = c.event_time
),

dated as (
    select
        v.*,
        p.location_code,
        cast(
            date_trunc(
                'month', {{ local(minutes_before('v.event_time', 'p.close_minutes'), 'p.zone_name') }}
            ) as date
        ) as month_start
    from valued as v
    inner join place as p on v.location_id = p.location_id
),

shrink as (
    select
        d.product_code,
        d.location_code,
        d.month_start,
        {{ plain('sum(d.found)') }} as found,
        {{ plain('sum(d.lost)') }} as lost,
        {{ plain('sum(d.found - d.lost)') }} as net_quantity,
        {{ plain('sum(d.net_value)') }} as net_value,
        coalesce(max(d.currency), '') as currency,
        {{ plain('sum(d.first_counted)') }} as first_counted
    from dated as d
    group by d.product_code, d.location_code, d.month_start
    having sum(d.found) <> 0 or sum(d.lost) <> 0 or sum(d.first_counted) <> 0
)

select * from shrink
