"""The stores' back-office system: deliveries and damage in one daily file, count sheets in another."""

from functools import partial
from typing import cast

import numpy as np
import pandas as pd

from extract.simulated.clock import Ints, day_stamp, local_seconds, written
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, chosen, cut, delimited, fields, numbers, positions
from extract.simulated.world import World

MOVEMENTS, COUNTS = "store_movements", "store_counts"
IDENTITIES = (
    Identity(MOVEMENTS, key=("store", "document", "line"), unread=("reason",), tail=("trailer",)),
    Identity(COUNTS, key=("count_no", "product")),
)
_TYPES = {"transfer_in": "GOODS_IN", "adjustment": "DAMAGE"}
_KINDS = {"location": "FULL", "item": "CYCLE"}


def sheets(world: World) -> list[Sheet]:
    """Return a movement file per store and day, and a count file where something was counted."""
    result = []
    moves = world.movements.loc[world.movements["movement_class"].isin(list(_TYPES))]
    at, moved, counted = numbers(moves, "at"), _by_place(moves), _by_place(world.counts)
    for place, store in world.catalog.stores.iterrows():
        code, zone = str(store["location_code"]), str(store["zone"])
        midnights = local_seconds(world.start, world.days, 0, zone)
        days = np.searchsorted(midnights, at, side="right") - 1
        names = {d: f"store/{code}/movements_{code}_{day_stamp(world.start, d)}.csv" for d in range(world.days)}
        make, here = partial(_movements, world, store=code, zone=zone), moved.get(cast(int, place), at[:0])
        result += cut(MOVEMENTS, moves, days, names, delimited(total_of="quantity"), make=make, within=here)
        documents = world.counts["document"].iloc[counted[cast(int, place)]]
        number, names_of = pd.factorize(documents)
        names = {d: f"store/{code}/count_{code}_{document[-8:]}.csv" for d, document in enumerate(names_of)}
        all_numbers = np.zeros(len(world.counts), dtype=np.int64)
        all_numbers[counted[cast(int, place)]] = number
        make = partial(_counts, zone=zone)
        result += cut(
            COUNTS, world.counts, all_numbers, names, delimited("|"), make=make, within=counted[cast(int, place)]
        )
    return result


def _by_place(frame: pd.DataFrame) -> dict[int, Ints]:
    return positions(numbers(frame, "place"))


def _movements(world: World, rows: pd.DataFrame, store: str, zone: str) -> pd.DataFrame:
    """Goods in are keyed by the transfer's number and line; damage notes have a number of their own."""
    gtins = world.catalog.products["gtin"].tolist()
    dates = written(numbers(rows, "at"), zone, "%Y%m%d")
    return fields(
        {
            "store": [store] * len(rows),
            "type": rows["movement_class"].map(_TYPES).tolist(),
            "document": [doc or f"DN-{store}-{date}" for doc, date in zip(rows["document"], dates, strict=True)],
            "line": rows["line"].tolist(),
            "local_time": written(numbers(rows, "at"), zone, "%Y-%m-%d %H:%M"),
            "ean": chosen(gtins, numbers(rows, "item")),
            "quantity": rows["quantity"].tolist(),
            "sender": rows["counter_location_code"].tolist(),
            "reason": rows["note"].tolist(),
            **_meaning("movement", rows),
        }
    )


def _counts(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    return fields(
        {
            "count_no": rows["document"].tolist(),
            "kind": rows["scope"].map(_KINDS).tolist(),
            "store": rows["location_code"].tolist(),
            "counted_at": written(numbers(rows, "at"), zone, "%Y-%m-%d %H:%M:%S"),
            "product": rows["product_code"].tolist(),
            "counted": rows["quantity"].tolist(),
            **_meaning("count", rows),
        }
    )


def _meaning(kind: str, rows: pd.DataFrame) -> dict[str, list[object]]:
    """What the records mean, for the answer key."""
    return {
        "$kind": [kind] * len(rows),
        "$product": rows["product_code"].tolist(),
        "$location": rows["location_code"].tolist(),
        "$at": rows["at"].tolist(),
        "$each": rows["quantity"].tolist(),
    }
