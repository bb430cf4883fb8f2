-- source_drift: what a shadow feed tells beside what the authorities tell, and where the difference comes from.
-- Grain: one row per shadow feed, product, location, business day and movement class that either of them tells of.
-- The seven causes add up to the difference exactly. How each is recognised: docs/history.md and the column's words.
-- Reads: drift_group, drift_leftover, drift_pair, drift_alone, drift_authority.
-- Used by: people who mend feeds; alerts.
with

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

caused as (
    select
        {{ drift_key('c') }},
        c.business_date,
        sum(case when c.cause = 'late' then c.quantity else 0 end) as late,
        sum(case when c.cause = 'missing' then c.quantity else 0 end) as missing,
        sum(case when c.cause = 'duplicated' then c.quantity else 0 end) as duplicated,
        sum(case when c.cause = 'unit' then c.quantity else 0 end) as unit,
        sum(case when c.cause = 'unmapped_code' then c.quantity else 0 end) as unmapped_code,
        sum(case when c.cause = 'unrecorded' then c.quantity else 0 end) as unrecorded,
        sum(case when c.cause = 'unexplained' then c.quantity else 0 end) as unexplained
    from cause as c
    group by {{ drift_key('c') }}, c.business_date
),

told as (
    select
        {{ drift_key('g') }},
        g.business_date,
        sum(g.authority_lines * g.quantity) as authority_quantity,
        sum(g.shadow_lines * g.quantity) as shadow_quantity
    from {{ ref('drift_group') }} as g
    group by {{ drift_key('g') }}, g.business_date
),

authority as (
    select
        l.shadow_feed_id,
        l.location_id,
        l.movement_class,
        {{ listed('f.feed', distinct=true) }} as authority_feeds
    from {{ ref('drift_authority') }} as l
    inner join {{ source('ops', 'feed') }} as f on l.feed_id = f.feed_id
    group by l.shadow_feed_id, l.location_id, l.movement_class
),

source_drift as (
    select
        p.product_code,
        o.location_code,
        t.business_date,
        t.movement_class,
        coalesce(a.authority_feeds, '') as authority_feeds,
        f.feed as shadow_feed,
        {{ plain('t.authority_quantity') }} as authority_quantity,
        {{ plain('t.shadow_quantity') }} as shadow_quantity,
        {{ plain('t.shadow_quantity - t.authority_quantity') }} as difference,
        {{ plain('coalesce(c.late, 0)') }} as late,
        {{ plain('coalesce(c.missing, 0)') }} as missing,
        {{ plain('coalesce(c.duplicated, 0)') }} as duplicated,
        {{ plain('coalesce(c.unit, 0)') }} as unit,
        {{ plain('coalesce(c.unmapped_code, 0)') }} as unmapped_code,
        {{ plain('coalesce(c.unrecorded, 0)') }} as unrecorded,
        {{ plain('coalesce(c.unexplained, 0)') }} as unexplained
    from told as t
    left join caused as c
        on
            t.shadow_feed_id = c.shadow_feed_id
            and t.product_id = c.product_id
            and t.location_id = c.location_id
            and t.movement_class = c.movement_class
            and t.business_date = c.business_date
    inner join {{ source('silver', 'product_key') }} as p on t.product_id = p.product_id
    inner join {{ source('silver', 'location_key') }} as o on t.location_id = o.location_id
    inner join {{ source('ops', 'feed') }} as f on t.shadow_feed_id = f.feed_id
    left join authority as a
        on
            t.shadow_feed_id = a.shadow_feed_id
            and t.location_id = a.location_id
            and t.movement_class = a.movement_class
)

select * from source_drift
