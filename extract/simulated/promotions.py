"""Promotions: a product is cheaper for some days in all stores, and more of it is wanted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from extract.simulated.clock import Floats, Ints

_BLOCK_DAYS = 30
_SHARE = 0.15  # of the products have one promotion in each block of days
_LENGTHS = (3, 8)
_PERCENTS = (10, 20, 30)
_UPLIFT_A_PERCENT = 0.05  # 20 % off: twice the demand


@dataclass(frozen=True)
class Promotions:
    """The promotions of a period.

    Attributes:
        rows: one row a promotion: item, first_day, end_day (exclusive), percent_off, uplift (factor of demand).
        uplift: shape (days, items): factor of the demand; 1 without a promotion.
        percent_off: shape (days, items): 0 without a promotion.
    """

    rows: pd.DataFrame
    uplift: Floats
    percent_off: Ints


def make_promotions(rng: np.random.Generator, *, days: int, products: int) -> Promotions:
    """Draw the promotions of these days; a product has at most one at a time."""
    blocks = [_block(rng, first, min(first + _BLOCK_DAYS, days), products) for first in range(0, days, _BLOCK_DAYS)]
    rows = pd.concat(blocks, ignore_index=True)
    uplift, percent_off = np.ones((days, products)), np.zeros((days, products), dtype=np.int64)
    for day in range(days):
        now = rows.loc[(rows["first_day"] <= day) & (day < rows["end_day"])]
        uplift[day, now["item"]] = now["uplift"]
        percent_off[day, now["item"]] = now["percent_off"]
    return Promotions(rows, uplift, percent_off)


def _block(rng: np.random.Generator, first: int, end: int, products: int) -> pd.DataFrame:
    size = int(np.ceil(products * _SHARE))
    item = np.sort(rng.permutation(products)[:size])
    begins = rng.integers(first, end, size=size)
    percent = rng.choice(_PERCENTS, size=size)
    return pd.DataFrame(
        {
            "item": item,
            "first_day": begins,
            "end_day": np.minimum(begins + rng.integers(*_LENGTHS, size=size), end),
            "percent_off": percent,
            "uplift": 1 + percent * _UPLIFT_A_PERCENT,
        }
    )
