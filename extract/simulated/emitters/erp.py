"""The ERP: master data (Latin-1, tabs), purchase orders as flat lines, and its own copy of the till sales."""

import numpy as np
import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE, WAREHOUSE
from extract.simulated.clock import day_stamp, written
from extract.simulated.emitters.sheet import Sheet, cut, delimited, fields, money, numbers
from extract.simulated.world import World

SALES, ORDERS = "erp_sales", "erp_purchase_orders"
_ALWAYS = "20240101"
_CHANGE_DAY = 14  # on which a few products move to another category and cost more
_CHANGED = 3
_LOST = 211  # the nightly copy loses one line in so many: a drift to be found and explained
_STATUS = {"open": "O", "closed": "C", "cancelled": "X"}
_TABS = delimited("\t", encoding="latin-1", line_end="\r\n")


def sheets(world: World) -> list[Sheet]:
    """Return the master files of the eve (and of the change day), the daily orders and the daily copy."""
    stamps = [(day_stamp(world.start, -1), 0)]
    if world.days > _CHANGE_DAY:
        stamps.append((day_stamp(world.start, _CHANGE_DAY), _CHANGED))
    result = []
    for stamp, changed in stamps:
        result.append(Sheet("erp_products", f"erp/products_{stamp}.txt", _products(world, stamp, changed), _TABS))
        costs = Sheet("erp_costs", f"erp/costs_{stamp}.csv", _costs(world, stamp, changed), delimited(";"))
        result.append(costs)
    eve = stamps[0][0]
    for feed, records in (
        ("erp_locations", _locations(world)),
        ("erp_suppliers", world.catalog.suppliers.set_axis(["VENDOR", "NAME"], axis="columns")),
        ("erp_channels", pd.DataFrame({"CHANNEL": ["store", "web"], "NAME": ["Stores", "Web shop"]})),
        ("erp_stock_policy", _policy(world)),
    ):
        result.append(Sheet(feed, f"erp/{feed[4:]}_{eve}.csv", records, delimited()))
    return result + _orders(world) + _sales(world)


def _products(world: World, stamp: str, changed: int) -> pd.DataFrame:
    """Return the product master; the first `changed` products have a new version from that day on."""
    products = world.catalog.products
    is_changed = np.arange(len(products)) < changed
    return pd.DataFrame(
        {
            "MATNR": products["product_code"],
            "BEZEICHNUNG": products["product_name"],
            "WARENGRUPPE": np.where(is_changed, "SEASONAL", products["category_code"]),
            "EAN": products["gtin"],
            "BASISEINHEIT": "EA",
            "BESTELLEINHEIT": products["order_unit"],
            "UMREZ": products["pack_quantity"],
            "LIEFERANT": products["supplier_code"],
            "LIEF_ARTIKEL": products["supplier_item"],
            "LISTENPREIS": money(numbers(products, "eur_cents")),
            "WAEHRUNG": "EUR",
            "GUELTIG_AB": np.where(is_changed, stamp, _ALWAYS),
        }
    )


def _costs(world: World, stamp: str, changed: int) -> pd.DataFrame:
    """Return the standard costs; on the change day only the changed ones, five per cent dearer."""
    products = world.catalog.products.head(changed) if changed else world.catalog.products
    cents = numbers(products, "cost_cents") * (105 if changed else 100) // 100
    valid = stamp if changed else _ALWAYS
    return pd.DataFrame({"MATNR": products["product_code"], "VALID_FROM": valid, "COST": money(cents), "CURR": "EUR"})


def _locations(world: World) -> pd.DataFrame:
    places = world.catalog.locations
    return pd.DataFrame(
        {
            "PLANT": places["location_code"],
            "NAME": places["location_name"],
            "TYPE": places["location_kind"].map({"store": "R", "warehouse": "W"}),
            "TZ": places["zone"],
            "CURR": places["currency"],
            "DAY_CLOSE_MIN": places["day_close_minutes"],
        }
    )


