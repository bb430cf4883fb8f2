"""Text to UTC instants. A local time that does not exist is never guessed; one that exists twice is flagged."""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", "UTC")
HAS_OFFSET = re.compile(r":.*(?:z|[+-]\d{2}(?::?\d{2})?)$", re.IGNORECASE)
"""An offset ends a text with a clock in it; the -10 of a bare date is a day."""
HAS_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}")
"""ISO allows 2024 and 2024-12; which instant they mean would be a guess."""
NAT = np.iinfo(np.int64).min
FIRST_US, LAST_US = -62_104_060_800_000_000, 253_402_214_400_000_000
"""0002-01-01 and 9999-12-31: beyond them a zone may lead out of the calendar."""
MOST_EPOCH_DIGITS = 15
MICROSECONDS_A_DAY = 86_400_000_000
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}


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


def _microseconds(found: pd.DatetimeIndex) -> np.ndarray:
    """Return times as microseconds since 1970, NAT where there is none."""
    return np.asarray(found.as_unit("us").asi8)


def _parse_one(todo: list[str], form: str) -> tuple[np.ndarray, bool]:
    """Return (microseconds, whether they are UTC) of texts in one format."""
    if form in _EPOCHS:
        reads = (int(t) * _EPOCHS[form] if t.isdecimal() and len(t) < MOST_EPOCH_DIGITS else NAT for t in todo)
        return np.array([us if us <= LAST_US else NAT for us in reads], dtype=np.int64), True
    wanted = "ISO8601" if form == "iso" else form
    is_utc = "%z" in form or (form == "iso" and any(HAS_OFFSET.search(text) for text in todo))
    found = pd.to_datetime(pd.Index(todo, dtype="object"), format=wanted, errors="coerce", utc=is_utc)
    out = _microseconds(pd.DatetimeIndex(found))
    is_out = (out < FIRST_US) | (out > LAST_US)
    if form == "iso":
        is_out |= np.array([HAS_DAY.match(text) is None for text in todo])
    return np.where(is_out, NAT, out), is_utc


def _parse_distinct(texts: list[str], formats: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (instants, local times) in microseconds; each text is in one of them or in none."""
    instants = np.full(len(texts), NAT, dtype=np.int64)
    local = np.full(len(texts), NAT, dtype=np.int64)
    for form in formats:
        open_ = np.flatnonzero((instants == NAT) & (local == NAT))
        if not len(open_):
            break
        groups = [open_]
        if form == "iso" and len({bool(HAS_OFFSET.search(texts[i])) for i in open_}) > 1:
            has = np.array([bool(HAS_OFFSET.search(texts[i])) for i in open_])
            groups = [open_[has], open_[~has]]
        for group in groups:
            found, is_utc = _parse_one([texts[i] for i in group], form)
            (instants if is_utc else local)[group] = found
    return instants, local


def _localize(local: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (instants, in gap, ambiguous) of local times of one zone."""
    given = local != NAT
    if zone == "UTC" or not given.any():
        return local, np.zeros(len(local), dtype=bool), np.zeros(len(local), dtype=bool)
    naive = pd.DatetimeIndex(local.view("datetime64[us]"))
    flags = np.ones(len(local), dtype=bool)
    first = _microseconds(naive.tz_localize(zone, ambiguous=flags, nonexistent="NaT"))
    second = _microseconds(naive.tz_localize(zone, ambiguous=~flags, nonexistent="NaT"))
    gap = given & (first == NAT)
    return first, gap, given & (first != second) & ~gap


def parse_instants(text: pa.Array, formats: list[str], zones: pa.Array | str) -> Instants:
    """Read texts as UTC instants.

    Args:
        text: clean text, null where empty.
        formats: strptime formats, `iso`, `epoch_s`, `epoch_ms`, tried in order.
        zones: IANA zone of local times, one for all or one a row.
    """
    coded = pc.dictionary_encode(text)
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    given = codes >= 0
    rows = len(text)
    gap, ambiguous = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    if not given.any():
        return Instants(pa.nulls(rows, INSTANT), gap, gap, ambiguous)
    instants, local = _parse_distinct(coded.dictionary.to_pylist(), formats)
    out = np.full(rows, NAT, dtype=np.int64)
    if isinstance(zones, str):
        groups = [(zones, given)]
    else:
        zone_codes = pc.dictionary_encode(zones)
        zone_no = pc.fill_null(zone_codes.indices, -1).to_numpy(zero_copy_only=False)
        groups = [(name, given & (zone_no == no)) for no, name in enumerate(zone_codes.dictionary.to_pylist())]
    for zone, there in groups:
        moved, is_gap, is_twice = _localize(local, zone)
        merged = np.where(instants != NAT, instants, moved)
        used = codes[there]
        out[there], gap[there], ambiguous[there] = merged[used], is_gap[used], is_twice[used]
    known = (instants != NAT) | (local != NAT)
    unreadable = given & ~known[np.where(given, codes, 0)]
    return Instants(pa.array(out, pa.int64(), mask=out == NAT).cast(INSTANT), unreadable, gap, ambiguous)


def business_dates(instants: pa.Array, zones: pa.Array, close_minutes: pa.Array) -> pa.Array:
    """Return the local date of each instant after the day-close offset of its place (date32)."""
    moved = pc.subtract(instants, pc.cast(pc.multiply(pc.fill_null(close_minutes, 0), 60_000_000), pa.duration("us")))
    utc = moved.cast(pa.int64()).fill_null(NAT).to_numpy(zero_copy_only=False)
    days = np.full(len(utc), NAT, dtype=np.int64)
    coded = pc.dictionary_encode(zones)
    numbers = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    for number, zone in enumerate(coded.dictionary.to_pylist()):
        rows = np.flatnonzero((numbers == number) & (utc != NAT))
        there = pd.DatetimeIndex(utc[rows].view("datetime64[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        days[rows] = np.asarray(there.as_unit("us").asi8) // MICROSECONDS_A_DAY
    missing = days == NAT
    return pa.array(np.where(missing, 0, days).astype(np.int32), pa.int32(), mask=missing).cast(pa.date32())
