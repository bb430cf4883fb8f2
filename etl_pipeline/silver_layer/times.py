"""Text to UTC instants. A local time that does not exist is never guessed; one that exists twice is flagged."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", "UTC")
HAS_OFFSET = r"(?i)(?:z|[+-]\d{2}:?\d{2})$"
_EPOCHS = {"epoch_s": "s", "epoch_ms": "ms"}


@dataclass(frozen=True)
class Instants:
    """Parsed times.

    Attributes:
        values: timestamp[us, UTC], null where empty or unreadable.
        unreadable: mask of texts in none of the formats.
        in_gap: mask of local times that clocks were set forward over.
        ambiguous: mask of local times that exist twice; the first was taken.
    """

    values: pa.Array
    unreadable: np.ndarray
    in_gap: np.ndarray
    ambiguous: np.ndarray


def is_zone(name: str) -> bool:
    """Tell whether a name is an IANA zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _parse_naive(text: pd.Series, formats: list[str]) -> tuple[pd.Series, pd.Series]:
    """Return (instants, local times) of distinct texts; each text is in one of them or in none."""
    instants = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")
    local = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    for form in formats:
        open_ = instants.isna() & local.isna() & text.notna()
        if not open_.any():
            break
        todo = text[open_]
        if form in _EPOCHS:
            number = pd.to_numeric(todo.where(todo.str.fullmatch(r"\d{1,14}")), errors="coerce")
            found = pd.to_datetime(number, unit=_EPOCHS[form], utc=True, errors="coerce")
            instants[open_] = found.astype("datetime64[us, UTC]")
            continue
        offset = todo.str.contains(HAS_OFFSET, regex=True) if form == "iso" else pd.Series("%z" in form, index=todo.index)
        wanted = "ISO8601" if form == "iso" else form
        # A bare date such as 2024-12-10 ends like an offset (-10 is not hh:mm), so iso needs a clock before it.
        if form == "iso":
            offset &= todo.str.contains(":", regex=False)
        if offset.any():
            found = pd.to_datetime(todo[offset], format=wanted, utc=True, errors="coerce")
            instants[found.index] = found.astype("datetime64[us, UTC]")
        if (~offset).any():
            found = pd.to_datetime(todo[~offset], format=wanted, errors="coerce")
            local[found.index] = found.astype("datetime64[us]")
    return instants, local


def _localize(local: pd.Series, zone: str) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return (instants, in gap, ambiguous) of local times of one zone."""
    first = local.dt.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="NaT")
    second = local.dt.tz_localize(zone, ambiguous=np.zeros(len(local), dtype=bool), nonexistent="NaT")
    gap = local.notna() & first.isna()
    return first.dt.tz_convert("UTC").astype("datetime64[us, UTC]"), gap, local.notna() & (first != second) & ~gap


def parse_instants(text: pa.Array, formats: list[str], zones: pa.Array | str) -> Instants:
    """Read texts as UTC instants.

    Args:
        text: clean text, null where empty.
        formats: strptime formats, `iso`, `epoch_s`, `epoch_ms`, tried in order.
        zones: IANA zone of local times, one for all or one a row.
    """
    coded = pc.dictionary_encode(text)
    distinct = pd.Series(coded.dictionary.to_pylist(), dtype="object")
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    given = codes >= 0
    if not len(distinct):
        none = np.zeros(len(text), dtype=bool)
        return Instants(pa.nulls(len(text), INSTANT), none, none, none)
    instants, local = _parse_naive(distinct.astype("string"), formats)
    out = pd.Series(pd.NaT, index=range(len(text)), dtype="datetime64[us, UTC]")
    gap, ambiguous = np.zeros(len(text), dtype=bool), np.zeros(len(text), dtype=bool)
    safe = np.where(given, codes, 0)
    out[given] = instants.array[safe[given]] if not isinstance(zones, str) else out[given]
    if isinstance(zones, str):
        groups = [(zones, given)]
    else:
        zone_codes = pc.dictionary_encode(zones)
        zone_no = pc.fill_null(zone_codes.indices, -1).to_numpy(zero_copy_only=False)
        groups = [(name, given & (zone_no == no)) for no, name in enumerate(zone_codes.dictionary.to_pylist())]
    for zone, rows in groups:
        there, is_gap, is_twice = _localize(local, zone)
        merged = instants.where(instants.notna(), there)
        out[rows] = merged.array[safe[rows]]
        gap[rows], ambiguous[rows] = is_gap.to_numpy()[safe[rows]], is_twice.to_numpy()[safe[rows]]
    known = (instants.notna() | local.notna()).to_numpy()
    unreadable = given & ~known[safe]
    return Instants(pa.Array.from_pandas(out, type=INSTANT), unreadable, gap & given, ambiguous & given)


def business_dates(instants: pa.Array, zones: pa.Array, close_minutes: pa.Array) -> pa.Array:
    """Return the local date of each instant after the day-close offset of its place (date32)."""
    moved = pc.subtract(instants, pc.cast(pc.multiply(pc.fill_null(close_minutes, 0), 60_000_000), pa.duration("us")))
    dates = pd.Series(pd.NaT, index=range(len(instants)), dtype="datetime64[s]")
    utc = pd.Series(moved.to_pandas())
    coded = pc.dictionary_encode(zones)
    numbers = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    for number, zone in enumerate(coded.dictionary.to_pylist()):
        rows = numbers == number
        dates[rows] = utc[rows].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize().astype("datetime64[s]")
    return pa.Array.from_pandas(dates.dt.date, type=pa.date32())
