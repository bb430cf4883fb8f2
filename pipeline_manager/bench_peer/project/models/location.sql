-- location: a number for every store.
-- Grain: one row per store.   Reads: raw.till_line.   Used by: sale_line.
-- Again:  codes that are known keep their number.
{{ config(materialized='incremental', indexes=[{'columns': ['location_code'], 'unique': true}]) }}

with

codes as (
    select distinct store_id as location_code from {{ source('raw', 'till_line') }}
),

location as (
    select
        location_code,
        row_number() over (order by location_code)
        {% if is_incremental() %} + (select coalesce(max(old.location_id), 0) from {{ this }} as old) {% endif %}
            as location_id
    from codes
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as known where known.location_code = codes.location_code)  -- noqa: LT14
    {% endif %}
)

select
    location_code,
    cast(location_id as integer) as location_id
from location
