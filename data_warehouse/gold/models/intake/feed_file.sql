-- feed_file: every file received, and what became of its records.
-- Grain: one row per feed and content. records = non_data + accepted + superseded + quarantined + duplicate.
-- A record that several files carry is accepted in its home, the earliest of them by logical time, and a duplicate in
-- the others: so the counts do not depend on the order of arrival. A file set aside whole has no counts.
-- Reads: file_named, silver.record, silver.quarantine, ops.decision.   Used by: people who send files, law 1.
with

file as (
    select * from {{ ref('file_named') }}
),

home as (
    select
        file_id,
        sum(case when is_current then 1 else 0 end) as accepted,
        sum(case when is_current or is_withdrawn then 0 else 1 end) as superseded
    from {{ source('silver', 'record') }}
    group by file_id
),

dismissed as (
    select
        feed,
        sha256,
        record_no
    from {{ source('ops', 'decision') }}
    where verdict = 'dismiss'
),

set_aside as (
    select
        q.file_id,
        count(*) as quarantined,
        count(d.feed) as dismissed
    from {{ source('silver', 'quarantine') }} as q
    inner join file as f on q.file_id = f.file_id
    left join dismissed as d on f.feed = d.feed and f.sha256 = d.sha256 and q.record_no = d.record_no
    where q.known_to is null
    group by q.file_id
),

feed_file as (
    select
        f.feed,
        f.file_name,
        f.sha256,
        f.logical_time,
        f.status,
        f.reason,
        f.sentence,
        f.records,
        cast(coalesce(h.accepted, 0) as bigint) as accepted,
        case
            when f.status = 'loaded'
                then
                    cast(
                        f.records - f.non_data
                        - coalesce(h.accepted, 0) - coalesce(h.superseded, 0) - coalesce(q.quarantined, 0)
                        as bigint
                    )
            else 0
        end as duplicate,
        cast(coalesce(h.superseded, 0) as bigint) as superseded,
        f.non_data,
        coalesce(q.quarantined, 0) as quarantined,
        coalesce(q.dismissed, 0) as dismissed,
        f.is_dismissed,
        f.known
    from file as f
    left join home as h on f.file_id = h.file_id
    left join set_aside as q on f.file_id = q.file_id
)

select * from feed_file
