-- atp: how much may be promised for which day: available-to-promise over the next 180 days.
-- projected = sellable now + supply due - demand due, when the day opens; atp = the least of projected from that day
-- on, less what is kept back, and never below zero. It never falls over time, and an order of at most atp at its day
-- makes no new shortage. Rows stand only where something changes: a day without a row is as the one before it.
-- Grain: one row per product, location and day on which the projection changes, and today.
-- Reads: promise_key, promise_event.   Used by: can_promise, people who promise dates.
with

start as (
    select * from {{ ref('promise_key') }}
),

event as (
    select * from {{ ref('promise_event') }}
),

line as (
    select
        product_code,
        location_code,
        today as day,
        sellable,
        0 as supply,
        0 as demand,
        buffer + staleness_reserve as kept_back,
        today
    from start
    where today is not null
    union all
    select
        product_code,
        location_code,
        day,
        0 as sellable,
        supply,
        demand,
        0 as kept_back,
        cast(null as date) as today
    from event
),

by_day as (
    select
        product_code,
        location_code,
        day,
        sum(sellable) as sellable,
        sum(supply) as supply,
        sum(demand) as demand,
        sum(kept_back) as kept_back,
        min(today) as today
    from line
    group by product_code, location_code, day
),

spread as (
    select
        product_code,
        location_code,
        day,
        supply,
        demand,
        min(today) over (partition by product_code, location_code) as first_day,
        sum(kept_back) over (partition by product_code, location_code) as kept_back_always,
        sum(sellable + supply - demand) over (
            partition by product_code, location_code
            order by day
            rows between unbounded preceding and current row
        ) as projected
    from by_day
),

within as (
    select * from spread
    where day <= first_day + 180
),

atp as (
    select
        product_code,
        location_code,
        day,
        {{ plain('supply') }} as supply,
        {{ plain('demand') }} as demand,
        {{ plain('projected') }} as projected,
        {{ plain('greatest(0, min(projected) over to_the_end - kept_back_always)') }} as atp,
        {{ plain('greatest(0, -projected)') }} as shortage,
        {{ plain('kept_back_always') }} as kept_back
    from within
    window to_the_end as (
        partition by product_code, location_code
        order by day
        rows between current row and unbounded following
    )
)

select * from atp
