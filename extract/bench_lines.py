"""Writes a large file of till lines for the bench: seeded, in time order, a little dirt in the codes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

STORES, PRODUCTS, REGISTERS = 200, 60_000, 8
LINES_AT_ONCE = 500_000
CENT = pa.scalar("0.01").cast(pa.decimal128(3, 2))
FIRST_SECOND = 1_735_689_600  # 2025-01-01T00:00:00Z


def _money(values: np.ndarray) -> pa.Array:
    """Return cents as decimals."""
    return pc.multiply(pa.array(values).cast(pa.decimal128(19, 0)), CENT).cast(pa.decimal128(12, 2))


def _piece(rng: np.random.Generator, first: int, lines: int, total: int) -> pa.Table:
    number = np.arange(first, first + lines)
    ticket = number // 4
    second = FIRST_SECOND + (ticket * 4 * 31_536_000 // max(total, 1))
    product = np.minimum((rng.pareto(1.2, lines) * 600).astype(np.int64), PRODUCTS - 1)
    price = 49 + product * 7_919 % 9_900
    quantity = np.where(rng.random(lines) < 0.02, -1, rng.integers(1, 6, lines))
    discount = np.where(rng.random(lines) < 0.15, price // 10, 0)
    store = ticket * 2_654_435_761 % STORES
    sku = pa.array(np.char.mod("SKU-%06d", product))
    sku = pc.if_else(pa.array(rng.random(lines) < 0.02), pc.utf8_lower(sku), sku)
    sold = pc.strftime(pa.array(second, pa.timestamp("s", "UTC")), format="%Y-%m-%dT%H:%M:%S+00:00")
    return pa.table(
        {
            "store_id": pa.array(np.char.mod("S%04d", store)),
            "register_id": pa.array(ticket % REGISTERS + 1),
            "ticket_no": pa.array(ticket + 100_000_000),
            "line_no": pa.array(number % 4 + 1),
            "sku": sku,
            "qty": pa.array(quantity),
            "unit_price": _money(price),
            "discount": _money(discount),
            "tax": _money((price * quantity - discount) * 8 // 100),
            "currency": pa.repeat("EUR", lines),
            "sold_at": sold,
            "cashier": pa.array(np.char.mod("C%04d", ticket % 9_000)),
        }
    )


def write_lines(target: Path, lines: int, seed: int = 1, *, begin: int = 0, total: int | None = None) -> None:
    """Write `lines` till lines of 12 columns to a CSV file; same seed, same bytes.

    Args:
        target: the file.
        lines: how many.
        seed: of what was sold.
        begin: how many lines came before, in other files: tickets are numbered on.
        total: lines of the year; the times of sale are spread over it.
    """
    rng = np.random.default_rng(seed)
    writer: pacsv.CSVWriter | None = None
    for first in range(begin, begin + lines, LINES_AT_ONCE):
        piece = _piece(rng, first, min(LINES_AT_ONCE, begin + lines - first), total or lines)
        if writer is None:
            writer = pacsv.CSVWriter(target, piece.schema, write_options=pacsv.WriteOptions(quoting_style="none"))
        writer.write_table(piece)
    if writer is not None:
        writer.close()
