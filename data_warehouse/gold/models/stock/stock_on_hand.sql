-- stock_on_hand: what stands where, as far as is known.
-- Grain: one row per product and location that a movement or count ever named.
-- Reads: stock_on_hand_detail.   Used by: people, dashboards, stock_risk.
with

detail as (
    select * from {{ ref('stock_on_hand_detail') }}
),

stock_on_hand as (
    select
        product_code,
        location_code,
        {{ plain('sum(on_hand)') }} as on_hand,
        {{ plain('sum(sellable)') }} as sellable,
        {{ plain('sum(quality_hold)') }} as quality_hold,
        {{ plain('sum(quarantine)') }} as quarantine,
        {{ plain('sum(damaged)') }} as damaged,
        min(case when is_anchored then 1 else 0 end) = 1 as is_anchored,
        max(case when is_negative then 1 else 0 end) = 1 as is_negative,
        max(last_count_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        max(known) as known
    from detail
    group by product_code, location_code
)

select * from stock_on_hand
