"""Orders, notices, transfers and reservations: told in another order, twice, or only half."""

from dataclasses import replace
from typing import Any

import pandas as pd

from extract.simulated.clock import HOUR, written
from extract.simulated.emitters import erp, shop, store, supplier
from extract.simulated.emitters.sheet import Sheet, numbers
from extract.simulated.faults.fault import NONE_NEEDED, Chance, Fault, Inbox, changed, sound, untouched
from extract.simulated.faults.times import zone_of

_LINE = ["../OrderNo", "@no"]


def receipt_first(inbox: Inbox, chance: Chance) -> None:
    """The warehouse has received what the ERP orders a delivery later."""
    for sheet in chance.some(inbox.of(erp.ORDERS)):
        inbox.put(replace(sheet, delivery=2))
        inbox.tell(sheet.feed, sheet.name, sheet.size, NONE_NEEDED)


def notices_again(inbox: Inbox, chance: Chance) -> None:
    """A notice is sent twice, once more as a revision that changes no quantity, and one for a cancelled order."""
    sheets = inbox.of(supplier.NOTICES)
    if not sheets:
        return
    lines = pd.concat([sound(sheet) for sheet in sheets])
    latest = lines.assign(rev=lines["../Revision"].astype(int)).groupby(_LINE)["rev"].max()
    for sheet in chance.some(sheets):
        again = inbox.copy(sheet, "again", source=sound(sheet))
        inbox.tell(sheet.feed, again.name, again.size, "same_records")
        records = sound(sheet)
        lines_of = zip(*(records[name] for name in (*_LINE, "../Revision")), strict=True)
        is_latest = [latest[order, line] == int(revision) for order, line, revision in lines_of]
        current = records.loc[is_latest]
        if len(current):
            revised = current.assign(**{"../Revision": current["../Revision"].astype(int) + 1})
            made = inbox.copy(sheet, "revised", source=inbox.mark(revised))
            inbox.tell(sheet.feed, made.name, made.size, "superseded")
    _for_cancelled(inbox, sheets[-1])


def _for_cancelled(inbox: Inbox, sheet: Sheet) -> None:
    """Announce a line that was cancelled: with its own product, and with another one that nobody ordered."""
    orders, products = inbox.world.purchase_orders, inbox.world.catalog.products
    cancelled = orders.loc[orders["status"] == "cancelled"].tail(1)
    if cancelled.empty:
        return
    item = int(cancelled["item"].iloc[0])
    items = [item, (item + 1) % len(products)]
    notice: dict[str, Any] = {
        "../AdviceNo": [f"XX-{inbox.fault}", f"XX-{inbox.fault}-OTHER"], "../Revision": 1, "Quantity": 2,
        "../OrderNo": cancelled["order"].iloc[0], "@no": cancelled["line"].iloc[0],
        "Ean": products["gtin"].iloc[items].tolist(), "Unit": products["order_unit"].iloc[items].tolist(),
    }  # fmt: skip
    like = sound(sheet).tail(1)
    lines = pd.concat([like, like], ignore_index=True).assign(**notice)
    made = inbox.copy(sheet, "cancelled", source=inbox.mark(lines))
    inbox.tell(sheet.feed, made.name, made.size, NONE_NEEDED)


def transfers(inbox: Inbox, chance: Chance) -> None:
    """A delivery to a store is never booked in; another one is booked in twice."""
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: len(untouched(sheet, _is_arrival)) > 1):
        rows = untouched(sheet, _is_arrival)
        twice = sheet.records.iloc[rows[1:2]]
        at = numbers(twice, "$at") + HOUR
        again = twice.assign(**{"local_time": written(at, zone_of(inbox, sheet), "%Y-%m-%d %H:%M"), "$at": at.tolist()})
        changed(inbox, sheet, rows[1:2], lambda part: part.assign(sender=part["sender"]), "superseded")
        left = inbox.sheets[sheet.name]
        inbox.put(left.with_records(left.records.drop(index=rows[0]).reset_index(drop=True)))
        inbox.tell(sheet.feed, sheet.name, 1, "in_transit")
        _in_the_next_file(inbox, sheet, again)


def _is_arrival(records: pd.DataFrame) -> "pd.Series[bool]":
    return records["type"] == "GOODS_IN"


def _in_the_next_file(inbox: Inbox, sheet: Sheet, again: pd.DataFrame) -> None:
    folder = sheet.name.rpartition("/")[0]
    later = [other for other in inbox.of(sheet.feed, empty=True) if other.name.startswith(f"{folder}/movements")]
    later = [other for other in later if other.name > sheet.name]
    if later:
        inbox.add(inbox.sheets[later[0].name], again, detection="superseded")


def cancel_first(inbox: Inbox, chance: Chance) -> None:
    """Cancellations and shipments come before the orders that they speak of, and some of them twice."""
    for sheet in chance.some(inbox.of(shop.ORDERS)):
        inbox.put(replace(sheet, delivery=2))
        inbox.tell(sheet.feed, sheet.name, sheet.size, NONE_NEEDED)
    for sheet in chance.some(inbox.of(shop.EVENTS)):
        again = inbox.copy(sheet, "again", source=sound(sheet))
        inbox.tell(sheet.feed, again.name, again.size, "same_records")


FAULTS = (
    Fault("F34", "Receipts before their orders.", receipt_first),
    Fault("F35", "Notices twice, revised, and for a cancelled order.", notices_again, phase=2),
    Fault("F36", "A transfer never received, and one received twice.", transfers, keeps_truth=False),
    Fault("F37", "Cancellations and shipments before their orders.", cancel_first, phase=2),
)
