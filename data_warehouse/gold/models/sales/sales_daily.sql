-- sales_daily: what was sold and taken back, day by day.
-- Grain: one row per business date, location, channel, product and currency. Charges (postage, fees) are money without
-- pieces: they stand in rows whose product_code is null unless the source names a product, and add to net_amount only.
-- Reads: silver.fact_sale.   Used by: dashboards, sales snapshots (gold.sales_of_days says the same).
with

sale as (
    select * from {{ source('silver', 'fact_sale') }}
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

summed as (
    select
        business_date,
        location_id,
        channel_code,
        product_id,
        currency,
        sum(case when kind = 'sale' then quantity else 0 end) as quantity_sold,
        sum(case when kind = 'return' then -quantity else 0 end) as quantity_returned,
        sum(case when kind = 'charge' then 0 else quantity end) as quantity,
        sum(net_amount) as net_amount,
        count(*) as line_count
    from sale
    group by business_date, location_id, channel_code, product_id, currency
),

sales_daily as (
    select
        s.business_date,
        l.location_code,
        s.channel_code,
        p.product_code,
        s.currency,
        {{ plain('s.quantity_sold') }} as quantity_sold,
        {{ plain('s.quantity_returned') }} as quantity_returned,
        {{ plain('s.quantity') }} as quantity,
        {{ plain('s.net_amount') }} as net_amount,
        s.line_count
    from summed as s
    inner join location as l on s.location_id = l.location_id
    left join product as p on s.product_id = p.product_id
)

select * from sales_daily
