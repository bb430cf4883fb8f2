-- stock_on_hand: what stands where, as far as is known.
-- Grain: one row per product and location that a movement or count ever named. What stands under a merged code is
-- shown with the code that it is merged into.
-- Reads: silver.position, product_family.   Used by: people, dashboards, stock_risk.
with

-- Grouped by codes that come from plain columns, and each table named where it is read: only so does a question about
-- one product, or one place, read no more.
by_place as (
    select
        f.product_code,
        l.location_code,
        sum(s.quantity) as on_hand,
        coalesce(sum(s.quantity) filter (where s.state = 'sellable'), 0) as sellable,
        coalesce(sum(s.quantity) filter (where s.state = 'quality_hold'), 0) as quality_hold,
        coalesce(sum(s.quantity) filter (where s.state = 'quarantine'), 0) as quarantine,
        coalesce(sum(s.quantity) filter (where s.state = 'damaged'), 0) as damaged,
        bool_and(s.is_anchored) as is_anchored,
        bool_or(s.quantity < 0) as is_negative,
        max(s.anchor_at) as last_count_at,
        max(s.last_movement_at) as last_movement_at,
        bool_or(f.is_merged) as has_merged,
        max(s.known) as known
    from {{ source('silver', 'position') }} as s
    inner join {{ source('silver', 'product_family') }} as f on s.product_id = f.product_id
    inner join {{ source('silver', 'location_key') }} as l on s.location_id = l.location_id
    group by f.product_code, l.location_code
),

-- Below zero is judged by state, bin and lot: what lies elsewhere does not make it good. What lies there under another
-- code of the same product does; few products have several.
of_several as (
    select
        f.product_code,
        l.location_code,
        s.state,
        s.bin_code,
        s.lot_code,
        sum(s.quantity) < 0 as is_negative
    from {{ source('silver', 'position') }} as s
    inner join {{ source('silver', 'product_family') }} as f on s.product_id = f.product_id
    inner join {{ source('silver', 'location_key') }} as l on s.location_id = l.location_id
    where f.is_of_several
    group by f.product_code, l.location_code, s.state, s.bin_code, s.lot_code
),

several as (
    select
        product_code,
        location_code,
        bool_or(is_negative) as is_negative
    from of_several
    group by product_code, location_code
),

stock_on_hand as (
    select
        p.product_code,
        p.location_code,
        {{ plain('p.on_hand') }} as on_hand,
        {{ plain('p.sellable') }} as sellable,
        {{ plain('p.quality_hold') }} as quality_hold,
        {{ plain('p.quarantine') }} as quarantine,
        {{ plain('p.damaged') }} as damaged,
        p.is_anchored,
        coalesce(v.is_negative, p.is_negative) as is_negative,
        p.last_count_at,
        p.last_movement_at,
        p.has_merged,
        p.known
    from by_place as p
    left join several as v on p.product_code = v.product_code and p.location_code = v.location_code
)

select * from stock_on_hand
