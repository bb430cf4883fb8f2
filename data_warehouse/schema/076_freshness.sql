-- Freshness: which files a feed owed by its schedule, which came, and up to when it is complete.
-- Time is an argument: gold's views ask about the latest window that any feed has delivered, people who watch the
-- live feeds ask about now(). Arrival plays no part, so a backfill fills its own window and never makes a feed fresh.

-- ops.feed_delivery: the window that each name of each file of a scheduled feed stands for.
-- The windows of a series follow each other from its first file. A file stands for the nearest one: local midnight
-- moves by an hour twice a year, and a file that is written by hand comes when it comes.
-- Present is a loaded file: a header without records says "nothing happened", a file of no bytes or a broken one says
-- nothing. The same bytes with records under a second name tell of no new day, where a feed tells events.
create or replace view {{ ops }}.feed_delivery as
select
    s.feed_id,
    s.series,
    s.first_at,
    s.told_at,
    s.is_present,
    cast(round(extract(epoch from s.told_at - s.first_at) / (3600 * s.every_hours)) as bigint) as window_no
from (
    select
        d.feed_id,
        d.every_hours,
        case d.each_series when 'folder' then regexp_replace(n.name, '[^/]*$', '') else '' end as series,
        coalesce(n.logical_time, f.logical_time) as told_at,
        min(coalesce(n.logical_time, f.logical_time)) over (
            partition by
                d.feed_id, case d.each_series when 'folder' then regexp_replace(n.name, '[^/]*$', '') else '' end
        ) as first_at,
        f.status = 'loaded' and (
            not d.has_events
            or f.records <= f.non_data
            or coalesce(n.logical_time, f.logical_time)
            = min(coalesce(n.logical_time, f.logical_time)) over (partition by f.feed_id, f.sha256)
        ) as is_present
    from {{ ops }}.feed as d
    inner join {{ bronze }}.file as f on d.feed_id = f.feed_id
    inner join {{ bronze }}.file_name as n on f.file_id = n.file_id
    where d.every_hours is not null and coalesce(n.logical_time, f.logical_time) is not null
) as s;
comment on view {{ ops }}.feed_delivery is
'What each file of a scheduled feed stands for. Grain: feed and name of a file. series is the folder that owes files, '
'empty where the feed owes them as a whole.';

-- ops.latest_window: the end of the latest period that any file covers; "now" for what is said of freshness in gold.
-- Of a period longer than a day, the first day: a week's offers come when the week begins, and make no daily feed late.
create or replace view {{ ops }}.latest_window as
select greatest(
    (
        select
            max(
                v.told_at
                + case d.time_marks when 'start' then least(d.every_hours, 24) * interval '1 hour' else '0' end
            )
        from {{ ops }}.feed_delivery as v
        inner join {{ ops }}.feed as d on v.feed_id = d.feed_id
        where v.is_present
    ),
    (
        select max(f.logical_time) from {{ bronze }}.file as f
        where f.status = 'loaded'
    )
) as latest_at;
comment on view {{ ops }}.latest_window is 'The end of the latest period that a loaded file covers. Grain: one row.';

-- ops.feed_run: unbroken runs of windows that came, each with the next window that came after it.
-- Window -1 stands before the first, so that a first file that is broken makes a gap too.
create or replace view {{ ops }}.feed_run as
select
    w.feed_id,
    w.series,
    w.first_at,
    w.window_no as last_no,
    w.next_no
from (
    select
        p.feed_id,
        p.series,
        p.first_at,
        p.window_no,
        lead(p.window_no) over (partition by p.feed_id, p.series order by p.window_no) as next_no
    from (
        select
            v.feed_id,
            v.series,
            v.first_at,
            v.window_no
        from {{ ops }}.feed_delivery as v
        where v.is_present
        union
        select
            v.feed_id,
            v.series,
            v.first_at,
            -1 as window_no
        from {{ ops }}.feed_delivery as v
    ) as p
) as w
where w.next_no is null or w.next_no > w.window_no + 1;
comment on view {{ ops }}.feed_run is
'Where the windows of a series break off. Grain: feed, series and last window of a run; next_no is null at the end.';

