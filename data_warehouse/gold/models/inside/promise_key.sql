{{ config(materialized='ephemeral') }}
-- promise_key: what promises start from: stock, open reservations, what is kept back, and the day it is there.
-- Grain: one row per product and location with stock, an open reservation or an open purchase order.
-- Reads: promise_stock, silver.lateness, demand_rate, stock_policy, dim_product, dim_location.
-- Used by: availability, atp.
with

stock as (
    select * from {{ ref('promise_stock') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

setting as (
    select
        coalesce(max(case when name = 'zone' then value end), 'UTC') as zone_name,
        coalesce({{ exact("max(case when name = 'staleness_z' then value end)") }}, 1.2816) as staleness_z
    from {{ source('ops', 'setting') }}
),

place as (
    select * from {{ source('silver', 'dim_location') }}
    where valid_to = {{ forever() }}
),

item as (
    select
        product_code,
        safety_stock
    from {{ source('silver', 'dim_product') }}
    where valid_to = {{ forever() }}
),

policy_here as (
    select * from {{ ref('stock_policy') }}
    where location_code is not null and channel_code is null
),

policy_everywhere as (
    select * from {{ ref('stock_policy') }}
    where location_code is null and channel_code is null
),

-- Read only where something is late at all.
most_late as (
    select l.late_hours
    from (select max(late_hours) as late_hours from {{ source('silver', 'lateness') }}) as l
    where l.late_hours > 0
),

rate as (
    select r.*
    from most_late
    cross join {{ source('silver', 'demand_rate') }} as r
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
    from stock as s
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
        available,
        buffer,
        -- What may have been sold there since its last news, with the certainty that the retailer wants.
        case
            when late_hours > 0
                then {{ greatest_known() }}(
                    0, ceil(mean_daily * late_hours / 24 + staleness_z * sqrt(variance_daily * late_hours / 24))
                )
            else 0
        end as staleness_reserve,
        late_hours,
        as_of,
        case when {{ is_dated('as_of') }} then cast({{ local('as_of', 'zone_name') }} as date) end as today,
        known
    from judged
)

select * from promise_key
