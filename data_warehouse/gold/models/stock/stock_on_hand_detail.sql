-- stock_on_hand_detail: what stands in which bin and lot, as far as is known.
-- Grain: one row per product, location, bin and lot; bin and lot are empty where the source has none.
-- Reads: silver.position, product_survivor.   Used by: people in warehouses, stock_on_hand.
with

position as (
    select * from {{ source('silver', 'position') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

by_bin_and_lot as (
    select
        product_id,
        location_id,
        bin_code,
        lot_code,
        sum(quantity) as on_hand,
        sum(case when state = 'sellable' then quantity else 0 end) as sellable,
        sum(case when state = 'quality_hold' then quantity else 0 end) as quality_hold,
        sum(case when state = 'quarantine' then quantity else 0 end) as quarantine,
        sum(case when state = 'damaged' then quantity else 0 end) as damaged,
        min(case when is_anchored then 1 else 0 end) = 1 as is_anchored,
        max(case when quantity < 0 then 1 else 0 end) = 1 as is_negative,
        max(anchor_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        max(known) as known
    from position
    group by product_id, location_id, bin_code, lot_code
),

stock_on_hand_detail as (
    select
        p.product_code,
        l.location_code,
        s.bin_code,
        s.lot_code,
        {{ plain('s.on_hand') }} as on_hand,
        {{ plain('s.sellable') }} as sellable,
        {{ plain('s.quality_hold') }} as quality_hold,
        {{ plain('s.quarantine') }} as quarantine,
        {{ plain('s.damaged') }} as damaged,
        s.is_anchored,
        s.is_negative,
        s.last_count_at,
        s.last_movement_at,
        v.survivor_code as merged_into,
        s.known
    from by_bin_and_lot as s
    inner join product as p on s.product_id = p.product_id
    inner join location as l on s.location_id = l.location_id
    left join survivor as v on p.product_code = v.product_code
)

select * from stock_on_hand_detail
