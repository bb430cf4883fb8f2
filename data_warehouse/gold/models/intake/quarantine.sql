-- quarantine: records set aside and still waiting, with the reason and what would release them.
-- Grain: one row per record of a file.
-- Reads: silver.quarantine, file_named.   Used by: people who mend masters, contracts and senders.
with

set_aside as (
    select * from {{ source('silver', 'quarantine') }}
    where known_to is null
),

file as (
    select
        file_id,
        feed,
        file_name
    from {{ ref('file_named') }}
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
        q.known_from as since_known
    from set_aside as q
    inner join file as f on q.file_id = f.file_id
)

select * from quarantine
