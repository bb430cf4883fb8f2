-- sales_daily: what each store sold of each product, day by day; a view, as gold.sales_daily is one.
-- Grain: one row per store, product, day in UTC and currency.   Reads: sale_line.
{{ config(materialized='view') }}

with

sales_daily as (
    select
        location_id,
        product_id,
        cast(sold_at at time zone 'UTC' as date) as sale_date,
        currency,
        sum(quantity) as quantity,
        sum(net_amount) as net_amount
    from {{ ref('sale_line') }}
    group by location_id, product_id, cast(sold_at at time zone 'UTC' as date), currency
)

select * from sales_daily
