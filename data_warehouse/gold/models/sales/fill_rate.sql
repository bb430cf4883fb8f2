-- fill_rate: how many lines of customers' orders were shipped complete the first time anything of them was.
-- A line counts once something of it has left, or once it is overdue; what the customer cancelled is not asked for, and
-- a line cancelled whole does not count. What left is what the order's feed says or what counted shipments and sales of
-- the order took at their first instant, whichever is more.
-- Grain: one row per location, channel and month in which the lines were ordered (the place's calendar).
-- Reads: silver.demand_line, fact_demand, fact_movement, dim_location, latest_instant.   Used by: customer service.
with

latest as (
    select as_of from {{ ref('latest_instant') }}
),

setting as (
    select coalesce(max(value), 'UTC') as usual_zone from {{ source('ops', 'setting') }}
    where name = 'zone'
),

location as (
    select
        l.location_id,
        l.location_code,
        coalesce(d.zone, g.usual_zone) as own_zone
    from {{ source('silver', 'location_key') }} as l
    cross join setting as g
    left join {{ source('silver', 'dim_location') }} as d
        on l.location_code = d.location_code and d.valid_to = {{ forever() }}
),

line as (
    select
        d.*,
        d.reserved - d.cancelled as wanted,
        sum(d.reserved - d.cancelled) over (partition by d.order_document, d.product_id) as wanted_of_order
    from {{ source('silver', 'demand_line') }} as d
    where not d.is_soft and d.reserved > d.cancelled and d.channel_code is distinct from 'transfer'
),

told as (
    select
        order_document,
        order_line,
        product_id,
        location_id,
        quantity,
        rank() over (partition by order_document, order_line, product_id, location_id order by event_time) as place
    from {{ source('silver', 'fact_demand') }}
    where known_to is null and role = 'authority' and event = 'ship'
),

told_first as (
    select
        order_document,
        order_line,
        product_id,
        location_id,
        sum(quantity) as quantity
    from told
    where place = 1
    group by order_document, order_line, product_id, location_id
),

took as (
    select
        order_document,
        coalesce(order_line, '') as order_line,
        product_id,
        -quantity as quantity,
        rank() over (partition by order_document, coalesce(order_line, ''), product_id order by event_time) as place
    from {{ source('silver', 'fact_movement') }}
    where
        known_to is null
        and role = 'authority'
        and order_document is not null
        and movement_class in ('shipment', 'sale')
),

took_first as (
    select
        order_document,
        order_line,
        product_id,
        sum(quantity) as quantity
    from took
    where place = 1
    group by order_document, order_line, product_id
),

judged as (
    select
        o.location_code,
        d.channel_code,
        cast(date_trunc('month', {{ local('d.reserved_at', 'o.own_zone') }}) as date) as month,
        case
            when {{ greatest_known() }}(t.quantity, m.quantity) >= d.wanted or w.quantity >= d.wanted_of_order then 1
            else 0
        end as is_complete
    from line as d
    inner join location as o on d.location_id = o.location_id
    cross join latest as n
    left join told_first as t
        on
            d.order_document = t.order_document
            and d.order_line = t.order_line
            and d.product_id = t.product_id
            and d.location_id = t.location_id
    left join took_first as m
        on
            d.order_document = m.order_document
            and d.order_line = m.order_line
            and d.product_id = m.product_id
            and m.order_line <> ''
    left join took_first as w
        on d.order_document = w.order_document and d.product_id = w.product_id and w.order_line = ''
    where d.shipped > 0 or d.due_at < n.as_of
),

fill_rate as (
    select
        location_code,
        channel_code,
        month,
        count(*) as line_count,
        sum(is_complete) as complete_lines,
        {{ plain('round(' ~ exact('sum(is_complete)') ~ ' / count(*), 6)') }} as fill_rate
    from judged
    group by location_code, channel_code, month
)

select * from fill_rate
