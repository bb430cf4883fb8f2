"""How far a stock figure is from the truth, and how well faults were found."""

from dataclasses import dataclass

import pandas as pd

STOCK_KEY = ["product_code", "location_code"]
FATES = ("quarantined", "whole_file_set_aside", "duplicate", "superseded")


@dataclass(frozen=True)
class Score:
    """One way of computing stock against one truth.

    Attributes:
        method: name of the way.
        truth: knowable or physical.
        keys: product-locations compared.
        exact_share: share of keys whose figure is exactly right.
        mean_absolute_error: units a key.
        bias: mean of figure minus truth, units a key.
        oversell_rate: share of keys whose figure promises more than there is.
        oversell_units: units promised and not there.
        undersell_rate: share of keys whose figure hides stock that is there.
        undersell_units: units there and not promised.
    """

    method: str
    truth: str
    keys: int
    exact_share: float
    mean_absolute_error: float
    bias: float
    oversell_rate: float
    oversell_units: float
    undersell_rate: float
    undersell_units: float


def score(method: str, truth: str, figures: pd.DataFrame, on_hand: pd.DataFrame) -> Score:
    """Compare figures with a truth.

    Args:
        method: what made the figures.
        truth: the column of `on_hand` to compare with.
        figures: product_code, location_code, quantity; a key that is missing has zero.
        on_hand: product_code, location_code and the truths, every key.
    """
    said = figures.groupby(STOCK_KEY)["quantity"].sum()
    true = on_hand.set_index(STOCK_KEY)[truth]
    keys = true.index.union(said.index)
    said, true = (pd.to_numeric(part.reindex(keys).fillna(0)).astype(float) for part in (said, true))
    # Nobody sells from a stock below zero: a promise is clipped there, the figure is not.
    error, promise = said - true, said.clip(lower=0) - true.clip(lower=0)
    return Score(
        method=method,
        truth=truth,
        keys=len(keys),
        exact_share=float((error == 0).mean()),
        mean_absolute_error=float(error.abs().mean()),
        bias=float(error.mean()),
        oversell_rate=float((promise > 0).mean()),
        oversell_units=float(promise.clip(lower=0).sum()),
        undersell_rate=float((promise < 0).mean()),
        undersell_units=float(promise.clip(upper=0).abs().sum()),
    )


@dataclass(frozen=True)
class Found:
    """How many records met the fate that the answer key names, file by file.

    Attributes:
        fate: what should have become of them.
        expected: records in the answer key.
        found: records that the warehouse gave that fate.
        right: records that are in both, by file and reason.
    """

    fate: str
    expected: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the expected that was found; 1 where nothing was expected."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        """Share of the found that was expected; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0


def detection(expected: pd.DataFrame, found: pd.DataFrame) -> list[Found]:
    """Compare what became of records with the answer key.

    Args:
        expected: file, fate, reason (empty where the fate says all), records.
        found: the same columns, as the warehouse has it.
    """
    key = ["file", "fate", "reason"]
    sides = [frame.groupby(key)["records"].sum() for frame in (expected, found)]
    both = pd.concat(sides, axis=1, keys=["expected", "found"]).fillna(0).astype("int64").reset_index()
    both["right"] = both[["expected", "found"]].min(axis=1)
    numbers = ["expected", "found", "right"]
    sums = both.groupby("fate")[numbers].sum().astype("int64").T.to_dict()
    return [Found(fate, **{name: int(sums[fate][name]) for name in numbers}) for fate in FATES if fate in sums]
