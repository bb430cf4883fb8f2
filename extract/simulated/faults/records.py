"""Records: doubled, corrected, contradicting, ragged, of unknown kind or impossible size, void, told twice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from extract.simulated.emitters import erp, pos, shop, store, wms
from extract.simulated.emitters.sheet import RAW, Sheet
from extract.simulated.faults.fault import (
    NONE_NEEDED,
    Chance,
    Fault,
    Inbox,
    cells_of,
    changed,
    has_untouched,
    sound,
    untouched,
)
from extract.simulated.faults.till_lines import made_up, single_versions, sold_on

_HUGE = 999_999


def doubled_line(inbox: Inbox, chance: Chance) -> None:
    """A line stands twice in its file."""
    for feed, key in ((pos.FEED, "LINEA"), (wms.FEED, "message_id"), (store.MOVEMENTS, "line")):
        for sheet in chance.some(inbox.of(feed), has_untouched):
            free = untouched(sheet)
            rows = [free[place] for place in chance.rows(sheet.records.iloc[free], 2)]
            changed(inbox, sheet, rows, lambda part, key=key: part.assign(**{key: part[key]}), "same_records")  # type: ignore[misc]
            grown = inbox.sheets[sheet.name]
            twice = sorted([*range(grown.size), *rows])
            inbox.put(grown.with_records(grown.records.iloc[twice].reset_index(drop=True)))


def corrected_before(inbox: Inbox, chance: Chance) -> None:
    """A line was keyed with one piece too many; its correction comes in an earlier delivery than itself."""
    for sheet in sold_on(inbox, chance):
        rows = single_versions(inbox, sheet)[:1]
        if not rows:
            continue
        right = inbox.mark(sheet.records.iloc[rows].assign(VERSION=2))
        note = inbox.copy(sheet, "correction", source=right, finish=(), extra=())
        changed(inbox, sheet, rows, _one_too_many, "superseded")
        inbox.put(replace(inbox.sheets[sheet.name], delivery=2))
        inbox.tell(sheet.feed, note.name, 1, NONE_NEEDED)


def _one_too_many(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(**{"CANTIDAD": part["CANTIDAD"] + 1, "$each": part["$each"] - 1})


def contradiction(inbox: Inbox, chance: Chance) -> None:
    """The same line and version stands twice in a file, with two amounts."""
    for sheet in sold_on(inbox, chance):
        rows = single_versions(inbox, sheet)[:1]
        if not rows:
            continue
        changed(inbox, sheet, rows, lambda part: part.assign(PRECIO=part["PRECIO"]), "is_conflict")
        grown = inbox.sheets[sheet.name]
        other = inbox.mark(grown.records.iloc[rows].assign(IMPORTE="0,01"))
        inbox.put(grown.with_records(pd.concat([grown.records, other], ignore_index=True)))


def ragged(inbox: Inbox, chance: Chance) -> None:
    """A comma in a reason, unquoted: a field too many; a line that ends early: a field too few."""
    for sheet in chance.some(inbox.of(store.MOVEMENTS), has_untouched):
        inbox.add(
            sheet,
            _by_hand(sheet, ",", [*cells_of(sound(sheet).tail(1))[:-1], "WET, BROKEN"]),
            "quarantined:field_count",
        )
    for sheet in sold_on(inbox, chance):
        inbox.add(sheet, _by_hand(sheet, ";", cells_of(sound(sheet).tail(1))[:-1]), "quarantined:field_count")


def _by_hand(sheet: Sheet, delimiter: str, cells: list[str]) -> pd.DataFrame:
    return sound(sheet).tail(1).assign(**{RAW: delimiter.join(cells), "$kind": ""})


def unknown_kind(inbox: Inbox, chance: Chance) -> None:
    """A kind of record that the contract has never heard of."""
    for sheet in sold_on(inbox, chance):
        inbox.add(sheet, made_up(inbox, sheet, TIPO="R"), "quarantined:no_rule")
    for sheet in chance.some(inbox.of(wms.FEED), has_untouched):
        inbox.add(sheet, message(inbox, sheet, type="KIT"), "quarantined:no_rule")
    for sheet in chance.some(inbox.of(erp.SALES), has_untouched):
        odd = sound(sheet).tail(1).assign(POS=90_000, ART="ZZ")
        inbox.add(sheet, odd, "quarantined:unknown_value")


def message(inbox: Inbox, sheet: Sheet, number: int = 1, **changes: Any) -> pd.DataFrame:
    """Return a message of the warehouse that was never sent, on a number of the fault's own."""
    records = sound(sheet)
    found = records.loc[records["$kind"] == "movement"]
    like = (found if len(found) else records).tail(1)
    stamp = str(like["message_id"].iloc[0]).partition("-")[0]
    item = str(inbox.world.catalog.products["product_code"].iloc[0])
    made: dict[str, Any] = {
        "message_id": f"{stamp}-X{int(inbox.fault[1:]):02d}{number:02d}", "type": "ADJ", "item": item, "qty": -1,
        "uom": "EA", "ref.document": "", "ref.line": "", "to": "", "note": "DAMAGED", "$kind": "",
    }  # fmt: skip
    return like.assign(**(made | changes))


