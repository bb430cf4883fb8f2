-- stock_on_hand: what stands where, as far as is known.
-- Grain: one row per product and location that a movement or count ever named. What stands under a merged code is
-- shown with the code that it is merged into.
-- Reads: silver.stock_balance, position, product_family.   Used by: people, dashboards, stock_risk, promises.
with

-- Nearly every product has one number, and its balance is the row: nothing is added up, and whatever is asked of it is
-- an index's question. Each table is named where it is read: only so does a question read no more than it asks for.
of_one as (
    select
        f.product_code,
        l.location_code,
        b.on_hand,
        b.sellable,
        b.quality_hold,
        b.quarantine,
        b.damaged,
        b.is_anchored,
        b.is_negative,
        b.is_out_now,
        b.last_count_at,
        b.last_movement_at,
        false as has_merged,
        b.known
    from {{ source('silver', 'stock_balance') }} as b
    inner join {{ source('silver', 'product_family') }} as f on b.product_id = f.product_id
    inner join {{ source('silver', 'location_key') }} as l on b.location_id = l.location_id
    where not f.is_of_several
),

-- Below zero is judged by state, bin and lot: what lies elsewhere does not make it good. What lies there under another
-- code of the same product does, so the few products with several numbers are added up from their positions.
by_bin_and_lot as (
    select
        f.product_code,
        l.location_code,
        s.state,
        s.bin_code,
        s.lot_code,
        sum(s.quantity) as quantity,
        {{ all_true('s.is_anchored') }} as is_anchored,
        max(s.anchor_at) as last_count_at,
        max(s.last_movement_at) as last_movement_at,
        {{ any_true('f.is_merged') }} as has_merged,
        max(s.known) as known
    from {{ source('silver', 'position') }} as s
    inner join {{ source('silver', 'product_family') }} as f on s.product_id = f.product_id
    inner join {{ source('silver', 'location_key') }} as l on s.location_id = l.location_id
    where f.is_of_several
    group by f.product_code, l.location_code, s.state, s.bin_code, s.lot_code
),

of_several as (
    select
        product_code,
        location_code,
        sum(quantity) as on_hand,
        sum(case when state = 'sellable' then quantity else 0 end) as sellable,
        sum(case when state = 'quality_hold' then quantity else 0 end) as quality_hold,
        sum(case when state = 'quarantine' then quantity else 0 end) as quarantine,
        sum(case when state = 'damaged' then quantity else 0 end) as damaged,
        {{ all_true('is_anchored') }} as is_anchored,
        {{ any_true('quantity < 0') }} as is_negative,
        sum(case when state = 'sellable' then quantity else 0 end) <= 0 as is_out_now,
        max(last_count_at) as last_count_at,
        max(last_movement_at) as last_movement_at,
        {{ any_true('has_merged') }} as has_merged,
        max(known) as known
    from by_bin_and_lot
    group by product_code, location_code
),

both_kinds as (
    select * from of_one
    union all
    select * from of_several
),

stock_on_hand as (
    select
        product_code,
        location_code,
        {{ plain('on_hand') }} as on_hand,
        {{ plain('sellable') }} as sellable,
        {{ plain('quality_hold') }} as quality_hold,
        {{ plain('quarantine') }} as quarantine,
        {{ plain('damaged') }} as damaged,
        is_anchored,
        is_negative,
        is_out_now,
        last_count_at,
        last_movement_at,
        has_merged,
        known
    from both_kinds
)

select * from stock_on_hand
