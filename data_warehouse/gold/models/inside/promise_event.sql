{{ config(materialized='ephemeral') }}
-- promise_event: what will come and what will go, on the day from whose opening on it is there or gone.
-- Goods due in the course of a day are there when the next one opens; due at midnight, from that midnight on. Overdue
-- orders of customers leave now. Overdue supply is expected the contract's grace days from now, and nothing of it any
-- more once it is overdue by more than the contract's past-due days. Supply without a date is promised by nobody.
-- Grain: one row per product, location, and open order line.
-- Reads: silver.demand_line, supply_line, ops.feed.   Used by: atp.
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

feed as (
    select
        feed_id,
        past_due_days,
        past_due_grace_days
    from {{ source('ops', 'feed') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

place as (
    select
        location_code,
        zone
    from {{ source('silver', 'dim_location') }}
    where valid_to = {{ forever() }}
),

setting as (
    select coalesce(max(value), 'UTC') as zone_name from {{ source('ops', 'setting') }}
    where name = 'zone'
),

-- The branches are plain scans of equal columns without conditions: only so does a question about one product read
-- one product.
told as (
    select
        product_id,
        location_id,
        {{ exact('0') }} as supply,
        open_quantity as demand,
        open_quantity,
        due_at,
        expires_at,
        cast(null as integer) as feed_id
    from {{ source('silver', 'demand_line') }}
    union all
    select
        product_id,
        location_id,
        open_quantity as supply,
        {{ exact('0') }} as demand,
        open_quantity,
        due_at,
        cast(null as {{ instant() }}) as expires_at,
        feed_id
    from {{ source('silver', 'supply_line') }}
),

dated as (
    select
        f.product_code,
        l.location_code,
        t.supply,
        t.demand,
        case
            when t.feed_id is null then {{ greatest_known() }}(coalesce(t.due_at, n.as_of), n.as_of)
            when t.due_at < n.as_of then {{ days_after('n.as_of', 'e.past_due_grace_days') }}
            else t.due_at
        end as at_time,
        n.as_of,
        coalesce(p.zone, g.zone_name) as zone_name
    from told as t
    inner join family as f on t.product_id = f.product_id
    inner join location as l on t.location_id = l.location_id
    left join feed as e on t.feed_id = e.feed_id
    left join place as p on l.location_code = p.location_code
    cross join setting as g
    cross join latest as n
    where
        t.open_quantity > 0
        and (
            (t.feed_id is null and (t.expires_at is null or t.expires_at > n.as_of))
            or (t.feed_id is not null and t.due_at >= {{ days_before('n.as_of', 'e.past_due_days') }})
        )
),

promise_event as (
    select
        product_code,
        location_code,
        supply,
        demand,
        case
            when at_time <= as_of then cast({{ local('as_of', 'zone_name') }} as date)
            when date_trunc('day', {{ local('at_time', 'zone_name') }}) = {{ local('at_time', 'zone_name') }}
                then cast({{ local('at_time', 'zone_name') }} as date)
            else {{ day_later('cast(' ~ local('at_time', 'zone_name') ~ ' as date)', 1) }}
        end as day,
        cast({{ local('as_of', 'zone_name') }} as date) as today
    from dated
)

select * from promise_event
