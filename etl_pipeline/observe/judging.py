"""Judges what was delivered: each feed, and each place in it, for each day. Pure: tables in, verdicts out.

The same code judges one day of a live warehouse and years of simulated deliveries at once.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from etl_pipeline.observe.usual import WEEK, Numbers, Usual, lagged, quantile, surprise, usual
from etl_pipeline.observe.windows import Days, Flags, Instants, Plan, owed

SURE = 5.2
"""Standard deviations below the expected: a chance of one in ten million."""
THIN_SHARE = 0.47
"""Share of the expected below which a file is thin, if it is surely so."""
TOLD_APART_AT = 0.45
"""A series is judged where a day with this share of the expected would be surely thin."""
JUDGED_AT = 0.15
"""A series of which not even a day with this share of the expected would be surely thin is not judged at all."""
COMMON_DOUBT = 0.5
"""Share of what all places have more on a day that is added to the spread of each: a promotion is not everywhere."""
HOLIDAY_SPREAD = 0.2
"""By how much more (in logarithms) the days around a holiday stray: nobody knows them from eight weeks before."""
COMMON_PLACES = 5
"""Places from which on what all of them have in common on a day is taken out of each."""
MOST_COMMON = float(np.log(2))
"""How much more all places together may have and be believed: beyond it, what is usual was learnt from bad days."""
WHOLE_SHARE = 0.7
"""Share of a feed's usual records at thin places from which on it is the feed that is thin, and no place."""


USUALLY_FRESH = 0.5
"""Share of new records about their own day that nearly every file had, where a backfill can be told."""
FRESH_DAYS = 28
"""Days before that show what nearly every file had."""
SELDOM_SILENT = 0.05
"""Share of days on which a place may have brought nothing and still be missed when it does."""


class Verdict(IntEnum):
    """What is said of a delivery."""

    NOT_OWED = 0
    WAITED_FOR = 1
    FINE = 2
    CLOSED_TODAY = 3
    TOO_SMALL = 4
    NO_FILE = 10
    LATE = 11
    NO_NEW_EVENTS = 12
    BACKFILL_ONLY = 13
    THIN_FILE = 14
    PLACE_MISSING = 15


FIRST_BREACH = Verdict.NO_FILE


@dataclass(frozen=True)
class Deliveries:
    """What was delivered: rows by consecutive days; row 0 is the feed as a whole, each other row a place in it.

    Attributes:
        days: consecutive local days.
        arrived: when the first file for the day came (local); NaT where none has.
        records: records that came, known ones too.
        loaded: records that were new; nan where that is not known.
        fresh: of the new, those about the day itself or later; nan where that is not known.
        set_aside: records that were set aside.
        has_events: whether the feed tells what happened, so that a file without anything new says nothing.
    """

    days: Days
    arrived: Instants
    records: Numbers
    loaded: Numbers
    fresh: Numbers
    set_aside: Numbers
    has_events: bool = True

    @cached_property
    def came(self) -> Flags:
        """Whether anything came for the day at all."""
        return ~np.isnat(self.arrived)

    def known_at(self, now: Instants) -> "Deliveries":
        """Return what was known at an instant, or at one of its own for each day."""
        is_there = self.came & (self.arrived <= now)
        return replace(
            self,
            arrived=np.where(is_there, self.arrived, np.datetime64("NaT")),
            records=np.where(is_there, self.records, np.nan),
            loaded=np.where(is_there, self.loaded, np.nan),
            fresh=np.where(is_there, self.fresh, np.nan),
            set_aside=np.where(is_there, self.set_aside, np.nan),
        )


@dataclass(frozen=True)
class Judged:
    """What came of it: rows by days.

    Attributes:
        verdict: codes of Verdict.
        volume: what was counted of each delivery; nan where there is none.
        expected: what was usual; nan where nothing can be said.
        due: when each day's delivery was due.
        is_told_apart: whether a thin delivery could have been told from chance.
    """

    verdict: npt.NDArray[np.int64]
    volume: Numbers
    expected: Numbers
    due: Instants
    is_told_apart: Flags


@dataclass(frozen=True)
class Learnt:
    """What the deliveries themselves say is usual: of each day, from the days before.

    Attributes:
        plain: records that are usual.
        alike: the same for places, with what all places had in common on a day taken out.
        tells_fresh: whether a file brings events of its own day.
    """

    plain: Usual
    alike: Usual
    tells_fresh: Flags


