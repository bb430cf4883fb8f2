"""What a day usually brings, and how surely that is known: of each row of a table of days, from the days before only.

Robust throughout: the median of the same weekday in the weeks before, moved by the median of how the last days stood
to it, and by how the same season of the year before stood to what was expected then. How far days stray is learnt from
how far they strayed. Rows are feeds or places, columns consecutive days; what is unknown is nan.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
WEEK = 7
WEEKS = 8
FEWEST = 4
RECENT = 14
LONGER = 56
FEWEST_RECENT = 5
LATEST = 5
FEWEST_LATEST = 3
CLEAR_FALL = 0.2
"""How far (in logarithms) the latest days must have fallen to be believed before two weeks say so."""
MOST_RISE = 0.05
"""How far (in logarithms) a recent rise is believed beyond the last weeks: a promotion ends overnight."""
LATELY = 4
"""Weeks whose same weekdays bound what is expected: eight weeks after Christmas still hold it."""
ABOVE_LATELY = 0.1
YEAR = 364
FALL_SHARE = 0.33
"""How much of a fall of the latest days, such as that after Christmas, is added to the spread: it may go on."""
SEASON_DAYS = 3
SEASON_SHARE = 0.8
HISTORY = 182
FEWEST_HISTORY = 28
FLOOR = 0.08
MARGIN = 1.15
"""What a spread is taken for beyond what was measured: half a year measures it to a tenth, and tails are heavier."""
MOST_SPREAD = 2.0


@dataclass(frozen=True)
class Usual:
    """What is usual.

    Attributes:
        expected: records of each day; nan where nothing can be said yet.
        spread: by how much, in logarithms, a day strays beyond what chance alone explains.
    """

    expected: Numbers
    spread: Numbers


def usual(volume: Numbers, period: int = WEEK) -> Usual:
    """Return what each day usually brings.

    Args:
        volume: rows by days; nan where nothing came or the source was closed.
        period: days after which the week begins again; 1 where the columns are weeks or months.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        same_day = quantile(lagged(volume, [period * k for k in range(1, WEEKS + 1)]), 0.5, FEWEST)
        stray = np.where(same_day > 0, np.log((volume + 0.5) / (same_day + 0.5)), np.nan)
        recent = trailing(stray, RECENT, FEWEST_RECENT)
        longer = np.nan_to_num(trailing(stray, LONGER, FEWEST_RECENT))
        latest = trailing(stray, LATEST, FEWEST_LATEST)
        moved = np.where(np.isnan(recent), longer, np.minimum(recent, longer + MOST_RISE))
        fallen = np.nan_to_num(np.maximum(np.fmax(recent, longer) - latest, 0.0))
        moved = np.where(latest < moved - CLEAR_FALL, latest, moved)
        expected = same_day * np.exp(moved)
        season = _season(volume, expected, period)
        expected = expected * np.exp(np.minimum(SEASON_SHARE * season, MOST_RISE))
        if period == WEEK:
            lately = quantile(lagged(volume, [WEEK * k for k in range(1, LATELY + 1)]), 0.5, 2)
            expected = np.where(lately > 0, np.minimum(expected, lately * np.exp(ABOVE_LATELY)), expected)
        strayed = np.log((volume + 0.5) / (expected + 0.5))
    spread = _spread(np.where(expected > 0, strayed, np.nan), expected)
    return Usual(expected, np.sqrt(spread**2 + (FALL_SHARE * fallen) ** 2))


def _season(volume: Numbers, expected: Numbers, period: int) -> Numbers:
    """Return how the same season a year before stood to what was expected then; 0 where that is not known."""
    if period != WEEK or volume.shape[1] <= YEAR:
        return np.zeros_like(volume)
    strayed = np.where(expected > 0, np.log((volume + 0.5) / (expected + 0.5)), np.nan)
    around = [YEAR + shift for shift in range(-SEASON_DAYS, SEASON_DAYS + 1)]
    return np.nan_to_num(quantile(lagged(strayed, around), 0.5, SEASON_DAYS))


def _spread(strayed: Numbers, expected: Numbers) -> Numbers:
    """Return how far days strayed in the half year before, chance taken out; judged anew once a week."""
    rows, days = strayed.shape
    spread = np.full((rows, days), np.nan)
    by_chance = 1 / np.maximum(expected, 1.0)
    for start in range(0, days, WEEK):
        before = strayed[:, max(0, start - HISTORY) : start]
        if before.shape[1] < FEWEST:
            continue
        middle = quantile(before, 0.5, FEWEST)
        wide = 1.4826 * quantile(np.abs(before - middle[:, None]), 0.5, FEWEST)
        low = (middle - quantile(before, 0.05, FEWEST)) / 1.645
        few = np.sum(~np.isnan(before), axis=1)
        unsure = np.sqrt(1 + FEWEST_HISTORY / np.maximum(few, 1) / 4)  # a short history says less of itself
        whole = np.maximum(wide, low) * unsure * MARGIN
        chance = quantile(by_chance[:, max(0, start - HISTORY) : start], 0.5, 1)
        alone = np.sqrt(np.maximum(whole**2 - chance, FLOOR**2))
        spread[:, start : start + WEEK] = np.minimum(alone, MOST_SPREAD)[:, None]
    return spread


def lagged(table: Numbers, lags: list[int]) -> Numbers:
    """Return rows by days by lags: what stood so many days before; nan where that is before the beginning."""
    rows, days = table.shape
    out = np.full((rows, days, len(lags)), np.nan)
    for number, lag in enumerate(lags):
        if 0 < lag < days:
            out[:, lag:, number] = table[:, : days - lag]
    return out


def trailing(table: Numbers, width: int, fewest: int) -> Numbers:
    """Return the median of the days before each day, that day left out."""
    return quantile(lagged(table, list(range(1, width + 1))), 0.5, fewest)


def quantile(table: Numbers, share: float, fewest: int) -> Numbers:
    """Return a quantile along the last axis, of what is known; nan where fewer are."""
    ordered = np.sort(table, axis=-1)  # what is not known comes last
    known = np.sum(~np.isnan(table), axis=-1)
    at = np.maximum(known - 1, 0) * share
    below, above = np.floor(at).astype(int), np.ceil(at).astype(int)
    low = np.take_along_axis(ordered, below[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0]
    return np.where(known >= fewest, low + (high - low) * (at - below), np.nan)


def surprise(came: Numbers, expected: Numbers, spread: Numbers) -> Numbers:
    """Return how far below the expected a count is, in standard deviations of a negative binomial count.

    The transformation makes its spread the same everywhere: for few records the square root of a Poisson count, for
    many the logarithm over the spread.
    """
    with np.errstate(invalid="ignore"):
        return _level(expected, spread) - _level(came, spread)


def _level(count: Numbers, spread: Numbers) -> Numbers:
    return 2 / spread * np.arcsinh(spread * np.sqrt(np.maximum(count, 0) + 0.375))
