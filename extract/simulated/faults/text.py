"""Texts that a spreadsheet or a keyboard has changed: digits lost, codes turned into dates, other letters."""

from functools import partial
from typing import Any

import pandas as pd

from extract.simulated.emitters import store
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults.fault import NONE_NEEDED, Chance, Fault, Inbox, changed, sound, untouched
from extract.simulated.faults.till_lines import made_up, plain_sale, sold_on

_WIDE = {ord(char): 0xFF00 + ord(char) - 0x20 for char in "0123456789-"}
_CYRILLIC = str.maketrans("ABCDE", "\u0410\u0412\u0421\u0414\u0415")


def scanned(sheet: Sheet) -> list[int]:
    """Return the positions of a store's movements that no fault has touched."""
    return untouched(sheet)


def damage_note(inbox: Inbox, sheet: Sheet, number: int, **changes: Any) -> pd.DataFrame:
    """Return a damage note that nobody wrote, on a line of the fault's own."""
    like = sound(sheet).tail(1)
    made: dict[str, Any] = {
        "type": "DAMAGE", "document": f"XX-{inbox.fault}", "line": number, "quantity": -1, "sender": "", "$kind": "",
    }  # fmt: skip
    return like.assign(**(made | changes))


def zeros_lost(inbox: Inbox, chance: Chance) -> None:
    """Leading zeros of GTINs are lost; among them a number of no product, whose check digit is right as well."""
    zeros = [gtin for gtin in inbox.world.catalog.products["gtin"] if str(gtin).startswith("0")]
    has_zeros = partial(untouched, only=lambda records: records["ean"].isin(zeros))
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: bool(has_zeros(sheet))):
        rows = has_zeros(sheet)
        changed(inbox, sheet, rows, lambda part: part.assign(ean=part["ean"].str.lstrip("0")), NONE_NEEDED)
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: bool(scanned(sheet))):
        # 12345678905 is a UPC of the textbooks; 36000291459 is one of ours with another last digit.
        for number, ean in enumerate(("12345678905", "36000291459"), start=1):
            note = damage_note(inbox, sheet, number, ean=ean)
            inbox.add(inbox.sheets[sheet.name], note, "quarantined:unknown_reference")


def spreadsheet(inbox: Inbox, chance: Chance) -> None:
    """Codes in scientific notation, codes turned into dates, numbers with .0 behind them."""
    for sheet in chance.some(inbox.of(store.MOVEMENTS), lambda sheet: bool(scanned(sheet))):
        rows = scanned(sheet)[:2]
        changed(inbox, sheet, rows, lambda part: part.assign(ean=part["ean"].astype(str) + ".0"), NONE_NEEDED)
        note = damage_note(inbox, sheet, 1, ean="8.4004E+12")
        inbox.add(inbox.sheets[sheet.name], note, "quarantined:unknown_reference")
    for sheet in sold_on(inbox, chance):
        date = made_up(inbox, sheet, 1, ARTICULO="1-mar")
        inbox.add(sheet, date, "quarantined:unknown_product")
        many = made_up(inbox, sheet, 2, CANTIDAD="1E+3")
        inbox.add(inbox.sheets[sheet.name], many, "quarantined:digits_lost")


def other_letters(inbox: Inbox, chance: Chance) -> None:
    """Full-width digits, blanks that do not break, invisible characters: the same code; a Cyrillic A: another one."""
    for sheet in sold_on(inbox, chance):
        rows = untouched(sheet, plain_sale)[:2]
        changed(inbox, sheet, rows, lambda part: part.assign(ARTICULO=_dressed(part["ARTICULO"])), NONE_NEEDED)
        alike = str(inbox.world.catalog.products["product_code"].iloc[0]).translate(_CYRILLIC)
        inbox.add(inbox.sheets[sheet.name], made_up(inbox, sheet, ARTICULO=alike), "quarantined:mixed_script")


def _dressed(codes: "pd.Series[str]") -> list[str]:
    return [f"\u00a0{str(code).translate(_WIDE)[:3]}\u200b{str(code).translate(_WIDE)[3:]} " for code in codes]


FAULTS = (
    Fault("F23", "GTINs have lost their leading zeros.", zeros_lost),
    Fault("F24", "A spreadsheet has rounded codes, or taken them for dates.", spreadsheet),
    Fault("F25", "Letters of other widths and other alphabets.", other_letters),
)
