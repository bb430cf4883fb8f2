{{ config(materialized='ephemeral') }}
-- drift_group: how many lines of one day and quantity each side has.
-- Grain: one row per shadow feed, product, location, movement class, business day and quantity of a line.
-- Reads: drift_line.   Used by: drift_leftover, source_drift.
with

drift_group as (
    select
        {{ drift_key('l') }},
        l.business_date,
        l.quantity,
        sum(case when l.is_shadow then 1 else 0 end) as shadow_lines,
        sum(case when l.is_shadow then 0 else 1 end) as authority_lines
    from {{ ref('drift_line') }} as l
    group by {{ drift_key('l') }}, l.business_date, l.quantity
)

select * from drift_group
