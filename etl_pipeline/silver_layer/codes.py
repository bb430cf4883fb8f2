"""Codes of products, places and units against the masters: resolved, created by contract, or set aside."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.silver_layer.numbers import DECIMAL, mask, multiply, narrow
from etl_pipeline.silver_layer.values import Bench

MOST_PLAIN_FACTOR = 10**9
_SENDS = {
    "product": "Send the product master, or add an alias; it is judged again then.",
    "location": "Send the location master; it is judged again then.",
}


@dataclass
class Known:
    """Codes that the chunk itself brings, and codes that the contract lets it create."""

    own: dict[str, pa.Array] = field(default_factory=dict)
    created: dict[str, set[str]] = field(default_factory=dict)


def resolve_products(bench: Bench, own: Known, codes: pa.Array) -> pa.Array:
    """Return product codes with aliases replaced by the code that they mean.

    A product of the master is itself; one that a feed only created gives way to an alias, whichever came first.
    """
    created, found = bench.lookups.find("product", "is_created", codes)
    known = pc.and_(found, pc.fill_null(pc.not_equal(created, "true"), True))
    if "product" in own.own:
        known = pc.or_kleene(known, pc.is_in(codes, value_set=own.own["product"], skip_nulls=True))
    if pc.all(pc.fill_null(known, False), min_count=0).as_py():
        return codes
    unknown = pc.if_else(pc.fill_null(known, False), pa.scalar(None, pa.string()), codes)
    meant, found = bench.lookups.find("alias", "product_code", unknown)
    return pc.if_else(found, meant, codes)


def check_codes(bench: Bench, known: Known, name: str, codes: pa.Array, label: str) -> None:
    """Object to rows whose product or place is in no master, or note the code as created."""
    reading = bench.contract.reading
    found = mask(bench.lookups.knows(name, codes))
    if name in known.own:
        found |= mask(pc.is_in(codes, value_set=known.own[name], skip_nulls=True))
    unknown = mask(pc.is_valid(codes)) & ~found
    if not unknown.any():
        return
    rule = reading.unknown_product if name == "product" else reading.unknown_location
    if rule == "create":
        fresh = pc.unique(codes.filter(pa.array(unknown & ~bench.judge.is_bad))).to_pylist()
        known.created.setdefault(name, set()).update(fresh)
        return
    bench.judge.object_to(
        unknown,
        f"unknown_{name}",
        lambda bad: [f"{label}: unknown {name} '{codes[int(i)].as_py()}'. {_SENDS[name]}" for i in bad],
        (name, lambda bad: [codes[int(i)].as_py() for i in bad]),
    )


def unit_factors(bench: Bench, products: pa.Array, units: pa.Array) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (numerators, denominators) as arrays of int, or None when every row counts in base units."""
    if not pc.any(pc.is_valid(units), min_count=0).as_py():
        return None
    bench.lookups.note("unit", units)
    base, _ = bench.lookups.find("product", "base_unit", products)
    is_base = mask(pc.or_kleene(pc.is_null(units), pc.equal(units, pc.fill_null(base, "EA"))))
    top = np.ones(len(units), dtype=object)
    bottom = np.ones(len(units), dtype=object)
    open_ = ~is_base
    for keys in (
        pc.binary_join_element_wise(pc.fill_null(products, ""), pc.fill_null(units, ""), "|"),
        pc.binary_join_element_wise(pa.scalar(""), pc.fill_null(units, ""), "|"),
    ):
        if not open_.any():
            break
        asked = pc.if_else(pa.array(open_), keys, pa.scalar(None, pa.string()))
        numerator, found = bench.lookups.peek("unit", "numerator", asked)
        denominator, _ = bench.lookups.peek("unit", "denominator", asked)
        rows = np.flatnonzero(mask(found))
        for row in rows:
            ratio = Fraction(numerator[int(row)].as_py()) / Fraction(denominator[int(row)].as_py() or "1")
            top[row], bottom[row] = ratio.numerator, ratio.denominator
        open_[rows] = False
    bench.judge.object_to(
        open_,
        "unknown_unit",
        lambda bad: [
            f"unit '{units[int(i)].as_py()}' of product '{products[int(i)].as_py()}' has no conversion. Send it as a "
            "unit_conversion, or name it under `units` in retailer.yml; it is judged again then."
            for i in bad
        ],
        ("unit", lambda bad: [units[int(i)].as_py() for i in bad]),
    )
    return top, bottom


def convert(bench: Bench, values: pa.Array, factors: tuple[np.ndarray, np.ndarray] | None, label: str) -> pa.Array:
    """Return quantities in base units; a quantity that cannot be written exactly is set aside."""
    if factors is None:
        return values
    top, bottom = factors
    before, inexact = values, np.zeros(len(values), dtype=bool)
    is_odd = (bottom != 1) | (abs(top) > MOST_PLAIN_FACTOR)
    if is_odd.any():
        exact = values.cast(pa.string()).to_pylist()
        for row in np.flatnonzero(is_odd):
            if exact[row] is None:
                continue
            scaled = Fraction(exact[row]) * top[row] / bottom[row] * 10**9
            inexact[row] = scaled.denominator != 1 or abs(scaled.numerator) >= 10**38
            exact[row] = None if inexact[row] else f"{scaled.numerator}e-9"
        values = pc.cast(pa.array(exact, pa.string()), DECIMAL)
        top = np.where(is_odd, 1, top)
    if not (top == 1).all():
        values, too_large = narrow(multiply(values, pc.cast(pa.array(top.astype(np.int64)), DECIMAL)))
        inexact |= too_large
    bench.judge.object_to(
        inexact,
        "inexact_quantity",
        lambda bad: [f"{label}: {before[int(i)]} of the unit cannot be written exactly in base units." for i in bad],
    )
    return values
