-- feed_gap_at: what gold.feed_gap_at() answers for the latest window that is known.
-- Grain: one row per feed, series and unbroken run of missing windows.
-- On Snowflake gold reads this as the table feed_gap_at of the gold schema.
select
    g.feed,
    g.series,
    g.location_code,
    g.gap_from,
    g.gap_to,
    g.windows,
    g.due_at,
    g.is_open
from {{ source('ops', 'latest_window') }} as n
cross join {{ answer('feed_gap_at', 'n.latest_at') }} as g
