-- in_transit: goods between two places that have not come to rest: the ageing list of the transit account.
-- Grain: one row per transfer document and product whose shipped and received differ; for transfers that name no
-- document, per product and pair of places. Their open quantities add up to the transit account exactly.
-- Reads: silver.fact_movement, silver.movement_account, ops.setting, latest_instant.   Used by: alert, law 6, buyers.
with

movement as (
    select
        m.product_id,
        m.location_id,
        m.quantity,
        m.movement_class,
        m.event_time,
        m.known_from,
        m.counter_location_code,
        coalesce(m.order_document, '') as order_document,
        m.movement_class in ('transfer_in', 'receipt') as is_arrival
    from {{ source('silver', 'fact_movement') }} as m
    inner join {{ source('silver', 'movement_account') }} as a on m.movement_class = a.movement_class
    where
        m.known_to is null
        and m.role = 'authority'
        and (m.counter_location_code is not null or m.movement_class in ('transfer_out', 'transfer_in'))
        and case when m.counter_location_code is null then a.counter_account else a.between_places end = 'transit'
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

setting as (
    select coalesce({{ exact('max(value)') }}, 7) as transit_days from {{ source('ops', 'setting') }}
    where name = 'transit_days'
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

placed as (
    select
        m.*,
        case when m.is_arrival then m.counter_location_code else l.location_code end as from_location_code,
        case when m.is_arrival then l.location_code else m.counter_location_code end as to_location_code
    from movement as m
    inner join location as l on m.location_id = l.location_id
),

summed as (
    select
        order_document,
        product_id,
        min(from_location_code) as from_location_code,
        min(to_location_code) as to_location_code,
        sum(case when is_arrival then 0 else -quantity end) as shipped,
        sum(case when is_arrival then quantity else 0 end) as received,
        sum(case when is_arrival then 0 else 1 end) as shipments,
        sum(case when is_arrival then 1 else 0 end) as receipts,
        min(case when not is_arrival then event_time end) as shipped_at,
        max(case when is_arrival then event_time end) as received_at,
        min(event_time) as first_at,
        max(known_from) as known
    from placed
    group by
        order_document,
        product_id,
        case when order_document = '' then from_location_code end,
        case when order_document = '' then to_location_code end
    having sum(quantity) <> 0
),

in_transit as (
    select
        s.order_document,
        p.product_code,
        s.from_location_code,
        s.to_location_code,
        case
            when s.shipped > s.received then 'in_transit'
            when s.shipments = 0 then 'not_shipped'
            when s.receipts > s.shipments then 'received_twice'
            else 'over_received'
        end as status,
        {{ plain('s.shipped') }} as shipped,
        {{ plain('s.received') }} as received,
        {{ plain('s.shipped - s.received') }} as open_quantity,
        s.shipments,
        s.receipts,
        s.shipped_at,
        s.received_at,
        cast(floor({{ seconds_between('s.first_at', 'n.as_of') }} / 86400) as integer) as age_days,
        n.as_of > {{ days_after('s.first_at', 'd.transit_days') }} as is_overdue,
        n.as_of,
        s.known
    from summed as s
    inner join product as p on s.product_id = p.product_id
    cross join setting as d
    cross join latest as n
)

select * from in_transit
