"""When a watch does what is done once a day: demand rates, sealed snapshots, the report page."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from etl_pipeline.core.errors import UsageError

USUAL = "03:00"
"""Tills are closed then, and most files of the day before have come."""


class Daily:
    """Tells once after each passing of a time of day, by the retailer's clock."""

    def __init__(self, at: time | None, zone: str, now: datetime) -> None:
        """Begin with the next passing; without a time it never comes."""
        self._at, self._zone = at, ZoneInfo(zone)
        self._next = self._after(now)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it has passed since the last time that this was asked."""
        if self._next is None or now < self._next:
            return False
        self._next = self._after(now)
        return True

    def _after(self, now: datetime) -> datetime | None:
        if self._at is None:
            return None
        here = now.astimezone(self._zone)
        day = here.date() if here.time() < self._at else here.date() + timedelta(days=1)
        return datetime.combine(day, self._at, self._zone)


def time_of_day(text: str) -> time | None:
    """Read `03:00`; empty means never.

    Raises:
        UsageError: it is no time of a day.
    """
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if text.strip() and found is None:
        raise UsageError(f"'{text}' is no time of a day. Write it as 03:00, or leave it empty for never.")
    return time(int(found[1]), int(found[2])) if found else None
