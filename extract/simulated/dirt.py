"""The ordinary dirt of a month: little, harmless, and counted. None of it changes what is true.

Each fault takes the sheets and gives new ones, with a line for the answer key. The larger faults to come have the
same form.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from extract.simulated.emitters import pos, store, wms
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.tills import TRAINING_TILL
from extract.simulated.world import World

_CUT_DAY = 6
UNKNOWN_PRODUCT, UNKNOWN_UNIT = "Z-9999", "PAL"


@dataclass(frozen=True)
class Expected:
    """What the pipeline must say about some records.

    Attributes:
        feed: name of the feed.
        file: path below the inbox; empty for several files.
        fate: quarantined, duplicate or non_data.
        reason: code of the reason; `same_file` and `same_records` for duplicates, the contract's name for non-data.
        records: number of records.
    """

    feed: str
    file: str
    fate: str
    reason: str
    records: int


Dirtied = tuple[list[Sheet], list[Expected]]
Fault = Callable[[list[Sheet], World], Dirtied]


def usual_dirt(sheets: list[Sheet], world: World) -> Dirtied:
    """Put the month's usual dirt into its sheets.

    Returns:
        The sheets, some changed and some added, and what is expected to be set aside or left out because of it.
    """
    expected: list[Expected] = []
    for fault in FAULTS:
        sheets, more = fault(sheets, world)
        expected += more
    return sheets, expected + _excluded(sheets)


def unknown_product(sheets: list[Sheet], world: World) -> Dirtied:
    """A till sells an article that the product master does not have."""
    place, sheet = _pick(sheets, pos.FEED, 3)
    one = sheet.records.tail(1).assign(TICKET="900001", LINEA=1, VERSION=1, ANULADO="N", TIPO="V", CAJA=1)
    if one.empty:
        return sheets, []
    added = pd.concat([sheet.records, one.assign(ARTICULO=UNKNOWN_PRODUCT)], ignore_index=True)
    changed = _put(sheets, place, sheet.with_records(added))
    return changed, [Expected(sheet.feed, sheet.name, "quarantined", "unknown_product", 1)]


def unknown_unit(sheets: list[Sheet], world: World) -> Dirtied:
    """The warehouse adjusts by a pallet, and nobody has said how much that is."""
    place, sheet = _pick(sheets, wms.FEED, 4)
    message = sheet.records.head(1).assign(
        message_id=f"{sheet.records['message_id'].iloc[0][:-5]}99999", type="ADJ", qty=-1, uom=UNKNOWN_UNIT,
        item=world.catalog.products["product_code"].iloc[0], note="DAMAGED",
    )  # fmt: skip
    changed = _put(sheets, place, sheet.with_records(pd.concat([sheet.records, message], ignore_index=True)))
    return changed, [Expected(sheet.feed, sheet.name, "quarantined", "unknown_unit", 1)]


def ragged_row(sheets: list[Sheet], world: World) -> Dirtied:
    """A clerk types a comma into a reason, and the store's system does not quote it: one field too many."""
    place, sheet = _pick(sheets, store.MOVEMENTS, 5)
    code, day = sheet.name.split("/")[1], sheet.name[-12:-4]
    gtin = world.catalog.products["gtin"].iloc[0]
    row = f"{code},DAMAGE,DN-{code}-{day},999,{day[:4]}-{day[4:6]}-{day[6:]} 08:45,{gtin},-1,,WET, BROKEN\n"
    clean = sheet.render
    changed = _put(sheets, place, replace(sheet, render=lambda records: clean(records) + row.encode()))
    return changed, [Expected(sheet.feed, sheet.name, "quarantined", "field_count", 1)]


def same_file_again(sheets: list[Sheet], world: World) -> Dirtied:
    """A store sends a day twice: the same bytes under another name."""
    _, sheet = _pick(sheets, pos.FEED, world.days + 5)
    again = replace(sheet, name=sheet.name.replace(".csv", "_resend.csv"))
    return [*sheets, again], [Expected(again.feed, again.name, "duplicate", "same_file", len(again.records))]


def overlapping_cut(sheets: list[Sheet], world: World) -> Dirtied:
    """A store cuts its export anew: the afternoon of one day and the morning of the next, all sent before."""
    last = min(_CUT_DAY, world.days - 1) + (len(world.catalog.stores) // 2) * world.days
    if world.days == 1:
        return sheets, []
    _, second = _pick(sheets, pos.FEED, last)
    _, first = _pick(sheets, pos.FEED, last - 1)
    half = len(first.records) // 2
    records = pd.concat([first.records.iloc[half:], second.records.iloc[: len(second.records) // 2]])
    cut = replace(second, name=second.name.replace(".csv", "_recut.csv"), records=records)
    known = int((records["CAJA"] != TRAINING_TILL).sum())
    return [*sheets, cut], [Expected(cut.feed, cut.name, "duplicate", "same_records", known)]


FAULTS: tuple[Fault, ...] = (unknown_product, unknown_unit, ragged_row, same_file_again, overlapping_cut)


def _excluded(sheets: list[Sheet]) -> list[Expected]:
    """Count the records that the contracts leave out by rule; a file sent twice is not read twice."""
    once = [sheet for sheet in sheets if not sheet.name.endswith("_resend.csv")]
    training = sum(int((s.records["CAJA"] == TRAINING_TILL).sum()) for s in once if s.feed == pos.FEED)
    beats = sum(int((s.records["type"] == wms.HEARTBEAT).sum()) for s in once if s.feed == wms.FEED)
    return [
        Expected(pos.FEED, "", "non_data", "training_till", training),
        Expected(wms.FEED, "", "non_data", "heartbeat", beats),
    ]


def _pick(sheets: list[Sheet], feed: str, number: int) -> tuple[int, Sheet]:
    """Return the place and the sheet with this number among those of a feed (round and round)."""
    places = [place for place, sheet in enumerate(sheets) if sheet.feed == feed]
    place = places[number % len(places)]
    return place, sheets[place]


def _put(sheets: list[Sheet], place: int, sheet: Sheet) -> list[Sheet]:
    return [*sheets[:place], sheet, *sheets[place + 1 :]]
