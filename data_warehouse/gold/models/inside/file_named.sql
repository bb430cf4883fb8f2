{{ config(materialized='ephemeral') }}
-- file_named: every file received under one name. The same bytes may arrive under several: the least one is shown,
-- so that the order of arrival does not decide.
-- Here stands which files set aside whole a person has dismissed; the others wait for one.
-- Grain: one row per feed, content and time in the name.
-- Reads: bronze.file, bronze.file_name, ops.feed, ops.decision.   Used by: every view that names a file.
with

file as (
    select * from {{ source('bronze', 'file') }}
),

feed as (
    select
        feed_id,
        feed
    from {{ source('ops', 'feed') }}
),

least_name as (
    select
        file_id,
        min({{ by_byte('name') }}) as name
    from {{ source('bronze', 'file_name') }}
    group by file_id
),

dismissed as (
    select
        feed,
        sha256
    from {{ source('ops', 'decision') }}
    where record_no = 0 and verdict = 'dismiss'
),

file_named as (
    select
        f.file_id,
        e.feed,
        f.sha256,
        f.logical_time,
        f.status,
        f.reason,
        f.sentence,
        f.records,
        f.non_data,
        f.known,
        f.status = 'set_aside' and d.feed is not null as is_dismissed,
        coalesce(n.name, f.name) as file_name
    from file as f
    inner join feed as e on f.feed_id = e.feed_id
    left join least_name as n on f.file_id = n.file_id
    left join dismissed as d on e.feed = d.feed and f.sha256 = d.sha256
)

select * from file_named
