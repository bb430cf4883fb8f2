"""What each feed delivered, by local day and place: counted once for every load, after it, into ops.feed_metric."""

from collections.abc import Iterable

from psycopg2 import extensions

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.core.names import Schemas

MOST_RECORDS = 500_000
"""Of a feed; a load beyond it is counted by its files alone, since looking at each record would take longer."""
_PLACES = {
    "movement": "location", "sale": "location", "count": "location", "demand": "location", "supply": "location",
    "offer": "supplier",
}  # fmt: skip
"""Facts that tell when and where -> what they name the place by."""
_EVENT = {
    "location": """
        select t.event_time, l.location_code as place
        from {{ silver }}.fact_%s as t
        left join {{ silver }}.location_key as l on t.location_id = l.location_id
        where t.record_id = h.record_id
    """,
    "supplier": """
        select t.event_time, t.supplier_code as place
        from {{ silver }}.fact_%s as t
        where t.record_id = h.record_id
    """,
}
_NO_EVENT = "select cast(null as timestamptz) as event_time, cast(null as text) as place"
_SIZE = """
    select coalesce(sum(f.records), 0) from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    where d.feed = %(feed)s and f.known > %(after)s and f.known <= %(known)s
"""
_MEASURE = """
    insert into {{ ops }}.feed_metric as m (
        run_id, feed, place, day, files, files_set_aside, records, set_aside, loaded, fresh, first_event_day,
        last_event_day, event_days, arrived_at
    )
    with

    zone as (
        select coalesce((select value from {{ ops }}.setting where name = 'zone'), 'UTC') as name
    ),

    dated as (
        select
            f.file_id, f.status, b.run_id, b.started_at,
            greatest(f.records - f.non_data, 0) as records,
            case d.each_series when 'folder' then coalesce(substring(f.name from '([^/]*)/[^/]*$'), '') else '' end
                as folder,
            (
                coalesce(f.logical_time, b.started_at)
                - case when f.logical_time is not null and d.time_marks = 'end' then coalesce(d.every_hours, 24) else 0
                    end * interval '1 hour'
            ) at time zone z.name as local_at
        from {{ bronze }}.file as f
        inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
        inner join {{ ops }}.batch as b on f.known = b.known
        cross join zone as z
        where d.feed = %(feed)s and f.known > %(after)s and f.known <= %(known)s
    ),

    file as (select n.*, cast(n.local_at as date) as day from dated as n),

    home as (
        select r.record_id, r.file_id
        from {{ silver }}.record as r
        inner join file as f on r.file_id = f.file_id
        where %(is_looked_into)s and not r.is_withdrawn
    ),

    record as (
        select
            f.run_id, f.day, f.folder, f.file_id, f.started_at,
            case when f.folder = '' then t.place else f.folder end as place,
            coalesce(cast(t.event_time at time zone z.name as date) >= f.day, true) as is_fresh,
            cast(t.event_time at time zone z.name as date) as event_day
        from home as h
        inner join file as f on h.file_id = f.file_id
        cross join zone as z
        -- Record by record, so that what it costs follows what came, whatever the planner knows of new tables.
        cross join lateral (
            select min(e.place) as place, max(e.event_time) as event_time
            from (_EVENTS_) as e
        ) as t
    ),

    aside as (
        select q.file_id, count(*) as records
        from {{ silver }}.quarantine as q
        inner join file as f on q.file_id = f.file_id
        where q.known_to is null
        group by q.file_id
    ),

    -- What the files say of themselves: of the feed as a whole, and of each folder that owes files.
    came as (
        select
            f.run_id, f.day, coalesce(f.folder, '') as place,
            cast(count(*) filter (where f.status = 'loaded') as integer) as files,
            cast(count(*) filter (where f.status <> 'loaded') as integer) as files_set_aside,
            sum(f.records) as records,
            coalesce(sum(a.records), 0) as set_aside,
            max(f.started_at) as arrived_at
        from file as f
        left join aside as a on f.file_id = a.file_id
        group by grouping sets ((f.run_id, f.day), (f.run_id, f.day, f.folder))
        having grouping(f.folder) = 1 or f.folder <> ''
    ),

    -- What their records say: of the feed, of its folders, or of the places that they name.
    said as (
        select
            r.run_id, r.day, coalesce(r.place, '') as place,
            cast(count(distinct r.file_id) as integer) as files,
            count(*) as loaded,
            count(*) filter (where r.is_fresh) as fresh,
            min(r.event_day) as first_event_day,
            max(r.event_day) as last_event_day,
            cast(count(distinct r.event_day) as integer) as event_days,
            max(r.started_at) as arrived_at
        from record as r
        group by grouping sets ((r.run_id, r.day), (r.run_id, r.day, r.place))
        having grouping(r.place) = 1 or r.place <> ''
    )

    select
        coalesce(c.run_id, s.run_id), %(feed)s, coalesce(c.place, s.place), coalesce(c.day, s.day),
        coalesce(c.files, s.files), coalesce(c.files_set_aside, 0), coalesce(c.records, s.loaded),
        coalesce(c.set_aside, 0),
        case when %(is_looked_into)s then coalesce(s.loaded, 0) end,
        case when %(is_looked_into)s then coalesce(s.fresh, 0) end,
        s.first_event_day, s.last_event_day, coalesce(s.event_days, 0), coalesce(c.arrived_at, s.arrived_at)
    from came as c
    full join said as s on c.run_id = s.run_id and c.day = s.day and c.place = s.place
    on conflict (run_id, feed, place, day) do update set
        files = m.files + excluded.files,
        files_set_aside = m.files_set_aside + excluded.files_set_aside,
        records = m.records + excluded.records,
        set_aside = m.set_aside + excluded.set_aside,
        loaded = m.loaded + excluded.loaded,
        fresh = m.fresh + excluded.fresh,
        first_event_day = least(m.first_event_day, excluded.first_event_day),
        last_event_day = greatest(m.last_event_day, excluded.last_event_day),
        event_days = greatest(m.event_days, excluded.event_days),
        arrived_at = greatest(m.arrived_at, excluded.arrived_at)
"""
_FIRST_TIME = "insert into {{ ops }}.setting (name, value) values ('measured', '0') on conflict (name) do nothing"
_MEASURED = "select value from {{ ops }}.setting where name = 'measured' for update"
_LAST = "select coalesce(max(known), 0) from {{ ops }}.batch"
_NOW_MEASURED = "update {{ ops }}.setting set value = cast(%s as text) where name = 'measured'"
_FEEDS_WITH_FILES = """
    select distinct d.feed from {{ bronze }}.file as f inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    where f.known > %s and f.known <= %s order by d.feed
"""


