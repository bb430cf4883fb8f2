-- location_history: every version of each place's description (type 2).
-- Grain: one row per location code and version; valid_from <= t < valid_to, without gaps.
-- Reads: silver.dim_location.   Used by: location, reports as of a day.
with

dim as (
    select * from {{ source('silver', 'dim_location') }}
),

location_history as (
    select
        location_code,
        valid_from,
        valid_to,
        location_name,
        location_kind,
        zone,
        currency,
        day_close_minutes,
        is_created
    from dim
)

select * from location_history
