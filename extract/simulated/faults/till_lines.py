"""Lines of the tills for faults: where to find plain ones, and lines that were never rung up."""

from typing import Any

import pandas as pd

from extract.simulated.emitters import pos
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults.fault import Chance, Inbox, sound, untouched

KEY = list(pos.IDENTITIES[0].key)
_MADE_UP: dict[str, Any] = {
    "LINEA": 1,
    "VERSION": 1,
    "ANULADO": "N",
    "TIPO": "V",
    "CAJA": 1,
    "CANTIDAD": 1,
    "$kind": "",
}


def plain_sale(records: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which lines are sales of goods at a real till, neither corrected nor void."""
    is_sale = (records["TIPO"] == "V") & (records["ANULADO"] == "N") & (records["CAJA"].astype(str) != "99")
    return is_sale & (records["VERSION"] == 1)


def sold_on(inbox: Inbox, chance: Chance, least: int = 1) -> list[Sheet]:
    """Return files of the tills that are hit, each with at least so many plain sales that no fault has touched."""
    return chance.some(inbox.of(pos.FEED), lambda sheet: has_sold(sheet, least))


def has_sold(sheet: Sheet, least: int = 1) -> bool:
    """Tell whether a file of the tills has at least so many plain sales that no fault has touched."""
    return len(untouched(sheet, plain_sale)) >= least


def single_versions(inbox: Inbox, sheet: Sheet) -> list[int]:
    """Return the positions of plain sales of a file of which no file has another version."""
    named = keys(sheet.records)
    return [place for place in untouched(sheet, plain_sale) if named[place] not in inbox.corrected]


def keys(records: pd.DataFrame) -> list[str]:
    """Return what names each line: store/business day/till/receipt/line."""
    return ["/".join(map(str, cells)) for cells in zip(*(records[name] for name in KEY), strict=True)]


def made_up(inbox: Inbox, sheet: Sheet, number: int = 1, **changes: Any) -> pd.DataFrame:
    """Return a receipt line that nobody rang up, on a receipt number of the fault's own.

    Args:
        inbox: for the fault at work.
        sheet: file of the tills; the line is like its last one.
        number: tells several lines of a fault in one file apart.
        changes: what is wrong with the line, by column.
    """
    ticket = f"9{int(inbox.fault[1:]):02d}{number:03d}"
    return sound(sheet).tail(1).assign(TICKET=ticket, **(_MADE_UP | changes))