def measure(connection: extensions.connection, schemas: Schemas, feeds: Feeds) -> int:
    """Count what came with every load since the last time; return up to which load it is counted now.

    Again: a load is counted once, whoever asks and however often; a watch's loads by whoever comes next.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(schemas.render(_FIRST_TIME))
        cursor.execute(schemas.render(_MEASURED))
        after = int((cursor.fetchone() or ("0",))[0])
        cursor.execute(schemas.render(_LAST))
        known = int((cursor.fetchone() or (0,))[0])
        if known <= after:
            return known
        cursor.execute(schemas.render(_FEEDS_WITH_FILES), (after, known))
        for (feed,) in cursor.fetchall():
            asked = {"feed": feed, "after": after, "known": known}
            _measure_feed(cursor, schemas, feeds.contracts.get(str(feed)), asked)
        cursor.execute(schemas.render(_NOW_MEASURED), (known,))
    return known


def _measure_feed(
    cursor: extensions.cursor, schemas: Schemas, contract: Contract | None, asked: dict[str, object]
) -> None:
    cursor.execute(schemas.render(_SIZE), asked)
    is_looked_into = int((cursor.fetchone() or (0,))[0]) <= MOST_RECORDS
    told = (rule.fact for rule in contract.yields) if contract else ()
    statement = schemas.render(_MEASURE.replace("_EVENTS_", _events(told)))
    cursor.execute(statement, asked | {"is_looked_into": is_looked_into})


def _events(facts: Iterable[str]) -> str:
    """Return the query of the events of home's records; a feed of masters has none."""
    told = [_EVENT[_PLACES[fact]] % fact for fact in sorted(set(facts) & _PLACES.keys())]
    return " union all ".join(told) or _NO_EVENT
