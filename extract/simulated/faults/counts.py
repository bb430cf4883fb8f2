"""Counts: racing with sales, told again when they are stale, and of a part only."""

import pandas as pd

from extract.simulated.emitters import pos, store
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults.fault import Chance, Fault, Inbox, sound, untouched


def _cycle_counts(inbox: Inbox) -> list[Sheet]:
    return [sheet for sheet in inbox.of(store.COUNTS) if sheet.size > 1 and (sheet.records["kind"] == "CYCLE").any()]


def racing(inbox: Inbox, chance: Chance) -> None:
    """Sales from before a count come with the file of the next day, long after the count."""
    for sheet in chance.some(_cycle_counts(inbox), lambda sheet: bool(_sold_before(inbox, sheet))):
        follower = _tills(inbox, sheet, after=True)[0]
        for tills, early in _sold_before(inbox, sheet):
            records = tills.records.reset_index(drop=True)
            inbox.put(tills.with_records(records.drop(index=early).reset_index(drop=True)))
            late = inbox.sheets[follower.name]
            moved = pd.concat([late.records, inbox.mark(records.iloc[early])], ignore_index=True)
            inbox.put(late.with_records(moved))
            inbox.tell(pos.FEED, follower.name, len(early), "late")


def _tills(inbox: Inbox, sheet: Sheet, *, after: bool) -> list[Sheet]:
    """Return the tills' files of a count's store, of days after the count or up to it."""
    code, day = sheet.name.split("/")[1], sheet.name[-12:-4]
    counted = f"pos/{code}/pos_{code}_{day}.csv"
    here = [tills for tills in inbox.of(pos.FEED) if tills.name.startswith(f"pos/{code}/")]
    return [tills for tills in here if (tills.name > counted) == after]


def _sold_before(inbox: Inbox, sheet: Sheet) -> list[tuple[Sheet, list[int]]]:
    """Return files of the count's day and the day before, with the positions of sales of what was counted then."""
    counted = sound(sheet)
    if counted.empty or not _tills(inbox, sheet, after=True):
        return []
    found = []
    for tills in _tills(inbox, sheet, after=False)[-2:]:
        early = untouched(
            tills,
            lambda lines: lines["$product"].isin(counted["$product"]) & (lines["$at"] < counted["$at"].min()),
        )
        if early and len(early) < tills.size:
            found.append((tills, early))
    return found


def partial_counts(inbox: Inbox, chance: Chance) -> None:
    """Half of a count's lines never come, and an old count is sent again."""
    for sheet in chance.some(_cycle_counts(inbox) or inbox.of(store.COUNTS)):
        records = sheet.records.reset_index(drop=True)
        inbox.put(sheet.with_records(records.iloc[: len(records) // 2]))
        inbox.tell(sheet.feed, sheet.name, len(records) - len(records) // 2, "not_counted")
    for sheet in chance.some([sheet for sheet in inbox.of(store.COUNTS) if len(sound(sheet))]):
        stale = inbox.copy(sheet, "stale", source=sound(sheet), delivery=2)
        inbox.tell(sheet.feed, stale.name, stale.size, "same_records")


FAULTS = (
    Fault("F32", "Sales of before a count come after it.", racing),
    Fault("F33", "A count of a part, and an old count once more.", partial_counts, keeps_truth=False),
)
