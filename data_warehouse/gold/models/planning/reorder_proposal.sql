-- reorder_proposal: what should be ordered now, from whom, and how much.
-- reorder point = mean daily demand * mean lead time + safety stock (the configured one, else what is required); where
-- demand or lead time is not known, the configured reorder point. position = available + what is ordered and still to
-- come. What lacks is ordered, in whole base units: at least the supplier's minimum, in whole packs.
-- Grain: one row per product and location whose position is below its reorder point.
-- Reads: planning_key, best_offer, silver.supply_line, ops.feed.   Used by: buyers, the report.
with

key as (
    select * from {{ ref('planning_key') }}
),

family as (
    select * from {{ ref('product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

feed as (
    select
        feed_id,
        past_due_days
    from {{ source('ops', 'feed') }}
),

-- What is overdue for longer than the contract waits for it is not reckoned with, as in promises.
supply as (
    select
        f.product_code,
        l.location_code,
        sum(s.open_quantity) as open_supply
    from {{ source('silver', 'supply_line') }} as s
    inner join family as f on s.product_id = f.product_id
    inner join location as l on s.location_id = l.location_id
    inner join feed as e on s.feed_id = e.feed_id
    cross join latest as n
    where
        s.open_quantity > 0
        and (s.due_at is null or s.due_at >= {{ days_before('n.as_of', 'e.past_due_days') }})
    group by f.product_code, l.location_code
),

offered as (
    select * from {{ ref('best_offer') }}
),

pointed as (
    select
        k.*,
        coalesce(k.configured, k.required, 0) as safety_stock,
        coalesce(s.open_supply, 0) as open_supply,
        case
            when k.mean_daily > 0 and k.lead_time_mean is not null
                then round(k.mean_daily * k.lead_time_mean + coalesce(k.configured, k.required, 0), 6)
            else coalesce(k.configured_reorder_point, k.configured, 0)
        end as reorder_point,
        case
            when k.mean_daily > 0 and k.lead_time_mean is not null then 'demand'
            else 'configured'
        end as reorder_point_source
    from key as k
    left join supply as s on k.product_code = s.product_code and k.location_code = s.location_code
),

lacking as (
    select
        p.*,
        o.supplier_code,
        o.unit_cost,
        o.currency,
        o.minimum_quantity,
        o.pack_quantity,
        p.reorder_point - p.available - p.open_supply as shortfall
    from pointed as p
    left join offered as o on p.product_code = o.product_code
    where p.available + p.open_supply < p.reorder_point
),

reorder_proposal as (
    select
        product_code,
        location_code,
        {{ plain('reorder_point') }} as reorder_point,
        reorder_point_source,
        {{ plain('configured_reorder_point') }} as configured_reorder_point,
        {{ plain('safety_stock') }} as safety_stock,
        {{ plain('mean_daily') }} as demand_mean,
        {{ plain('lead_time_mean') }} as lead_time_mean,
        {{ plain('available') }} as available,
        {{ plain('open_supply') }} as open_supply,
        {{ plain('available + open_supply') }} as reorder_position,
        {{ plain('shortfall') }} as shortfall,
        supplier_code,
        {{ plain('minimum_quantity') }} as minimum_quantity,
        {{ plain('pack_quantity') }} as pack_quantity,
        {{ plain('unit_cost') }} as unit_cost,
        currency,
        {{ plain('case
            when pack_quantity > 0
                then ceil(' ~ greatest_known() ~ '(shortfall, minimum_quantity) / pack_quantity) * pack_quantity
            else ceil(' ~ greatest_known() ~ '(shortfall, minimum_quantity))
        end') }} as order_quantity,
        as_of
    from lacking
)

select * from reorder_proposal
