-- open_reservation: what customers' orders still hold back.
-- Grain: one row per order, order line, product and location that was ever reserved, carts included; open may be 0.
-- open = max(0, reserved - cancelled - shipped), 0 once expired at the latest instant known. A cart counts until its
-- order reserves. Shipped is what the order's feed says or what authoritative shipments and sales of the order took
-- away, whichever is more: told twice is shipped once. Movements that do not name the line, or another place, close
-- lines of the same order and product in order of line and place.
-- Reads: silver.fact_demand, silver.fact_movement, latest_instant.   Used by: promises, customer service.
with

demand as (
    select * from {{ source('silver', 'fact_demand') }}
    where known_to is null and role = 'authority'
),

movement as (
    select * from {{ source('silver', 'fact_movement') }}
    where
        known_to is null
        and role = 'authority'
        and movement_class in ('shipment', 'sale')
        and order_document is not null
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

summed as (
    select
        order_document,
        order_line,
        product_id,
        location_id,
        sum(case when event = 'reserve' and not coalesce(is_soft, false) then quantity end) as hard,
        sum(case when event = 'cart' or (event = 'reserve' and is_soft) then quantity end) as soft,
        sum(case when event = 'cancel' then quantity else 0 end) as cancelled,
        sum(case when event = 'ship' then quantity else 0 end) as shipped,
        max(channel_code) as channel_code,
        min(case when event in ('reserve', 'cart') then event_time end) as reserved_at,
        max(due_at) as due_at,
        case
            when max(case when event in ('reserve', 'cart') and expires_at is null then 1 else 0 end) = 0
                then max(case when event in ('reserve', 'cart') then expires_at end)
        end as expires_at,
        max(known_from) as known
    from demand
    group by order_document, order_line, product_id, location_id
),

reserved as (
    select
        s.*,
        l.location_code,
        coalesce(s.hard, s.soft, 0) as reserved,
        s.hard is null as is_soft,
        greatest(0, coalesce(s.hard, s.soft, 0) - s.cancelled) as wanted
    from summed as s
    inner join location as l on s.location_id = l.location_id
),

taken_by_line as (
    select
        order_document,
        order_line,
        product_id,
        greatest(0, -sum(quantity)) as taken
    from movement
    where order_line <> ''
    group by order_document, order_line, product_id
),

taken_by_order as (
    select
        order_document,
        product_id,
        greatest(0, -sum(quantity)) as taken
    from movement
    where coalesce(order_line, '') = ''
    group by order_document, product_id
),

-- Hand out what was taken, first to the lines that movements name, then to the others in their order.
given_by_line as (
    select
        r.*,
        greatest(0, least(r.wanted, coalesce(t.taken, 0) - (sum(r.wanted) over in_line - r.wanted))) as given
    from reserved as r
    left join taken_by_line as t
        on
            r.order_document = t.order_document
            and r.order_line = t.order_line
            and r.product_id = t.product_id
    window in_line as (
        partition by r.order_document, r.order_line, r.product_id
        order by r.location_code
        rows between unbounded preceding and current row
    )
),

given_by_order as (
    select
        r.*,
        greatest(
            0,
            least(
                r.wanted - r.given,
                coalesce(t.taken, 0) - (sum(r.wanted - r.given) over in_order - (r.wanted - r.given))
            )
        ) as given_too
    from given_by_line as r
    left join taken_by_order as t on r.order_document = t.order_document and r.product_id = t.product_id
    window in_order as (
        partition by r.order_document, r.product_id
        order by r.order_line, r.location_code
        rows between unbounded preceding and current row
    )
),

told as (
    select
        g.*,
        greatest(g.shipped, g.given + g.given_too) as shipped_at_least,
        coalesce(g.expires_at <= n.as_of, false) as is_expired
    from given_by_order as g
    cross join latest as n
),

open_reservation as (
    select
        t.order_document,
        t.order_line,
        p.product_code,
        t.location_code,
        t.channel_code,
        t.reserved_at,
        t.due_at,
        t.expires_at,
        t.is_soft,
        t.is_expired,
        {{ plain('t.reserved') }} as reserved,
        {{ plain('t.cancelled') }} as cancelled,
        {{ plain('t.shipped_at_least') }} as shipped,
        case
            when t.is_expired then 0
            else {{ plain('greatest(0, t.reserved - t.cancelled - t.shipped_at_least)') }}
        end as open,
        t.known
    from told as t
    inner join product as p on t.product_id = p.product_id
)

select * from open_reservation
