{{ config(materialized='ephemeral') }}
-- sale_year: what was sold of each product in each week of the trailing 365 full days, and what it had cost. Weeks are
-- counted back from the last day; of the last of them only one day is in the year.
-- Cost is the standard cost of the product where and when it was sold; uncosted counts the lines that have none in the
-- currency of the sale. Charges are left out.
-- Grain: one row per product, currency and week.
-- Reads: silver.fact_sale, standard_cost_version, product_family.   Used by: product_performance, abc_xyz.
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
        {{ day_later('cast(' ~ local('n.as_of', 'g.usual_zone') ~ ' as date)', -365) }} as first_day,
        {{ day_later('cast(' ~ local('n.as_of', 'g.usual_zone') ~ ' as date)', -1) }} as last_day
    from latest as n
    cross join setting as g
    where {{ is_dated('n.as_of') }}
),

standard as (
    select * from {{ source('silver', 'standard_cost_version') }}
),

sale as (
    select * from {{ source('silver', 'fact_sale') }}
    where known_to is null and role = 'authority' and kind in ('sale', 'return') and product_id is not null
),

-- A cost for the place counts, else one for everywhere, else the product master's.
costed as (
    select
        s.*,
        coalesce(s1.amount, s2.amount, s3.amount) as standard_cost,
        case
            when s1.amount is not null then s1.currency
            when s2.amount is not null then s2.currency
            else s3.currency
        end as cost_currency
    from sale as s
    left join standard as s1
        on
            s1.rank = 1
            and s.product_id = s1.product_id
            and s.location_id = s1.location_id
            and s.event_time >= s1.valid_from
            and s.event_time < s1.valid_to
    left join standard as s2
        on
            s2.rank = 2
            and s.product_id = s2.product_id
            and s.event_time >= s2.valid_from
            and s.event_time < s2.valid_to
    left join standard as s3
        on
            s3.rank = 3
            and s.product_id = s3.product_id
            and s.event_time >= s3.valid_from
            and s.event_time < s3.valid_to
),

sale_year as (
    select
        f.product_code,
        s.currency,
        {{ whole_part('(p.last_day - s.business_date)', '7') }} as weeks_ago,
        p.first_day,
        p.last_day,
        sum(case when s.kind = 'sale' then s.quantity else 0 end) as quantity_sold,
        sum(case when s.kind = 'return' then -s.quantity else 0 end) as quantity_returned,
        sum(s.net_amount) as net_amount,
        sum(s.quantity * s.standard_cost) as cost_amount,
        sum(case when s.standard_cost is not null and s.cost_currency = s.currency then 0 else 1 end) as uncosted,
        count(*) as line_count
    from costed as s
    inner join period as p on s.business_date between p.first_day and p.last_day
    inner join family as f on s.product_id = f.product_id
    group by
        f.product_code, s.currency, {{ whole_part('(p.last_day - s.business_date)', '7') }}, p.first_day, p.last_day
)

select * from sale_year
