-- safety_stock: how much should be kept in reserve, how much is said to be, and whether it is there.
-- drift = configured - required: is the level right? gap = max(0, configured - available): is it kept? Never mixed.
-- Grain: one row per product and location with stock, an open order, or a level of its own.
-- Reads: planning_key (where the formulas are), the sealed snapshots.   Used by: planners, the report.
with

key as (
    select * from {{ ref('planning_key') }}
),

survivor as (
    select * from {{ ref('product_survivor') }}
),

-- Of each sealed day the version that holds.
sealed as (
    select s.snapshot_id
    from {{ var('gold_schema') }}.snapshot as s
    where
        s.kind = 'stock'
        and not exists (
            select 1 from {{ var('gold_schema') }}.snapshot as n
            where n.kind = s.kind and n.business_date = s.business_date and n.version > s.version
        )
),

day_stock as (
    select
        s.snapshot_id,
        coalesce(v.survivor_code, s.product_code) as product_code,
        s.location_code,
        sum(case when s.state = 'sellable' then s.quantity else 0 end) as sellable
    from sealed as d
    inner join {{ var('gold_schema') }}.stock_snapshot as s on d.snapshot_id = s.snapshot_id
    left join survivor as v on s.product_code = v.product_code
    group by s.snapshot_id, coalesce(v.survivor_code, s.product_code), s.location_code
),

day_list as (
    {{ list_days('day_stock', 'key') }}
),

safety_stock as (
    select
        k.product_code,
        k.location_code,
        {{ plain('k.configured') }} as configured,
        k.configured_by,
        {{ plain('k.required') }} as required,
        k.service_level,
        {{ exact('k.z') }} as z,
        k.demand_kind,
        k.in_stock_days,
        {{ plain('k.mean_daily') }} as demand_mean,
        {{ plain('k.variance_daily') }} as demand_variance,
        {{ plain('round(k.demand_interval, 6)') }} as demand_interval,
        {{ plain('k.size_variation') }} as size_variation,
        {{ plain('k.lead_time_mean') }} as lead_time_mean,
        {{ plain('k.lead_time_variance') }} as lead_time_variance,
        k.lead_time_lines,
        k.lead_time_source,
        case when k.configured is not null then {{ plain('k.configured - k.required') }} end as drift,
        case
            when k.configured is not null
                then {{ plain('round(100 * (k.configured - k.required) / nullif(k.required, 0), 2)') }}
        end as drift_percent,
        {{ plain('k.available') }} as available,
        {{ plain(greatest_known() ~ '(0, k.configured - k.available)') }} as gap,
        case
            when k.configured > 0 then {{ days_below('d', 'k.configured') }}
            else 0
        end as days_in_breach,
        case when k.configured > 0 then coalesce(d.sealed_days, 0) else 0 end as sealed_days,
        k.as_of
    from key as k
    left join day_list as d on k.product_code = d.product_code and k.location_code = d.location_code
)

select * from safety_stock
