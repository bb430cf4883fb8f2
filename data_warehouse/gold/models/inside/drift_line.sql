{{ config(materialized='ephemeral') }}
-- drift_line: what two feeds tell of the same kind of movement: each line of a shadow feed, and each line of the
-- authorities at the places, of the classes and since the day from which the shadow feed tells of them.
-- Grain: one row per shadow feed and movement of a record.
-- Reads: silver.fact_movement, silver.record, silver.dim_location.   Used by: source_drift and its steps.
with

-- Each side is read for itself and once: what no shadow feed tells of is never carried along, and how many lines there
-- are of each is known before they are joined.
shadow_line as (
    select
        s.feed_id as shadow_feed_id,
        s.*
    from ({{ drift_movement('shadow') }}) as s
),

told as (
    select
        shadow_feed_id,
        location_id,
        movement_class,
        min(business_date) as first_date
    from shadow_line
    group by shadow_feed_id, location_id, movement_class
),

authority_line as (
    select
        t.shadow_feed_id,
        m.*
    from ({{ drift_movement('authority') }}) as m
    inner join told as t
        on
            m.location_id = t.location_id
            and m.movement_class = t.movement_class
            and m.business_date >= t.first_date
),

drift_line as (
    select
        m.shadow_feed_id,
        m.product_id,
        m.location_id,
        m.movement_class,
        m.business_date,
        m.role = 'shadow' as is_shadow,
        m.quantity,
        m.event_time,
        coalesce(m.order_document, '') as order_document,
        coalesce(m.order_line, '') as order_line,
        m.source_quantity,
        m.state,
        m.bin_code,
        m.lot_code,
        m.feed_id,
        m.document,
        m.line,
        m.record_id
    from (
        select * from shadow_line
        union all
        select * from authority_line
    ) as m
)

select * from drift_line
