-- stockout: how often there was nothing to sell, and what that may have cost.
-- A day is out of stock when the place opened it with no sellable stock and none left all day. Opening hours are not
-- known to the warehouse: days stand for them. Lost sales are the mean demand of a day with stock, for each without.
-- Grain: one row per product and location that sold in the trailing 91 days.
-- Reads: silver.demand_rate, stock_on_hand, product.   Used by: buyers, the report.
with

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

stock as (
    select
        product_code,
        location_code,
        sellable
    from {{ ref('stock_on_hand') }}
),

item as (
    select
        product_code,
        list_price,
        currency
    from {{ source('silver', 'dim_product') }}
    where valid_to = {{ forever() }}
),

stockout as (
    select
        r.product_code,
        r.location_code,
        r.first_day,
        r.last_day,
        r.active_days,
        r.active_days - r.in_stock_days as out_of_stock_days,
        case
            when r.active_days > 0
                then {{ plain('round(' ~ exact('r.active_days - r.in_stock_days') ~ ' / r.active_days, 6)') }}
        end as stockout_rate,
        {{ plain('r.mean_daily') }} as demand_mean,
        {{ plain('round(r.mean_daily * (r.active_days - r.in_stock_days), 6)') }} as lost_quantity,
        {{ plain('round(r.mean_daily * (r.active_days - r.in_stock_days) * i.list_price, 6)') }} as lost_amount,
        case when i.list_price is not null then i.currency end as currency,
        coalesce(s.sellable, 0) <= 0 as is_out_now
    from rate as r
    left join stock as s on r.product_code = s.product_code and r.location_code = s.location_code
    left join item as i on r.product_code = i.product_code
)

select * from stockout
