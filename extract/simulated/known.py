"""The world as its files tell it, once some of them were lost or tell other times."""

from dataclasses import replace

import numpy as np
import pandas as pd

from extract.simulated.answer_key import Judged
from extract.simulated.truth import STOCK_KEY
from extract.simulated.world import World

_SAME = [*STOCK_KEY, "at", "quantity"]


def known_world(world: World, judged: Judged) -> World:
    """Return a world with the same stock, in which just what the files tell is recorded.

    Movements that no file tells of become unrecorded. What the files tell otherwise than it was (a clock that is off)
    is put in as recorded, and taken out at once by an unrecorded movement, so that the stock stays as it is.
    """
    moves = world.movements.reset_index(drop=True)
    recorded = moves.loc[moves["is_recorded"].astype(bool)]
    told = judged.movements
    both = [_numbered(recorded), _numbered(told)]
    is_told = both[0].isin(set(both[1]))
    is_new = ~both[1].isin(set(both[0]))
    is_recorded = moves["is_recorded"].astype(bool).to_numpy(copy=True)
    is_recorded[recorded.index[~is_told.to_numpy()]] = False
    added = _placed(world, told.loc[is_new.to_numpy()])
    undone = added.assign(quantity=-added["quantity"], is_recorded=False)
    frames = [moves.assign(is_recorded=is_recorded), added, undone]
    return replace(world, movements=pd.concat(frames, ignore_index=True), counts=_placed(world, judged.counts))


def _numbered(frame: pd.DataFrame) -> pd.Series:
    """Return each row as a tuple, with a number that tells equal ones apart."""
    number = frame.groupby(_SAME).cumcount()
    rows = zip(*(frame[name].tolist() for name in _SAME), number.tolist(), strict=True)
    return pd.Series(list(rows), index=frame.index, dtype=object)


def _placed(world: World, frame: pd.DataFrame) -> pd.DataFrame:
    """Return told facts with the numbers of their product and place."""
    for name, codes, column in (
        ("item", world.catalog.products["product_code"], "product_code"),
        ("place", world.catalog.locations["location_code"], "location_code"),
    ):
        numbers = pd.Series(np.arange(len(codes)), index=codes.to_numpy())
        frame = frame.assign(**{name: frame[column].map(numbers).astype("int64")})
    return frame.reset_index(drop=True)