create or replace function {{ gold }}.feed_gap_at(at_time timestamptz)
returns table (
    feed text,
    series text,
    location_code text,
    gap_from timestamptz,
    gap_to timestamptz,
    windows bigint,
    due_at timestamptz,
    is_open boolean
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with

    run as (
        select
            r.*,
            d.feed,
            d.every_hours * interval '1 hour' as step,
            coalesce(d.grace_hours, 0) * interval '1 hour' as grace,
            case d.time_marks when 'start' then 0 else 1 end as lag_no,
            l.location_code
        from {{ ops }}.feed_run as r
        inner join {{ ops }}.feed as d on r.feed_id = d.feed_id
        left join {{ silver }}.location_key as l on l.location_code = substring(r.series from '([^/]*)/$')
        where isfinite(at_time)
    ),

    -- The period of window n ends at first_at + (n + 1 - lag_no) * step, and its file is due the grace after that.
    owed as (
        select
            r.*,
            r.last_no + 1 as from_no,
            least(
                coalesce(r.next_no, 9223372036854775807) - 1,
                cast(
                    floor(extract(epoch from at_time - r.first_at - r.grace) / extract(epoch from r.step)) as bigint
                ) - 1 + r.lag_no
            ) as to_no
        from run as r
    )

    select
        o.feed,
        o.series,
        o.location_code,
        o.first_at + (o.from_no - o.lag_no) * o.step,
        o.first_at + (o.to_no + 1 - o.lag_no) * o.step,
        o.to_no - o.from_no + 1,
        o.first_at + (o.from_no + 1 - o.lag_no) * o.step + o.grace,
        o.next_no is null
    from owed as o
    where o.to_no >= o.from_no
$$;
comment on function {{ gold }}.feed_gap_at(timestamptz) is
'Windows of scheduled feeds whose file was due by an instant and is not there. Grain: feed, series and run of missing '
'windows. Live: select * from gold.feed_gap_at(now()).';

create or replace function {{ gold }}.feed_freshness_at(at_time timestamptz)
returns table (
    feed text,
    series text,
    location_code text,
    status text,
    watermark_at timestamptz,
    latest_at timestamptz,
    as_of timestamptz,
    behind_hours numeric,
    missing_windows bigint
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with

    complete as (
        select r.feed_id, r.series, min(r.first_at) as first_at, min(r.last_no) as complete_no, max(r.last_no) as last_no
        from {{ ops }}.feed_run as r
        group by r.feed_id, r.series
    ),

    gap as (
        select g.feed, g.series, sum(g.windows) as windows, bool_or(g.is_open) as is_late
        from {{ gold }}.feed_gap_at(at_time) as g
        group by g.feed, g.series
    ),

    judged as (
        select
            d.feed,
            coalesce(c.series, '') as series,
            l.location_code,
            case
                when c.feed_id is null then 'empty'
                when g.is_late then 'late'
                when g.windows > 0 then 'gap'
                else 'fresh'
            end as status,
            c.first_at
            + (c.complete_no + case d.time_marks when 'start' then 1 else 0 end) * d.every_hours * interval '1 hour'
                as watermark_at,
            case when c.last_no >= 0 then
                c.first_at
                + (c.last_no + case d.time_marks when 'start' then 1 else 0 end) * d.every_hours * interval '1 hour'
            end as latest_at,
            coalesce(g.windows, 0) as windows
        from {{ ops }}.feed as d
        left join complete as c on d.feed_id = c.feed_id
        left join gap as g on d.feed = g.feed and c.series = g.series
        left join {{ silver }}.location_key as l on l.location_code = substring(c.series from '([^/]*)/$')
        where d.every_hours is not null
    )

    select
        j.feed,
        j.series,
        j.location_code,
        j.status,
        j.watermark_at,
        j.latest_at,
        at_time,
        case when isfinite(at_time)
            then trim_scale(round(greatest(0, extract(epoch from at_time - j.watermark_at)) / 3600, 2))
        end,
        j.windows
    from judged as j
$$;
comment on function {{ gold }}.feed_freshness_at(timestamptz) is
'Up to when each scheduled feed is complete, as of an instant. Grain: feed and series. Live: '
'select * from gold.feed_freshness_at(now()).';

create index if not exists record_conflict on {{ silver }}.record (feed_id) where is_conflict;
create index if not exists fact_movement_transit on {{ silver }}.fact_movement (product_id, order_document)
where known_to is null and role = 'authority'
and (counter_location_code is not null or movement_class in ('transfer_out', 'transfer_in'));
-- For law 7: who told of a line of an order. What the tills sell has none.
create index if not exists fact_movement_of_order on {{ silver }}.fact_movement (product_id, location_id)
where known_to is null and role = 'authority' and order_document <> '' and order_line <> '';
