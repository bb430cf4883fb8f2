"""After the load: gold deployed and tested, snapshots sealed, laws checked, the report filled from gold."""

from datetime import timedelta
from typing import Any

from psycopg2 import extensions
from psycopg2.extras import RealDictCursor

from data_warehouse.dbt_runner import build_gold
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress
from load.postgres import PostgresWarehouse
from pipeline_manager.drift_telling import told_drift
from pipeline_manager.report import RunReport
from pipeline_manager.summary import told_of_stock
from pipeline_manager.warehouse import OpenWarehouse

_FEEDS = """
    select feed, sum(records) as records, sum(accepted) as accepted, sum(duplicate) as duplicate,
        sum(superseded) as superseded, sum(non_data) as non_data, sum(quarantined) as quarantined,
        sum(dismissed) as dismissed,
        count(*) filter (where status = 'set_aside' and not is_dismissed) as files_set_aside
    from {{ gold }}.feed_file group by feed order by feed
"""
_SET_ASIDE = """
    select feed, reason, min(file_name || ', line ' || line_no) as example, min(sentence) as sentence,
        count(*) as records
    from {{ gold }}.quarantine where not is_dismissed group by feed, reason
    union all
    select feed, reason, file_name, sentence, 1
    from {{ gold }}.feed_file where status = 'set_aside' and not is_dismissed
    order by feed, reason
"""
_STOCK = """
    select location_code, sum(on_hand) as on_hand, count(*) as keys,
        count(*) filter (where is_negative) as negative, count(*) filter (where not is_anchored) as unanchored
    from {{ gold }}.stock_on_hand group by location_code order by location_code
"""
# The three worst of a kind are picked out; sorting all of them, which may be every key, would cost the most.
_RISKS = """
    with risk as materialized (select what, product_code, location_code, on_hand from {{ gold }}.stock_risk)
    select k.what, k.keys,
        array(
            select r.product_code || ' at ' || r.location_code || ' (' || r.on_hand || ')'
            from risk as r where r.what = k.what
            order by r.on_hand, r.product_code, r.location_code limit 3
        ) as examples
    from (select what, count(*) as keys from risk group by what) as k order by k.what
"""
_ALERTS = "select kind, subject, sentence, since_known from {{ gold }}.alert order by kind, subject, alert_id"
_SHADOWS = """
    select d.feed, count(*) as movements
    from {{ bronze }}.file as f
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    inner join {{ silver }}.record as r on f.file_id = r.file_id
    inner join {{ silver }}.fact_movement as m on r.record_id = m.record_id
    where f.known > %s and m.role = 'shadow' and m.known_to is null
    group by d.feed order by d.feed
"""
_LAST_LOAD = "select coalesce(max(known), 0) as known from {{ ops }}.batch"
_PUBLISHED = """
    select coalesce((select cast(value as bigint) from {{ ops }}.setting where name = 'published'), 0) as known
"""
_LAWS = """
    select
        l.law,
        bool_and(l.is_kept) as is_kept,
        cast(sum(l.violations) as bigint) as violations,
        min(l.sentence) as sentence
    from {{ ops }}.law as l
    inner join {{ ops }}.batch as b on l.known = b.known
    where l.known > %s
    group by l.law order by cast(l.law as integer)
"""
_NOW_PUBLISHED = """
    insert into {{ ops }}.setting (name, value) values ('published', cast(%s as text))
    on conflict (name) do update set value = excluded.value
    returning name
"""
_CLOSED_DAYS = """
    select
        (min(first_at) at time zone zone)::date as first_day, (max(last_at) at time zone zone)::date - 1 as last_day
    from (
        select min(event_time) as first_at, max(event_time) as last_at
        from {{ silver }}.fact_movement where known_to is null
        union all
        select min(event_time), max(event_time) from {{ silver }}.fact_sale where known_to is null
        union all
        select min(event_time), max(event_time) from {{ silver }}.fact_count where known_to is null
    ) as latest
    cross join (
        select coalesce((select value from {{ ops }}.setting where name = 'zone'), 'UTC') as zone
    ) as place
    group by zone
"""


