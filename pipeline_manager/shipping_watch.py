"""Ships what a watch loads, now and then: a serving warehouse takes a second for a statement, and more to wake up."""

import logging
import time
from collections.abc import Callable

from etl_pipeline.core.errors import RetryStepError, StopRunError
from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.settings import redact
from load.postgres import AlreadyRunningError
from pipeline_manager.shipping import ShippingReport, Target, ship
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)


class Shipper:
    """Keeps a serving warehouse up with a watch."""

    def __init__(
        self, opened: OpenWarehouse, target: Target | None, every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Ship nothing yet.

        Args:
            opened: the keeper.
            target: where to; None where PostgreSQL serves.
            every: seconds between two shipments.
            clock: seconds that only grow.
        """
        self._opened = opened
        self._target = target
        self._every = every
        self._clock = clock
        self._due = clock() + every
        self._is_wanted = False

    def note(self) -> None:
        """Take note that something was loaded."""
        self._is_wanted = True

    def ship_when_due(self) -> ShippingReport | None:
        """Ship what was loaded, if it is time; what cannot be shipped now is tried again, and the watch goes on."""
        if self._target is None or not self._is_wanted or self._clock() < self._due:
            return None
        self._due = self._clock() + self._every
        try:
            with self._opened.warehouse.run_lock():
                shipped = ship(self._opened, self._target, SilentProgress())
        except AlreadyRunningError:
            return None
        except (RetryStepError, StopRunError) as error:
            log.warning("nothing was shipped: %s", redact(str(error)))
            return None
        # Views are read whole, so a shipment may take long: nine tenths of the time are for loads.
        self._due = self._clock() + max(self._every, 9 * shipped.seconds)
        self._is_wanted = False
        return shipped
