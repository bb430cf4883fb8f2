"""While a watch goes on: looks at deliveries and quarantine now and then, and tells people what is new."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.log import printable
from etl_pipeline.core.settings import first_line
from load.postgres import PostgresWarehouse
from pipeline_manager.drift_telling import told_drift
from pipeline_manager.observing import look_closely, own_time
from pipeline_manager.publishing import fill_counts
from pipeline_manager.report import RunReport
from pipeline_manager.telling import breaches_after, connected, tell
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)


class Teller:
    """Tells of one watch, in a thread and by a connection of its own: loads do not wait for it."""

    def __init__(
        self, opened: OpenWarehouse, feeds: Feeds, every_seconds: float, clock: Callable[[], datetime]
    ) -> None:
        """Tell first after `every_seconds`: the watch's first run has told of what was there.

        Args:
            opened: the warehouse; its connection is not used.
            feeds: whose deliveries are judged.
            every_seconds: how often.
            clock: what time it is, for what is due.
        """
        self._opened, self._feeds, self._clock = opened, feeds, clock
        self._every, self._next = every_seconds, time.monotonic() + every_seconds
        self._at_work: threading.Thread | None = None

    def tell_when_due(self, refused: dict[str, str], inbox: Path) -> None:
        """Begin to tell where it is time to, unless the last telling still goes on.

        Args:
            refused: files that could not be taken, with the sentence; those that are gone by now are no news.
            inbox: where they lay.
        """
        if time.monotonic() < self._next or (self._at_work is not None and self._at_work.is_alive()):
            return
        self._next = time.monotonic() + self._every
        still = {name: why for name, why in refused.items() if os.path.lexists(inbox / name)}
        self._at_work = threading.Thread(target=self._tell, args=(still,), name="telling", daemon=True)
        self._at_work.start()

    def end(self, seconds: float) -> None:
        """Wait for a telling that goes on; what it did not send by then waits in the outbox."""
        if self._at_work is not None:
            self._at_work.join(seconds)

    def _tell(self, refused: dict[str, str]) -> None:
        try:
            tell_of_now(self._opened, self._feeds, refused, self._clock())
        except Exception as error:  # a watch goes on, whatever this is
            log.warning("nobody could be told of what came: %s", printable(first_line(error)))


def tell_of_now(opened: OpenWarehouse, feeds: Feeds, refused: dict[str, str], now: datetime) -> None:
    """Look at everything that people are told of, and tell what they do not know yet."""
    schemas = opened.warehouse.schemas
    report = RunReport(schemas.env, feeds.retailer.retailer, refused=refused)
    with connected(opened) as connection:
        fill_counts(connection, schemas, report)
        report.drift = told_drift(PostgresWarehouse(connection, schemas), feeds)
        found = look_closely(connection, schemas, feeds, own_time(connection, schemas, feeds, now))
    tell(opened, report, breaches_after(report, found.breaches), now, is_run=False)
