{{ config(materialized='ephemeral') }}
-- drift_line: what two feeds tell of the same kind of movement: each line of a shadow feed, and each line of the
-- authorities at the places, of the classes and since the day from which the shadow feed tells of them.
-- Grain: one row per shadow feed and movement of a record.
-- Reads: silver.fact_movement, silver.record, silver.dim_location.   Used by: source_drift and its steps.
with

movement as (
    select
        m.*,
        r.feed_id,
        r.document,
        r.line,
        cast(
            (m.event_time - make_interval(mins => coalesce(d.day_close_minutes, 0)))
            at time zone coalesce(d.zone, z.value, 'UTC') as date
        ) as business_date
    from {{ source('silver', 'fact_movement') }} as m
    inner join {{ source('silver', 'record') }} as r on m.record_id = r.record_id
    inner join {{ source('silver', 'location_key') }} as l on m.location_id = l.location_id
    left join {{ source('silver', 'dim_location') }} as d
        on
            l.location_code = d.location_code
            and m.event_time >= d.valid_from
            and m.event_time < d.valid_to
    left join {{ source('ops', 'setting') }} as z on z.name = 'zone'
    where
        m.known_to is null
        and m.location_id in (
            select s.location_id from {{ source('silver', 'fact_movement') }} as s
            where s.known_to is null and s.role = 'shadow'
        )
),

told as (
    select
        feed_id as shadow_feed_id,
        location_id,
        movement_class,
        min(business_date) as first_date
    from movement
    where role = 'shadow'
    group by feed_id, location_id, movement_class
),

-- Apart from those of the authorities: how many there are is known before they are read, and what comes of them is
-- planned accordingly.
shadow_line as (
    select
        m.feed_id as shadow_feed_id,
        m.*
    from movement as m
    where m.role = 'shadow'
),

authority_line as (
    select
        t.shadow_feed_id,
        m.*
    from movement as m
    inner join told as t
        on
            m.location_id = t.location_id
            and m.movement_class = t.movement_class
            and m.business_date >= t.first_date
    where m.role = 'authority'
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
        m.unit_code,
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
