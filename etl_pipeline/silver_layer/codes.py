"""Codes of products, places and units against the masters: resolved, created by contract, or set aside."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.silver_layer.gtin import gtin_forms
from etl_pipeline.silver_layer.look_alikes import could_be_latin, skeleton
from etl_pipeline.silver_layer.numbers import DECIMAL, mask, multiply, narrow
from etl_pipeline.silver_layer.values import Bench

MOST_PLAIN_FACTOR = 10**9
SCIENTIFIC_CODE = r"^\d+([.,]\d+)?[eE]\+\d+$"
"""As spreadsheets write long numbers. The sign tells it from a code such as 12E5."""
_SENDS = {
    "product": "Send the product master, or add an alias; it is judged again then.",
    "location": "Send the location master; it is judged again then.",
}


@dataclass
class Known:
    """Codes that the chunk itself brings, and codes that the contract lets it create."""

    own: dict[str, pa.Array] = field(default_factory=dict)
    created: dict[str, set[str]] = field(default_factory=dict)


def resolve_products(bench: Bench, own: Known, codes: pa.Array, times: pa.Array | None = None) -> pa.Array:
    """Return product codes with aliases replaced by the code that they meant at the time of each row.

    A product of the master is itself; one that a feed only created gives way to an alias, whichever came first.
    A GTIN that no master knows as it is written is looked for with more or fewer leading zeros.
    """
    created, found = bench.lookups.find("product", "is_created", codes)
    known = pc.and_(found, pc.fill_null(pc.not_equal(created, "true"), True))
    if "product" in own.own:
        known = pc.or_kleene(known, pc.is_in(codes, value_set=own.own["product"], skip_nulls=True))
    if pc.all(pc.fill_null(known, False), min_count=0).as_py():
        return codes
    unknown = pc.if_else(pc.fill_null(known, False), pa.scalar(None, pa.string()), codes)
    meant, found = bench.lookups.find_at("alias", "product_code", unknown, times)
    unknown = pc.if_else(found, pa.scalar(None, pa.string()), unknown)
    return _with_lost_zeros(bench, unknown, times, pc.if_else(found, meant, codes))


def _with_lost_zeros(bench: Bench, unknown: pa.Array, times: pa.Array | None, codes: pa.Array) -> pa.Array:
    """Return codes where an unknown GTIN is the one product that has it with more or fewer leading zeros.

    Where several forms are known and mean different products, none is taken.
    """
    distinct = pc.unique(unknown.drop_null())
    digits = distinct.filter(pc.match_substring_regex(distinct, r"^\d+$"))  # nothing else is a GTIN
    forms = {code: gtin_forms(code) for code in digits.to_pylist()}
    if not any(forms.values()):
        return codes
    owners: list[list[str | None]] = [[] for _ in range(len(codes))]
    for number in range(max(len(ways) for ways in forms.values())):
        asked = pa.array(
            [forms[c][number] if c in forms and number < len(forms[c]) else None for c in unknown.to_pylist()],
            pa.string(),
        )
        meant, by_alias = bench.lookups.find_at("alias", "product_code", asked, times)
        _, is_product = bench.lookups.find("product", "is_created", asked)
        owner = pc.if_else(by_alias, meant, pc.if_else(is_product, asked, pa.scalar(None, pa.string())))
        for row, code in enumerate(owner.to_pylist()):
            owners[row].append(code)
    single = [next(iter(set(o) - {None})) if len(set(o) - {None}) == 1 else None for o in owners]
    return pc.coalesce(pa.array(single, pa.string()), codes)


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
    _object_to_spoilt(bench, name, codes, unknown, label)
    if rule == "create":
        _object_to_disguised(bench, name, codes, unknown, label)
        fresh = pc.unique(codes.filter(pa.array(unknown & ~bench.judge.is_bad))).to_pylist()
        known.created.setdefault(name, set()).update(fresh)
        return
    bench.judge.object_to(
        unknown,
        f"unknown_{name}",
        lambda bad: [
            f"{label}: unknown {name} '{codes[int(i)].as_py()}'{_alike(bench, name, codes[int(i)].as_py())}. "
            f"{_SENDS[name]}"
            for i in bad
        ],
        (name, lambda bad: [codes[int(i)].as_py() for i in bad]),
    )


def _alike(bench: Bench, name: str, code: str) -> str:
    """Return a remark on the known code that an unknown one looks like; empty where there is none."""
    frame = bench.lookups.references.sets.get(name)
    twin = skeleton(code)
    return f", which only looks like '{twin}'" if twin != code and frame is not None and twin in frame.index else ""


def _object_to_spoilt(bench: Bench, name: str, codes: pa.Array, unknown: np.ndarray, label: str) -> None:
    """Object to unknown codes that no sender meant. They wait for their code: a master that has it vouches for it."""
    bench.judge.object_to(
        unknown & mask(pc.match_substring_regex(codes, SCIENTIFIC_CODE)),
        "digits_lost",
        lambda bad: [
            f"{label}: '{codes[int(i)].as_py()}' is in scientific notation, its digits are lost; export it as text."
            for i in bad
        ],
        (name, lambda bad: [codes[int(i)].as_py() for i in bad]),
    )


def _object_to_disguised(bench: Bench, name: str, codes: pa.Array, unknown: np.ndarray, label: str) -> None:
    """Object to codes that would be created though all their letters are look-alikes of Latin ones."""
    disguised = unknown & ~mask(pc.string_is_ascii(codes))
    disguised[disguised] = [could_be_latin(codes[int(i)].as_py()) for i in np.flatnonzero(disguised)]
    bench.judge.object_to(
        disguised,
        "mixed_script",
        lambda bad: [
            f"{label}: every letter of '{codes[int(i)].as_py()}' is of another alphabet and looks Latin"
            f"{_alike(bench, name, codes[int(i)].as_py())}; type it anew, or send the master that has it."
            for i in bad
        ],
        (name, lambda bad: [codes[int(i)].as_py() for i in bad]),
    )


def unit_factors(
    bench: Bench, products: pa.Array, units: pa.Array, times: pa.Array | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (numerators, denominators) as arrays of int, or None when every row counts in base units.

    Each row is converted by what its unit held at its time.
    """
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
        numerator, found = bench.lookups.peek_at("unit", "numerator", asked, times)
        denominator, _ = bench.lookups.peek_at("unit", "denominator", asked, times)
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


def check_pieces(bench: Bench, products: pa.Array, quantities: pa.Array | None, label: str) -> None:
    """Object to fractions of products that their master keeps in pieces (EA); a created one may be anything."""
    if quantities is None:
        return
    broken = mask(pc.not_equal(pc.round(quantities, ndigits=0, round_mode="towards_zero"), quantities))
    if not broken.any():
        return
    base, _ = bench.lookups.find("product", "base_unit", products)
    created, _ = bench.lookups.find("product", "is_created", products)
    bench.judge.object_to(
        broken & mask(pc.equal(base, "EA")) & mask(pc.equal(created, "false")),
        "fractional_quantity",
        lambda bad: [
            f"{label}: {quantities[int(i)].as_py().normalize():f} of '{products[int(i)].as_py()}', which is kept in "
            "whole pieces (EA); mend the quantity or its unit, or give the product its true base unit."
            for i in bad
        ],
    )
