"""Years of deliveries of a simulated retailer's feeds, as counts: fast, with what goes wrong labelled.

Weekdays, a season with a peak before Christmas, growth, promotions, days that the whole chain has in common, a store
that opens; closed days that a contract names and half days that none does. Counts are Poisson around a level that
strays more than chance alone. On top, if asked, faults of delivery of which the answer key is kept.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
FaultKind = Literal["missing_file", "late_file", "thin_file", "place_missing", "no_new_events", "backfill_only"]
FAULTS: tuple[FaultKind, ...] = (
    "missing_file", "late_file", "thin_file", "place_missing", "no_new_events", "backfill_only",
)  # fmt: skip
WARM_UP = 120
YEAR = 365
FAULT_RATE = 0.02
"""Faults a feed and open day."""
MOST_THIN = 0.40
CLOSED = ((1, 1), (5, 1), (12, 25), (12, 26))
HALF_DAYS = ((12, 24), (12, 31))
CHRISTMAS = 358
WEEKLY = 168.0
WEEKLY_RATE = 0.1
"""A weekly feed has few days to go wrong on."""
EVERYWHERE, SOME_PLACES = 0.5, 0.3


@dataclass(frozen=True)
class FeedKind:
    """What a feed is like."""

    name: str
    places: int
    low: float
    high: float
    stray: float
    each_place: bool = False
    every_hours: float | None = 24.0
    grace_hours: float = 12.0
    open_days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    has_season: bool = True


KINDS = (
    FeedKind("tills", 12, 120, 700, 0.10, each_place=True),
    FeedKind("store_stock", 12, 25, 160, 0.15, each_place=True),
    FeedKind("erp_sales", 12, 60, 400, 0.10, open_days=(0, 1, 2, 3, 4, 5)),
    FeedKind("warehouse", 1, 600, 1500, 0.12, open_days=(0, 1, 2, 3, 4, 5)),
    FeedKind("web_orders", 1, 200, 500, 0.14),
    FeedKind("web_carts", 1, 30, 80, 0.15),
    FeedKind("supplier_notices", 8, 4, 40, 0.45, open_days=(0, 1, 2, 3, 4)),
    FeedKind("supplier_offers", 6, 80, 300, 0.03, every_hours=WEEKLY, grace_hours=48.0, has_season=False),
    FeedKind("marketplace", 1, 150, 400, 0.12, every_hours=None, grace_hours=24.0),
)


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong with a delivery: row 0 is the feed as a whole."""

    kind: FaultKind
    row: int
    column: int


@dataclass(frozen=True)
class FeedYears:
    """What one feed delivered: rows by days (windows of a weekly feed); row 0 is the feed as a whole."""

    kind: FeedKind
    days: npt.NDArray[np.datetime64]
    judged_from: int
    records: Numbers
    loaded: Numbers
    fresh: Numbers
    delay_hours: Numbers
    """After the end of the day; nan where nothing came."""
    closed: frozenset[date]
    faults: list[Fault] = field(default_factory=list)


def deliveries(seed: int, *, with_faults: bool) -> list[FeedYears]:
    """Return a year of every feed and what came before it: of every second seed another whole year.

    Args:
        seed: same seed, same years.
        with_faults: whether deliveries go wrong within the year.
    """
    draw = np.random.default_rng([7_310, seed])
    first = np.datetime64("2021-01-01") + int(draw.integers(0, YEAR))
    before = WARM_UP if seed % 2 else YEAR + WARM_UP
    years = [_feed(kind, first, before, draw) for kind in KINDS]
    return [_with_faults(one, draw) for one in years] if with_faults else years


