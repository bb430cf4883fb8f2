-- offer: what each supplier offers now: own stock, price, lead time, minimum quantity.
-- Grain: one row per supplier and product: the latest offer by its own time.
-- Reads: silver.fact_offer, silver.record.   Used by: buyers.
with

told as (
    select * from {{ source('silver', 'fact_offer') }}
    where known_to is null
),

record as (
    select
        record_id,
        content_hash
    from {{ source('silver', 'record') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

ranked as (
    select
        o.*,
        row_number() over (
            partition by o.supplier_code, o.product_id
            order by o.event_time desc, r.content_hash desc, o.fact_no asc
        ) as place
    from told as o
    inner join record as r on o.record_id = r.record_id
),

offer as (
    select
        o.supplier_code,
        p.product_code,
        o.event_time as offered_at,
        {{ plain('o.supplier_stock') }} as supplier_stock,
        o.unit_code,
        {{ plain('o.unit_cost') }} as unit_cost,
        o.currency,
        {{ plain('o.lead_time_days') }} as lead_time_days,
        {{ plain('o.minimum_quantity') }} as minimum_quantity,
        {{ plain('o.pack_quantity') }} as pack_quantity,
        o.known_from as known
    from ranked as o
    inner join product as p on o.product_id = p.product_id
    where o.place = 1
)

select * from offer
