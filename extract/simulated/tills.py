"""The tills' own record: versions, voids, bag fees and training receipts around the true lines."""

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Ints

BAG_FEE = "BAG"
TRAINING_TILL = 99
_TRAINING_DAY = 2  # of each week of the world
_BAG_CENTS = 15
_BAGS, _VOIDS, _CORRECTED, _DISCOUNTED = 0.10, 0.010, 0.006, 0.10  # shares of receipts; of lines for the others
_NEXT_DAY = 0.4  # share of voids and corrections that are keyed a day later, in the next day's file
_RECEIPT = ["day", "place", "till", "receipt"]


def till_log(catalog: Catalog, rng: np.random.Generator, lines: pd.DataFrame, *, days: int) -> pd.DataFrame:
    """Return what the tills wrote, one row a version of a receipt line.

    Args:
        catalog: master data, for prices.
        rng: source of chance.
        lines: the true lines of `selling.sell_day`, all days.
        days: number of days; a late correction of the last day is keyed on that day.

    Returns:
        Columns of `lines`, and: article, version (from 1; the greatest is true), is_void, price_cents,
        discount_cents, net_cents (all positive, minor units of the store's currency), cashier, file_day,
        is_superseded (a later version follows), extra (bag, void, training, or empty for a true line).
        Training receipts are at till 99 and moved nothing.
    """
    codes = catalog.products["product_code"].to_numpy(dtype=str)
    log = lines.assign(article=codes[lines["item"].to_numpy(dtype=np.int64)], is_void=False, version=1)
    log = pd.concat([log, _bags(log, rng), _training(log), _voided(log, rng)], ignore_index=True)
    log = _number_lines(log).assign(file_day=log["day"])
    log = _price(catalog, rng, log)
    later = [_void_versions(log, rng), _right_versions(log, rng)]
    wrong = later[1].index
    log.loc[wrong, "quantity"] += 1
    log = pd.concat([log, *later], ignore_index=True)
    log["net_cents"] = log["quantity"] * log["price_cents"] - log["discount_cents"]
    log["file_day"] = np.minimum(log["file_day"], days - 1)
    log["cashier"] = log["place"] * 100 + log["till"] * 10 + log["day"] % 3
    log["is_superseded"] = log.duplicated([*_RECEIPT, "line"], keep="last")
    order = ["file_day", "place", "at", "till", "receipt", "line", "version"]
    return log.sort_values(order, kind="stable", ignore_index=True)


def _some(log: pd.DataFrame, rng: np.random.Generator, share: float) -> pd.DataFrame:
    return log.loc[rng.random(len(log)) < share]


def _bags(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    bags = _some(log.drop_duplicates(_RECEIPT), rng, _BAGS)
    return bags.assign(kind="charge", article=BAG_FEE, quantity=1, item=-1, extra="bag")


def _training(log: pd.DataFrame) -> pd.DataFrame:
    """A cashier is trained once a week in each store, on a till that sells nothing."""
    first = log.loc[log["day"] % 7 == _TRAINING_DAY].drop_duplicates(["day", "place"])
    return first.assign(till=TRAINING_TILL, receipt=1, kind="sale", quantity=3, extra="training")


def _voided(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A line keyed by mistake: its goods never left the shelf."""
    return _some(log.loc[log["kind"] == "sale"], rng, _VOIDS).assign(extra="void")


def _number_lines(log: pd.DataFrame) -> pd.DataFrame:
    log = log.assign(extra=log["extra"].fillna(""))
    return log.assign(line=log.groupby(_RECEIPT).cumcount() + 1)


def _price(catalog: Catalog, rng: np.random.Generator, log: pd.DataFrame) -> pd.DataFrame:
    currency = catalog.locations["currency"].to_numpy(dtype=str)[log["place"].to_numpy(dtype=np.int64)]
    item = log["item"].to_numpy(dtype=np.int64)
    price = np.where(currency == "GBP", catalog.numbers("gbp_cents")[item], catalog.numbers("eur_cents")[item])
    price = np.where(log["kind"] == "charge", _BAG_CENTS, price)
    is_cheaper = (rng.random(len(log)) < _DISCOUNTED) & (log["kind"] == "sale").to_numpy()
    discount = np.where(is_cheaper, price * log["quantity"].to_numpy(dtype=np.int64) // 10, 0)
    return log.assign(currency=currency, price_cents=price, discount_cents=discount)


def _void_versions(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    voids = log.loc[log["extra"] == "void"]
    return voids.assign(version=2, is_void=True, file_day=voids["day"] + _days_late(voids, rng))


def _right_versions(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some lines were first keyed with one piece too many; version 2 is right."""
    right = _some(log.loc[(log["kind"] == "sale") & (log["extra"] == "")], rng, _CORRECTED)
    return right.assign(version=2, file_day=right["day"] + _days_late(right, rng))


def _days_late(rows: pd.DataFrame, rng: np.random.Generator) -> Ints:
    return (rng.random(len(rows)) < _NEXT_DAY).astype(np.int64)