def _feed(kind: FeedKind, first: np.datetime64, before: int, draw: np.random.Generator) -> FeedYears:
    step = max(1, round((kind.every_hours or 24) / 24))
    days = first + np.arange(0, before + YEAR, step)
    level = _level(kind, days, draw)
    records = draw.poisson(level).astype(float)
    is_closed = _on(days, CLOSED) if step == 1 else np.zeros(len(days), bool)
    weekday = (days.astype(np.int64) + 3) % 7
    is_open = ~is_closed & (np.isin(weekday, kind.open_days) | (step > 1))
    records[:, ~is_open] = np.nan
    delay = np.where(is_open, draw.uniform(0.5, kind.grace_hours * 0.8, (kind.places, len(days))), np.nan)
    if kind.each_place:  # one store opens within the time
        opened = int(draw.integers(before // 2, before + 200))
        records[-1, :opened], delay[-1, :opened] = np.nan, np.nan
    else:
        delay[:] = delay[:1]
    closed = frozenset(day.astype(object) for day in days[is_closed])
    rows = np.concatenate([np.zeros((1, len(days))), records])
    return _summed(FeedYears(kind, days, before // step, rows, rows, rows, np.concatenate([delay[:1], delay]), closed))


def _level(kind: FeedKind, days: npt.NDArray[np.datetime64], draw: np.random.Generator) -> Numbers:
    """Return what is expected of each place on each day, all that is not chance."""
    count, places = len(days), kind.places
    base = np.exp(draw.uniform(np.log(kind.low), np.log(kind.high), places))
    week = np.exp(draw.normal(0, 0.2, 7))
    passed = (days - days[0]).astype(np.int64) / YEAR
    level = np.log(base)[:, None] + np.log(week[(days.astype(np.int64) + 3) % 7])[None, :]
    level = level + draw.uniform(-0.1, 0.35) * passed[None, :]
    if kind.has_season:
        level = level + _season(days, draw)[None, :] + _promotions(kind, count, draw)
        level = level + draw.normal(0, 0.06, count)[None, :]  # weather: the whole chain has it in common
        level[:, _on(days, HALF_DAYS)] += np.log(0.7)
    stray: Numbers = np.exp(level + draw.normal(0, kind.stray, (places, count)))
    return stray


def _season(days: npt.NDArray[np.datetime64], draw: np.random.Generator) -> Numbers:
    of_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    wave = draw.uniform(0.05, 0.2) * np.sin(2 * np.pi * (of_year / YEAR + draw.uniform()))
    peak = np.log(draw.uniform(1.2, 1.6)) * np.clip((of_year - 320) / 30, 0, 1) * (of_year < CHRISTMAS)
    season: Numbers = wave + peak
    return season


def _promotions(kind: FeedKind, count: int, draw: np.random.Generator) -> Numbers:
    """Return what promotions add: six a year, of the whole chain or of some places, for three to fourteen days."""
    added = np.zeros((kind.places, count))
    for _ in range(round(6 * count / YEAR)):
        begin, length = int(draw.integers(0, count)), int(draw.integers(3, 15))
        where = draw.uniform(size=kind.places) < (1.0 if draw.uniform() < EVERYWHERE else SOME_PLACES)
        added[where, begin : begin + length] += np.log(draw.uniform(1.15, 1.7))
    return added


def _on(days: npt.NDArray[np.datetime64], dates: tuple[tuple[int, int], ...]) -> npt.NDArray[np.bool_]:
    wanted = {f"{month:02}-{day:02}" for month, day in dates}
    return np.array([str(day)[5:] in wanted for day in days])


def _summed(years: FeedYears) -> FeedYears:
    """Return the same with the feed as a whole made of its places."""
    came = ~np.isnan(years.delay_hours[1:])
    delay = years.delay_hours.copy()
    delay[0] = np.where(came.any(axis=0), np.nanmin(np.where(came, delay[1:], np.inf), axis=0), np.nan)

    def whole(table: Numbers) -> Numbers:
        summed = table.copy()
        summed[0] = np.where(came.any(axis=0), np.nansum(table[1:], axis=0), np.nan)
        return summed

    return replace(
        years, records=whole(years.records), loaded=whole(years.loaded), fresh=whole(years.fresh), delay_hours=delay
    )


def _with_faults(years: FeedYears, draw: np.random.Generator) -> FeedYears:
    tables = [table.copy() for table in (years.records, years.loaded, years.fresh, years.delay_hours)]
    faults: list[Fault] = []
    for column in range(years.judged_from, len(years.days)):
        rate = WEEKLY_RATE if years.kind.every_hours == WEEKLY else FAULT_RATE
        if np.isnan(years.delay_hours[0, column]) or draw.uniform() > rate:
            continue
        kind = FAULTS[int(draw.integers(len(FAULTS)))]
        fault = _fault(years, kind, column, tables, draw)
        if fault:
            faults.append(fault)
    return _summed(
        replace(years, records=tables[0], loaded=tables[1], fresh=tables[2], delay_hours=tables[3], faults=faults)
    )


def _fault(
    years: FeedYears, kind: FaultKind, column: int, tables: list[Numbers], draw: np.random.Generator
) -> Fault | None:
    """Do one thing wrong to a delivery: to the file of one place where each owes its own, else to the whole."""
    records, loaded, fresh, delay = tables
    there = np.flatnonzero(~np.isnan(delay[1:, column])) + 1
    one = int(draw.choice(there))
    if kind == "place_missing":
        if years.kind.each_place or years.kind.places == 1:
            return None  # a folder without its file is a missing file
        for table in tables:
            table[one, column] = np.nan
        return Fault(kind, one, column)
    rows = [one] if years.kind.each_place else list(there)
    if kind == "missing_file":
        for table in tables:
            table[rows, column] = np.nan
    elif kind == "late_file":
        delay[rows, column] = years.kind.grace_hours + draw.uniform(1, 23)
    elif kind == "thin_file":
        kept = draw.binomial(records[rows, column].astype(int), draw.uniform(0.02, MOST_THIN))
        for table in (records, loaded, fresh):
            table[rows, column] = kept
    elif kind == "no_new_events":
        loaded[rows, column] = fresh[rows, column] = 0
    else:
        fresh[rows, column] = 0
    return Fault(kind, one if years.kind.each_place else 0, column)