def learn(found: Deliveries, plan: Plan) -> Learnt:
    """Learn what is usual of all that was delivered."""
    tells_fresh = _usually_fresh(found)
    history = _history(found, tells_fresh, plan.is_open(found.days)[None, :])
    period = WEEK if plan.step_days == 1 else 1
    plain = usual(history, period)
    common = _common(history, plain.expected)
    alike = usual(history / np.exp(common), period) if common.any() else plain
    strays = np.where(plan.near_closed(found.days)[None, :], HOLIDAY_SPREAD, 0.0)
    return Learnt(plain, Usual(alike.expected, np.hypot(alike.spread, strays)), tells_fresh)


def _common(brought: Numbers, expected: Numbers) -> Numbers:
    """Return how all places together stood to the usual, in logarithms: 0 for the feed, and where they are few."""
    with np.errstate(invalid="ignore", divide="ignore"):
        stood = np.where(expected > 0, np.log((brought + 0.5) / (expected + 0.5)), np.nan)
    common = np.zeros_like(stood)
    if len(stood) > COMMON_PLACES:
        alike = np.nan_to_num(quantile(stood[1:].T, 0.5, COMMON_PLACES))
        common[1:] = np.minimum(alike, MOST_COMMON)[None, :]
    return common


def judge(found: Deliveries, plan: Plan, now: Instants, learnt: Learnt | None = None) -> Judged:
    """Judge each delivery as it stood at `now`.

    Args:
        found: all that was delivered, later things too: they say what was usual for later days.
        plan: when files are due.
        now: one local instant for all days, or one for each day. What arrived after it is not seen on that day.
        learnt: what `learn` said of the same, if it was asked already.
    """
    seen = found.known_at(now)
    learnt = learnt or learn(found, plan)
    tells_fresh = learnt.tells_fresh
    due = plan.due(found.days)[None, :]
    verdict = np.full(found.came.shape, Verdict.NOT_OWED, dtype=np.int64)
    is_open = plan.is_open(found.days)[None, :]
    verdict[~is_open & ~seen.came & np.maximum.accumulate(found.came, axis=1)] = Verdict.CLOSED_TODAY
    verdict[seen.came] = Verdict.FINE
    is_owed = owed(plan, found.days, found.came)
    if not plan.each_place:
        is_owed = is_owed & (np.arange(len(is_owed)) == 0)[:, None]
    missing = is_owed & ~seen.came
    verdict[missing] = np.where(np.broadcast_to(due < now, missing.shape), Verdict.NO_FILE, Verdict.WAITED_FOR)[missing]
    verdict[seen.came & is_owed & (seen.arrived > due)] = Verdict.LATE
    counted = _volume(seen, tells_fresh)
    _judge_content(verdict, seen, found, tells_fresh)
    moved, is_told_apart = _judge_volume(verdict, counted, learnt, is_open)
    _whole_or_part(verdict, learnt.plain.expected)
    return Judged(verdict, counted, moved, np.broadcast_to(due, verdict.shape), is_told_apart)


def _usually_fresh(found: Deliveries) -> Flags:
    """Tell of which days it is usual that a file brings events of its own day: of a feed of revisions it is not."""
    share = np.where(found.loaded > 0, found.fresh / np.maximum(found.loaded, 1), np.nan)
    low = quantile(lagged(share[:1], list(range(1, FRESH_DAYS + 1))), 0.1, 7)
    return np.broadcast_to(found.has_events & (low >= USUALLY_FRESH), found.came.shape)


def _volume(found: Deliveries, tells_fresh: Flags) -> Numbers:
    """Return what counts of a delivery: the events of its own day where that is usual, else what was new."""
    new = np.where(tells_fresh, found.fresh, found.loaded)
    new = np.where(np.isnan(new), found.records - found.set_aside, new)
    return np.where(found.came, new + found.set_aside, np.nan)


def _history(found: Deliveries, tells_fresh: Flags, is_open: Flags) -> Numbers:
    """Return the volumes to learn from; a place of which a file says nothing has brought nothing."""
    counted = _volume(found, tells_fresh)
    since = np.maximum.accumulate(found.came, axis=1)
    silent = found.came[:1] & since & ~found.came & is_open
    return np.where(silent, 0.0, counted)


