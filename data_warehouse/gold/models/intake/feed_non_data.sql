-- feed_non_data: headers, blanks, trailers and excluded records of each file.
-- Grain: one row per feed, content and kind of non-data.
-- Reads: bronze.file_non_data, file_named.   Used by: people who check what was left out.
with

file as (
    select
        file_id,
        feed,
        file_name,
        sha256
    from {{ ref('file_named') }}
),

non_data as (
    select * from {{ source('bronze', 'file_non_data') }}
),

feed_non_data as (
    select
        f.feed,
        f.file_name,
        f.sha256,
        n.kind,
        n.records
    from non_data as n
    inner join file as f on n.file_id = f.file_id
)

select * from feed_non_data
