-- source_drift: what a shadow feed tells beside what the authorities tell, and where the difference comes from.
-- Grain: one row per shadow feed, product, location, business day and movement class that either of them tells of.
-- The seven causes add up to the difference exactly. How each is recognised: docs/history.md and the column's words.
-- Reads: drift_line, drift_leftover, drift_pair, drift_alone.   Used by: people who mend feeds; alerts.
with

line as (
    select * from {{ ref('drift_line') }}
),

leftover as (
    select * from {{ ref('drift_leftover') }}
),

pair as (
    select * from {{ ref('drift_pair') }}
),

paired as (
    select
        p.*,
        a.business_date as authority_date,
        s.business_date as shadow_date,
        a.quantity as authority_quantity,
        s.quantity as shadow_quantity,
        s.shadow_feed_id,
        s.product_id,
        s.location_id,
        s.movement_class,
        case when p.is_of_unit then 'unit' when p.is_corrected then 'missing' else 'unexplained' end as cause
    from pair as p
    inner join leftover as a on p.authority_number = a.number
    inner join leftover as s on p.shadow_number = s.number
),

cause as (
    select
        {{ drift_key('l') }},
        l.business_date,
        'duplicated' as cause,
        case when l.is_shadow then l.quantity else -l.quantity end as quantity
    from leftover as l
    where l.is_repeated
    union all
    select
        {{ drift_key('l') }},
        l.business_date,
        a.cause,
        case when l.is_shadow then l.quantity else -l.quantity end as quantity
    from {{ ref('drift_alone') }} as a
    inner join leftover as l on a.number = l.number
    union all
    select
        {{ drift_key('p') }},
        p.authority_date as business_date,
        'late' as cause,
        -p.authority_quantity as quantity
    from paired as p
    where p.authority_date <> p.shadow_date
    union all
    select
        {{ drift_key('p') }},
        p.shadow_date as business_date,
        'late' as cause,
        p.authority_quantity as quantity
    from paired as p
    where p.authority_date <> p.shadow_date
    union all
    select
        {{ drift_key('p') }},
        p.shadow_date as business_date,
        p.cause,
        p.shadow_quantity - p.authority_quantity as quantity
    from paired as p
),

told as (
    select
        {{ drift_key('l') }},
        l.business_date,
        case when l.is_shadow then 'shadow' else 'authority' end as cause,
        l.quantity
    from line as l
    union all
    select * from cause
),

explained as (
    select
        {{ drift_key('c') }},
        c.business_date,
        sum(case when c.cause = 'authority' then c.quantity else 0 end) as authority_quantity,
        sum(case when c.cause = 'shadow' then c.quantity else 0 end) as shadow_quantity,
        sum(case when c.cause = 'late' then c.quantity else 0 end) as late,
        sum(case when c.cause = 'missing' then c.quantity else 0 end) as missing,
        sum(case when c.cause = 'duplicated' then c.quantity else 0 end) as duplicated,
        sum(case when c.cause = 'unit' then c.quantity else 0 end) as unit,
        sum(case when c.cause = 'unmapped_code' then c.quantity else 0 end) as unmapped_code,
        sum(case when c.cause = 'unrecorded' then c.quantity else 0 end) as unrecorded,
        sum(case when c.cause = 'unexplained' then c.quantity else 0 end) as unexplained
    from told as c
    group by {{ drift_key('c') }}, c.business_date
),

authority as (
    select
        l.shadow_feed_id,
        l.location_id,
        l.movement_class,
        {{ listed('f.feed', distinct=true) }} as authority_feeds
    from line as l
    inner join {{ source('ops', 'feed') }} as f on l.feed_id = f.feed_id
    where not l.is_shadow
    group by l.shadow_feed_id, l.location_id, l.movement_class
),

source_drift as (
    select
        p.product_code,
        o.location_code,
        e.business_date,
        e.movement_class,
        coalesce(a.authority_feeds, '') as authority_feeds,
        f.feed as shadow_feed,
        {{ plain('e.authority_quantity') }} as authority_quantity,
        {{ plain('e.shadow_quantity') }} as shadow_quantity,
        {{ plain('e.shadow_quantity - e.authority_quantity') }} as difference,
        {{ plain('e.late') }} as late,
        {{ plain('e.missing') }} as missing,
        {{ plain('e.duplicated') }} as duplicated,
        {{ plain('e.unit') }} as unit,
        {{ plain('e.unmapped_code') }} as unmapped_code,
        {{ plain('e.unrecorded') }} as unrecorded,
        {{ plain('e.unexplained') }} as unexplained
    from explained as e
    inner join {{ source('silver', 'product_key') }} as p on e.product_id = p.product_id
    inner join {{ source('silver', 'location_key') }} as o on e.location_id = o.location_id
    inner join {{ source('ops', 'feed') }} as f on e.shadow_feed_id = f.feed_id
    left join authority as a
        on
            e.shadow_feed_id = a.shadow_feed_id
            and e.location_id = a.location_id
            and e.movement_class = a.movement_class
)

select * from source_drift