def _policy(world: World) -> pd.DataFrame:
    """Return the planner's figures; deliberately round ones, so that they drift from what is required."""
    products, places = world.catalog.products, world.catalog.locations
    frame = products[["product_code", "rate"]].merge(places[["location_code", "location_kind"]], how="cross")
    is_store = frame["location_kind"] == "store"
    daily = np.where(is_store, frame["rate"], frame["rate"] * (len(places) - 1))
    return pd.DataFrame(
        {
            "MATNR": frame["product_code"],
            "PLANT": frame["location_code"],
            "SAFETY_STOCK": np.ceil(daily * 2).astype("int64"),
            "REORDER_POINT": np.ceil(daily * np.where(is_store, 4, 9)).astype("int64"),
            "WEB_BUFFER": np.where(is_store, 0, 2),
            "SERVICE_LEVEL": np.where(frame["rate"] > 1, "0.98", "0.95"),
        }
    )


def _orders(world: World) -> list[Sheet]:
    rows = world.purchase_orders
    item, products = numbers(rows, "item"), world.catalog.products
    pack = world.catalog.numbers("pack_quantity")[item]
    cents = world.catalog.numbers("cost_cents")[item] * pack
    packs = numbers(rows, "quantity") // pack
    records = fields(
        {
            "PO_NO": rows["order"].tolist(),
            "PO_LINE": rows["line"].tolist(),
            "CHANGE_NO": rows["version"].tolist(),
            "VENDOR": rows["supplier"].tolist(),
            "PLANT": [WAREHOUSE] * len(rows),
            "ORDERED": written(numbers(rows, "ordered_at"), HEAD_OFFICE_ZONE, "%Y-%m-%d %H:%M"),
            "DUE": written(numbers(rows, "due_at"), HEAD_OFFICE_ZONE, "%Y-%m-%d %H:%M"),
            "MATNR": products["product_code"].iloc[item].tolist(),
            "QTY": packs.tolist(),
            "UNIT": products["order_unit"].iloc[item].tolist(),
            "PRICE": money(cents),
            "AMOUNT": money(cents * packs),
            "CURR": ["EUR"] * len(rows),
            "STATUS": [_STATUS[status] for status in rows["status"]],
        }
    )
    names = {day: f"erp/purchase_orders_{day_stamp(world.start, day)}.csv" for day in range(world.days)}
    return cut(ORDERS, records, numbers(rows, "day"), names, delimited())


def _sales(world: World) -> list[Sheet]:
    """Return the nightly copy: what the tills' files of the day said last, less a few lost lines.

    It never hears of voids and corrections that are keyed a day later; that, too, is drift.
    """
    log = world.till_log
    today = log.loc[(log["file_day"] == log["day"]) & (log["kind"] != "charge") & (log["extra"] != "training")]
    today = today.drop_duplicates(["day", "place", "till", "receipt", "line"], keep="last")
    today = today.loc[~today["is_void"].astype(bool)].reset_index(drop=True)
    today = today.loc[today.index % _LOST != _LOST - 1]
    names = {day: f"erp/sales/sales_{day_stamp(world.start, day)}.txt" for day in range(world.days)}
    return cut(SALES, _sales_lines(world, today), numbers(today, "day"), names, _TABS)


def _sales_lines(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    sign = np.where(rows["kind"] == "return", -1, 1)
    at = numbers(rows, "at")
    places = world.catalog.locations["location_code"].tolist()
    stamps = [day_stamp(world.start, day) for day in range(world.days)]
    return fields(
        {
            "BELEG": [f"F{stamps[day]}" for day in rows["day"]],
            "POS": (rows.groupby("day").cumcount() + 1).tolist(),
            "ART": ["RE" if kind == "return" else "F2" for kind in rows["kind"]],
            "WERK": [places[place] for place in rows["place"]],
            "DATUM": written(at, HEAD_OFFICE_ZONE, "%Y%m%d"),
            "ZEIT": written(at, HEAD_OFFICE_ZONE, "%H%M%S"),
            "MATNR": rows["article"].tolist(),
            "MENGE": (numbers(rows, "quantity") * sign).tolist(),
            "EINHEIT": ["EA"] * len(rows),
            "NETTO": money(numbers(rows, "net_cents") * sign),
            "WAEHRUNG": rows["currency"].tolist(),
            "BEZUG": [f"{till}/{receipt:06d}" for till, receipt in zip(rows["till"], rows["receipt"], strict=True)],
        }
    )