def rows(
    connection: extensions.connection, schemas: Schemas, statement: str, arguments: Any = None
) -> list[dict[str, Any]]:
    """Return the rows of a query as mappings."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(schemas.render(statement), arguments)
        found = [dict(row) for row in cursor.fetchall()]
    connection.commit()
    return found


def publish_gold(
    opened: OpenWarehouse, feeds: Feeds, report: RunReport, progress: Progress, *, run_tests: bool
) -> None:
    """Publish gold, seal the snapshots of closed days and fill the report; harmless to do twice.

    Each load has checked the laws before its COMMIT; told here is what they said of the loads since the last time.

    Raises:
        StopRunError: a law is broken or a model of gold failed; what was published before stays.
    """
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
    reached("publish.begun")
    report.known = rows(connection, schemas, _LAST_LOAD)[0]["known"]
    published = rows(connection, schemas, _PUBLISHED)[0]["known"]
    is_open = published < report.known
    progress.step("laws")
    report.laws = rows(connection, schemas, _LAWS, (published,)) if is_open else []
    if is_open and not report.laws:  # loaded by an earlier version
        report.laws = rows(connection, schemas, "select * from {{ ops }}.check_laws(%s)", (report.known,))
    kept = sum(bool(law["is_kept"]) for law in report.laws)
    progress.done(f"{kept} of {len(report.laws)} kept" if is_open else "nothing new to check")
    if report.broken_laws:
        told = "; ".join(f"law {law['law']}: {law['sentence']}" for law in report.broken_laws)
        raise StopRunError(f"A law of the warehouse is broken: {told}. Gold was not published anew; see ops.law.")
    if is_open:
        _demand_rates(opened.warehouse, progress)
    progress.step("gold")
    built = build_gold(
        opened.url, schemas, target_dir=opened.settings.work_dir / "dbt",
        run_tests=run_tests and is_open,
    )  # fmt: skip
    tests = sum(node.kind == "test" for node in built.nodes)
    progress.done(("built" if built.is_built else "up to date") + (f", {tests} data tests passed" if tests else ""))
    reached("publish.gold_built")
    if is_open:
        _snapshots(opened.warehouse, feeds, report, progress)
        rows(connection, schemas, _NOW_PUBLISHED, (report.known,))
    reached("publish.done")
    _fill(opened, report)
    report.drift = told_drift(opened.warehouse, feeds)


def _demand_rates(warehouse: PostgresWarehouse, progress: Progress) -> None:
    """Measure demand of the trailing days anew: promises and planning read it."""
    progress.step("demand")
    with warehouse.connection as connection, connection.cursor() as cursor:
        cursor.execute(warehouse.schemas.render("select {{ silver }}.refresh_demand_rate()"))
        changed = cursor.fetchone()
        warehouse.require_fence(cursor)
    progress.done(f"{changed[0] if changed else 0:,} rates changed")


def _snapshots(warehouse: PostgresWarehouse, feeds: Feeds, report: RunReport, progress: Progress) -> None:
    """Seal stock, product and sales of every closed business day that the retailer keeps."""
    connection, schemas = warehouse.connection, warehouse.schemas
    days = feeds.retailer.snapshot_days
    if not days:
        return
    closed = rows(connection, schemas, _CLOSED_DAYS)[0]
    last = closed["last_day"]
    if last is None or last < closed["first_day"]:
        return
    progress.step("snapshots")
    first = max(closed["first_day"], last - timedelta(days=days - 1))
    reached("publish.before_seal")
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(
            schemas.render("select * from {{ gold }}.snapshot_days(%s, %s, %s)"), (first, last, report.known)
        )
        report.snapshots = sum(bool(row["is_new"]) for row in cursor.fetchall())
        with connection.cursor() as plain:
            warehouse.require_fence(plain)
        reached("publish.before_seal_commit")
    reached("publish.after_seal")
    progress.done(f"{report.snapshots} sealed")


def fill_counts(connection: extensions.connection, schemas: Schemas, report: RunReport) -> None:
    """Fill in the last load, how many records of each feed came to what, and what was set aside."""
    report.known = rows(connection, schemas, _LAST_LOAD)[0]["known"]
    for row in rows(connection, schemas, _FEEDS):
        line = report.line(row.pop("feed"))
        for name, value in row.items():
            setattr(line, name, int(value))
    report.set_aside = rows(connection, schemas, _SET_ASIDE)


def _fill(opened: OpenWarehouse, report: RunReport) -> None:
    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas
    fill_counts(connection, schemas, report)
    for row in rows(connection, schemas, _SHADOWS, (report.known - report.batches,)) if report.batches else []:
        report.notes.append(
            f"{row['feed']}: {row['movements']:,} movements are shadows: another feed is the authority for them "
            "(retailer.yml); they are kept and compared, never added."
        )
    told = told_of_stock(opened, {"stock": _STOCK, "risks": _RISKS})
    report.stock, report.risks = told["stock"], told["risks"]
    report.alerts = rows(connection, schemas, _ALERTS)
