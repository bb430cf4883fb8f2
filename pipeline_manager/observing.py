"""Looks at what was delivered: reads what was counted, judges it, and returns what a person should know."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from psycopg2 import extensions

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.core.names import Schemas
from etl_pipeline.observe.judging import Judged, judge
from etl_pipeline.observe.tables import Counted, tabled
from etl_pipeline.observe.values import Breach
from etl_pipeline.observe.windows import plan_of
from etl_pipeline.observe.wording import told
from load.postgres import EVENT_FACTS, PostgresWarehouse
from pipeline_manager.demo import SIMULATED
from pipeline_manager.measuring import measure
from pipeline_manager.publishing import rows

A_DAY_OF_HOURS = 24
_METRICS = """
    select feed, place, day, min(arrived_at) filter (where files > 0) as arrived_at, sum(records) as records,
        sum(loaded) as loaded, sum(fresh) as fresh, sum(set_aside) as set_aside, sum(files) as files
    from {{ ops }}.feed_metric
    where day > cast(%s as date) - 830
    group by feed, place, day
    having sum(files) > 0
    order by feed, place, day
"""
_SINCE = "select min(started_at) as started_at from {{ ops }}.run"
_OWN_TIME = "select latest_at from {{ ops }}.latest_window"
_OPEN_GAPS = """
    select feed, series, coalesce(location_code, '') as place, gap_from, windows, due_at
    from {{ gold }}.feed_gap_at(%s) where is_open order by feed, series
"""


@dataclass(frozen=True)
class FeedLook:
    """One feed in a line.

    Attributes:
        feed: its name.
        last_day: the latest day that anything came for; empty where nothing ever did.
        records: what counted of that day.
        usual: what is usual for it; None where that is not known.
        places: how many places it is judged by.
        status: fine, closed today, nothing yet, or the kinds of what is wrong.
    """

    feed: str
    last_day: str
    records: int
    usual: int | None
    places: int
    status: str


@dataclass(frozen=True)
class Look:
    """What one look at an environment found."""

    env: str
    now: datetime
    breaches: list[Breach] = field(default_factory=list)
    small: list[Breach] = field(default_factory=list)
    feeds: list[FeedLook] = field(default_factory=list)


def look(warehouse: PostgresWarehouse, feeds: Feeds, now: datetime) -> list[Breach]:
    """Return what is wrong with the deliveries at an instant."""
    return look_closely(warehouse.connection, warehouse.schemas, feeds, now).breaches


def own_time(connection: extensions.connection, schemas: Schemas, feeds: Feeds, now: datetime) -> datetime:
    """Return the instant to judge by: the simulated retailer lives in the past, and is judged by its latest news."""
    if feeds.retailer.retailer != SIMULATED:
        return now
    latest = rows(connection, schemas, _OWN_TIME)[0]["latest_at"]
    return latest or now


def look_closely(connection: extensions.connection, schemas: Schemas, feeds: Feeds, now: datetime) -> Look:
    """Judge every feed as it stands at an instant; loads that nobody counted yet are counted first."""
    measure(connection, schemas, feeds)
    zone = ZoneInfo(feeds.retailer.zone)
    local = now.astimezone(zone).replace(tzinfo=None)
    first = rows(connection, schemas, _SINCE)[0]["started_at"]
    since = first.astimezone(zone).replace(tzinfo=None) if first else None
    counted: dict[str, list[Counted]] = {}
    for row in rows(connection, schemas, _METRICS, (local.date(),)):
        counted.setdefault(str(row["feed"]), []).append(_counted(row, zone))
    found = Look(schemas.env, now)
    for name, contract in sorted(feeds.contracts.items()):
        _look_at(found, contract, counted.get(name, []), local, since)
    found.breaches.extend(_gaps(connection, schemas, feeds, now, found.breaches))
    found.breaches.sort(key=lambda breach: (breach.severity, breach.subject, breach.kind))
    return found


def _counted(row: dict[str, Any], zone: ZoneInfo) -> Counted:
    def whole(name: str) -> int | None:
        return None if row[name] is None else int(row[name])

    return Counted(
        row["place"], row["day"], row["arrived_at"].astimezone(zone).replace(tzinfo=None), int(row["records"]),
        whole("loaded"), whole("fresh"), int(row["set_aside"]),
    )  # fmt: skip


def _look_at(found: Look, contract: Contract, counted: list[Counted], now: datetime, since: datetime | None) -> None:
    if not counted:
        found.feeds.append(FeedLook(contract.feed, "", 0, None, 0, "nothing yet"))
        return
    plan = plan_of(contract.schedule)
    has_events = any(rule.fact in EVENT_FACTS for rule in contract.yields)
    places, table = tabled(counted, plan, now, since, has_events=has_events)
    judged = judge(table, plan, np.array(np.datetime64(now, "m")))
    said = told(contract.feed, places, table, judged, np.datetime64(now, "m"))
    found.breaches.extend(said.breaches)
    found.small.extend(said.small)
    status = ", ".join(sorted({breach.kind for breach in said.breaches})) or (
        "closed today" if said.closed_today else "fine"
    )
    found.feeds.append(_line(contract.feed, table.days, judged, len(places) - 1, status))


def _line(feed: str, days: np.typing.NDArray[np.datetime64], judged: Judged, places: int, status: str) -> FeedLook:
    there = np.flatnonzero(~np.isnan(judged.volume[0]))
    if not len(there):
        return FeedLook(feed, "", 0, None, places, status)
    last = there[-1]
    usual = judged.expected[0, last]
    return FeedLook(
        feed, str(days[last]), round(float(judged.volume[0, last])), None if np.isnan(usual) else round(float(usual)),
        places, status,
    )  # fmt: skip


def _gaps(
    connection: extensions.connection, schemas: Schemas, feeds: Feeds, now: datetime, known: list[Breach]
) -> list[Breach]:
    """Return what feeds owe that send more than once a day: days are too coarse for them."""
    hourly = {
        name for name, contract in feeds.contracts.items()
        if contract.schedule.every_hours and contract.schedule.every_hours < A_DAY_OF_HOURS
        and bool(plan_of(contract.schedule).is_open(np.array([now.date()], "datetime64[D]"))[0])
    }  # fmt: skip
    told_of = {breach.subject for breach in known if breach.kind == "no_file"}
    breaches = []
    for row in rows(connection, schemas, _OPEN_GAPS, (now,)) if hourly else []:
        subject = f"{row['feed']}/{row['place']}" if row["place"] else str(row["feed"])
        if row["feed"] not in hourly or subject in told_of or now - row["gap_from"] > timedelta(days=35):
            continue
        breaches.append(
            Breach(
                "no_file", subject, f"{subject}: nothing since {row['gap_from']:%Y-%m-%d %H:%M} UTC, {row['windows']} "
                f"files are missing; the first was due by {row['due_at']:%Y-%m-%d %H:%M} UTC.",
                "Ask the sender for the files.", "failure", row["place"], int(row["windows"]),
            )
        )  # fmt: skip
    return breaches
