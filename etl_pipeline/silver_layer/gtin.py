"""Trade numbers (GTIN): digits whose leading zeros a sheet may have eaten, told by their check digit."""

import pyarrow as pa
import pyarrow.compute as pc

GTIN_LENGTHS = (8, 12, 13, 14)
USUAL_LENGTH = 13
FEWEST_DIGITS = 7
"""Shorter numbers are anybody's own codes; a check digit fits one in ten of them."""


def is_gtin(code: str) -> bool:
    """Tell whether a code is a GTIN: digits, as many as one has, and the last is the check digit of the others.

    Lost leading zeros do not matter, since they weigh nothing in the check digit.
    """
    bare = code.lstrip("0")
    if not (code.isascii() and code.isdecimal() and len(bare) >= FEWEST_DIGITS and len(code) <= GTIN_LENGTHS[-1]):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code))) % 10 == 0


def gtin_forms(code: str) -> list[str]:
    """Return the other ways in which a GTIN is written, with more or fewer leading zeros; none if it is no GTIN."""
    bare = code.lstrip("0")
    return [
        bare.zfill(length)
        for length in GTIN_LENGTHS
        if len(bare) <= length and length != len(code) and is_gtin(code)
    ]  # fmt: skip


def whole_gtins(text: pa.Array) -> pa.Array:
    """Return GTINs with 13 digits, their lost zeros put back; every other text stays as it is."""
    coded = pc.dictionary_encode(text)
    whole = [
        code.lstrip("0").zfill(USUAL_LENGTH) if code is not None and is_gtin(code) else code
        for code in coded.dictionary.to_pylist()
    ]
    return pa.array(whole, pa.string()).take(coded.indices)
