"""The tills' own record: versions, voids, bag fees and training receipts around the true lines."""

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Ints
from extract.simulated.merged_codes import MergedCodes
from extract.simulated.promotions import Promotions
from extract.simulated.selling import ranks
from extract.simulated.text_columns import always, few

BAG_FEE = "BAG"
TRAINING_TILL = 99
_TRAINING_DAY = 2  # of each week of the world
_BAG_CENTS = 15
_BAGS, _VOIDS, _CORRECTED, _DISCOUNTED = 0.10, 0.010, 0.006, 0.10  # shares of receipts; of lines for the others
_NEXT_DAY = 0.4  # share of voids and corrections that are keyed a day later, in the next day's file
_EXTRAS = ("", "bag", "void", "training")


def till_log(
    catalog: Catalog,
    rng: np.random.Generator,
    lines: pd.DataFrame,
    *,
    days: int,
    promotions: Promotions,
    merged: MergedCodes,
) -> pd.DataFrame:
    """Return what the tills wrote, one row a version of a receipt line.

    Args:
        catalog: master data, for prices.
        rng: source of chance.
        lines: the true lines of `selling.sell_day`, all days.
        days: number of days; a late correction of the last day is keyed on that day.
        promotions: what is cheaper on which days.
        merged: what is keyed under a second code.

    Returns:
        Columns of `lines`, and: article, version (from 1; the greatest is true), is_void, price_cents,
        discount_cents, net_cents (all positive, minor units of the store's currency), cashier, file_day,
        is_superseded (a later version follows), extra (bag, void, training, or empty for a true line).
        Training receipts are at till 99 and moved nothing.
    """
    extra = few(_EXTRAS, np.zeros(len(lines), dtype=np.int8))
    log = lines.assign(article=_keyed(catalog, lines, merged), extra=extra, is_void=False, version=np.int32(1))
    log = pd.concat([log, _bags(log, rng), _training(log), _voided(log, rng)], ignore_index=True)
    log = _price(catalog, rng, _number_lines(log), promotions).assign(file_day=log["day"], is_superseded=False)
    later = [_void_versions(log, rng), _right_versions(log, rng)]
    log.loc[later[1].index, "quantity"] += 1
    for versions in later:
        log.loc[versions.index, "is_superseded"] = True
    log = pd.concat([log, *later], ignore_index=True)
    log["net_cents"] = log["quantity"] * log["price_cents"] - log["discount_cents"]
    log["file_day"] = np.minimum(log["file_day"], days - 1).astype(np.int32)
    log["cashier"] = log["place"] * 100 + log["till"] * 10 + log["day"] % 3
    order = ("version", "line", "receipt", "till", "at", "place", "file_day")
    return log.take(np.lexsort([log[name].to_numpy() for name in order])).reset_index(drop=True)


def _keyed(catalog: Catalog, lines: pd.DataFrame, merged: MergedCodes) -> pd.Series:
    """Return the product codes that the cashiers key."""
    first = catalog.products["product_code"].tolist()
    item, day, receipt = (lines[name].to_numpy() for name in ("item", "day", "receipt"))
    second = merged.second_numbers(len(first))
    is_second = merged.is_second(item, day, receipt)
    return few([*first, *merged.rows["alias_code"], BAG_FEE], np.where(is_second, second[item], item))


def _some(log: pd.DataFrame, rng: np.random.Generator, share: float) -> pd.DataFrame:
    return log.loc[rng.random(len(log)) < share]


def _bags(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    bags = _some(log.loc[log["line"] == 1], rng, _BAGS)
    return bags.assign(
        kind=always("charge", bags["kind"]),
        article=always(BAG_FEE, bags["article"]),
        quantity=np.int32(1),
        item=np.int32(-1),
        extra=always("bag", bags["extra"]),
    )


def _training(log: pd.DataFrame) -> pd.DataFrame:
    """A cashier is trained once a week in each store, on a till that sells nothing."""
    first = log.loc[log["day"] % 7 == _TRAINING_DAY].drop_duplicates(["day", "place"])
    return first.assign(
        till=np.int32(TRAINING_TILL),
        receipt=np.int32(1),
        kind=always("sale", first["kind"]),
        quantity=np.int32(3),
        extra=always("training", first["extra"]),
    )


def _voided(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A line keyed by mistake: its goods never left the shelf."""
    voids = _some(log.loc[log["kind"] == "sale"], rng, _VOIDS)
    return voids.assign(extra=always("void", voids["extra"]))


def _number_lines(log: pd.DataFrame) -> pd.DataFrame:
    """Number the lines of each receipt anew: bags and voided lines come last."""
    day, place, till, receipt = (log[name].to_numpy(dtype=np.int64) for name in ("day", "place", "till", "receipt"))
    group = ((day * (place.max(initial=0) + 1) + place) * 100 + till) * (receipt.max(initial=0) + 1) + receipt
    return log.assign(line=ranks(group, np.arange(len(log))).astype(np.int32))


def _price(catalog: Catalog, rng: np.random.Generator, log: pd.DataFrame, promotions: Promotions) -> pd.DataFrame:
    item, place, day = (log[name].to_numpy(dtype=np.int64) for name in ("item", "place", "day"))
    currencies = catalog.locations["currency"]
    is_pounds = (currencies == "GBP").to_numpy()[place]
    price = np.where(is_pounds, catalog.numbers("gbp_cents")[item], catalog.numbers("eur_cents")[item])
    price = price - price * promotions.percent_off[day, item] // 100
    price = np.where(log["kind"] == "charge", _BAG_CENTS, price)
    is_cheaper = (rng.random(len(log)) < _DISCOUNTED) & (log["kind"] == "sale").to_numpy()
    discount = np.where(is_cheaper, price * log["quantity"].to_numpy(dtype=np.int64) // 10, 0)
    names = currencies.unique().tolist()
    return log.assign(
        currency=few(names, currencies.map(names.index).to_numpy()[place]),
        price_cents=price.astype(np.int32),
        discount_cents=discount.astype(np.int32),
    )


def _void_versions(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    voids = log.loc[log["extra"] == "void"]
    return voids.assign(version=np.int32(2), is_void=True, file_day=voids["day"] + _days_late(voids, rng))


def _right_versions(log: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some lines were first keyed with one piece too many; version 2 is right."""
    right = _some(log.loc[(log["kind"] == "sale") & (log["extra"] == "")], rng, _CORRECTED)
    return right.assign(version=np.int32(2), file_day=right["day"] + _days_late(right, rng))


def _days_late(rows: pd.DataFrame, rng: np.random.Generator) -> Ints:
    return (rng.random(len(rows)) < _NEXT_DAY).astype(np.int32)