def _judge_content(verdict: npt.NDArray[np.int64], seen: Deliveries, found: Deliveries, tells_fresh: Flags) -> None:
    if not found.has_events:
        return
    only_known = seen.came & (seen.records > 0) & (seen.loaded == 0) & ~(seen.set_aside > 0)
    verdict[only_known] = Verdict.NO_NEW_EVENTS
    only_old = seen.came & (seen.loaded > 0) & (seen.fresh == 0) & ~(seen.set_aside > 0) & tells_fresh
    verdict[only_old] = Verdict.BACKFILL_ONLY


def _judge_volume(
    verdict: npt.NDArray[np.int64], counted: Numbers, learnt: Learnt, is_open: Flags
) -> tuple[Numbers, Flags]:
    """Judge how much came; return what was expected, and where a thin delivery could be told.

    What is expected of a place is moved by what all places have in common that day.
    """
    came = ~np.isnan(counted)
    is_part = (np.arange(len(verdict)) > 0)[:, None]
    absent = is_part & came[:1] & ~came & np.isin(verdict, (Verdict.NOT_OWED,)) & is_open
    brought = np.where(absent, 0.0, counted)
    common = _common(brought, learnt.plain.expected)
    moved = learnt.alike.expected * np.exp(common)
    spread = np.hypot(learnt.alike.spread, COMMON_DOUBT * np.maximum(common, 0.0))
    with np.errstate(invalid="ignore"):
        is_known = (moved > 0) & ~np.isnan(spread) & ~np.isnan(brought)
        is_sure = surprise(brought, moved, spread) > SURE
        could_be = surprise(TOLD_APART_AT * moved, moved, spread) > SURE
        is_steady = surprise(JUDGED_AT * moved, moved, spread) > SURE
        is_low = brought < THIN_SHARE * moved
        never_silent = _never_silent(brought)
    fine = verdict == Verdict.FINE
    thin = fine & is_known & is_low
    verdict[thin & is_sure & is_steady] = Verdict.THIN_FILE
    verdict[thin & ~(is_sure & is_steady) & ~could_be] = Verdict.TOO_SMALL
    gone = absent & is_known
    verdict[gone & is_sure & never_silent] = Verdict.PLACE_MISSING
    verdict[gone & ~(is_sure & never_silent)] = Verdict.TOO_SMALL
    return moved, is_known & could_be


def _never_silent(brought: Numbers) -> Flags:
    """Tell of which days no day of the eight weeks before had nothing at all, outages of a day aside."""
    quiet = np.where(np.isnan(brought), np.nan, np.where(brought == 0, 1.0, 0.0))
    silent: Flags = np.nan_to_num(trailing_mean(quiet), nan=1.0) <= SELDOM_SILENT
    return silent


def trailing_mean(table: Numbers, width: int = 56) -> Numbers:
    """Return the mean of what is known of the days before each day."""
    known = np.cumsum(~np.isnan(table), axis=1)
    total = np.cumsum(np.nan_to_num(table), axis=1)

    def over(summed: npt.NDArray[np.generic]) -> Numbers:
        padded = np.concatenate([np.zeros((len(summed), width + 1)), np.asarray(summed, float)], axis=1)
        days = summed.shape[1]
        before: Numbers = padded[:, width : width + days] - padded[:, :days]
        return before

    count = over(known)
    return np.where(count > 0, over(total) / np.maximum(count, 1), np.nan)


def _whole_or_part(verdict: npt.NDArray[np.int64], expected: Numbers) -> None:
    """Say one thing once: of the feed where nearly all of it is affected, else of the places that are."""
    if len(verdict) == 1:
        return
    weight = np.nan_to_num(expected[1:])
    is_bad = np.isin(verdict[1:], (Verdict.THIN_FILE, Verdict.PLACE_MISSING, Verdict.NO_FILE, Verdict.NO_NEW_EVENTS))
    share = (weight * is_bad).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-9)
    is_whole = verdict[0] >= FIRST_BREACH
    in_parts = is_whole & (verdict[0] == Verdict.THIN_FILE) & is_bad.any(axis=0) & (share < WHOLE_SHARE)
    verdict[0, in_parts] = Verdict.FINE
    parts = verdict[1:]
    parts[(parts >= FIRST_BREACH) & (is_whole & ~in_parts)[None, :]] = Verdict.NOT_OWED
