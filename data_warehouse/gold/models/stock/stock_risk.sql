-- stock_risk: where stock is negative, gone or lower than wanted; the worst of these per row.
-- Grain: one row per product and location at risk. Sellable stock is judged, for the rest cannot be sold.
-- Reads: stock_on_hand, stock_policy, product.   Used by: alerts, the morning report of replenishment.
with

stock as (
    select * from {{ ref('stock_on_hand') }}
),

policy as (
    select * from {{ ref('stock_policy') }}
    where channel_code is null
),

product as (
    select * from {{ ref('product') }}
),

wanted as (
    select
        s.product_code,
        s.location_code,
        s.on_hand,
        s.sellable,
        s.is_negative,
        coalesce(p.is_stocked, true) as is_stocked,
        coalesce(p.is_discontinued, false) as is_discontinued,
        coalesce(h.safety_stock, e.safety_stock, p.safety_stock) as safety_stock,
        coalesce(h.reorder_point, e.reorder_point, p.reorder_point) as reorder_point
    from stock as s
    left join product as p on s.product_code = p.product_code
    left join policy as h on s.product_code = h.product_code and s.location_code = h.location_code
    left join policy as e on s.product_code = e.product_code and e.location_code is null
),

judged as (
    select
        w.*,
        case
            when w.is_negative then 'negative'
            when not w.is_stocked or w.is_discontinued then null
            when w.sellable <= 0 then 'out_of_stock'
            when w.sellable < w.safety_stock then 'below_safety_stock'
            when w.sellable < w.reorder_point then 'below_reorder_point'
        end as what
    from wanted as w
),

stock_risk as (
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        safety_stock,
        reorder_point,
        what
    from judged
    where what is not null
)

select * from stock_risk
