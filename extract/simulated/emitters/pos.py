"""The tills: one semicolon file a store and business day, decimal comma, store-local times without a zone."""

from functools import partial
from typing import cast

import numpy as np
import pandas as pd

from extract.simulated.clock import day_stamp, written
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet, chosen, cut, delimited, fields, money, numbers, positions
from extract.simulated.tills import BAG_FEE
from extract.simulated.world import World

FEED = "pos_sales"
IDENTITIES = (
    Identity(
        FEED,
        key=("TIENDA", "JORNADA", "CAJA", "TICKET", "LINEA"),
        revision="VERSION",
        void=("ANULADO", "S"),
        left_out=(("CAJA", "99", "training_till"), ("TIPO", "G", "gift_card")),
        unread=("DESCUENTO", "CAJERO", "PROMO"),
    ),
)
_SIGNS = {"sale": -1, "return": 1, "charge": 0}
_KINDS = {"sale": "V", "return": "D", "charge": "C"}  # venta, devolución, cargo


def sheets(world: World) -> list[Sheet]:
    """Return a file per store and day, also where nothing was sold (a header alone)."""
    result = []
    by_place = positions(numbers(world.till_log, "place"))
    days = numbers(world.till_log, "file_day")
    for place, store in world.catalog.stores.iterrows():
        code, zone = str(store["location_code"]), str(store["zone"])
        names = {d: f"pos/{code}/pos_{code}_{day_stamp(world.start, d)}.csv" for d in range(world.days)}
        make = partial(_records, world, store=code, zone=zone)
        here = by_place.get(cast(int, place), days[:0])
        result += cut(FEED, world.till_log, days, names, delimited(";", line_end="\r\n"), make=make, within=here)
    return result


def _records(world: World, log: pd.DataFrame, store: str, zone: str) -> pd.DataFrame:
    receipt = numbers(log, "receipt")
    business_dates = [pd.Timestamp(day_stamp(world.start, d)).strftime("%d/%m/%Y") for d in range(world.days)]
    return fields(
        {
            "TIENDA": [store] * len(log),
            "JORNADA": chosen(business_dates, numbers(log, "day")),
            "CAJA": log["till"].tolist(),
            "TICKET": chosen(
                [f"{number:06d}" for number in range(log["receipt"].max() + 1 if len(log) else 0)], receipt
            ),
            "LINEA": log["line"].tolist(),
            "VERSION": log["version"].tolist(),
            "FECHA_HORA": written(numbers(log, "at"), zone, "%d/%m/%Y %H:%M:%S"),
            "TIPO": log["kind"].map(_KINDS).tolist(),
            "ANULADO": chosen(["N", "S"], log["is_void"].to_numpy(dtype=np.int64)),
            "ARTICULO": log["article"].tolist(),
            "CANTIDAD": log["quantity"].tolist(),
            "PRECIO": money(numbers(log, "price_cents"), ","),
            "DESCUENTO": money(numbers(log, "discount_cents"), ","),
            "IMPORTE": money(numbers(log, "net_cents"), ","),
            "MONEDA": log["currency"].tolist(),
            "CAJERO": log["cashier"].tolist(),
            "$kind": log["kind"].map({"sale": "movement", "return": "movement", "charge": ""}).tolist(),
            "$product": chosen([*world.catalog.products["product_code"], BAG_FEE], numbers(log, "item")),
            "$location": [store] * len(log),
            "$at": log["at"].tolist(),
            "$each": (log["quantity"] * log["kind"].map(_SIGNS).astype("int64")).tolist(),
        }
    )
