-- stock_on_hand: what stands where, as far as is known.
-- Grain: one row per product and location that a movement or count ever named. What stands under a merged code is
-- shown with the code that it is merged into.
-- Reads: silver.position, product_family.   Used by: people, dashboards, stock_risk.
with

position as (
    select * from {{ source('silver', 'position') }}
),

-- Grouped by codes that come from plain columns: so a question about one product, or one place, reads no more.
family as (
    select * from {{ source('silver', 'product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

-- Below zero is judged by bin, lot and state: what lies elsewhere does not make it good.
by_bin_and_lot as (
    select
        f.product_code,
        l.location_code,
        sum(s.quantity) as on_hand,
        sum(case when s.state = 'sellable' then s.quantity else 0 end) as sellable,
        sum(case when s.state = 'quality_hold' then s.quantity else 0 end) as quality_hold,
        sum(case when s.state = 'quarantine' then s.quantity else 0 end) as quarantine,
        sum(case when s.state = 'damaged' then s.quantity else 0 end) as damaged,
        bool_and(s.is_anchored) as is_anchored,
        max(s.anchor_at) as last_count_at,
        max(s.last_movement_at) as last_movement_at,
        bool_or(f.is_merged) as has_merged,
        max(s.known) as known
    from position as s
    inner join family as f on s.product_id = f.product_id
    inner join location as l on s.location_id = l.location_id
    group by f.product_code, l.location_code, s.bin_code, s.lot_code
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
        bool_and(is_anchored) as is_anchored,
        bool_or(sellable < 0 or quality_hold < 0 or quarantine < 0 or damaged < 0) as is_negative,
        max(last_count_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        bool_or(has_merged) as has_merged,
        max(known) as known
    from by_bin_and_lot
    group by product_code, location_code
)

select * from stock_on_hand
