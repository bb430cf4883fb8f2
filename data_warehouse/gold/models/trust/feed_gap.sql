-- feed_gap: windows of scheduled feeds whose file was due and is not there.
-- Grain: one row per feed, series and unbroken run of missing windows.
-- Reads: feed_gap_at (function), ops.latest_window.   Used by: alert, people who ask senders.
with

latest as (
    select latest_at from {{ source('ops', 'latest_window') }}
),

feed_gap as (
    select
        g.feed,
        g.series,
        g.location_code,
        g.gap_from,
        g.gap_to,
        g.windows,
        g.due_at,
        g.is_open,
        n.latest_at as as_of
    from latest as n
    cross join {{ answer('feed_gap_at', 'n.latest_at') }} as g
)

select * from feed_gap
