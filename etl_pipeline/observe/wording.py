"""Verdicts as sentences: what is wrong, with figures, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl_pipeline.observe.judging import FIRST_BREACH, Deliveries, Judged, Verdict
from etl_pipeline.observe.usual import Numbers
from etl_pipeline.observe.values import Breach, Severity
from etl_pipeline.observe.windows import Days

Columns = npt.NDArray[np.int64]

MISSING_DAYS = 35
"""Windows back for which a file that never came is still told of."""
OTHER_DAYS = 7
"""Windows back for which anything else is."""
SMALL_DAYS = 2
LATE_HOURS = 24
MOST_NAMED = 3

_SENTENCES = {
    Verdict.NO_FILE: "{what}: no file for {days}; it was due by {due}.",
    Verdict.LATE: "{what}: the file for {days} came late; it was due by {due}.",
    Verdict.NO_NEW_EVENTS: "{what}: the file for {days} has {records:,} records, and all of them were known already.",
    Verdict.BACKFILL_ONLY: "{what}: the file for {days} has {loaded:,} new records, all about earlier days.",
    Verdict.THIN_FILE: "{what}: {volume:,} records for {days}, where about {expected:,} are usual.",
    Verdict.PLACE_MISSING: "{what}: nothing for {days}, where about {expected:,} records are usual; the others "
    "are there.",
    Verdict.TOO_SMALL: "{what}: {volume:,} records for {days}, where about {expected:,} are usual: too few, or too "
    "different from day to day, to say that it is wrong.",
}
_ADVICE = {
    Verdict.NO_FILE: "Ask the sender for the file. If the source was closed, say so in the contract: "
    "`schedule.closed`, `open_days` or `ended`.",
    Verdict.LATE: "If it is usual, raise `schedule.grace_hours` in the contract.",
    Verdict.NO_NEW_EVENTS: "The sender repeats an old file: ask for the right one.",
    Verdict.BACKFILL_ONLY: "The day itself is missing: ask the sender for it.",
    Verdict.THIN_FILE: "Ask the sender whether the file is whole, and send it again; what is known already is skipped.",
    Verdict.PLACE_MISSING: "Ask the sender for that place; its stock is as old as its last delivery.",
    Verdict.TOO_SMALL: "Nothing is asked of you.",
}
_FAILURES = frozenset({Verdict.NO_FILE, Verdict.NO_NEW_EVENTS})
_SMALL = "volume_small"


@dataclass(frozen=True)
class Told:
    """What is said of one feed.

    Attributes:
        breaches: what a person should act on.
        small: what cannot be judged at its size: no alert, counted apart.
        closed_today: whether the source is closed on the day of the look.
    """

    breaches: list[Breach]
    small: list[Breach]
    closed_today: bool


def told(feed: str, places: Sequence[str], found: Deliveries, judged: Judged, now: np.datetime64) -> Told:
    """Return what there is to say of a feed at an instant: one breach a place and kind, of however many days."""
    breaches: list[Breach] = []
    small: list[Breach] = []
    for row, place in enumerate(places):
        series = _Series(feed, place, row, found, judged)
        for verdict in (*(v for v in Verdict if v >= FIRST_BREACH), Verdict.TOO_SMALL):
            columns = series.columns(verdict, now)
            if len(columns):
                (small if verdict == Verdict.TOO_SMALL else breaches).append(series.breach(verdict, columns))
    closed = bool(judged.verdict.shape[1]) and judged.verdict[0, -1] == Verdict.CLOSED_TODAY
    return Told(sorted(breaches), sorted(small), bool(closed))


@dataclass(frozen=True)
class _Series:
    """A feed or a place in it: a row of what was judged."""

    feed: str
    place: str
    row: int
    found: Deliveries
    judged: Judged

    def columns(self, verdict: Verdict, now: np.datetime64) -> Columns:
        """Return the days that a verdict is still told of."""
        back = {Verdict.NO_FILE: MISSING_DAYS, Verdict.TOO_SMALL: SMALL_DAYS}.get(verdict, OTHER_DAYS)
        columns: Columns = np.flatnonzero(self.judged.verdict[self.row] == verdict)
        columns = columns[columns >= self.judged.verdict.shape[1] - back]
        if self.row and verdict == Verdict.NO_FILE and self.judged.verdict[self.row, -1] == Verdict.NOT_OWED:
            return columns[:0]  # a place that was given up owes nothing of before either
        if verdict == Verdict.LATE:
            columns = columns[self.found.arrived[self.row, columns] >= now - np.timedelta64(LATE_HOURS, "h")]
        return columns

    def breach(self, verdict: Verdict, columns: Columns) -> Breach:
        """Return what is said of some days."""
        due = self.judged.due[self.row, columns[0]].astype("datetime64[m]")
        last = columns[-1]
        sentence = _SENTENCES[verdict].format(
            what=f"{self.feed} of {self.place}" if self.place else self.feed,
            days=_days(self.found.days[columns]), due=str(due).replace("T", " "),
            records=self._number(self.found.records, last), loaded=self._number(self.found.loaded, last),
            volume=self._number(self.judged.volume, last), expected=self._number(self.judged.expected, last),
        )  # fmt: skip
        severity: Severity = "failure" if verdict in _FAILURES else "warning"
        kind = _SMALL if verdict == Verdict.TOO_SMALL else verdict.name.lower()
        subject = f"{self.feed}/{self.place}" if self.place else self.feed
        return Breach(kind, subject, sentence, _ADVICE[verdict], severity, self.place, len(columns))

    def _number(self, table: Numbers, column: int) -> int:
        return round(float(np.nan_to_num(table[self.row, column])))


def _days(days: Days) -> str:
    named = [str(day) for day in days[-MOST_NAMED:]]
    more = len(days) - len(named)
    return ", ".join(named) + (f" and {more} days before" if more else "")
