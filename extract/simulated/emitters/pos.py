"""The tills: one semicolon file a store and business day, decimal comma, store-local times without a zone."""

import pandas as pd

from extract.simulated.clock import day_stamp, written
from extract.simulated.emitters.sheet import Sheet, cut, delimited, fields, money, numbers
from extract.simulated.world import World

FEED = "pos_sales"
_KINDS = {"sale": "V", "return": "D", "charge": "C"}  # venta, devolución, cargo


def sheets(world: World) -> list[Sheet]:
    """Return a file per store and day, also where nothing was sold (a header alone)."""
    result = []
    for place, store in world.catalog.stores.iterrows():
        code, zone = str(store["location_code"]), str(store["zone"])
        log = world.till_log.loc[world.till_log["place"] == place]
        names = {d: f"pos/{code}/pos_{code}_{day_stamp(world.start, d)}.csv" for d in range(world.days)}
        render = delimited(";", line_end="\r\n")
        result += cut(FEED, _records(world, log, code, zone), numbers(log, "file_day"), names, render)
    return result


def _records(world: World, log: pd.DataFrame, store: str, zone: str) -> pd.DataFrame:
    business_dates = [pd.Timestamp(day_stamp(world.start, d)).strftime("%d/%m/%Y") for d in range(world.days)]
    return fields(
        {
            "TIENDA": [store] * len(log),
            "JORNADA": [business_dates[day] for day in log["day"]],
            "CAJA": log["till"].tolist(),
            "TICKET": [f"{number:06d}" for number in log["receipt"]],
            "LINEA": log["line"].tolist(),
            "VERSION": log["version"].tolist(),
            "FECHA_HORA": written(numbers(log, "at"), zone, "%d/%m/%Y %H:%M:%S"),
            "TIPO": [_KINDS[kind] for kind in log["kind"]],
            "ANULADO": ["S" if is_void else "N" for is_void in log["is_void"]],
            "ARTICULO": log["article"].tolist(),
            "CANTIDAD": log["quantity"].tolist(),
            "PRECIO": money(numbers(log, "price_cents"), ","),
            "DESCUENTO": money(numbers(log, "discount_cents"), ","),
            "IMPORTE": money(numbers(log, "net_cents"), ","),
            "MONEDA": log["currency"].tolist(),
            "CAJERO": log["cashier"].tolist(),
        }
    )
