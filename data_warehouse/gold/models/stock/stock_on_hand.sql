-- stock_on_hand: what stands where, as far as is known.
-- Grain: one row per product and location that a movement or count ever named. What stands under a merged code is
-- shown with the code that it is merged into.
-- Reads: stock_on_hand_detail.   Used by: people, dashboards, stock_risk.
with

detail as (
    select * from {{ ref('stock_on_hand_detail') }}
),

under_one_code as (
    select
        coalesce(merged_into, product_code) as product_code,
        location_code,
        sum(on_hand) as on_hand,
        sum(sellable) as sellable,
        sum(quality_hold) as quality_hold,
        sum(quarantine) as quarantine,
        sum(damaged) as damaged,
        min(case when is_anchored then 1 else 0 end) as is_anchored,
        case
            when sum(sellable) < 0 or sum(quality_hold) < 0 or sum(quarantine) < 0 or sum(damaged) < 0 then 1
            else 0
        end as is_negative,
        max(last_count_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        max(known) as known,
        max(case when merged_into is null then 0 else 1 end) as has_merged
    from detail
    group by coalesce(merged_into, product_code), location_code, bin_code, lot_code
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
        min(is_anchored) = 1 as is_anchored,
        max(is_negative) = 1 as is_negative,
        max(last_count_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        max(has_merged) = 1 as has_merged,
        max(known) as known
    from under_one_code
    group by product_code, location_code
)

select * from stock_on_hand
