-- stock_movement: every movement that is current, with the side it is booked against and where it was told.
-- Grain: one row per movement of a record; shadow ones are shown, and only authority ones are counted.
-- Reads: silver.fact_movement, silver.movement_account, record_source.   Used by: people who ask "why this figure?".
with

movement as (
    select * from {{ source('silver', 'fact_movement') }}
    where known_to is null
),

account as (
    select * from {{ source('silver', 'movement_account') }}
),

record as (
    select * from {{ ref('record_source') }}
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

stock_movement as (
    select
        r.feed,
        r.document,
        r.line,
        p.product_code,
        l.location_code,
        m.state,
        m.bin_code,
        m.lot_code,
        m.event_time,
        m.movement_class,
        {{ plain('m.quantity') }} as quantity,
        case when m.counter_location_code is null then a.counter_account else a.between_places end as counter_account,
        m.counter_location_code,
        m.order_document,
        m.role,
        m.role = 'authority' as is_counted,
        m.unit_code,
        {{ plain('m.source_quantity') }} as source_quantity,
        r.file_name,
        r.line_no,
        m.known_from as known
    from movement as m
    inner join record as r on m.record_id = r.record_id
    inner join product as p on m.product_id = p.product_id
    inner join location as l on m.location_id = l.location_id
    left join account as a on m.movement_class = a.movement_class
)

select * from stock_movement
