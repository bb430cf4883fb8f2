"""Masters: units of several systems, codes that come late, never or are no longer used."""

import pandas as pd

from extract.simulated.clock import day_stamp
from extract.simulated.emitters import erp, wms
from extract.simulated.emitters.sheet import Sheet, delimited
from extract.simulated.faults.fault import NONE_NEEDED, Chance, Fault, Inbox, changed, has_untouched, untouched
from extract.simulated.faults.records import message
from extract.simulated.faults.till_lines import made_up, single_versions, sold_on

UNKNOWN_PRODUCT, UNKNOWN_UNIT = "Z-9999", "PAL"
_HALF_DOZEN, _DOZEN = 6, 12


def other_units(inbox: Inbox, chance: Chance) -> None:
    """The warehouse counts some lines by the dozen and half dozen, and one by a pallet of unknown size."""
    for sheet in chance.some(inbox.of(wms.FEED), lambda sheet: bool(untouched(sheet, _is_half_dozens))):
        rows = untouched(sheet, _is_half_dozens)
        changed(inbox, sheet, rows, _in_dozens, NONE_NEEDED)
    for sheet in chance.some(inbox.of(wms.FEED), has_untouched):
        pallet = message(inbox, inbox.sheets[sheet.name], uom=UNKNOWN_UNIT)
        inbox.add(inbox.sheets[sheet.name], pallet, "quarantined:unknown_unit")


def _is_half_dozens(records: pd.DataFrame) -> "pd.Series[bool]":
    return records["$each"].map(lambda each: each != 0 and each % _HALF_DOZEN == 0) & (records["$kind"] != "")


def _in_dozens(part: pd.DataFrame) -> pd.DataFrame:
    signs = [-1 if str(qty).startswith("-") else 1 for qty in part["qty"]]
    halves = [abs(int(each)) // _HALF_DOZEN for each in part["$each"]]
    dozens = [half // 2 if half % 2 == 0 else half / 2 for half in halves]
    return part.assign(qty=[sign * qty for sign, qty in zip(signs, dozens, strict=True)], uom="DZ")


def unknown_codes(inbox: Inbox, chance: Chance) -> None:
    """An article that no master will ever have, a product and a store whose master comes a delivery late."""
    for sheet in sold_on(inbox, chance):
        inbox.add(sheet, made_up(inbox, sheet, ARTICULO=UNKNOWN_PRODUCT), "quarantined:unknown_product")
    for feed, least in (("erp_products", 1), ("erp_locations", 2)):
        for sheet in inbox.of(feed)[:1]:
            _split(inbox, sheet, least, chance)


def _split(inbox: Inbox, sheet: Sheet, least: int, chance: Chance) -> None:
    """Take one record out of a master's file and send it in a file of its own, a delivery later."""
    records = sheet.records.reset_index(drop=True)
    if len(records) <= least:
        return
    place = least + int(chance.rng.integers(len(records) - least))
    late = inbox.copy(sheet, "late", source=records.iloc[[place]], delivery=2)
    inbox.put(sheet.with_records(records.drop(index=place).reset_index(drop=True)))
    inbox.tell(sheet.feed, late.name, 1, NONE_NEEDED)


def second_codes(inbox: Inbox, chance: Chance) -> None:
    """The warehouse uses the code that a product had before; the ERP says a delivery later what it means."""
    products = inbox.world.catalog.products["product_code"].astype(str).tolist()
    picked = chance.rng.permutation(len(products))[: max(1, len(products) // 10)]
    codes = {products[place]: f"OLD{products[place]}" for place in sorted(picked.tolist())}
    stamp = day_stamp(inbox.world.start, -1)
    aliases = pd.DataFrame({"ALIAS": codes.values(), "MATNR": codes.keys(), "GUELTIG_AB": "20240101"})
    told = Sheet(erp.ALIASES, f"erp/aliases_{stamp}_f22.csv", aliases, delimited(), delivery=2)
    inbox.put(told)
    inbox.tell(told.feed, told.name, len(aliases), NONE_NEEDED)
    for sheet in chance.some(inbox.of(wms.FEED)):
        rows = untouched(sheet, lambda records: records["item"].isin(list(codes)))
        changed(inbox, sheet, rows, lambda part: part.assign(item=part["item"].map(codes)), NONE_NEEDED)
    for sheet in sold_on(inbox, chance):
        articles = sheet.records["ARTICULO"].tolist()
        rows = [place for place in single_versions(inbox, sheet) if articles[place] in codes]
        changed(inbox, sheet, rows, lambda part: part.assign(ARTICULO=part["ARTICULO"].map(codes)), NONE_NEEDED)


FAULTS = (
    Fault("F20", "Several units for the same goods.", other_units),
    Fault("F21", "Codes whose master comes late, or never.", unknown_codes),
    Fault("F22", "Codes that were used before.", second_codes),
)
