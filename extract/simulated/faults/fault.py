"""What a fault is, and the inbox that it works on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from extract.simulated.emitters.sheet import RAW, Sheet
from extract.simulated.world import World

FATE = "$fate"
"""Column of records: `quarantined:unknown_unit`, `non_data:repeated_header`; empty for a sound record."""
MARK = "$fault"
"""Column of records: the fault that changed or added the record."""
NONE_NEEDED = "none_needed"


@dataclass(frozen=True)
class Expected:
    """What the warehouse must say about a fault.

    Attributes:
        fault: F1 to F40.
        feed: name of the feed.
        file: path below the inbox.
        records: records concerned; 1 for a file as a whole.
        detection: a reason code, the view or column that shows it, or `none_needed` where it must simply do no harm.
    """

    fault: str
    feed: str
    file: str
    records: int
    detection: str


@dataclass(frozen=True)
class Chance:
    """The chance of one fault: its own generator, so that another fault beside it changes nothing here.

    Attributes:
        rate: share of the files that are hit; at least one is, where there is any.
        rng: source of chance, seeded by the world's seed and the fault's name.
    """

    rate: float
    rng: np.random.Generator

    def some(self, sheets: Sequence[Sheet], where: Callable[[Sheet], bool] | None = None) -> list[Sheet]:
        """Return the sheets that are hit, at least one if there is any for which `where` holds, in their order."""
        number = max(1, round(self.rate * len(sheets)))
        hit: list[int] = []
        for place in self.rng.permutation(len(sheets)).tolist():
            if len(hit) < number and (where is None or where(sheets[place])):
                hit.append(place)
        return [sheets[place] for place in sorted(hit)]

    def rows(self, records: pd.DataFrame, number: int) -> list[int]:
        """Return positions of up to `number` of the records, in their order."""
        return sorted(self.rng.permutation(len(records))[:number].tolist())


@dataclass
class Inbox:
    """The files that will be delivered, by name, and what is expected of them. A fault changes them one by one.

    Attributes:
        world: what truly happened.
        sheets: every file by its path.
        expected: what the faults so far are to be found by.
        fault: name of the fault at work.
    """

    world: World
    sheets: dict[str, Sheet]
    expected: list[Expected] = field(default_factory=list)
    fault: str = ""

    @cached_property
    def corrected(self) -> frozenset[str]:
        """The keys (`till_lines.keys`) of the lines that the tills themselves have corrected or voided."""
        log = self.world.till_log
        later = log.loc[log["version"] > 1]
        places = self.world.catalog.locations["location_code"].tolist()
        days = [(self.world.start + timedelta(days=day)).strftime("%d/%m/%Y") for day in range(self.world.days)]
        rows = zip(*(later[name] for name in ("place", "day", "till", "receipt", "line")), strict=True)
        return frozenset(f"{places[p]}/{days[d]}/{till}/{receipt:06d}/{line}" for p, d, till, receipt, line in rows)

    def of(self, feed: str, *, empty: bool = False) -> list[Sheet]:
        """Return the readable files of a feed, by path; without faults' copies, and as a rule without empty ones."""
        found = (sheet for _, sheet in sorted(self.sheets.items()) if sheet.feed == feed)
        return [s for s in found if not s.aside and not _is_copy(s) and (empty or s.size > 0)]

    def put(self, sheet: Sheet) -> None:
        """Put a file in its place, known as one of this fault."""
        faults = sheet.faults if self.fault in sheet.faults else (*sheet.faults, self.fault)
        self.sheets[sheet.name] = replace(sheet, faults=faults)

    def remove(self, sheet: Sheet) -> None:
        """Take a file out: it never comes."""
        del self.sheets[sheet.name]

    def copy(self, sheet: Sheet, label: str, **changes: object) -> Sheet:
        """Put another file beside a sheet, its name with a label, and return it; `changes` are of Sheet's fields."""
        name = with_label(sheet.name, f"{self.fault.lower()}{label}")
        made: Sheet = replace(sheet, name=name, faults=(self.fault,), **changes)  # type: ignore[arg-type]
        self.sheets[name] = made
        return made

    def damage(self, sheet: Sheet, label: str, reason: str, finish: Callable[[bytes], bytes]) -> None:
        """Send a sheet's file damaged as a whole; the good one comes in the delivery after it."""
        self.copy(sheet, label, source=sound(sheet), finish=(*sheet.finish, finish), aside=reason)
        self.sheets[sheet.name] = replace(self.sheets[sheet.name], delivery=2)
        self.tell(sheet.feed, with_label(sheet.name, f"{self.fault.lower()}{label}"), 1, reason)

    def tell(self, feed: str, file: str, records: int, detection: str) -> None:
        """Write into the answer key how the fault is to be found."""
        if records:
            self.expected.append(Expected(self.fault, feed, file, records, detection))

    def mark(self, records: pd.DataFrame, fate: str = "") -> pd.DataFrame:
        """Return records as those of this fault, with a fate of their own."""
        return records.assign(**{MARK: self.fault, FATE: fate})

    def add(self, sheet: Sheet, added: pd.DataFrame, fate: str = "", *, detection: str = NONE_NEEDED) -> None:
        """Append records to a file; `fate` is theirs, and the reason in it how they are found."""
        whole = pd.concat([sheet.records, self.mark(added, fate)], ignore_index=True)
        self.put(self.sheets[sheet.name].with_records(whole))
        self.tell(sheet.feed, sheet.name, len(added), fate.partition(":")[2] or detection)


