"""Promises that mind the age of the news, beside fixed buffers: units sold that are not there, and sales refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

BUFFERS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15)
QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.99)
OWN_BUFFERS = (0, 1, 2, 3, 5)
FIXED, AWARE = "fixed buffer", "mindful of the age of the news"


@dataclass(frozen=True)
class Outcome:
    """What a rule of promising comes to.

    Attributes:
        rule: FIXED or AWARE.
        buffer: units taken off every promise.
        quantile: with which certainty the reserve covers what was sold since the last news; None without a reserve.
        oversell_rate: units promised and not there, by units wanted.
        lost_rate: units there and not promised, though wanted, by units wanted.
    """

    rule: str
    buffer: float
    quantile: float | None
    oversell_rate: float
    lost_rate: float


def staleness_reserve(mornings: pd.DataFrame, quantile: float) -> pd.Series:
    """Return the reserve in units that gold.availability would take off with this `staleness_quantile`."""
    late_days = mornings["late_hours"] / 24
    factor = NormalDist().inv_cdf(quantile)
    reserve = mornings["mean_daily"] * late_days + factor * (mornings["variance_daily"] * late_days) ** 0.5
    return pd.Series(np.maximum(0, np.ceil(reserve)), index=mornings.index).where(late_days > 0, 0.0)


def judged(mornings: pd.DataFrame, kept_back: pd.Series | float) -> tuple[float, float]:
    """Return (oversell rate, lost rate) when so many units of `available` are kept back.

    Customers order what they want and are promised what may be sold; what is promised and not there is oversold, what
    is there and wanted and not promised is lost.
    """
    wanted, physical = mornings["wanted"], mornings["physical"]
    promised = np.minimum(wanted, np.maximum(0, mornings["available"] - kept_back))
    oversold = np.maximum(0, promised - physical).sum()
    lost = np.maximum(0, np.minimum(wanted, physical) - promised).sum()
    return float(oversold / wanted.sum()), float(lost / wanted.sum())


def outcomes(mornings: pd.DataFrame) -> list[Outcome]:
    """Return what every fixed buffer, and the reserve with every certainty and a few buffers beside, come to."""
    fixed = [Outcome(FIXED, buffer, None, *judged(mornings, buffer)) for buffer in BUFFERS]
    aware = [
        Outcome(AWARE, buffer, quantile, *judged(mornings, staleness_reserve(mornings, quantile) + buffer))
        for buffer in OWN_BUFFERS
        for quantile in QUANTILES
    ]
    return fixed + aware


def oversell_of_fixed_buffers_at(lost_rate: float, fixed: Sequence[Outcome]) -> float:
    """Return what fixed buffers oversell where they lose so many sales, between two buffers in a straight line."""
    ordered = sorted(fixed, key=lambda outcome: outcome.lost_rate)
    return float(np.interp(lost_rate, [o.lost_rate for o in ordered], [o.oversell_rate for o in ordered]))


def advantages(found: Iterable[Outcome]) -> list[tuple[Outcome, float]]:
    """Return (outcome, oversell rate of fixed buffers at equal lost sales) of every outcome with a reserve."""
    every = list(found)
    fixed = [outcome for outcome in every if outcome.rule == FIXED]
    return [(o, oversell_of_fixed_buffers_at(o.lost_rate, fixed)) for o in every if o.rule == AWARE]
