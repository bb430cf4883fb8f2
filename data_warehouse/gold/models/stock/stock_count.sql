-- stock_count: every count that is current: cycle counts, stock takes, snapshots of other systems.
-- Grain: one row per count of a record; shadow ones are shown, and only authority ones anchor on-hand.
-- Reads: silver.fact_count, record_source.   Used by: people who ask "why this figure?".
with

counted as (
    select * from {{ source('silver', 'fact_count') }}
    where known_to is null
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

stock_count as (
    select
        r.feed,
        r.document,
        r.line,
        p.product_code,
        l.location_code,
        c.state,
        c.bin_code,
        c.lot_code,
        c.event_time,
        {{ plain('c.quantity') }} as quantity,
        c.count_document,
        c.scope,
        c.absence,
        c.zone_code,
        c.role,
        c.role = 'authority' as is_counted,
        c.unit_code,
        {{ plain('c.source_quantity') }} as source_quantity,
        r.file_name,
        r.line_no,
        c.known_from as known
    from counted as c
    inner join record as r on c.record_id = r.record_id
    inner join product as p on c.product_id = p.product_id
    inner join location as l on c.location_id = l.location_id
)

select * from stock_count
