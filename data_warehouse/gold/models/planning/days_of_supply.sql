-- days_of_supply: for how many days what is available will last.
-- Grain: one row per product and location with stock, an open reservation or an open purchase order.
-- Reads: promise_key, silver.demand_rate.   Used by: planners, the report.
with

key as (
    select * from {{ ref('promise_key') }}
),

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

days_of_supply as (
    select
        k.product_code,
        k.location_code,
        {{ plain('k.available') }} as available,
        case
            when r.demand > r.returned
                then {{ plain('round((r.demand - r.returned) / r.in_stock_days, 9)') }}
        end as net_daily,
        coalesce(r.in_stock_days, 0) as in_stock_days,
        case
            when r.demand > r.returned
                then {{ plain('round(k.available * r.in_stock_days / (r.demand - r.returned), 6)') }}
        end as days_of_supply,
        coalesce(r.demand > r.returned, false) as has_demand,
        k.as_of
    from key as k
    left join rate as r on k.product_code = r.product_code and k.location_code = r.location_code
)

select * from days_of_supply
