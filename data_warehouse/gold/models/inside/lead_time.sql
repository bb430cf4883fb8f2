{{ config(materialized='ephemeral') }}
-- lead_time: how many days pass from order to first receipt, and how much that varies.
-- A line received before it was ordered tells nothing; a cancelled one that came all the same does.
-- Grain: one row per product and location of which an ordered line was received.
-- Reads: silver.supply_line, product_family.   Used by: planning_key.
with

family as (
    select * from {{ ref('product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

received as (
    select
        f.product_code,
        l.location_code,
        {{ seconds_between('s.ordered_at', 's.first_received_at') }} / 86400 as waited_days
    from {{ source('silver', 'supply_line') }} as s
    inner join family as f on s.product_id = f.product_id
    inner join location as l on s.location_id = l.location_id
    where s.first_received_at >= s.ordered_at
),

lead_time as (
    select
        product_code,
        location_code,
        count(*) as line_count,
        round(avg(waited_days), 6) as mean_days,
        round(coalesce(var_samp(waited_days), 0), 6) as variance_days
    from received
    group by product_code, location_code
)

select * from lead_time
