-- stock_risk: where stock is negative, gone or lower than wanted; the worst of these per row.
-- Grain: one row per product and location at risk. Sellable stock is judged, for the rest cannot be sold.
-- Reads: stock_on_hand, stock_policy, product.   Used by: alerts, the morning report of replenishment.
--
-- A branch for each kind of stock: who asks for one kind of risk reads only what an index finds of it.
with

negative as ({{ stock_and_levels('s.is_negative') }}
),

nothing_left as ({{ stock_and_levels('s.is_out_now and not s.is_negative') }}
),

something_left as ({{ stock_and_levels('not s.is_out_now and not s.is_negative') }}
),

stock_risk as (
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        safety_stock,
        reorder_point,
        'negative' as what
    from negative
    union all
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        safety_stock,
        reorder_point,
        'out_of_stock' as what
    from nothing_left
    where is_wanted
    union all
    -- A list of two, and not only the expression: who asks for another kind finds the list empty, and reads no stock.
    select
        s.product_code,
        s.location_code,
        s.on_hand,
        s.sellable,
        s.safety_stock,
        s.reorder_point,
        k.what
    from something_left as s
    inner join (values ('below_safety_stock'), ('below_reorder_point')) as k (what)
        on k.what = case
            when s.sellable < s.safety_stock then 'below_safety_stock'
            when s.sellable < s.reorder_point then 'below_reorder_point'
        end
    where s.is_wanted
)

select * from stock_risk
