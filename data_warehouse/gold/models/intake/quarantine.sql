-- quarantine: records set aside and still waiting, with the reason and what would release them.
-- Grain: one row per record of a file.
-- Reads: silver.quarantine, file_named, ops.decision.   Used by: people who mend masters, contracts and senders.
with

set_aside as (
    select * from {{ source('silver', 'quarantine') }}
    where known_to is null
),

file as (
    select
        file_id,
        feed,
        sha256,
        file_name
    from {{ ref('file_named') }}
),

dismissed as (
    select
        feed,
        sha256,
        record_no
    from {{ source('ops', 'decision') }}
    where verdict = 'dismiss'
),

quarantine as (
    select
        f.feed,
        f.file_name,
        q.line_no,
        q.record_no,
        q.reason,
        q.sentence,
        {{ readable('q.raw') }} as raw_text,
        q.wants_set,
        q.wants_key,
        d.feed is not null as is_dismissed,
        q.known_from as since_known
    from set_aside as q
    inner join file as f on q.file_id = f.file_id
    left join dismissed as d on f.feed = d.feed and f.sha256 = d.sha256 and q.record_no = d.record_no
)

select * from quarantine
