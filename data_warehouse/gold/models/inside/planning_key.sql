{{ config(materialized='ephemeral') }}
-- planning_key: what safety stock is reckoned from, and what it comes to.
-- Smooth demand: z * sqrt(mean lead time * variance of daily demand + mean daily demand^2 * variance of lead time).
-- Intermittent demand (a day without any, more often than every 1.32 days: Syntetos, Boylan and Croston 2005, "On the
-- categorization of demand patterns") is not normal: its mean and variance over the lead time, the same as above, are
-- taken for those of a gamma distribution (Burgin 1975, "The gamma distribution and inventory control"), whose quantile
-- less its mean is what is required; the quantile by Wilson and Hilferty's cube.
-- Grain: one row per product and location with stock, an open order, or a level of its own; not what is never stocked
-- or not bought any more.
-- Reads: promise_stock, stock_policy, service_factor, lead_time, best_offer, silver.demand_rate, dim_product.
-- Used by: safety_stock, reorder_proposal.
with

key as (
    select
        product_code,
        location_code,
        sellable,
        available
    from {{ ref('promise_stock') }}
),

policy as (
    select * from {{ ref('stock_policy') }}
    where channel_code is null
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

item as (
    select
        product_code,
        safety_stock,
        reorder_point,
        is_stocked,
        is_discontinued
    from {{ source('silver', 'dim_product') }}
    where valid_to = {{ forever() }}
),

named_level as (
    select * from {{ ref('service_factor') }}
    where not is_usual
),

usual_level as (
    select * from {{ ref('service_factor') }}
    where is_usual
),

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

lead_time as (
    select * from {{ ref('lead_time') }}
),

offered as (
    select * from {{ ref('best_offer') }}
),

-- Levels of a place that nothing stands at and nobody ordered for are keys, too.
level_here as (
    select p.*
    from policy as p
    left join survivor as v on p.product_code = v.product_code
    where p.location_code is not null and v.product_code is null
),

-- Each side is read once, and a question about one product, or one place, reaches both.
place as (
    select
        coalesce(k.product_code, h.product_code) as product_code,
        coalesce(k.location_code, h.location_code) as location_code,
        k.sellable,
        k.available,
        h.safety_stock,
        h.reorder_point,
        h.service_level
    from key as k
    full join level_here as h on k.product_code = h.product_code and k.location_code = h.location_code
),

told as (
    select
        a.product_code,
        a.location_code,
        n.as_of,
        coalesce(a.sellable, 0) as sellable,
        coalesce(a.available, 0) as available,
        coalesce(a.safety_stock, e.safety_stock, i.safety_stock) as configured,
        case
            when a.safety_stock is not null then 'place'
            when e.safety_stock is not null then 'everywhere'
            when i.safety_stock is not null then 'product'
        end as configured_by,
        coalesce(a.reorder_point, e.reorder_point, i.reorder_point) as configured_reorder_point,
        coalesce(s.service_level, u.service_level) as service_level,
        coalesce(s.z, u.z) as z,
        r.in_stock_days,
        r.demand_days,
        r.demand,
        coalesce(r.mean_daily, 0) as mean_daily,
        coalesce(r.variance_daily, 0) as variance_daily,
        case when t.line_count is not null then t.mean_days else o.lead_time_days end as lead_time_mean,
        case when t.line_count is not null then t.variance_days else o.lead_time_days * 0 end as lead_time_variance,
        coalesce(t.line_count, 0) as lead_time_lines,
        case when t.line_count is not null then 'received' when o.lead_time_days is not null then 'offered' end
            as lead_time_source,
        {{ exact('r.in_stock_days') }} / nullif(r.demand_days, 0) as demand_interval,
        -- Of the days on which some left: the variance of how much, over the square of its mean.
        case
            when r.demand_days > 1
                then round(
                    {{ greatest_known() }}(0, (
                        r.variance_daily * (r.in_stock_days - 1) + r.demand * r.demand / r.in_stock_days
                        - r.demand * r.demand / r.demand_days
                    ) / (r.demand_days - 1))
                    * r.demand_days * r.demand_days / (r.demand * r.demand), 6
                )
            else 0
        end as size_variation
    from place as a
    cross join latest as n
    cross join usual_level as u
    left join policy as e on a.product_code = e.product_code and e.location_code is null
    left join item as i on a.product_code = i.product_code
    left join named_level as s on coalesce(a.service_level, e.service_level) = s.service_level
    left join rate as r on a.product_code = r.product_code and a.location_code = r.location_code
    left join lead_time as t on a.product_code = t.product_code and a.location_code = t.location_code
    left join offered as o on a.product_code = o.product_code
    where coalesce(i.is_stocked, true) and not coalesce(i.is_discontinued, false)
),

over_lead_time as (
    select
        t.*,
        t.mean_daily * t.lead_time_mean as lead_demand,
        t.lead_time_mean * t.variance_daily + t.mean_daily * t.mean_daily * t.lead_time_variance as lead_variance,
        case
            when t.demand_days is null then 'none'
            when t.demand_interval <= 1.32 and t.size_variation <= 0.49 then 'smooth'
            when t.demand_interval <= 1.32 then 'erratic'
            when t.size_variation <= 0.49 then 'intermittent'
            else 'lumpy'
        end as demand_kind
    from told as t
),

planning_key as (
    select
        o.*,
        case
            -- No demand is known: asked first, for the kind of demand is reckoned anew where it is asked for.
            when o.demand_days is null then 0
            when o.lead_time_mean is null then null
            when o.demand_kind in ('smooth', 'erratic') or o.lead_demand = 0
                then round({{ greatest_known() }}(0, o.z * sqrt(o.lead_variance)), 6)
            else round(
                o.lead_demand * {{ greatest_known() }}(
                    0,
                    power(
                        {{ greatest_known() }}(
                            0, 1 - o.lead_variance / (9 * o.lead_demand * o.lead_demand)
                            + o.z * sqrt(o.lead_variance) / (3 * o.lead_demand)
                        ), 3
                    ) - 1
                ), 6
            )
        end as required
    from over_lead_time as o
)

select * from planning_key
