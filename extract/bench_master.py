"""Writes full extracts of a product master for the bench: seeded, the same products each time, some prices changed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

CATEGORIES = 120


def write_master(target: Path, products: int, *, changed: float = 0.0) -> int:
    """Write a product master to a CSV file; same arguments, same bytes. Return how many prices were changed.

    Args:
        target: the file.
        products: how many.
        changed: share of them whose price is not that of the first extract; they lie apart from each other.
    """
    number = np.arange(products)
    price = 49 + number * 7_919 % 9_900
    others = number[:: round(1 / changed)] if changed else number[:0]
    price[others] += 10
    table = pa.table(
        {
            "sku": np.char.mod("SKU-%07d", number),
            "name": np.char.mod("Article no. %07d", number),
            "category": np.char.mod("G%03d", number % CATEGORIES),
            "unit": pa.repeat("EA", products),
            "price": np.char.mod("%.2f", price / 100),
            "currency": pa.repeat("EUR", products),
        }
    )
    pacsv.write_csv(table, target, pacsv.WriteOptions(quoting_style="none"))
    return len(others)
