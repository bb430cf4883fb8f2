-- date: the calendar, from the first to the last year that any event or sale falls in, whole years.
-- Grain: one row per day. Weeks are ISO weeks and start on Monday.
-- Reads: silver.fact_sale, silver.fact_movement, silver.fact_count.   Used by: BI tools, as their calendar.
with

seen as (
    select
        min(business_date) as first_day,
        max(business_date) as last_day
    from {{ source('silver', 'fact_sale') }}
    where known_to is null
    union all
    select
        cast({{ local('min(event_time)', "'UTC'") }} as date) as first_day,
        cast({{ local('max(event_time)', "'UTC'") }} as date) as last_day
    from {{ source('silver', 'fact_movement') }}
    where known_to is null
    union all
    select
        cast({{ local('min(event_time)', "'UTC'") }} as date) as first_day,
        cast({{ local('max(event_time)', "'UTC'") }} as date) as last_day
    from {{ source('silver', 'fact_count') }}
    where known_to is null
),

bounds as (
    select
        cast(date_trunc('year', min(first_day)) as date) as first_day,
        cast(date_trunc('year', max(last_day)) + interval '1 year' - interval '1 day' as date) as last_day
    from seen
),

day as (
    {{ days_within('bounds') }}
),

date as (
    select
        day,
        cast(extract(year from day) as integer) as year,
        cast(extract(quarter from day) as integer) as quarter,
        cast(extract(month from day) as integer) as month,
        cast(date_trunc('month', day) as date) as month_start,
        cast(extract({{ iso('year') }} from day) as integer) as iso_year,
        cast(extract({{ iso('week') }} from day) as integer) as iso_week,
        cast(date_trunc('week', day) as date) as week_start,
        cast(extract({{ iso('day') }} from day) as integer) as day_of_week,
        case cast(extract({{ iso('day') }} from day) as integer)
            when 1 then 'Monday'
            when 2 then 'Tuesday'
            when 3 then 'Wednesday'
            when 4 then 'Thursday'
            when 5 then 'Friday'
            when 6 then 'Saturday'
            else 'Sunday'
        end as day_name,
        extract({{ iso('day') }} from day) >= 6 as is_weekend
    from day
)

select * from date
