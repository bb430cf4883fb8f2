"""Stock hour by hour: what all feeds together let one know, and what lay there."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from extract.simulated.clock import HOUR, Flags, Ints, differs_from_next, instants
from extract.simulated.text_columns import coded
from extract.simulated.world import World


def stock_hourly(world: World) -> pd.DataFrame:
    """Return knowable and physical stock at whole hours, with everything delivered.

    Knowable at an hour: the latest count at or before it, plus recorded movements after that count up to the hour.
    Physical: what lies where it belongs, whatever the records say.

    Returns:
        product_code, location_code, at (UTC, whole hours), knowable, physical (EA). Sparse: a key's first row is at
        the stock take, further ones where a value differs from the row before. Sorted by product, place and time.
    """
    events = _sorted_events(world)
    knowable, physical = _knowable(events), _physical(events, world)
    hour = -(-events.at // HOUR)  # what happens within an hour is seen at its end
    is_last = differs_from_next(events.key, hour)
    key, hour, knowable, physical = (values[is_last] for values in (events.key, hour, knowable, physical))
    is_new = np.ones(len(key), dtype=bool)
    is_new[1:] = (key[1:] != key[:-1]) | (knowable[1:] != knowable[:-1]) | (physical[1:] != physical[:-1])
    items, places = world.catalog.products["product_code"], world.catalog.locations["location_code"]
    size = len(places)
    frame = pd.DataFrame(
        {
            "product_code": coded(items.tolist(), key[is_new] // size),
            "location_code": coded(places.tolist(), key[is_new] % size),
            "at": instants(hour[is_new] * HOUR),
            "knowable": knowable[is_new],
            "physical": physical[is_new],
        }
    )
    return frame


@dataclass(frozen=True)
class _Events:
    """Counts and movements by key and time; a movement at the instant of a count stands before it."""

    key: Ints
    at: Ints
    is_count: Flags
    is_recorded: Flags
    quantity: Ints


def _sorted_events(world: World) -> _Events:
    frames = (world.movements, world.counts)
    place, item, at, quantity = (
        np.concatenate([frame[name].to_numpy(dtype=np.int64) for frame in frames])
        for name in ("place", "item", "at", "quantity")
    )
    moves = len(world.movements)
    is_count = np.arange(len(at)) >= moves
    is_recorded = np.concatenate([world.movements["is_recorded"].to_numpy(dtype=bool), np.ones(len(at) - moves, bool)])
    # Codes are drawn in ascending order only up to a thousand products; rows are to be sorted by what is read.
    ranks = [np.argsort(np.argsort(codes.to_numpy(dtype=str))) for codes in _codes(world)]
    rank = ranks[0][item] * len(ranks[1]) + ranks[1][place]
    order = np.lexsort((is_count, at, rank))
    key = item * len(ranks[1]) + place
    return _Events(key[order], at[order], is_count[order], is_recorded[order], quantity[order])


def _codes(world: World) -> tuple[pd.Series, pd.Series]:
    return world.catalog.products["product_code"], world.catalog.locations["location_code"]


def _knowable(events: _Events) -> Ints:
    """Return what is known after each event: its key's latest count, plus recorded movements since."""
    moved = np.cumsum(np.where(events.is_count | ~events.is_recorded, 0, events.quantity))
    rows = np.arange(len(moved))
    first = _firsts(events.key)
    count = np.maximum.accumulate(np.where(events.is_count, rows, -1))
    has_count = count >= first
    # Before the first count of a key nothing is known but the movements, from zero.
    before = np.where(first > 0, moved[first - 1], 0)
    return np.where(has_count, events.quantity[count] + moved - moved[count], moved - before)


def _physical(events: _Events, world: World) -> Ints:
    """Return what lies there after each event: the opening stock and every movement."""
    moved = np.cumsum(np.where(events.is_count, 0, events.quantity))
    first = _firsts(events.key)
    size = len(world.catalog.locations)
    opening = world.opening[events.key % size, events.key // size]
    there: Ints = opening + moved - np.where(first > 0, moved[first - 1], 0)
    return there


def _firsts(key: Ints) -> Ints:
    """Return the number of the first row of each row's key."""
    is_first = np.ones(len(key), dtype=bool)
    is_first[1:] = key[1:] != key[:-1]
    return np.maximum.accumulate(np.where(is_first, np.arange(len(key)), 0))
