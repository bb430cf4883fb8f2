{{ config(materialized='ephemeral') }}
{% set same_moment = drift_key('l') ~ ', l.business_date, l.quantity, l.event_time, l.order_document, l.order_line' %}
{% set same_day = drift_key('u') ~ ', u.business_date, u.quantity' %}
-- drift_leftover: lines that have no line of the same day and quantity on the other side.
-- Lines of equal quantity are matched one to one within product, place, class and business day: first those of the
-- same instant and order line, then any. What is matched is the same goods, or adds up as if it were.
-- Grain: one row per shadow feed and movement; number is unique, and in order of time within product, place and class.
-- Reads: drift_line, drift_group.   Used by: drift_pair, drift_alone, source_drift.
with

uneven as (
    select
        {{ drift_key('g') }},
        g.business_date,
        g.quantity
    from {{ ref('drift_group') }} as g
    where g.shadow_lines <> g.authority_lines
),

-- Lines of groups of which one side has more: a few of all.
weighed as (
    select l.*
    from {{ ref('drift_line') }} as l
    where
        {{ is_among(
            drift_key('l') ~ ', l.business_date, l.quantity',
            'select ' ~ drift_key('u') ~ ', u.business_date, u.quantity from uneven as u'
        ) }}
),

odd as (
    select
        l.*,
        row_number() over (
            partition by {{ same_moment }}, l.is_shadow
            order by l.document, l.line, l.feed_id
        ) as place,
        sum(case when l.is_shadow then 0 else 1 end) over (partition by {{ same_moment }}) as authority_lines,
        sum(case when l.is_shadow then 1 else 0 end) over (partition by {{ same_moment }}) as shadow_lines,
        min(l.document) over (partition by {{ same_moment }}, l.is_shadow) as first_document,
        max(l.document) over (partition by {{ same_moment }}, l.is_shadow) as last_document
    from weighed as l
),

unmatched as (
    select
        o.*,
        -- Told once more under another document than its twin, which the other side has told.
        {{ least_known() }}(o.authority_lines, o.shadow_lines) > 0
        and o.first_document <> o.last_document as is_repeated
    from odd as o
    where o.place > case when o.is_shadow then o.authority_lines else o.shadow_lines end
),

placed as (
    select
        u.*,
        row_number() over (
            partition by {{ same_day }}, u.is_shadow
            order by u.is_repeated, u.event_time, u.document, u.line, u.feed_id
        ) as place_of_day,
        sum(case when u.is_shadow then 0 else 1 end) over (partition by {{ same_day }}) as authority_left,
        sum(case when u.is_shadow then 1 else 0 end) over (partition by {{ same_day }}) as shadow_left
    from unmatched as u
),

drift_leftover as (
    select
        p.shadow_feed_id,
        p.product_id,
        p.location_id,
        p.movement_class,
        p.business_date,
        p.is_shadow,
        p.quantity,
        p.event_time,
        p.order_document,
        p.order_line,
        p.state,
        p.bin_code,
        p.lot_code,
        p.feed_id,
        p.document,
        p.line,
        p.record_id,
        p.is_repeated,
        row_number() over (
            order by {{ drift_key('p') }}, p.event_time, p.is_shadow, p.document, p.line, p.quantity, p.feed_id
        ) as number
    from placed as p
    where p.place_of_day > case when p.is_shadow then p.authority_left else p.shadow_left end
)

select * from drift_leftover
