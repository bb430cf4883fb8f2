-- feed_freshness: up to when each scheduled feed is complete.
-- Grain: one row per feed and series: the folder that owes files, or the feed as a whole.
-- Reads: feed_freshness_at (function), ops.latest_window.   Used by: promises, people who ask how old a number is.
with

latest as (
    select latest_at from {{ source('ops', 'latest_window') }}
),

feed_freshness as (
    select
        f.feed,
        f.series,
        f.location_code,
        f.status,
        f.watermark_at,
        f.latest_at,
        f.as_of,
        f.behind_hours,
        f.missing_windows
    from latest as n
    cross join {{ answer('feed_freshness_at', 'n.latest_at') }} as f
)

select * from feed_freshness
