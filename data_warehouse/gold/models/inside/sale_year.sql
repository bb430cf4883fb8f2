{{ config(materialized='ephemeral') }}
-- sale_year: what was sold of each product in each week of the trailing 365 full days, and what it had cost. Weeks are
-- counted back from the last day; of the last of them only one day is in the year.
-- Cost is the standard cost of the product as it was when it was sold; uncosted counts the lines that have none in the
-- currency of the sale. Charges are left out.
-- Grain: one row per product, currency and week.
-- Reads: silver.fact_sale, dim_product, product_family, latest_instant.   Used by: product_performance, abc_xyz.
with

family as (
    select * from {{ ref('product_family') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

setting as (
    select coalesce(max(value), 'UTC') as usual_zone from {{ source('ops', 'setting') }}
    where name = 'zone'
),

period as (
    select
        cast(n.as_of at time zone g.usual_zone as date) - 365 as first_day,
        cast(n.as_of at time zone g.usual_zone as date) - 1 as last_day
    from latest as n
    cross join setting as g
    where isfinite(n.as_of)
),

version as (
    select
        product_id,
        valid_from,
        valid_to,
        standard_cost,
        currency
    from {{ source('silver', 'dim_product') }}
),

sale as (
    select * from {{ source('silver', 'fact_sale') }}
    where known_to is null and role = 'authority' and kind in ('sale', 'return') and product_id is not null
),

sale_year as (
    select
        f.product_code,
        s.currency,
        (p.last_day - s.business_date) / 7 as weeks_ago,
        p.first_day,
        p.last_day,
        sum(case when s.kind = 'sale' then s.quantity else 0 end) as quantity_sold,
        sum(case when s.kind = 'return' then -s.quantity else 0 end) as quantity_returned,
        sum(s.net_amount) as net_amount,
        sum(s.quantity * v.standard_cost) as cost_amount,
        sum(case when v.standard_cost is not null and v.currency = s.currency then 0 else 1 end) as uncosted,
        count(*) as line_count
    from sale as s
    inner join period as p on s.business_date between p.first_day and p.last_day
    inner join family as f on s.product_id = f.product_id
    left join version as v
        on s.product_id = v.product_id and s.event_time >= v.valid_from and s.event_time < v.valid_to
    group by f.product_code, s.currency, (p.last_day - s.business_date) / 7, p.first_day, p.last_day
)

select * from sale_year
