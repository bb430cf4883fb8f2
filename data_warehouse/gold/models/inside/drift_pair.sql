{{ config(materialized='ephemeral') }}
-- drift_pair: leftover lines of both sides that tell of the same goods all the same, with another quantity or day.
-- In this order, each line once: the same order line; the same instant; the same day, where the quantities differ by a
-- known conversion factor; the same quantity on neighbouring days.
-- Grain: one row per pair.
-- Reads: drift_leftover, silver.unit_conversion_version.   Used by: drift_cause.
with

leftover as (
    select * from {{ ref('drift_leftover') }}
    where not is_repeated
),

-- How many base units a unit is: from the masters, and as the lines themselves were converted.
factor as (
    select
        k.product_id,
        abs(c.numerator) as numerator,
        abs(c.denominator) as denominator
    from {{ source('silver', 'unit_conversion_version') }} as c
    inner join {{ source('silver', 'product_key') }} as k on k.product_code = coalesce(c.product_code, k.product_code)
    where k.product_id in (select l.product_id from leftover as l)
    union
    select
        l.product_id,
        abs(l.quantity) as numerator,
        abs(l.source_quantity) as denominator
    from {{ ref('drift_line') }} as l
    where l.source_quantity <> 0 and l.quantity <> 0 and abs(l.quantity) <> abs(l.source_quantity)
),

by_order as (
    select
        l.*,
        row_number() over (
            partition by {{ drift_key('l') }}, l.order_document, l.order_line, l.is_shadow order by l.number
        ) as place
    from leftover as l
    where l.order_document <> '' and l.order_line <> ''
),

-- Grouped and not joined: a pair is a line of each side at one place.
pair_by_order as (
    select
        min(case when l.is_shadow then null else l.number end) as authority_number,
        min(case when l.is_shadow then l.number end) as shadow_number
    from by_order as l
    group by {{ drift_key('l') }}, l.order_document, l.order_line, l.place
    having count(*) = 2
),

by_moment as (
    select
        l.*,
        row_number() over (
            partition by {{ drift_key('l') }}, l.event_time, l.is_shadow order by l.number
        ) as moment_place
    from leftover as l
    where
        l.number not in (select p.authority_number from pair_by_order as p)
        and l.number not in (select p.shadow_number from pair_by_order as p)
),

pair_by_moment as (
    select
        min(case when l.is_shadow then null else l.number end) as authority_number,
        min(case when l.is_shadow then l.number end) as shadow_number
    from by_moment as l
    group by {{ drift_key('l') }}, l.event_time, l.moment_place
    having count(*) = 2
),

by_factor as (
    select
        l.*,
        row_number() over (
            partition by {{ drift_key('l') }}, l.business_date, l.quantity, l.is_shadow order by l.number
        ) as factor_place
    from by_moment as l
    where
        l.number not in (select p.authority_number from pair_by_moment as p)
        and l.number not in (select p.shadow_number from pair_by_moment as p)
),

factored as (
    select distinct
        a.number as authority_number,
        s.number as shadow_number
    from by_factor as a
    inner join by_factor as s
        on
            a.shadow_feed_id = s.shadow_feed_id
            and a.product_id = s.product_id
            and a.location_id = s.location_id
            and a.movement_class = s.movement_class
            and a.business_date = s.business_date
            and a.factor_place = s.factor_place
            and a.quantity <> s.quantity
    inner join factor as f
        on
            a.product_id = f.product_id
            and (
                a.quantity * f.numerator = s.quantity * f.denominator
                or a.quantity * f.denominator = s.quantity * f.numerator
            )
    where not a.is_shadow and s.is_shadow
),

first_authority as (
    select
        f.*,
        row_number() over (partition by f.shadow_number order by f.authority_number) as place
    from factored as f
),

pair_by_factor as (
    select
        min(f.authority_number) as authority_number,
        min(f.shadow_number) as shadow_number
    from first_authority as f
    where f.place = 1
    group by f.authority_number
),

by_day as (
    select
        l.*,
        lag(l.is_shadow) over (partition by {{ drift_key('l') }}, l.quantity order by l.number) as is_shadow_before,
        lag(l.business_date) over (partition by {{ drift_key('l') }}, l.quantity order by l.number) as date_before
    from by_factor as l
    where
        l.number not in (select p.authority_number from pair_by_factor as p)
        and l.number not in (select p.shadow_number from pair_by_factor as p)
),

chain as (
    select
        l.*,
        sum(
            case when l.is_shadow <> l.is_shadow_before and l.business_date - l.date_before = 1 then 0 else 1 end
        ) over (
            partition by {{ drift_key('l') }}, l.quantity order by l.number
        ) as chain_no
    from by_day as l
),

link as (
    select
        l.*,
        row_number() over (partition by {{ drift_key('l') }}, l.quantity, l.chain_no order by l.number) as link_no
    from chain as l
),

pair_by_day as (
    select
        min(case when l.is_shadow then null else l.number end) as authority_number,
        min(case when l.is_shadow then l.number end) as shadow_number
    from link as l
    group by {{ drift_key('l') }}, l.quantity, l.chain_no, {{ whole_part('(l.link_no + 1)', '2') }}
    having count(*) = 2
),

pair as (
    select * from pair_by_order
    union all
    select * from pair_by_moment
    union all
    select * from pair_by_factor
    union all
    select * from pair_by_day
),

of_unit as (
    select distinct p.shadow_number
    from pair as p
    inner join leftover as a on p.authority_number = a.number
    inner join leftover as s on p.shadow_number = s.number
    inner join factor as f
        on
            a.product_id = f.product_id
            and (
                a.quantity * f.numerator = s.quantity * f.denominator
                or a.quantity * f.denominator = s.quantity * f.numerator
            )
),

-- One of the two lines has another revision: only its own feed has heard of the correction.
corrected as (
    select distinct n.shadow_number
    from (
        select
            shadow_number,
            shadow_number as number
        from pair
        union all
        select
            shadow_number,
            authority_number
        from pair
    ) as n
    inner join leftover as l on n.number = l.number
    inner join {{ source('silver', 'record') }} as r on l.record_id = r.record_id
    inner join {{ source('silver', 'record') }} as o
        on
            r.feed_id = o.feed_id
            and r.epoch = o.epoch
            and r.document = o.document
            and r.line = o.line
            and r.record_id <> o.record_id
    where not o.is_withdrawn
),

drift_pair as (
    select
        p.authority_number,
        p.shadow_number,
        u.shadow_number is not null as is_of_unit,
        c.shadow_number is not null as is_corrected
    from pair as p
    left join of_unit as u on p.shadow_number = u.shadow_number
    left join corrected as c on p.shadow_number = c.shadow_number
)

select * from drift_pair
