-- open_supply: what is still to come, how it was netted, and which lines are not as they should be.
-- Grain: one row per purchase order line, product and location that expects something or has a finding.
-- expected = (noticed, where a notice came, else ordered) - received, while the line is open; what is promised from it
-- and when says promised_from: see atp.
-- Reads: purchase_order_line, latest_instant, silver.supply_line, ops.feed.   Used by: buyers, the report.
with

line as (
    select * from {{ ref('purchase_order_line') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

patience as (
    select
        s.order_document,
        s.order_line,
        p.product_code,
        l.location_code,
        f.past_due_days,
        f.past_due_grace_days
    from {{ source('silver', 'supply_line') }} as s
    inner join {{ source('ops', 'feed') }} as f on s.feed_id = f.feed_id
    inner join {{ source('silver', 'product_key') }} as p on s.product_id = p.product_id
    inner join {{ source('silver', 'location_key') }} as l on s.location_id = l.location_id
),

judged as (
    select
        o.order_document,
        o.order_line,
        o.product_code,
        o.location_code,
        o.supplier_code,
        o.status,
        o.ordered,
        o.noticed,
        o.received,
        o.open_quantity,
        o.due_at,
        o.known,
        case
            when o.ordered is null and o.noticed is null then 'orphan_receipt'
            when o.ordered is null then 'orphan_notice'
            when o.received > coalesce(o.noticed, o.ordered) then 'over_delivered'
            when o.noticed > o.ordered then 'over_noticed'
            when o.open_quantity > 0 and o.due_at is null then 'no_due_date'
            when o.open_quantity > 0 and o.due_at < {{ days_before('n.as_of', 'p.past_due_days') }} then 'past_due'
            when o.open_quantity > 0 and o.due_at < n.as_of then 'overdue'
        end as finding,
        case
            when o.open_quantity <= 0 or o.due_at is null then null
            when o.due_at < {{ days_before('n.as_of', 'p.past_due_days') }} then null
            when o.due_at < n.as_of then {{ days_after('n.as_of', 'p.past_due_grace_days') }}
            else o.due_at
        end as promised_from
    from line as o
    inner join patience as p
        on
            o.order_document = p.order_document
            and o.order_line = p.order_line
            and o.product_code = p.product_code
            and o.location_code = p.location_code
    cross join latest as n
),

open_supply as (
    select
        order_document,
        order_line,
        product_code,
        location_code,
        supplier_code,
        status,
        ordered,
        noticed,
        received,
        open_quantity as expected,
        due_at,
        promised_from,
        finding,
        case finding
            when 'orphan_receipt' then 'Goods came for an order that nobody sent us; ask for the order.'
            when 'orphan_notice' then 'A notice names a line that nobody ordered; nothing is certain of it.'
            when 'over_delivered' then 'More came than was announced; check the receipt and the invoice.'
            when 'over_noticed' then 'More is announced than was ordered; the notice counts.'
            when 'no_due_date' then 'No date is known, so nothing is promised from it; ask the supplier.'
            when 'past_due' then 'Too long overdue to promise from; ask the supplier or cancel the line.'
            when 'overdue' then 'Overdue: expected some days from now until it is too old to count on.'
        end as sentence,
        known
    from judged
    where open_quantity > 0 or finding is not null
)

select * from open_supply
