{{ config(materialized='ephemeral') }}
-- latest_instant: the latest instant that the warehouse has heard of; "now" in gold, where no clock may decide.
-- Grain: one row.
-- Reads: bronze.file; silver.latest_movement where no file has a time.   Used by: open_reservation, product, ...
with

latest_file as (
    select max(logical_time) as as_of from {{ source('bronze', 'file') }}
    where status = 'loaded'
),

latest_instant as (
    select
        coalesce(
            f.as_of,
            (select m.event_time from {{ source('silver', 'latest_movement') }} as m),
            cast({{ before_all() }} as {{ instant() }})
        ) as as_of
    from latest_file as f
)

select * from latest_instant
