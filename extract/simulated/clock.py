"""Local wall times to instants and back. Instants are whole epoch seconds (UTC); nothing here reads a clock."""

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

HOUR = 3600
_DAY = 24 * HOUR


def local_seconds(first: date, days: int, minutes: int, zone: str) -> Ints:
    """Return when each of some local days reads a wall time.

    Args:
        first: the first local day.
        days: number of days, one element each.
        minutes: wall time, in minutes after local midnight; 1440 and more is the next day.
        zone: IANA zone. The wall time must not lie in its spring gap.

    Returns:
        Shape (days,): epoch seconds. Around a clock change neighbours are 23 or 25 hours apart.
    """
    wall = pd.date_range(first.isoformat(), periods=days, freq="D") + pd.Timedelta(minutes=minutes)
    return _seconds(wall.tz_localize(zone))


def _seconds(instants: pd.DatetimeIndex) -> Ints:
    return np.asarray(instants.tz_convert("UTC").as_unit("s").astype("int64"), dtype=np.int64)


def instants(seconds: Ints, zone: str = "UTC") -> pd.DatetimeIndex:
    """Return epoch seconds as times of a zone, same length."""
    return pd.DatetimeIndex(pd.to_datetime(seconds, unit="s", utc=True)).as_unit("s").tz_convert(zone)


def written(seconds: Ints, zone: str, pattern: str) -> list[str]:
    """Return epoch seconds as a source writes them: wall time of a zone in a strftime pattern."""
    local = np.asarray(instants(seconds, zone).tz_localize(None).astype("int64"), dtype=np.int64)
    day, distinct_days = pd.factorize(local // _DAY)
    time, distinct_times = pd.factorize(local % _DAY)
    split = pattern.find("%H") if "%H" in pattern else len(pattern)  # a day is written once, not once a row
    dates = _texts(distinct_days * _DAY, pattern[:split])
    times = _texts(distinct_times, pattern[split:])
    texts: list[str] = (dates[day] + times[time]).tolist()
    return texts


def _texts(local: Ints, pattern: str) -> np.ndarray:
    texts = np.empty(len(local), dtype=object)
    texts[:] = [str(text) for text in instants(local).strftime(pattern)] if pattern else ""
    return texts


def written_iso(seconds: Ints, zone: str) -> list[str]:
    """Return epoch seconds in ISO 8601 with the zone's offset, such as 2025-03-30T12:00:00+02:00."""
    offset = np.asarray(instants(seconds, zone).tz_localize(None).astype("int64"), dtype=np.int64) - seconds
    texts = written(seconds, zone, "%Y-%m-%dT%H:%M:%S")
    ends = {int(o): f"{'-' if o < 0 else '+'}{abs(o) // HOUR:02d}:{abs(o) // 60 % 60:02d}" for o in np.unique(offset)}
    return [text + ends[o] for text, o in zip(texts, offset.tolist(), strict=True)]


def differs_from_next(*columns: Ints) -> Flags:
    """Return which rows differ from the one after them in any column; the last one does."""
    is_last = np.ones(len(columns[0]), dtype=bool)
    is_last[:-1] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return is_last


def day_stamp(first: date, day: int) -> str:
    """Return the date `day` days after `first` as YYYYMMDD, the form that file names carry."""
    return (first + timedelta(days=day)).strftime("%Y%m%d")
