"""What the simulated retailer has: products, places, suppliers. Money in minor units, quantities in EA."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from extract.simulated.clock import Ints

WAREHOUSE = "WH01"
HEAD_OFFICE_ZONE = "Europe/Madrid"
LATE_CLOSE_MINUTES = 120
_UPC_EVERY = 10

_CATEGORIES = (
    ("A", "COFFEE", "Café molido"),
    ("B", "PASTRY", "Crème brûlée"),
    ("C", "HAM", "Jamón curado"),
    ("D", "CHEESE", "Käse gereift"),
    ("E", "SWEETS", "Turrón de almendra"),
)
_CITIES = ("Madrid", "London", "Málaga", "Leeds", "Cádiz", "York", "Gijón", "Bath", "León", "Hull")
_SUPPLIERS = (("SUP1", "Iberia Alimentación, S.A."), ("SUP2", "Nordkäse GmbH & Co. KG"), ("SUP3", "Maison Crème SARL"))


@dataclass(frozen=True)
class Catalog:
    """Master data of the retailer.

    Attributes:
        products: one row a product; row number is its index in every array of the world. `*_cents` is money in
            minor units, `pack_quantity` EA per CS (1: never packed), `rate` mean units a store sells a day.
        locations: row 0 is the warehouse, then the stores; `opens` and `trades` in minutes (local).
        suppliers: supplier_code, supplier_name.
    """

    products: pd.DataFrame
    locations: pd.DataFrame
    suppliers: pd.DataFrame

    @cached_property
    def stores(self) -> pd.DataFrame:
        """The rows of `locations` that are stores, index kept."""
        return self.locations.loc[self.locations["location_kind"] == "store"]

    def numbers(self, column: str) -> Ints:
        """Return a numeric column of `products` as int64, one element a product."""
        return self.products[column].to_numpy(dtype=np.int64)


def gtin13(twelve_digits: str) -> str:
    """Return the GTIN-13 of twelve digits: they and the check digit (weights 1, 3, 1, 3...)."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve_digits))
    return f"{twelve_digits}{-total % 10}"


def make_catalog(rng: np.random.Generator, *, stores: int, products: int) -> Catalog:
    """Draw the master data of a retailer with this many stores and products."""
    return Catalog(_products(rng, products), _locations(stores), _suppliers())


def _products(rng: np.random.Generator, count: int) -> pd.DataFrame:
    kinds = [_CATEGORIES[i % len(_CATEGORIES)] for i in range(count)]
    packs = rng.choice([1, 6, 12], size=count, p=[0.4, 0.15, 0.45])
    costs = rng.integers(80, 1500, size=count)
    # One in ten is a re-used UPC: a GTIN-13 with a leading zero, which spreadsheets love to lose.
    prefixes = ["00" if i % _UPC_EVERY == 0 else "84" for i in range(count)]
    frame = pd.DataFrame(
        {
            "product_code": [f"{kind[0]}-{1001 + i}" for i, kind in enumerate(kinds)],
            "product_name": [f"{kind[2]} nº {1 + i}" for i, kind in enumerate(kinds)],
            "category_code": [kind[1] for kind in kinds],
            "gtin": [gtin13(f"{prefix}{3600029 + i * 37:010d}") for i, prefix in enumerate(prefixes)],
            "pack_quantity": packs,
            "order_unit": np.where(packs > 1, "CS", "EA"),
            "supplier_code": [_SUPPLIERS[i % len(_SUPPLIERS)][0] for i in range(count)],
            "supplier_item": [f"{7000 + 3 * i}/{i % 4}" for i in range(count)],
            "cost_cents": costs,
            "eur_cents": costs * 17 // 10 // 5 * 5 + 4,
            "gbp_cents": costs * 15 // 10 // 5 * 5 + 4,
            "rate": np.round(rng.lognormal(mean=0.1, sigma=0.7, size=count).clip(0.2, 8.0), 3),
        }
    )
    return frame


def _locations(stores: int) -> pd.DataFrame:
    rows: list[dict[str, object]] = [_place(WAREHOUSE, "Almacén central Getafe", "warehouse", HEAD_OFFICE_ZONE, "EUR")]
    for i in range(stores):
        zone, currency = (("Europe/Madrid", "EUR"), ("Europe/London", "GBP"))[i % 2]
        # The second store trades past midnight: its business day closes at 02:00, not at 00:00.
        late = {"day_close_minutes": LATE_CLOSE_MINUTES, "opens": 10 * 60, "trades": 14 * 60 + 45} if i == 1 else {}
        name = f"Tienda {_CITIES[i % len(_CITIES)]}" if currency == "EUR" else f"Store {_CITIES[i % len(_CITIES)]}"
        rows.append(_place(f"ST{i + 1:02d}", name, "store", zone, currency) | late)
    return pd.DataFrame(rows)


def _place(code: str, name: str, kind: str, zone: str, currency: str) -> dict[str, object]:
    return {
        "location_code": code,
        "location_name": name,
        "location_kind": kind,
        "zone": zone,
        "currency": currency,
        "day_close_minutes": 0,
        "opens": 9 * 60,
        "trades": 12 * 60,
    }


def _suppliers() -> pd.DataFrame:
    return pd.DataFrame(_SUPPLIERS, columns=["supplier_code", "supplier_name"])
