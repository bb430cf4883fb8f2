{{ config(materialized='ephemeral') }}
-- promise_stock: what stands where, and what open reservations hold of it.
-- Apart from what is kept back, so that who does not ask for that does not pay for it.
-- Grain: one row per product and location with stock, an open reservation or an open purchase order.
-- Reads: stock_on_hand, silver.demand_line, supply_line.   Used by: promise_key, planning_key.
with

stock as (
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        known
    from {{ ref('stock_on_hand') }}
),

family as (
    select
        product_code,
        product_id
    from {{ source('silver', 'product_family') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

-- The branches are plain scans of equal columns without conditions: only so does a question about one product read
-- one product.
told as (
    select
        product_id,
        location_id,
        open_quantity as reserved,
        is_soft,
        channel_code,
        expires_at,
        open_quantity,
        known
    from {{ source('silver', 'demand_line') }}
    union all
    select
        product_id,
        location_id,
        {{ exact('null') }} as reserved,
        false as is_soft,
        cast(null as text) as channel_code,
        cast(null as {{ instant() }}) as expires_at,
        open_quantity,
        known
    from {{ source('silver', 'supply_line') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

-- Open orders are few beside what stands in stock: only they are added up.
ordered as (
    select
        f.product_code,
        l.location_code,
        coalesce(sum(
            case when not t.is_soft and coalesce(t.channel_code, '') <> 'transfer' then t.reserved end
        ), 0) as reserved_hard,
        coalesce(sum(case when t.is_soft then t.reserved end), 0) as reserved_soft,
        coalesce(sum(
            case when not t.is_soft and t.channel_code = 'transfer' then t.reserved end
        ), 0) as transfer_reserved,
        max(t.known) as known
    from told as t
    inner join family as f on t.product_id = f.product_id
    inner join location as l on t.location_id = l.location_id
    cross join latest as n
    where t.open_quantity > 0 and (t.expires_at is null or t.expires_at > n.as_of)
    group by f.product_code, l.location_code
),

-- Each side is read once, and a question about one product, or one place, reaches both.
summed as (
    select
        coalesce(s.product_code, o.product_code) as product_code,
        coalesce(s.location_code, o.location_code) as location_code,
        coalesce(s.on_hand, 0) as on_hand,
        coalesce(s.sellable, 0) as sellable,
        coalesce(o.reserved_hard, 0) as reserved_hard,
        coalesce(o.reserved_soft, 0) as reserved_soft,
        coalesce(o.transfer_reserved, 0) as transfer_reserved,
        {{ greatest_known() }}(s.known, o.known) as known
    from stock as s
    full join ordered as o on s.product_code = o.product_code and s.location_code = o.location_code
),

promise_stock as (
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        reserved_hard,
        reserved_soft,
        transfer_reserved,
        {{ greatest_known() }}(0, sellable - reserved_hard - reserved_soft - transfer_reserved) as available,
        known
    from summed
)

select * from promise_stock
