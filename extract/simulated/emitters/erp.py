"""The ERP: master data (Latin-1, tabs), purchase orders as flat lines, and its own copy of the till sales."""

from functools import partial

import numpy as np
import pandas as pd

from extract.simulated.catalog import HEAD_OFFICE_ZONE, WAREHOUSE
from extract.simulated.clock import day_stamp, differs_from_next, written
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, chosen, cut, delimited, fields, money, numbers
from extract.simulated.world import World

SALES, ORDERS, ALIASES = "erp_sales", "erp_purchase_orders", "erp_aliases"
IDENTITIES = (
    Identity("erp_products", key=("MATNR", "GUELTIG_AB"), unread=("LIEFERANT",)),
    Identity("erp_costs", key=("MATNR", "VALID_FROM")),
    Identity("erp_locations", key=("PLANT",)),
    Identity("erp_suppliers", key=("VENDOR",)),
    Identity("erp_channels", key=("CHANNEL",)),
    Identity("erp_stock_policy", key=("MATNR", "PLANT")),
    Identity(ALIASES, key=("ALIAS", "GUELTIG_AB")),
    Identity(ORDERS, key=("PO_NO", "PO_LINE"), revision="CHANGE_NO"),
    Identity(SALES, key=("BELEG", "POS"), unread=("BEZUG",)),
)
_TOLD = ["day", "place", "till", "receipt", "kind", "at", "article", "quantity", "net_cents", "currency", "item"]
_ALWAYS_YEAR = 2024  # masters hold from its first day, or from the year before the world begins
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
    ):
        result.append(Sheet(feed, f"erp/{feed[4:]}_{eve}.csv", records, delimited()))
    return result + _policies(world, eve) + _aliases(world) + _orders(world) + _sales(world)


def _always(world: World) -> str:
    return f"{min(_ALWAYS_YEAR, world.start.year - 1)}0101"


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
            "GUELTIG_AB": np.where(is_changed, stamp, _always(world)),
        }
    )


def _costs(world: World, stamp: str, changed: int) -> pd.DataFrame:
    """Return the standard costs; on the change day only the changed ones, five per cent dearer."""
    products = world.catalog.products.head(changed) if changed else world.catalog.products
    cents = numbers(products, "cost_cents") * (105 if changed else 100) // 100
    valid = stamp if changed else _always(world)
    return pd.DataFrame({"MATNR": products["product_code"], "VALID_FROM": valid, "COST": money(cents), "CURR": "EUR"})


def _aliases(world: World) -> list[Sheet]:
    """Return the second codes of products, in a file of the day from which they are keyed; none, no file."""
    rows = world.merged.rows
    if rows.empty:
        return []
    stamp = day_stamp(world.start, world.merged.from_day)
    records = pd.DataFrame({"ALIAS": rows["alias_code"], "MATNR": rows["product_code"], "GUELTIG_AB": stamp})
    return [Sheet(ALIASES, f"erp/aliases_{stamp}.csv", records, delimited())]


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


def _policies(world: World, eve: str) -> list[Sheet]:
    products, places = len(world.catalog.products), len(world.catalog.locations)
    grid = np.indices((products, places)).reshape(2, -1)
    rows = pd.DataFrame({"item": grid[0], "place": grid[1]})
    names = {0: f"erp/stock_policy_{eve}.csv"}
    return cut("erp_stock_policy", rows, np.zeros(len(rows), int), names, delimited(), make=partial(_policy, world))


def _policy(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the planner's figures; deliberately round ones, so that they drift from what is required."""
    places = world.catalog.locations
    products = world.catalog.products[["product_code", "rate"]].iloc[rows["item"]].reset_index(drop=True)
    frame = products.join(places[["location_code", "location_kind"]].iloc[rows["place"]].reset_index(drop=True))
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
    names = {day: f"erp/purchase_orders_{day_stamp(world.start, day)}.csv" for day in range(world.days)}
    return cut(ORDERS, rows, numbers(rows, "day"), names, delimited(), make=partial(_order_lines, world))


def _order_lines(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    item, products = numbers(rows, "item"), world.catalog.products
    pack = world.catalog.numbers("pack_quantity")[item]
    cents = world.catalog.numbers("cost_cents")[item] * pack
    packs = numbers(rows, "quantity") // pack
    return fields(
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


def _sales(world: World) -> list[Sheet]:
    """Return the nightly copy: what the tills' files of the day said last, less a few lost lines.

    It never hears of voids and corrections that are keyed a day later; that, too, is drift.
    """
    log = world.till_log
    is_goods = (log["kind"] != "charge") & (log["extra"] != "training")
    today = np.flatnonzero((log["file_day"] == log["day"]) & is_goods)
    # The log is sorted, so the versions of a line that came on its own day stand one after the other.
    line = [numbers(log, name)[today] for name in ("day", "place", "till", "receipt", "line")]
    today = today[differs_from_next(*line)]
    today = today[~log["is_void"].to_numpy(dtype=bool)[today]]
    today = today[np.arange(len(today)) % _LOST != _LOST - 1]
    names = {day: f"erp/sales/sales_{day_stamp(world.start, day)}.txt" for day in range(world.days)}
    days = numbers(log, "day")[today]
    number = np.zeros(len(log), dtype=np.int64)
    number[today] = np.arange(1, len(today) + 1) - np.searchsorted(days, days)
    make = partial(_sales_lines, world)
    rows = log[_TOLD].assign(number=number)
    return cut(SALES, rows, numbers(log, "day"), names, _TABS, make=make, within=today)


def _sales_lines(world: World, rows: pd.DataFrame) -> pd.DataFrame:
    sign = np.where(rows["kind"] == "return", -1, 1)
    at = numbers(rows, "at")
    places = world.catalog.locations["location_code"].tolist()
    stamps = [f"F{day_stamp(world.start, day)}" for day in range(world.days)]
    return fields(
        {
            "BELEG": chosen(stamps, numbers(rows, "day")),
            "POS": rows["number"].tolist(),
            "ART": rows["kind"].map({"sale": "F2", "return": "RE"}).tolist(),
            "WERK": chosen(places, numbers(rows, "place")),
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
