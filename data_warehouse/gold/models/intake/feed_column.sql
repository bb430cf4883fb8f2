-- feed_column: which columns the files of a feed have, and since when.
-- Grain: one row per feed and column that a loaded file names. A column that the contract does not use is kept in
-- bronze and changes no fact; that it came, or went, is what a person should know.
-- Reads: file_named, bronze.file.   Used by: alert, people who keep contracts.
with

name as (
    select
        file_id,
        feed,
        file_name,
        {{ by_byte('file_name') }} as sort_name
    from {{ ref('file_named') }}
),

file as (
    select
        n.feed,
        n.file_name,
        n.sort_name,
        f.logical_time,
        f.columns
    from name as n
    inner join {{ source('bronze', 'file') }} as f on n.file_id = f.file_id
    where f.status = 'loaded' and f.columns is not null
),

feed as (
    select
        feed,
        count(*) as files_in_all,
        min(logical_time) as feed_from,
        max(logical_time) as feed_to
    from file
    group by feed
),

named as (
    select
        f.feed,
        f.file_name,
        f.sort_name,
        f.logical_time,
        {{ each_one('c', 'column_name') }} as column_name
    from file as f
    cross join {{ each_of('f.columns', 'c', 'column_name') }}
),

feed_column as (
    select
        n.feed,
        n.column_name,
        min(f.files_in_all) as files_in_all,
        count(*) as files,
        min(n.logical_time) as first_time,
        max(n.logical_time) as last_time,
        count(*) < min(f.files_in_all) and min(n.logical_time) > min(f.feed_from) as is_new,
        count(*) < min(f.files_in_all) and max(n.logical_time) < max(f.feed_to) as is_gone,
        {{ first_text('n.file_name', 'n.logical_time, n.sort_name') }} as first_file_name
    from named as n
    inner join feed as f on n.feed = f.feed
    group by n.feed, n.column_name
)

select * from feed_column
