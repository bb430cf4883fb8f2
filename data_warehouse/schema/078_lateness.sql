-- silver.lateness: how late the feeds of each place are. Kept by the load: "now" is the latest window that any feed has
-- delivered, and only a load can move it.
-- Grain: location; the row with an empty code speaks for places without a row of their own.
create table if not exists {{ silver }}.lateness (
    location_code text primary key,
    late_hours numeric not null,
    latest_at timestamptz
);
comment on table {{ silver }}.lateness is
'How many hours the last unbroken news of a place is older than the latest news of any. Places without a row of '
'their own go by the row of the empty code. What the promise takes off for it: gold.availability.';

create or replace function {{ silver }}.refresh_lateness()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One statement without a table of its own: its plan is kept for the session, since each load asks.
    with

    -- The feeds that post what leaves a place, or tell what is there; masters may be as old as they like.
    told as materialized (
        select f.location_code, f.behind_hours, f.watermark_at
        from {{ ops }}.latest_window as n
        cross join lateral {{ gold }}.feed_freshness_at(n.latest_at) as f
        inner join {{ ops }}.feed as d on f.feed = d.feed
        where d.has_events and f.status in ('late', 'gap')
    ),

    everywhere as (
        select coalesce(max(t.behind_hours), 0) as late_hours, min(t.watermark_at) as latest_at
        from told as t
        where t.location_code is null
    ),

    fresh as materialized (
        select '' as location_code, e.late_hours, e.latest_at from everywhere as e
        union all
        select
            t.location_code, greatest(max(t.behind_hours), max(e.late_hours)),
            least(min(t.watermark_at), min(e.latest_at))
        from told as t
        cross join everywhere as e
        where t.location_code is not null
        group by t.location_code
    ),

    gone as (
        delete from {{ silver }}.lateness as o
        where not exists (select 1 from fresh as f where f.location_code = o.location_code)
    )

    insert into {{ silver }}.lateness as o
    select f.location_code, f.late_hours, f.latest_at from fresh as f
    on conflict (location_code) do update
        set late_hours = excluded.late_hours, latest_at = excluded.latest_at
        where (o.late_hours, o.latest_at) is distinct from (excluded.late_hours, excluded.latest_at);
end
$$;
comment on function {{ silver }}.refresh_lateness() is 'Measure anew how late the feeds of each place are.';

create index if not exists file_logical_time on {{ bronze }}.file (logical_time) where status = 'loaded';
