-- location: each store, warehouse and shop as it is described at the latest instant known.
-- Grain: one row per location code.
-- Reads: location_history, latest_instant.   Used by: every report that names places.
with

history as (
    select * from {{ ref('location_history') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

location as (
    select
        h.location_code,
        h.location_name,
        h.location_kind,
        h.zone,
        h.currency,
        h.day_close_minutes,
        h.is_created
    from history as h
    cross join latest as n
    where h.valid_from <= n.as_of and h.valid_to > n.as_of
)

select * from location
