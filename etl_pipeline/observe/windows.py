"""Which deliveries were owed, and when: from the contract's schedule and calendar, or learnt from what came before."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from etl_pipeline.contracts.schedule import Schedule

Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]
Instants = npt.NDArray[np.datetime64]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKS_TO_LEARN = 8
"""Same weekdays looked back at where no schedule says when files are due."""
FEWEST_WEEKS = 6
MISSED_AT_MOST = 1
LEARNT_GRACE_HOURS = 24.0
NEAR_DAYS = 3
GIVEN_UP_AFTER = 56
"""Days without anything after which a place is taken for closed down."""


@dataclass(frozen=True)
class Plan:
    """When a feed's files are due.

    Attributes:
        every_hours: between files; None where no schedule says so and it is learnt.
        grace_hours: patience after the end of the period that a file covers.
        each_place: whether every folder owes files of its own.
        open_days: weekdays (0 is Monday) for which files are owed.
        closed: days for which none is.
        ended: last day for which one is.
    """

    every_hours: float | None = None
    grace_hours: float = LEARNT_GRACE_HOURS
    each_place: bool = False
    open_days: frozenset[int] = frozenset(range(7))
    closed: frozenset[date] = frozenset()
    ended: date | None = None

    @property
    def step_days(self) -> int:
        """Days between files; a feed of several files a day owes something every day."""
        return max(1, round((self.every_hours or 24) / 24))

    def is_open(self, days: Days) -> Flags:
        """Tell on which days the source is open; weekdays mean nothing where a file covers several."""
        open_days = np.isin(weekdays(days), sorted(self.open_days)) | (self.step_days > 1)
        closed = np.isin(days, np.array(sorted(self.closed), "datetime64[D]"))
        ended = days > np.datetime64(self.ended, "D") if self.ended else np.zeros(len(days), bool)
        is_open: Flags = open_days & ~closed & ~ended
        return is_open

    def near_closed(self, days: Days) -> Flags:
        """Tell which days are so near to a closed date of the calendar that they are like no other."""
        near = [np.datetime64(day, "D") + shift for day in self.closed for shift in range(-NEAR_DAYS, NEAR_DAYS + 1)]
        found: Flags = np.isin(days, np.array(near, "datetime64[D]"))
        return found

    def due(self, days: Days) -> Instants:
        """Return the local instants at which the files of days are due, patience and all."""
        minutes = self.step_days * 1440 + round(self.grace_hours * 60)
        due: Instants = np.add(days.astype("datetime64[m]"), np.timedelta64(minutes, "m"))
        return due


def plan_of(schedule: Schedule) -> Plan:
    """Return what a contract says of its deliveries."""
    return Plan(
        schedule.every_hours,
        schedule.grace_hours if schedule.every_hours else LEARNT_GRACE_HOURS,
        schedule.each == "folder",
        frozenset(WEEKDAYS.index(day) for day in schedule.open_days),
        frozenset(schedule.closed),
        schedule.ended,
    )


def weekdays(days: Days) -> npt.NDArray[np.int64]:
    """Return 0 for Monday to 6 for Sunday."""
    number: npt.NDArray[np.int64] = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return number


def owed(plan: Plan, days: Days, came: Flags) -> Flags:
    """Tell which deliveries are owed, of each row (a place, or the feed), for each day.

    Args:
        plan: the feed's.
        days: consecutive; of a feed with a step of several days, the first days of its windows.
        came: rows by days; whether anything was delivered for the day. Row 0 is the feed as a whole.
    """
    since: Flags = np.maximum.accumulate(came, axis=1)
    is_open = plan.is_open(days)[None, :]
    if plan.every_hours is None:
        return _learnt(came) & is_open & _is_alive(came, plan.step_days)
    is_place = (np.arange(len(came)) > 0)[:, None]  # a feed that its contract expects is never given up
    return since & is_open & (_is_alive(came, plan.step_days) | ~is_place)


def _is_alive(came: Flags, step: int) -> Flags:
    """Tell which rows delivered in the last weeks before each day; one that did not is taken for closed down."""
    position = np.where(came, np.arange(came.shape[1])[None, :], -(10**6))
    latest = np.maximum.accumulate(position, axis=1)
    alive: Flags = np.arange(came.shape[1])[None, :] - latest <= max(4, GIVEN_UP_AFTER // step)
    return alive


def _learnt(came: Flags) -> Flags:
    """Tell on which days something is expected: it came on nearly all of the same weekdays before."""
    rows, days = came.shape
    since = np.maximum.accumulate(came, axis=1)
    seen = np.zeros((rows, days), int)
    there = np.zeros((rows, days), int)
    for week in range(1, WEEKS_TO_LEARN + 1):
        back = 7 * week
        if back >= days:
            break
        seen[:, back:] += since[:, :-back]
        there[:, back:] += came[:, :-back]
    expected: Flags = (seen >= FEWEST_WEEKS) & (seen - there <= MISSED_AT_MOST)
    return expected


def windowed(plan: Plan, day_of_file: Days, first: np.datetime64) -> Days:
    """Return the first day of the window that each file stands for; a file that is a day off stands for the nearest."""
    step = plan.step_days
    number = np.round((day_of_file - first).astype(np.int64) / step).astype(np.int64)
    window: Days = first + (number * step).astype("timedelta64[D]")
    return window