def impossible_size(inbox: Inbox, chance: Chance) -> None:
    """Nothing sold, less than nothing sold, 999999 sold, and 999999 counted."""
    for sheet in sold_on(inbox, chance):
        for number, (pieces, reason) in enumerate(
            ((0, "wrong_sign"), (-1, "wrong_sign"), (_HUGE, "implausible_quantity")), start=1
        ):
            line = made_up(inbox, sheet, number, CANTIDAD=pieces)
            inbox.add(inbox.sheets[sheet.name], line, f"quarantined:{reason}")
    for sheet in chance.some(inbox.of(store.COUNTS), has_untouched):
        odd = sound(sheet).tail(1).assign(count_no=f"XX-{inbox.fault}", counted=_HUGE)
        inbox.add(sheet, odd, "quarantined:implausible_quantity")


def after_the_close(inbox: Inbox, chance: Chance) -> None:
    """Days later the tills void a line that nobody had bought, and mend the amount of another."""
    for sheet in sold_on(inbox, chance):
        folder = sheet.name.rpartition("/")[0]
        later = [o for o in inbox.of(pos.FEED) if o.name > sheet.name and o.name.startswith(f"{folder}/")][-1:]
        rows = single_versions(inbox, inbox.sheets[sheet.name])[:1]
        if not later or not rows:
            continue
        wrong = made_up(inbox, sheet).assign(**{"$kind": "movement"})
        priced = inbox.sheets[sheet.name].records.iloc[rows].assign(VERSION=2, IMPORTE="0,02")
        changed(inbox, inbox.sheets[sheet.name], rows, lambda part: part.assign(PRECIO=part["PRECIO"]), "superseded")
        inbox.add(inbox.sheets[sheet.name], wrong, detection="superseded")
        inbox.add(inbox.sheets[later[0].name], pd.concat([wrong.assign(VERSION=2, ANULADO="S"), priced]))


def told_twice(inbox: Inbox, chance: Chance) -> None:
    """The ERP tells some sales once more under other numbers, and never hears of others: shadow, and only shadow."""
    for sheet in chance.some(inbox.of(erp.SALES), lambda sheet: sheet.size > 1):
        kept = sheet.records.iloc[1:].reset_index(drop=True)
        again = kept.tail(1).assign(BELEG=f"D{kept['BELEG'].iloc[0]}")
        inbox.put(sheet.with_records(kept))
        inbox.tell(sheet.feed, sheet.name, 1, "source_drift")
        inbox.add(inbox.sheets[sheet.name], again, detection="source_drift")


def numbers_restart(inbox: Inbox, chance: Chance) -> None:
    """The shop is installed anew: its event numbers start again with every file from then on."""
    sheets = inbox.of(shop.EVENTS)
    for sheet in sheets[len(sheets) // 2 :]:
        records = sheet.records.reset_index(drop=True)
        ids = [f"E{number:06d}" for number in np.arange(1, len(records) + 1)]
        inbox.put(sheet.with_records(records.assign(event_id=ids)))
        inbox.tell(sheet.feed, sheet.name, len(records), NONE_NEEDED)


def no_business(inbox: Inbox, chance: Chance) -> None:
    """Receipts of the training till, and gift cards: counted, and left out."""
    for sheet in sold_on(inbox, chance):
        trained = made_up(inbox, sheet, 1, CAJA=99)
        inbox.add(sheet, trained, detection="training_till")
        card = made_up(inbox, sheet, 2, TIPO="G", ARTICULO="GIFT-50")
        inbox.add(inbox.sheets[sheet.name], card, detection="gift_card")


FAULTS = (
    Fault("F5", "A line stands twice in its file.", doubled_line),
    Fault("F7", "A correction comes before what it corrects.", corrected_before),
    Fault("F8", "Two lines of one key and version contradict each other.", contradiction),
    Fault("F14", "A line has a field too many or too few.", ragged),
    Fault("F19", "A kind of record that nobody knows.", unknown_kind),
    Fault("F29", "Quantities of nothing, less than nothing, and 999999.", impossible_size),
    Fault("F30", "Voids and price changes after the day was closed.", after_the_close),
    Fault("F31", "Two systems tell of the same goods, one of them wrongly.", told_twice),
    Fault("F38", "Numbers start again.", numbers_restart),
    Fault("F39", "Training receipts and gift cards.", no_business),
)
