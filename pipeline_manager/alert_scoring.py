"""How well alerts about deliveries tell: simulated years, judged day by day by the code that judges live ones."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from etl_pipeline.observe.judging import FIRST_BREACH, Deliveries, Judged, Verdict, judge, learn
from etl_pipeline.observe.windows import Plan
from extract.simulated.delivery_years import FAULTS, Fault, FeedYears, deliveries

TOLD_AS: dict[str, Verdict] = {
    "missing_file": Verdict.NO_FILE,
    "late_file": Verdict.LATE,
    "thin_file": Verdict.THIN_FILE,
    "place_missing": Verdict.PLACE_MISSING,
    "no_new_events": Verdict.NO_NEW_EVENTS,
    "backfill_only": Verdict.BACKFILL_ONLY,
}
FRESHNESS = ("missing_file", "late_file", "no_new_events", "backfill_only")
VOLUME = ("thin_file", "place_missing")
A_DAY = np.timedelta64(24, "h")


@dataclass
class Score:
    """What was told of how much that went wrong.

    Attributes:
        faults: by kind, those that could be told.
        told: by kind, those that were, as what they are.
        too_small: by kind, in series that are too small or too new for their volume to be judged.
        alerts: by kind of alert.
        false: by kind of alert, without anything wrong.
        clean_alerts: alerts of clean years, as (seed, feed, row, day, kind).
        judged: deliveries looked at.
    """

    faults: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    too_small: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    clean_alerts: list[tuple[int, str, int, str, str]] = field(default_factory=list)
    judged: int = 0

    def recall(self, kinds: Iterable[str]) -> float:
        """Return the share of faults of some kinds that were told."""
        kinds = list(kinds)
        return sum(self.told[k] for k in kinds) / max(1, sum(self.faults[k] for k in kinds))

    def precision(self, kinds: Iterable[str]) -> float:
        """Return the share of alerts of some kinds that were about something."""
        names = [TOLD_AS[k].name for k in kinds]
        alerts = sum(self.alerts[n] for n in names)
        return 1 - sum(self.false[n] for n in names) / max(1, alerts)


def score(seed: int, years: int, clean: int, told: Callable[[], None]) -> Score:
    """Judge so many years with faults and so many without.

    Args:
        seed: of the first year; each further one has the next. The clean ones come after those with faults.
        years: with faults.
        clean: without.
        told: called when a year is judged.
    """
    found = Score()
    for number in range(seed, seed + years):
        for one in deliveries(number, with_faults=True):
            _count(found, one)
        told()
    for number in range(seed + years, seed + years + clean):
        for one in deliveries(number, with_faults=False):
            _count_clean(found, number, one)
        told()
    return found


def _looks(years: FeedYears) -> tuple[Judged, Judged]:
    """Judge each day when its file is due, and a day later."""
    kind = years.kind
    plan = Plan(kind.every_hours, kind.grace_hours, kind.each_place, frozenset(kind.open_days), years.closed)
    ended = plan.due(years.days) - np.timedelta64(round(kind.grace_hours * 60), "m")
    delay = np.where(np.isnan(years.delay_hours), 0, years.delay_hours * 60).astype("timedelta64[m]")
    arrived = np.where(np.isnan(years.delay_hours), np.datetime64("NaT"), ended[None, :] + delay)
    found = Deliveries(years.days, arrived, years.records, years.loaded, years.fresh, np.zeros_like(years.records))
    learnt, due = learn(found, plan), plan.due(years.days)[None, :]
    return judge(found, plan, due + np.timedelta64(1, "m"), learnt), judge(found, plan, due + A_DAY, learnt)


def _alerts(judged: Judged, judged_from: int) -> list[tuple[int, int, Verdict]]:
    rows, columns = np.nonzero(judged.verdict[:, judged_from:] >= FIRST_BREACH)
    return [
        (int(row), int(column) + judged_from, Verdict(judged.verdict[row, column + judged_from]))
        for row, column in zip(rows, columns, strict=True)
    ]


def _count(found: Score, years: FeedYears) -> None:
    at_due, later = _looks(years)
    told = set(_alerts(at_due, years.judged_from)) | {
        alert for alert in _alerts(later, years.judged_from) if alert[2] == Verdict.LATE
    }
    found.judged += int(np.sum(at_due.verdict[:, years.judged_from :] != Verdict.NOT_OWED))
    for fault in years.faults:
        wanted = (fault.row, fault.column, TOLD_AS[fault.kind])
        if fault.kind in VOLUME and wanted not in told and not _could_be_told(at_due, fault):
            found.too_small[fault.kind] += 1
            continue
        found.faults[fault.kind] += 1
        found.told[fault.kind] += wanted in told
    wrong = {(fault.row, fault.column) for fault in years.faults}
    columns = {column for _, column in wrong}
    whole = {column for row, column in wrong if row == 0}
    for row, column, verdict in told:
        found.alerts[verdict.name] += 1
        is_about = (row, column) in wrong or column in whole or (row == 0 and column in columns)
        found.false[verdict.name] += not is_about


def _could_be_told(judged: Judged, fault: Fault) -> bool:
    if fault.kind == "place_missing":
        return judged.verdict[fault.row, fault.column] != Verdict.TOO_SMALL and not np.isnan(
            judged.expected[fault.row, fault.column]
        )
    return bool(judged.is_told_apart[fault.row, fault.column])


def _count_clean(found: Score, seed: int, years: FeedYears) -> None:
    at_due, later = _looks(years)
    found.judged += int(np.sum(at_due.verdict[:, years.judged_from :] != Verdict.NOT_OWED))
    for row, column, verdict in sorted(
        set(_alerts(at_due, years.judged_from)) | set(_alerts(later, years.judged_from))
    ):
        found.clean_alerts.append((seed, years.kind.name, row, str(years.days[column]), verdict.name))


def table(found: Score) -> list[tuple[str, int, int, float, float, int]]:
    """Return a row for each kind of fault and each family: faults, told, recall, precision, too small to judge."""
    families: dict[str, tuple[str, ...]] = {
        **{kind: (kind,) for kind in FAULTS},
        "freshness": FRESHNESS,
        "volume": VOLUME,
    }
    return [
        (
            name, sum(found.faults[k] for k in kinds), sum(found.told[k] for k in kinds), found.recall(kinds),
            found.precision(kinds), sum(found.too_small[k] for k in kinds),
        )
        for name, kinds in families.items()
    ]  # fmt: skip
