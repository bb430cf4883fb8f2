-- open_reservation: what customers' orders still hold back.
-- Grain: one row per order, order line, product and location that was ever reserved, carts included; open may be 0.
-- open = max(0, reserved - cancelled - shipped), 0 once expired at the latest instant known. How a line is netted is
-- written where it is done: silver.demand_line_from_facts().
-- Reads: silver.demand_line, latest_instant.   Used by: open_demand, availability, customer service.
with

line as (
    select * from {{ source('silver', 'demand_line') }}
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

latest as (
    select as_of from {{ ref('latest_instant') }}
),

told as (
    select
        d.*,
        coalesce(d.expires_at <= n.as_of, false) as is_expired
    from line as d
    cross join latest as n
),

open_reservation as (
    select
        t.order_document,
        t.order_line,
        p.product_code,
        l.location_code,
        t.channel_code,
        t.reserved_at,
        t.due_at,
        t.expires_at,
        t.is_soft,
        t.is_expired,
        {{ plain('t.reserved') }} as reserved,
        {{ plain('t.cancelled') }} as cancelled,
        {{ plain('t.shipped') }} as shipped,
        case when t.is_expired then 0 else {{ plain('t.open_quantity') }} end as open,
        t.known
    from told as t
    inner join product as p on t.product_id = p.product_id
    inner join location as l on t.location_id = l.location_id
)

select * from open_reservation
