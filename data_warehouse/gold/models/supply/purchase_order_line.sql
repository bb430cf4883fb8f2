-- purchase_order_line: what was ordered from whom, announced, received and is still to come.
-- Grain: one row per order, order line, product and location, as told by the feed that counts.
-- How a line is netted is written where it is done: silver.supply_line_from_facts().
-- Reads: silver.supply_line.   Used by: buyers, open_supply, alert.
with

line as (
    select * from {{ source('silver', 'supply_line') }}
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

purchase_order_line as (
    select
        s.order_document,
        s.order_line,
        p.product_code,
        l.location_code,
        s.supplier_code,
        {{ plain('s.ordered') }} as ordered,
        {{ plain('s.noticed') }} as noticed,
        {{ plain('s.received') }} as received,
        {{ plain('s.rejected') }} as rejected,
        s.status,
        s.ordered_at,
        s.due_at,
        s.first_received_at,
        s.last_received_at,
        {{ plain('s.unit_cost') }} as unit_cost,
        {{ plain('s.net_amount') }} as net_amount,
        s.currency,
        {{ plain('s.open_quantity') }} as open_quantity,
        s.known
    from line as s
    inner join product as p on s.product_id = p.product_id
    inner join location as l on s.location_id = l.location_id
)

select * from purchase_order_line
