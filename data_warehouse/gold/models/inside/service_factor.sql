{{ config(materialized='ephemeral') }}
-- service_factor: how many standard deviations a service level asks for: the quantile of the normal distribution, to
-- six decimals, by Acklam's approximation (relative error below 1.2e-9), in exact numbers: the same on every machine.
-- Grain: one row per service level that a policy names, and the level that holds where none does (is_usual).
-- Reads: silver.fact_stock_policy, ops.setting service_level.   Used by: planning_key.
with

usual as (
    select coalesce({{ exact('max(value)') }}, 0.95) as service_level from {{ source('ops', 'setting') }}
    where name = 'service_level'
),

level as (
    select
        service_level,
        true as is_usual
    from usual
    union all
    select distinct
        s.service_level,
        false as is_usual
    from {{ source('silver', 'fact_stock_policy') }} as s
    where s.known_to is null and s.service_level > 0 and s.service_level < 1
),

turned as (
    select
        service_level,
        is_usual,
        service_level - 0.5 as centred,
        case
            when {{ least_known() }}(service_level, 1 - service_level) < 0.02425
                then sqrt(-2 * ln({{ least_known() }}(service_level, 1 - service_level)))
        end as tail
    from level
),

raised as (
    select
        service_level,
        is_usual,
        centred,
        tail,
        coalesce(tail, centred * centred) as x,
        power(coalesce(tail, centred * centred), 2) as x2,
        power(coalesce(tail, centred * centred), 3) as x3,
        power(coalesce(tail, centred * centred), 4) as x4,
        power(coalesce(tail, centred * centred), 5) as x5
    from turned
),

divided as (
    select
        service_level,
        is_usual,
        case
            when tail is not null
                then
                    -0.007784894002430293 * x5 - 0.3223964580411365 * x4 - 2.400758277161838 * x3
                    - 2.549732539343734 * x2 + 4.374664141464968 * x + 2.938163982698783
            else
                -39.69683028665376 * x5 + 220.9460984245205 * x4 - 275.9285104469687 * x3
                + 138.357751867269 * x2 - 30.66479806614716 * x + 2.506628277459239
        end as dividend,
        case
            when tail is not null
                then
                    0.007784695709041462 * x4 + 0.3224671290700398 * x3 + 2.445134137142996 * x2
                    + 3.754408661907416 * x + 1
            else
                -54.47609879822406 * x5 + 161.5858368580409 * x4 - 155.6989798598866 * x3
                + 66.80131188771972 * x2 - 13.28068155288572 * x + 1
        end as divisor,
        case when tail is null then centred else sign(-centred) end as factor
    from raised
),

service_factor as (
    select
        service_level,
        is_usual,
        round(factor * dividend / divisor, 6) as z
    from divided
)

select * from service_factor
