-- atp: how much may be promised for which day: available-to-promise over the next 180 days.
-- projected = sellable now + supply due - demand due, when the day opens; atp = the least of projected from that day
-- on, less what is kept back, and never below zero. It never falls over time, and an order of at most atp at its day
-- makes no new shortage. Rows stand only where something changes: a day without a row is as the one before it.
-- Grain: one row per product, location and day on which the projection changes, and today.
-- Reads: promise_key, promise_event.   Used by: can_promise, people who promise dates.
with

beginning as (
    select * from {{ ref('promise_key') }}
),

event as (
    select * from {{ ref('promise_event') }}
),

-- An idle line of today beside each open one, so that what is due later says how it is from today on.
line as (
    select
        e.product_code,
        e.location_code,
        e.today,
        case when d.is_idle then e.today else e.day end as day,
        case when d.is_idle then 0 else e.supply end as supply,
        case when d.is_idle then 0 else e.demand end as demand
    from event as e
    cross join (values (false), (true)) as d (is_idle)
),

by_day as (
    select
        product_code,
        location_code,
        day,
        sum(supply) as supply,
        sum(demand) as demand,
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
        sum(supply - demand) over (
            partition by product_code, location_code
            order by day
            rows between unbounded preceding and current row
        ) as moved
    from by_day
),

-- How far above or below what is there today; only of what has an open order, which is little.
change as (
    select
        product_code,
        location_code,
        day,
        supply,
        demand,
        moved,
        min(moved) over (
            partition by product_code, location_code
            order by day
            rows between current row and unbounded following
        ) as least_moved
    from spread
    where day <= {{ day_later('first_day', 180) }}
),

atp as (
    select
        k.product_code,
        k.location_code,
        coalesce(c.day, k.today) as day,
        {{ plain('coalesce(c.supply, 0)') }} as supply,
        {{ plain('coalesce(c.demand, 0)') }} as demand,
        {{ plain('k.sellable + coalesce(c.moved, 0)') }} as projected,
        {{ plain(
            greatest_known() ~ '(0, k.sellable + coalesce(c.least_moved, 0) - k.buffer - k.staleness_reserve)'
        ) }} as atp,
        {{ plain(greatest_known() ~ '(0, -(k.sellable + coalesce(c.moved, 0)))') }} as shortage,
        {{ plain('k.buffer + k.staleness_reserve') }} as kept_back
    from beginning as k
    left join change as c on k.product_code = c.product_code and k.location_code = c.location_code
    where k.today is not null
)

select * from atp