@dataclass(frozen=True)
class Fault:
    """One way in which feeds go wrong.

    Attributes:
        name: F1 to F40, as in the design of the faults.
        sentence: what happens.
        inject: puts it into an inbox.
        rate: share of files hit when nothing else is asked for.
        phase: faults change files as they are (1), then send copies of them (2); a missing file is missing first (0).
        keeps_truth: whether all that is true can still be known when everything has been delivered.
    """

    name: str
    sentence: str
    inject: Callable[[Inbox, Chance], None]
    rate: float = 0.03
    phase: int = 1
    keeps_truth: bool = True


def with_label(name: str, label: str) -> str:
    """Return a path with a label before its ending: `pos_ST01_20250301.csv` becomes `pos_ST01_20250301_f3.csv`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}_{label}{dot}{ending}"


def _is_copy(sheet: Sheet) -> bool:
    return bool(sheet.faults) and f"_{sheet.faults[0].lower()}" in sheet.name


def has_usual_layout(sheet: Sheet) -> bool:
    """Tell whether a line that is written by hand fits the file: its columns are where they always were."""
    return not {"F17", "F18"} & set(sheet.faults)


def has_raw_lines(sheet: Sheet) -> bool:
    """Tell whether some line of the file is written by hand."""
    return RAW in sheet.records


def written_columns(records: pd.DataFrame) -> list[str]:
    """Return the columns that stand in the file, in their order."""
    return [str(name) for name in records if not str(name).startswith("$")]


def cells_of(line: pd.DataFrame) -> list[str]:
    """Return the first record as the texts that stand in the file."""
    return [str(line[name].iloc[0]) for name in written_columns(line)]


def sound(sheet: Sheet) -> pd.DataFrame:
    """Return the records of a sheet that no fault has touched."""
    records = sheet.records
    if MARK not in records:
        return records.reset_index(drop=True)
    kept = records.loc[records[MARK].fillna("") == ""].reset_index(drop=True)
    return kept.drop(columns=[name for name in (RAW, FATE, MARK) if name in kept])


def untouched(sheet: Sheet, only: Callable[[pd.DataFrame], "pd.Series[bool]"] | None = None) -> list[int]:
    """Return the positions of the records that no fault has touched, and for which `only` holds."""
    records = sheet.records
    free = records[MARK].fillna("") == "" if MARK in records else pd.Series(True, index=records.index)
    if only is not None:
        free &= only(records)
    return [int(place) for place in np.flatnonzero(free.to_numpy(dtype=bool))]


def changed(
    inbox: Inbox, sheet: Sheet, rows: list[int], change: Callable[[pd.DataFrame], pd.DataFrame], detection: str
) -> None:
    """Change some records of a file where they stand."""
    if not rows:
        return
    records = sheet.records.reset_index(drop=True)
    for name in (MARK, FATE):
        if name not in records:
            records[name] = ""
    before = records.iloc[rows]
    part = change(before.copy()).assign(**{MARK: inbox.fault})
    for name in part.columns:
        if part[name].tolist() == before[name].tolist():
            continue
        values = records[name].astype(object)
        values.iloc[rows] = part[name].tolist()
        records[name] = values
    inbox.put(sheet.with_records(records))
    inbox.tell(sheet.feed, sheet.name, len(rows), detection)


def has_untouched(sheet: Sheet) -> bool:
    """Tell whether the file has a record that no fault has touched: one to make another of."""
    return bool(untouched(sheet))
