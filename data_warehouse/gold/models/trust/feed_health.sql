-- feed_health: what each feed, and each place in it, delivered last, and what the last run found wrong with it.
-- Grain: one row per feed and place that ever delivered; the place is empty for the feed as a whole.
-- Reads: ops.feed_metric, ops.run, ops.check.   Used by: people who ask which source to call.
with

delivered as (
    select
        feed,
        place,
        day,
        sum(files) as files,
        sum(records) as records,
        sum(set_aside) as set_aside
    from {{ source('ops', 'feed_metric') }}
    group by feed, place, day
),

latest as (
    select
        feed,
        place,
        day,
        files,
        records,
        set_aside,
        row_number() over (partition by feed, place order by day desc) as newness
    from delivered
    where files > 0
),

last_run as (
    select run_id
    from {{ source('ops', 'run') }}
    where outcome = 'done'
    order by ended_at desc, run_id desc
    limit 1
),

found as (
    select
        c.subject,
        {{ listed('c.' ~ reserved('check')) }} as status,
        {{ listed('c.sentence', "' '", 'c.' ~ reserved('check')) }} as sentence
    from {{ source('ops', 'check') }} as c
    inner join last_run as r on c.run_id = r.run_id
    where not c.is_kept and c.{{ reserved('check') }} <> 'law'
    group by c.subject
),

feed_health as (
    select
        l.feed,
        l.place,
        l.day as last_delivery_day,
        l.files,
        l.records,
        l.set_aside as records_set_aside,
        coalesce(f.status, 'fine') as health,
        f.sentence as finding
    from latest as l
    left join found as f on f.subject = l.feed || case when l.place = '' then '' else '/' || l.place end
    where l.newness = 1
)

select * from feed_health
