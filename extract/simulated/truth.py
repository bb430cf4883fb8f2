"""The answer key: what a reader of all feeds can know, derived from the world and never from the files."""

import numpy as np
import pandas as pd

from extract.simulated.catalog import Catalog
from extract.simulated.clock import Ints

STOCK_KEY = ["product_code", "location_code"]
_LONG_AGO = np.iinfo(np.int64).min


def on_hand(counts: pd.DataFrame, movements: pd.DataFrame) -> pd.DataFrame:
    """Return the stock that counts and recorded movements imply at the end of the last day.

    The latest count of a key, plus recorded movements strictly after it (docs: semantics, section 5). What nobody
    wrote down since the last count (theft, goods on a wrong shelf) is not in it.

    Args:
        counts: product_code, location_code, at (epoch seconds), quantity (EA).
        movements: the same, and is_recorded.

    Returns:
        product_code, location_code, quantity (EA); sorted, every key that was counted or moved.
    """
    recorded = movements.loc[movements["is_recorded"].astype(bool)]
    columns = [*STOCK_KEY, "at", "quantity"]
    both = pd.concat([counts[columns], recorded[columns]], ignore_index=True)
    grouped = both.groupby(STOCK_KEY, sort=True)
    key = grouped.ngroup().to_numpy(dtype=np.int64)
    at, quantity = (both[name].to_numpy(dtype=np.int64) for name in ("at", "quantity"))
    size = len(counts)
    anchor_at = np.full(grouped.ngroups, _LONG_AGO)
    total = np.zeros(grouped.ngroups, dtype=np.int64)
    order = np.argsort(at[:size], kind="stable")  # of counts at one instant the last row holds
    anchor_at[key[:size][order]] = at[:size][order]
    total[key[:size][order]] = quantity[:size][order]
    is_after = at[size:] > anchor_at[key[size:]]
    np.add.at(total, key[size:][is_after], quantity[size:][is_after])
    keys = both[STOCK_KEY].iloc[np.unique(key, return_index=True)[1]].reset_index(drop=True)
    return keys.assign(quantity=total)


def physical(catalog: Catalog, stock: Ints) -> pd.DataFrame:
    """Return what really lies there. `stock` has shape (places, items); columns as of `on_hand`."""
    codes = catalog.products["product_code"].to_numpy(dtype=str)
    places = catalog.locations["location_code"].to_numpy(dtype=str)
    frame = pd.DataFrame(
        {
            "product_code": np.tile(codes, len(places)),
            "location_code": np.repeat(places, len(codes)),
            "quantity": stock.ravel(),
        }
    )
    return frame.sort_values(STOCK_KEY, ignore_index=True)


def open_reservations(catalog: Catalog, orders: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return reserved - cancelled - shipped of each web order line where something is left (EA).

    Columns: order_document, order_line, product_code, quantity.
    """
    key = ["order", "line", "item"]
    lines = pd.concat([orders[[*key, "quantity"]], events[[*key, "quantity"]].assign(quantity=-events["quantity"])])
    return _open(catalog, lines, key)


def open_supply(catalog: Catalog, orders: pd.DataFrame, notices: pd.DataFrame, movements: pd.DataFrame) -> pd.DataFrame:
    """Return what is still expected of each open purchase order line (EA).

    The latest notice's quantity if there is one, else the ordered one, less what was received.
    Columns: order_document, order_line, product_code, quantity.
    """
    line = ["order", "line"]
    current = orders.sort_values("version", kind="stable").drop_duplicates(line, keep="last")
    current = current.loc[current["status"] == "open"].set_index(line)
    latest = notices.sort_values("revision", kind="stable").drop_duplicates(line, keep="last").set_index(line)
    receipts = movements.loc[movements["movement_class"] == "receipt"]
    received = receipts.groupby(["document", "line"])["quantity"].sum().rename_axis(index=line)
    expected = latest["quantity"].reindex(current.index).fillna(current["quantity"])
    left = (expected - received.reindex(current.index).fillna(0)).clip(lower=0).astype("int64")
    return _open(catalog, current[["item"]].assign(quantity=left).reset_index(), ["order", "line", "item"])


def _open(catalog: Catalog, lines: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    left = lines.astype({"quantity": "int64"}).groupby(key, as_index=False)["quantity"].sum()
    left = left.loc[left["quantity"] > 0]
    codes = catalog.products["product_code"].to_numpy(dtype=str)
    return pd.DataFrame(
        {
            "order_document": left["order"].to_numpy(),
            "order_line": left["line"].to_numpy(),
            "product_code": codes[left["item"].to_numpy(dtype=np.int64)],
            "quantity": left["quantity"].to_numpy(),
        }
    )
