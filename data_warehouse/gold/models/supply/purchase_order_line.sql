-- purchase_order_line: what was ordered from whom, announced, received and is still to come.
-- Grain: one row per order, order line, product and location, as told by the feed that counts.
-- A notice replaces what the order let expect, it never adds to it; the latest notice document counts. Received is
-- what receipt documents say. A cancelled, closed or draft line expects nothing.
-- Reads: silver.fact_supply.   Used by: buyers, promises.
with

supply as (
    select * from {{ source('silver', 'fact_supply') }}
    where known_to is null and role = 'authority'
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

record as (
    select
        record_id,
        content_hash
    from {{ source('silver', 'record') }}
),

-- Of each event, the latest statement: what it says of status, price and date holds for the line.
ranked as (
    select
        s.*,
        row_number() over (
            partition by s.order_document, s.order_line, s.product_id, s.location_id, s.event
            order by s.event_time desc, r.content_hash desc, s.fact_no asc
        ) as place,
        dense_rank() over (
            partition by s.order_document, s.order_line, s.product_id, s.location_id, s.event
            order by s.event_time desc, s.notice_document desc nulls last
        ) as document_place
    from supply as s
    inner join record as r on s.record_id = r.record_id
),

summed as (
    select
        order_document,
        order_line,
        product_id,
        location_id,
        sum(case when event = 'order' then quantity end) as ordered,
        sum(case when event = 'notice' and document_place = 1 then quantity end) as noticed,
        sum(case when event = 'receipt' then quantity else 0 end) as received,
        sum(case when event = 'receipt' then coalesce(rejected_quantity, 0) else 0 end) as rejected,
        sum(case when event = 'order' then net_amount end) as net_amount,
        max(case when event = 'order' and place = 1 then status end) as order_status,
        max(case when event = 'cancel' then 1 else 0 end) as is_cancelled,
        max(case when event = 'close' then 1 else 0 end) as is_closed,
        max(case when event = 'order' and place = 1 then supplier_code end) as order_supplier,
        max(supplier_code) as any_supplier,
        max(case when event = 'order' and place = 1 then unit_cost end) as unit_cost,
        max(case when event = 'order' and place = 1 then currency end) as order_currency,
        max(currency) as any_currency,
        max(case when event = 'notice' and document_place = 1 then due_at end) as notice_due_at,
        min(case when event = 'order' then due_at end) as order_due_at,
        max(known_from) as known
    from ranked
    group by order_document, order_line, product_id, location_id
),

judged as (
    select
        s.*,
        case
            when s.is_cancelled = 1 then 'cancelled'
            when s.is_closed = 1 then 'closed'
            else coalesce(s.order_status, 'open')
        end as status
    from summed as s
),

purchase_order_line as (
    select
        s.order_document,
        s.order_line,
        p.product_code,
        l.location_code,
        coalesce(s.order_supplier, s.any_supplier) as supplier_code,
        {{ plain('s.ordered') }} as ordered,
        {{ plain('s.noticed') }} as noticed,
        {{ plain('s.received') }} as received,
        {{ plain('s.rejected') }} as rejected,
        s.status,
        coalesce(s.notice_due_at, s.order_due_at) as due_at,
        {{ plain('s.unit_cost') }} as unit_cost,
        {{ plain('s.net_amount') }} as net_amount,
        coalesce(s.order_currency, s.any_currency) as currency,
        case
            when s.status <> 'open' then 0
            else {{ plain('greatest(0, coalesce(s.noticed, s.ordered, 0) - s.received)') }}
        end as open_quantity,
        s.known
    from judged as s
    inner join product as p on s.product_id = p.product_id
    inner join location as l on s.location_id = l.location_id
)

select * from purchase_order_line
