{{ config(materialized='ephemeral') }}
-- drift_authority: who tells with authority of what a shadow feed tells of.
-- Grain: one row per shadow feed, location, movement class and feed of the authority.
-- Reads: drift_line.   Used by: drift_alone, source_drift.
with

drift_authority as (
    select distinct
        l.shadow_feed_id,
        l.location_id,
        l.movement_class,
        l.feed_id
    from {{ ref('drift_line') }} as l
    where not l.is_shadow
)

select * from drift_authority
