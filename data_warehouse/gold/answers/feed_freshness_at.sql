-- feed_freshness_at: what gold.feed_freshness_at() answers for the latest window that is known.
-- Grain: one row per feed and series.
-- On Snowflake gold reads this as the table feed_freshness_at of the gold schema.
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
from {{ source('ops', 'latest_window') }} as n
cross join {{ answer('feed_freshness_at', 'n.latest_at') }} as f
