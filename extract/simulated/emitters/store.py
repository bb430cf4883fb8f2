"""The stores' back-office system: deliveries and damage in one daily file, count sheets in another."""

import numpy as np
import pandas as pd

from extract.simulated.clock import day_stamp, local_seconds, written
from extract.simulated.emitters.sheet import Sheet, cut, delimited, fields, numbers
from extract.simulated.world import World

MOVEMENTS, COUNTS = "store_movements", "store_counts"
_TYPES = {"transfer_in": "GOODS_IN", "adjustment": "DAMAGE"}
_KINDS = {"location": "FULL", "item": "CYCLE"}


def sheets(world: World) -> list[Sheet]:
    """Return a movement file per store and day, and a count file where something was counted."""
    result = []
    for place, store in world.catalog.stores.iterrows():
        code, zone = str(store["location_code"]), str(store["zone"])
        here = world.movements.loc[world.movements["place"] == place]
        moves = here.loc[here["movement_class"].isin(list(_TYPES))]
        midnights = local_seconds(world.start, world.days, 0, zone)
        days = np.searchsorted(midnights, numbers(moves, "at"), side="right") - 1
        names = {d: f"store/{code}/movements_{code}_{day_stamp(world.start, d)}.csv" for d in range(world.days)}
        result += cut(MOVEMENTS, _movements(world, moves, code, zone), days, names, delimited())
        counts = world.counts.loc[world.counts["place"] == place]
        for document, rows in counts.groupby("document", sort=False):
            name = f"store/{code}/count_{code}_{str(document)[-8:]}.csv"
            result.append(Sheet(COUNTS, name, _counts(rows, zone), delimited("|")))
    return result


def _movements(world: World, rows: pd.DataFrame, store: str, zone: str) -> pd.DataFrame:
    """Goods in are keyed by the transfer's number and line; damage notes have a number of their own."""
    gtins = world.catalog.products["gtin"].tolist()
    dates = written(numbers(rows, "at"), zone, "%Y%m%d")
    return fields(
        {
            "store": [store] * len(rows),
            "type": [_TYPES[kind] for kind in rows["movement_class"]],
            "document": [doc or f"DN-{store}-{date}" for doc, date in zip(rows["document"], dates, strict=True)],
            "line": rows["line"].tolist(),
            "local_time": written(numbers(rows, "at"), zone, "%Y-%m-%d %H:%M"),
            "ean": [gtins[item] for item in rows["item"]],
            "quantity": rows["quantity"].tolist(),
            "sender": rows["counter_location_code"].tolist(),
            "reason": rows["note"].tolist(),
        }
    )


def _counts(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    return fields(
        {
            "count_no": rows["document"].tolist(),
            "kind": [_KINDS[scope] for scope in rows["scope"]],
            "store": rows["location_code"].tolist(),
            "counted_at": written(numbers(rows, "at"), zone, "%Y-%m-%d %H:%M"),
            "product": rows["product_code"].tolist(),
            "counted": rows["quantity"].tolist(),
        }
    )
