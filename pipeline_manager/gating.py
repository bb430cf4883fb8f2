"""The gate of what is usual (`schedule.gate`): how many records a file may have, by what its weekday brought before."""

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from etl_pipeline.bronze_layer.volume import Bounds
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed
from load.postgres import PostgresWarehouse
from pipeline_manager.publishing import rows

WEEK = 7
WEEKS = 8
FEWEST = 4
A_DAY = 24
_BROUGHT = """
    select place, day, sum(records) / sum(files) as records
    from {{ ops }}.feed_metric where feed = %s group by place, day having sum(files) > 0
"""


class Gate:
    """What the files of gated feeds usually bring, as it was when the run began."""

    def __init__(self, feeds: Feeds, warehouse: PostgresWarehouse) -> None:
        """Read what was counted of the feeds whose contract has a gate; the others cost nothing."""
        self._feeds = feeds
        self._zone = ZoneInfo(feeds.retailer.zone)
        self._brought: Mapping[str, Mapping[tuple[str, date], float]] = {
            name: {
                (row["place"], row["day"]): float(row["records"])
                for row in rows(warehouse.connection, warehouse.schemas, _BROUGHT, (name,))
            }
            for name, contract in feeds.contracts.items()
            if contract.schedule.gate is not None
        }

    def bounds(self, landed: Landed) -> Bounds | None:
        """Return how many records a file may have; None where there is no gate, or too little to go by."""
        contract = self._feeds.contracts[landed.feed]
        share = contract.schedule.gate
        if share is None or landed.logical_time is None:
            return None
        day, place = self._day(contract, landed), self._place(contract, landed)
        brought = self._brought[landed.feed]
        every = contract.schedule.every_hours or A_DAY
        step = WEEK if every <= A_DAY else round(every / A_DAY)
        before = [brought.get((place, day - timedelta(days=step * week))) for week in range(1, WEEKS + 1)]
        known = [records for records in before if records]
        if len(known) < FEWEST:
            return None
        usual = median(known)
        return Bounds(usual * share, usual / share, round(usual))

    def _day(self, contract: Contract, landed: Landed) -> date:
        told = landed.logical_time
        if told is None:  # asked before
            raise ValueError(landed.name)
        if contract.schedule.time_marks == "end":
            told -= timedelta(hours=contract.schedule.every_hours or A_DAY)
        return told.astimezone(self._zone).date()

    @staticmethod
    def _place(contract: Contract, landed: Landed) -> str:
        folders = landed.name.split("/")[:-1]
        return folders[-1] if contract.schedule.each == "folder" and folders else ""
