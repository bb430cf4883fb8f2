-- open_demand: what is still owed to customers, how it was netted, and which lines are not as they should be.
-- Grain: one row per order line, product and location that is open or has a finding.
-- open = reserved - cancelled - shipped, never below zero, and nothing once a reservation has expired.
-- Reads: open_reservation, latest_instant.   Used by: customer service, warehouses, the report.
with

line as (
    select * from {{ ref('open_reservation') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

judged as (
    select
        r.*,
        case
            when r.reserved = 0 and r.shipped > 0 then 'never_reserved'
            when r.reserved = 0 and r.cancelled > 0 then 'never_reserved'
            when r.shipped > r.reserved - r.cancelled then 'over_shipped'
            when r.cancelled > r.reserved then 'over_cancelled'
            when r.is_expired and r.reserved - r.cancelled - r.shipped > 0 then 'expired'
            when r.open > 0 and r.due_at < n.as_of then 'overdue'
        end as finding
    from line as r
    cross join latest as n
),

open_demand as (
    select
        order_document,
        order_line,
        product_code,
        location_code,
        channel_code,
        is_soft,
        reserved,
        cancelled,
        shipped,
        open,
        reserved_at,
        due_at,
        expires_at,
        finding,
        case finding
            when 'never_reserved' then 'Shipped or cancelled without ever being reserved; its reservation is missing.'
            when 'over_shipped' then 'More left than was wanted; check the shipment.'
            when 'over_cancelled' then 'More was cancelled than was reserved; nothing is taken from others for it.'
            when 'expired' then 'It lapsed before it was shipped; what it held is free again.'
            when 'overdue' then 'It should have left already; it still holds its goods.'
        end as sentence,
        known
    from judged
    where open > 0 or finding is not null
)

select * from open_demand
