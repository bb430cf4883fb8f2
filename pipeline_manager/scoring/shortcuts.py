"""Three ways in which stock is often computed, on the same files: what one gets without a ledger.

Each returns product_code, location_code, quantity (base units). They are told everything that SyStock can read and get
the files in order, which is kinder than life.
"""

import pandas as pd

from pipeline_manager.scoring.told import Told

STOCK_KEY = ["product_code", "location_code"]
RECORD_KEY = ["feed", "epoch", "document", "line"]


def last_snapshot_wins(told: Told) -> pd.DataFrame:
    """The latest count that arrived is the stock; nothing that moved since is looked at."""
    last = told.counts.drop_duplicates(STOCK_KEY, keep="last")
    return last[[*STOCK_KEY, "quantity"]].reset_index(drop=True)


def sum_in_arrival_order(told: Told) -> pd.DataFrame:
    """Every count that arrives sets the stock, every movement that arrives is added, whoever tells it."""
    events = pd.concat([told.movements.assign(is_count=False), told.counts.assign(is_count=True)])
    return _running(events.sort_values(["file_no", "record_no", "fact_no"], kind="stable"))


def dedupe_without_authority(told: Told) -> pd.DataFrame:
    """Of each key the last record that arrived counts, in the order of events; all systems are believed alike."""
    events = pd.concat([told.movements.assign(is_count=False), told.counts.assign(is_count=True)])
    order = ["file_no", "record_no"]
    last = events.sort_values(order, kind="stable").drop_duplicates(RECORD_KEY, keep="last")[[*RECORD_KEY, *order]]
    kept = events.merge(last, on=[*RECORD_KEY, *order])
    kept = kept[~kept["is_void"].astype(bool)]
    return _running(kept.sort_values(["event_time", "is_count"], kind="stable"))


def _running(events: pd.DataFrame) -> pd.DataFrame:
    """Return the last count of each key and what was added after it, in the order of the rows."""
    events = events.reset_index(drop=True)
    place = pd.Series(events.index, index=events.index)
    last = place.where(events["is_count"]).groupby([events[name] for name in STOCK_KEY]).transform("max")
    counted = events[place >= last.fillna(-1)]
    return counted.groupby(STOCK_KEY)["quantity"].sum().reset_index()


SHORTCUTS = {
    "last snapshot wins": last_snapshot_wins,
    "sum of everything in arrival order": sum_in_arrival_order,
    "dedupe without authority": dedupe_without_authority,
}
