"""From what was counted to tables of days: rows are the feed and its places, columns its days or windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from etl_pipeline.observe.judging import Deliveries
from etl_pipeline.observe.usual import Numbers
from etl_pipeline.observe.windows import Plan, windowed

MOST_DAYS = 800
"""Days of history that are looked at: two years, and the weeks before."""


@dataclass(frozen=True)
class Counted:
    """What came for one place (empty: the whole feed) and day; unknown counts are None."""

    place: str
    day: date
    arrived: datetime
    records: int
    loaded: int | None
    fresh: int | None
    set_aside: int


def tabled(
    counted: Sequence[Counted], plan: Plan, now: datetime, since: datetime | None, *, has_events: bool
) -> tuple[list[str], Deliveries]:
    """Return the places, the whole feed first, and what was delivered for each day up to `now`.

    Several rows of the same place and day add up; their order means nothing.

    Args:
        counted: rows of one feed.
        plan: the feed's.
        now: local instant of the look.
        since: local instant from which on arrivals are known: what was due before came with a load of history.
        has_events: whether the feed tells what happened.
    """
    today = np.datetime64(now.date(), "D")
    kept = [
        row
        for row in counted
        if row.day <= now.date() and (today - np.datetime64(row.day, "D")).astype(int) <= MOST_DAYS
    ]
    named = sorted({row.place for row in kept} - {""})
    places = ["", *named] if plan.each_place or len(named) > 1 else [""]
    first = min((np.datetime64(row.day, "D") for row in kept), default=today)
    days = np.arange(first, today + 1, plan.step_days)
    own = windowed(plan, np.array([row.day for row in kept], "datetime64[D]"), first)
    column_of = {day: number for number, day in enumerate(days)}
    tables = [np.full((len(places), len(days)), np.nan) for _ in range(4)]
    arrived = np.full((len(places), len(days)), np.datetime64("NaT"), "datetime64[m]")
    row_of = {place: number for number, place in enumerate(places)}
    for row, day in zip(kept, own, strict=True):
        if row.place in row_of and day in column_of:
            at = (row_of[row.place], column_of[day])
            came = np.datetime64(row.arrived, "m")
            arrived[at] = came if np.isnat(arrived[at]) else min(arrived[at], came)
            _add(tables, at, row)
    due = np.broadcast_to(plan.due(days)[None, :], arrived.shape)
    moment = np.datetime64(now, "m")
    is_history = (due < np.datetime64(since, "m")) if since else np.ones(arrived.shape, bool)
    unknown = ~np.isnat(arrived) & (is_history | (arrived > moment))
    arrived = np.where(unknown, np.minimum(due, moment), arrived)
    records, loaded, fresh, set_aside = tables
    return places, Deliveries(days, arrived, records, loaded, fresh, set_aside, has_events)


def _add(tables: Sequence[Numbers], at: tuple[int, int], row: Counted) -> None:
    for table, value in zip(tables, (row.records, row.loaded, row.fresh, row.set_aside), strict=True):
        if value is not None:
            table[at] = np.nan_to_num(table[at]) + value
