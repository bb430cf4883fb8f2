-- stock_ageing: how long what is there has been there, when the oldest goes first.
-- Grain: one row per product, location and age bucket that holds something, or is below zero (bucket negative).
-- Age counts from the instant at which the layer came in (or a count found it) to the latest instant known.
-- Reads: silver.fifo_layer, latest_instant.   Used by: people who write stock down, clearance.
with

fifo_layer as (
    select * from {{ source('silver', 'fifo_layer') }}
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

aged as (
    select
        f.*,
        floor({{ seconds_between('f.event_time', 'n.as_of') }} / 86400) as age_days
    from fifo_layer as f
    cross join latest as n
),

bucketed as (
    select
        a.*,
        case
            when a.quantity < 0 then 'negative'
            when a.age_days <= 30 then '000-030'
            when a.age_days <= 60 then '031-060'
            when a.age_days <= 90 then '061-090'
            when a.age_days <= 180 then '091-180'
            when a.age_days <= 365 then '181-365'
            else '366 and more'
        end as age_bucket
    from aged as a
),

stock_ageing as (
    select
        p.product_code,
        l.location_code,
        b.age_bucket,
        b.currency,
        {{ plain('sum(b.quantity)') }} as quantity,
        {{ plain('sum(b.value)') }} as fifo_value,
        min(b.event_time) as oldest_at
    from bucketed as b
    inner join product as p on b.product_id = p.product_id
    inner join location as l on b.location_id = l.location_id
    group by p.product_code, l.location_code, b.age_bucket, b.currency
)

select * from stock_ageing
