{{ config(materialized='ephemeral') }}
-- promise_key: what promises start from: stock, open reservations, what is kept back, and the day it is there.
-- Grain: one row per product and location with stock, an open reservation or an open purchase order.
-- Reads: silver.position, demand_line, supply_line, lateness, demand_rate, stock_policy, dim_product, dim_location.
-- Used by: availability, atp.
with

family as (
    select
        product_code,
        product_id
    from {{ source('silver', 'product_family') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

setting as (
    select
        coalesce(max(case when name = 'zone' then value end), 'UTC') as zone_name,
        coalesce(cast(max(case when name = 'staleness_z' then value end) as numeric), 1.2816) as staleness_z
    from {{ source('ops', 'setting') }}
),

-- The branches are plain scans of equal columns without conditions: only so does a question about one product read
-- one product.
told as (
    select
        product_id,
        location_id,
        quantity as on_hand,
        case when state = 'sellable' then quantity else cast(0 as numeric) end as sellable,
        cast(0 as numeric) as reserved,
        false as is_soft,
        cast(null as text) as channel_code,
        cast(null as timestamptz) as expires_at,
        cast(1 as numeric) as open_quantity,
        known
    from {{ source('silver', 'position') }}
    union all
    select
        product_id,
        location_id,
        cast(0 as numeric) as on_hand,
        cast(0 as numeric) as sellable,
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
        cast(0 as numeric) as on_hand,
        cast(0 as numeric) as sellable,
        cast(0 as numeric) as reserved,
        false as is_soft,
        cast(null as text) as channel_code,
        cast(null as timestamptz) as expires_at,
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

summed as (
    select
        f.product_code,
        l.location_code,
        sum(t.on_hand) as on_hand,
        sum(t.sellable) as sellable,
        sum(
            case when t.is_soft or coalesce(t.channel_code, '') = 'transfer' then 0 else t.reserved end
        ) as reserved_hard,
        sum(case when t.is_soft then t.reserved else 0 end) as reserved_soft,
        sum(
            case when not t.is_soft and t.channel_code = 'transfer' then t.reserved else 0 end
        ) as transfer_reserved,
        max(t.known) as known
    from told as t
    inner join family as f on t.product_id = f.product_id
    inner join location as l on t.location_id = l.location_id
    cross join latest as n
    where t.open_quantity > 0 and (t.expires_at is null or t.expires_at > n.as_of)
    group by f.product_code, l.location_code
),

place as (
    select * from {{ source('silver', 'dim_location') }}
    where valid_to = 'infinity'
),

item as (
    select
        product_code,
        safety_stock
    from {{ source('silver', 'dim_product') }}
    where valid_to = 'infinity'
),

policy_here as (
    select * from {{ ref('stock_policy') }}
    where location_code is not null and channel_code is null
),

policy_everywhere as (
    select * from {{ ref('stock_policy') }}
    where location_code is null and channel_code is null
),

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

late_here as (
    select * from {{ source('silver', 'lateness') }}
    where location_code <> ''
),

late_everywhere as (
    select * from {{ source('silver', 'lateness') }}
    where location_code = ''
),

judged as (
    select
        s.*,
        n.as_of,
        coalesce(p.zone, g.zone_name) as zone_name,
        coalesce(
            h.channel_buffer, h.safety_stock, e.channel_buffer, e.safety_stock, i.safety_stock, 0
        ) as buffer,
        coalesce(w.late_hours, x.late_hours, 0) as late_hours,
        coalesce(r.mean_daily, 0) as mean_daily,
        coalesce(r.variance_daily, 0) as variance_daily,
        g.staleness_z
    from summed as s
    cross join latest as n
    cross join setting as g
    left join place as p on s.location_code = p.location_code
    left join item as i on s.product_code = i.product_code
    left join policy_here as h on s.product_code = h.product_code and s.location_code = h.location_code
    left join policy_everywhere as e on s.product_code = e.product_code
    left join rate as r on s.product_code = r.product_code and s.location_code = r.location_code
    left join late_here as w on s.location_code = w.location_code
    left join late_everywhere as x on x.location_code = ''
),

promise_key as (
    select
        product_code,
        location_code,
        on_hand,
        sellable,
        reserved_hard,
        reserved_soft,
        transfer_reserved,
        greatest(0, sellable - reserved_hard - reserved_soft - transfer_reserved) as available,
        buffer,
        -- What may have been sold there since its last news, with the certainty that the retailer wants.
        case
            when late_hours > 0
                then greatest(
                    0, ceil(mean_daily * late_hours / 24 + staleness_z * sqrt(variance_daily * late_hours / 24))
                )
            else 0
        end as staleness_reserve,
        late_hours,
        as_of,
        case when isfinite(as_of) then cast(as_of at time zone zone_name as date) end as today,
        known
    from judged
)

select * from promise_key
