{{ config(materialized='ephemeral') }}
-- drift_alone: leftover lines that have no counterpart of any kind on the other side, and why.
-- late: the other feed may still tell, within every_hours and grace_hours of its schedule after the movement.
-- unmapped_code: the other feed has set a record aside for an unknown product or place, and it names this place, this
-- day and this quantity. unrecorded: only the shadow tells, and the authority's next count of the product there found
-- its ledger wrong by as much, the same way. missing: the other feed does not have it.
-- Grain: one row per line.
-- Reads: drift_leftover, drift_pair, drift_authority, silver.quarantine, gold.count_variance, latest_instant.
-- Used by: source_drift.
with

alone as (
    select
        l.*,
        p.product_code,
        o.location_code
    from {{ ref('drift_leftover') }} as l
    inner join {{ source('silver', 'product_key') }} as p on l.product_id = p.product_id
    inner join {{ source('silver', 'location_key') }} as o on l.location_id = o.location_id
    where
        not l.is_repeated
        and l.number not in (select d.authority_number from {{ ref('drift_pair') }} as d)
        and l.number not in (select d.shadow_number from {{ ref('drift_pair') }} as d)
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

-- Whom the line is missing at: the shadow feed, or each authority that tells of such movements there.
authority as (
    select * from {{ ref('drift_authority') }}
),

other as (
    select
        a.number,
        a.shadow_feed_id as other_feed_id
    from alone as a
    where not a.is_shadow
    union
    select
        a.number,
        t.feed_id
    from alone as a
    inner join authority as t
        on
            a.shadow_feed_id = t.shadow_feed_id
            and a.location_id = t.location_id
            and a.movement_class = t.movement_class
    where a.is_shadow
),

awaited as (
    select distinct o.number
    from other as o
    inner join alone as a on o.number = a.number
    inner join {{ source('ops', 'feed') }} as f on o.other_feed_id = f.feed_id
    cross join latest as t
    where
        f.every_hours is not null
        and {{ hours_after('a.event_time', '(f.every_hours + coalesce(f.grace_hours, 0))') }} > t.as_of
),

set_aside as (
    select
        f.feed_id,
        f.logical_time,
        f.sha256,
        q.record_no,
        q.file_id,
        {{ escaped('q.raw') }} as raw_text
    from {{ source('silver', 'quarantine') }} as q
    inner join {{ source('bronze', 'file') }} as f on q.file_id = f.file_id
    where
        q.known_to is null
        and q.reason in ('unknown_product', 'unknown_location', 'unknown_reference')
        and f.feed_id in (select o.other_feed_id from other as o)
),

wanted as (
    select distinct
        o.other_feed_id,
        a.location_code,
        a.business_date,
        {{ plain('abs(a.quantity)') }} as pieces
    from alone as a
    inner join other as o on a.number = o.number
    where a.number not in (select w.number from awaited as w)
),

named as (
    select
        w.*,
        s.file_id,
        s.record_no,
        s.sha256,
        row_number() over (
            partition by s.file_id, s.record_no order by w.pieces, w.location_code, w.business_date
        ) as choice
    from wanted as w
    inner join set_aside as s on w.other_feed_id = s.feed_id
    where
        {{ holds_word('s.raw_text', 'w.location_code') }}
        and {{ holds_word('s.raw_text', as_text('w.pieces')) }}
        and (
            cast({{ local('s.logical_time', "'UTC'") }} as date) = w.business_date
            or {{ holds_word('s.raw_text', "to_char(w.business_date, 'YYYY-MM-DD')") }}
            or {{ holds_word('s.raw_text', "to_char(w.business_date, 'YYYYMMDD')") }}
            or {{ holds_word('s.raw_text', "to_char(w.business_date, 'DD/MM/YYYY')") }}
            or {{ holds_word('s.raw_text', "to_char(w.business_date, 'DD.MM.YYYY')") }}
        )
),

unmapped_record as (
    select
        n.*,
        row_number() over (
            partition by n.other_feed_id, n.location_code, n.business_date, n.pieces order by n.sha256, n.record_no
        ) as place
    from named as n
    where n.choice = 1
),

unmapped_line as (
    select
        a.number,
        o.other_feed_id,
        a.location_code,
        a.business_date,
        {{ plain('abs(a.quantity)') }} as pieces,
        row_number() over (
            partition by o.other_feed_id, a.location_code, a.business_date, abs(a.quantity)
            order by a.product_code, a.movement_class, a.number
        ) as place
    from alone as a
    inner join other as o on a.number = o.number
    where a.number not in (select w.number from awaited as w)
),

unmapped as (
    select distinct l.number
    from unmapped_line as l
    inner join unmapped_record as r
        on
            l.other_feed_id = r.other_feed_id
            and l.location_code = r.location_code
            and l.business_date = r.business_date
            and l.pieces = r.pieces
            and l.place = r.place
),

untold as (
    select a.*
    from alone as a
    where
        a.is_shadow
        and a.number not in (select w.number from awaited as w)
        and a.number not in (select u.number from unmapped as u)
),

variance as (
    {{ variance_of_counts('untold') }}
),

next_count as (
    select
        u.number,
        v.event_time as counted_at,
        v.variance,
        u.quantity,
        row_number() over (partition by u.number order by v.event_time) as place
    from untold as u
    inner join variance as v
        on
            u.product_code = v.product_code
            and u.location_code = v.location_code
            and u.state = v.state
            and u.bin_code = v.bin_code
            and u.lot_code = v.lot_code
            and u.event_time <= v.event_time
),

confirmed as (
    select
        c.number,
        c.quantity,
        c.variance,
        sum(c.quantity) over (
            partition by u.shadow_feed_id, u.product_id, u.location_id, u.state, u.bin_code, u.lot_code, c.counted_at
            order by c.number
        ) as told_so_far
    from next_count as c
    inner join untold as u on c.number = u.number
    where c.place = 1 and sign(c.quantity) = sign(c.variance)
),

unrecorded as (
    select c.number from confirmed as c
    where abs(c.told_so_far) <= abs(c.variance)
),

drift_alone as (
    select
        a.number,
        case
            when w.number is not null then 'late'
            when u.number is not null then 'unmapped_code'
            when r.number is not null then 'unrecorded'
            else 'missing'
        end as cause
    from alone as a
    left join awaited as w on a.number = w.number
    left join unmapped as u on a.number = u.number
    left join unrecorded as r on a.number = r.number
)

select * from drift_alone
