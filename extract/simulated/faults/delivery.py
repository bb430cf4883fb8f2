"""How files come: late, not at all, twice, in other pieces, in another order, too many or too few."""

from dataclasses import replace

import numpy as np
import pandas as pd

from extract.simulated.emitters import pos, store, wms
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults.fault import NONE_NEEDED, Chance, Fault, Inbox, sound
from extract.simulated.faults.till_lines import sold_on

_TENFOLD = 10


def _next_file(inbox: Inbox, sheet: Sheet) -> Sheet | None:
    """Return the same store's next file of the same feed."""
    folder = sheet.name.rpartition("/")[0]
    later = [other for other in inbox.of(sheet.feed) if other.name > sheet.name and other.name.startswith(f"{folder}/")]
    return later[0] if later else None


def late(inbox: Inbox, chance: Chance) -> None:
    """A till is offline: its last lines come in the next day's file; another day's file comes in a later delivery."""
    for sheet in sold_on(inbox, chance, 3):
        follower = _next_file(inbox, sheet)
        if follower is None:
            continue
        records = sheet.records.reset_index(drop=True)
        cut = len(records) * 2 // 3
        inbox.put(sheet.with_records(records.iloc[:cut]))
        inbox.put(follower.with_records(pd.concat([records.iloc[cut:], follower.records], ignore_index=True)))
        inbox.tell(sheet.feed, follower.name, len(records) - cut, "late")
    for sheet in chance.some(inbox.of(wms.FEED))[:2]:
        _later(inbox, inbox.sheets[sheet.name])
        inbox.tell(sheet.feed, sheet.name, sheet.size, "late")


def missing(inbox: Inbox, chance: Chance) -> None:
    """A store's file of a day never comes."""
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: _next_file(inbox, sheet) is not None):
        inbox.remove(sheet)
        inbox.tell(sheet.feed, sheet.name, sheet.size, "feed_gap")


def same_file_again(inbox: Inbox, chance: Chance) -> None:
    """The same bytes come again under another name."""
    for feed in (pos.FEED, wms.FEED):
        for sheet in chance.some(inbox.of(feed)):
            again = inbox.copy(sheet, "")
            inbox.tell(feed, again.name, sheet.size, "same_file")


def overlapping_cut(inbox: Inbox, chance: Chance) -> None:
    """An export is cut anew: the second half of one day and the first half of the next, all sent before."""
    for sheet in chance.some(inbox.of(pos.FEED)):
        follower = _next_file(inbox, sheet)
        if follower is None:
            continue
        first, second = sound(sheet), sound(follower)
        records = pd.concat([first.iloc[len(first) // 2 :], second.iloc[: len(second) // 2]], ignore_index=True)
        cut = inbox.copy(follower, "", source=records, extra=(), finish=())
        inbox.tell(cut.feed, cut.name, len(records), "same_records")


def out_of_order(inbox: Inbox, chance: Chance) -> None:
    """Lines stand in any order in their file, and files come in any order."""
    for feed in (pos.FEED, wms.FEED, store.COUNTS):
        for sheet in chance.some(inbox.of(feed)):
            order = chance.rng.permutation(sheet.size)
            inbox.put(sheet.with_records(sheet.records.iloc[order].reset_index(drop=True)))
            inbox.tell(feed, sheet.name, sheet.size, NONE_NEEDED)
            if chance.rng.random() < 1 / 2:
                _later(inbox, inbox.sheets[sheet.name])


def unusual_volume(inbox: Inbox, chance: Chance) -> None:
    """An export has a tenth of its lines at first, another one each line ten times."""
    for sheet in sold_on(inbox, chance, 2):
        records = sound(sheet)
        few = inbox.copy(sheet, "few", source=records.head(-(-len(records) // _TENFOLD)), extra=(), finish=())
        many = inbox.copy(
            sheet, "many", source=records.iloc[np.repeat(np.arange(len(records)), _TENFOLD)].reset_index(drop=True),
            extra=(), finish=(),
        )  # fmt: skip
        for made in (few, many):
            inbox.tell(made.feed, made.name, made.size, "unusual_volume")


def _later(inbox: Inbox, sheet: Sheet) -> None:
    inbox.put(replace(sheet, delivery=2))


FAULTS = (
    Fault("F1", "A file, or lines of it, come late.", late),
    Fault("F2", "A file never comes.", missing, phase=0, keeps_truth=False),
    Fault("F3", "The same file comes again under another name.", same_file_again, phase=2),
    Fault("F4", "The same lines come in a file that is cut another way.", overlapping_cut, phase=2),
    Fault("F6", "Lines and files come in any order.", out_of_order),
    Fault("F40", "A file has a tenth or ten times of its usual lines.", unusual_volume, phase=2),
)
