"""Times: in other zones, in the hours that clocks skip or repeat, in the future, long ago, or a few minutes off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE
from extract.simulated.clock import day_stamp, written, written_iso
from extract.simulated.emitters import pos, store, wms
from extract.simulated.emitters.sheet import Sheet, numbers
from extract.simulated.faults.fault import NONE_NEEDED, Chance, Fault, Inbox, changed, has_untouched, sound, untouched
from extract.simulated.faults.till_lines import has_sold, made_up, plain_sale, sold_on
from extract.simulated.tills import BAG_FEE

TILL_TIME = "%d/%m/%Y %H:%M:%S"
_SKEW_SECONDS = 7 * 60
_AFTERNOON = 13 * 3600
"""Seconds after midnight (UTC) from which no count of the day is near: there a skewed clock changes no stock."""
_DAY = 24 * 3600


def zone_of(inbox: Inbox, sheet: Sheet) -> str:
    """Return the zone of the store whose file it is."""
    places = inbox.world.catalog.locations.set_index("location_code")["zone"]
    return str(places[sheet.name.split("/")[1]])


def _odd_hours(inbox: Inbox) -> Iterator[tuple[str, str, datetime, bool]]:
    """Yield (day as in names, zone, local time, whether it exists twice) where clocks were changed."""
    for day in range(inbox.world.days):
        stamp = day_stamp(inbox.world.start, day)
        for zone in sorted(set(inbox.world.catalog.stores["zone"])):
            for minutes in (90, 150):
                local = datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=ZoneInfo(zone)) + timedelta(minutes=minutes)
                if local.utcoffset() != local.replace(fold=1).utcoffset():
                    back = local.astimezone(UTC).astimezone(ZoneInfo(zone))
                    yield stamp, zone, local, back.replace(tzinfo=None) == local.replace(tzinfo=None)


def odd_zones(inbox: Inbox, chance: Chance) -> None:
    """The warehouse writes another offset; a till writes times that clocks skipped, and times that came twice."""
    for sheet in chance.some(inbox.of(wms.FEED)):
        rows = untouched(sheet)[-3:]
        changed(inbox, sheet, rows, _with_offset, NONE_NEEDED)
    for stamp, zone, local, is_twice in _odd_hours(inbox):
        there = [s for s in inbox.of(pos.FEED) if f"_{stamp}" in s.name and zone_of(inbox, s) == zone]
        for sheet in [s for s in there if has_sold(s)][:1]:
            text = local.strftime(TILL_TIME)
            if is_twice:
                fee = {"TIPO": "C", "ARTICULO": BAG_FEE, "FECHA_HORA": text}
                lines = [made_up(inbox, sheet, number, **fee) for number in (1, 2)]
                inbox.add(sheet, pd.concat(lines), detection="is_time_ambiguous")
            else:
                line = made_up(inbox, sheet, 3, FECHA_HORA=text)
                inbox.add(sheet, line, "quarantined:local_time_gap")


def _with_offset(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(at=written_iso(numbers(part, "$at"), HEAD_OFFICE_ZONE)) if part["$at"].notna().all() else part


def future(inbox: Inbox, chance: Chance) -> None:
    """A sale and a count of the year 2099."""
    for sheet in sold_on(inbox, chance):
        inbox.add(sheet, made_up(inbox, sheet, FECHA_HORA="01/01/2099 10:00:00"), "quarantined:future_time")
    for sheet in chance.some(inbox.of(store.COUNTS), has_untouched):
        like = sound(sheet).tail(1)
        then = like["counted_at"].astype(str).str.replace(r"^\d{4}", "2099", regex=True)
        odd = like.assign(count_no=f"XX-{inbox.fault}", counted_at=then, counted=77)
        inbox.add(sheet, odd, "quarantined:future_time")


def odd_clocks(inbox: Inbox, chance: Chance) -> None:
    """A till's clock is seven minutes ahead; one writes years with two digits, and one was reset to 1970."""
    for sheet in sold_on(inbox, chance):
        rows = untouched(sheet, lambda records: plain_sale(records) & (records["$at"].astype(int) % _DAY > _AFTERNOON))
        changed(inbox, sheet, rows, partial(_skewed, zone=zone_of(inbox, sheet)), NONE_NEEDED)
        short = made_up(inbox, sheet, 1, FECHA_HORA="01/03/25 10:00:00")
        inbox.add(inbox.sheets[sheet.name], short, "quarantined:not_a_time")
        reset = made_up(inbox, sheet, 2, FECHA_HORA="01/01/1970 00:00:00")
        inbox.add(inbox.sheets[sheet.name], reset, "quarantined:past_time")


def _skewed(part: pd.DataFrame, zone: str) -> pd.DataFrame:
    at = numbers(part, "$at") + _SKEW_SECONDS
    return part.assign(**{"FECHA_HORA": written(at, zone, TILL_TIME), "$at": at.tolist()})


FAULTS = (
    Fault("F26", "Other zones, and hours that clocks skip or repeat.", odd_zones),
    Fault("F27", "Times in the future.", future),
    Fault("F28", "Clocks that are off, years of two digits, 1970.", odd_clocks, keeps_truth=False),
)
