"""Text to exact decimals. Nothing is rounded, guessed or turned into floating point."""

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.expressions import split_backticks
from etl_pipeline.core.errors import UsageError

DECIMAL = pa.decimal128(38, 9)
WIDE = pa.decimal256(76, 18)
PLAIN = r"^[+-]?(\d{1,18}(\.\d{0,9}0*)?|\.\d{1,9}0*)$"
MOST = pa.scalar(Decimal(10) ** 28, WIDE)
WIDE_UNIT, WIDE_DIGITS = Decimal("1e-18"), 58
SCIENTIFIC = r"^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$"


@dataclass(frozen=True)
class Numbers:
    """Parsed numbers, and which texts did not read.

    Attributes:
        values: decimal128(38, 9), null where empty or unreadable.
        unreadable: mask of texts that are no number.
        digits_lost: mask of texts in scientific notation.
    """

    values: pa.Array
    unreadable: np.ndarray
    digits_lost: np.ndarray


def mask(values: pa.Array) -> np.ndarray:
    """Return a boolean Arrow array as a numpy mask; null is False."""
    if values.null_count:
        values = pc.fill_null(values, False)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def _plain(text: pa.Array, decimal: str, thousands: str) -> tuple[pa.Array, np.ndarray]:
    """Return texts with a decimal point and no thousands signs, and the mask of those whose signs could mean another.

    With thousands `,` the text 1,50 is no 150, and with decimal `,` the text 1.500 is no 1.5.
    """
    plain, doubtful = text, np.zeros(len(text), dtype=bool)
    if thousands:
        groups = rf"^[+-]?\d{{1,3}}({re.escape(thousands)}\d{{3}})+({re.escape(decimal)}\d*)?-?$"
        doubtful |= mask(pc.match_substring(text, thousands)) & ~mask(pc.match_substring_regex(text, groups))
        plain = pc.replace_substring(plain, thousands, "")
    if decimal != ".":
        doubtful |= mask(pc.match_substring(plain, "."))
        plain = pc.replace_substring(plain, decimal, ".")
    return plain, doubtful


def parse_numbers(text: pa.Array, decimal: str = ".", thousands: str = "") -> Numbers:
    """Read texts as exact decimals of up to 18 digits before and 9 after the sign.

    Args:
        text: clean text, null where empty.
        decimal: decimal sign.
        thousands: thousands sign, or empty.
    """
    coded = pc.dictionary_encode(text)
    if len(coded.dictionary) * 2 > len(text):
        return _parse_each(text, decimal, thousands)
    # Quantities and prices repeat: each text is read once.
    once = _parse_each(coded.dictionary, decimal, thousands)
    at = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    given = at >= 0
    return Numbers(
        once.values.take(coded.indices),
        given & np.append(once.unreadable, False)[at],
        given & np.append(once.digits_lost, False)[at],
    )


def _parse_each(text: pa.Array, decimal: str, thousands: str) -> Numbers:
    plain, doubtful = _plain(text, decimal, thousands)
    reads = pc.match_substring_regex(plain, PLAIN)
    if not pc.all(reads, min_count=0).as_py():
        # Accounts write (12.50) for less than nothing, some systems 12.50-, and sheets put a currency sign beside it.
        bare = pc.replace_substring_regex(text, pattern=r"\s*[€$£¥]\s*", replacement="")
        bare = pc.replace_substring_regex(bare, pattern=r"^\(\s*([^()+-]+?)\s*\)$", replacement=r"-\1")
        plain, doubtful = _plain(bare, decimal, thousands)
        plain = pc.replace_substring_regex(plain, pattern=r"^(\d[\d.]*)-$", replacement=r"-\1")
        reads = pc.match_substring_regex(plain, PLAIN)
    reads = pc.and_(reads, pa.array(~doubtful))
    given = mask(pc.is_valid(text))
    unreadable = given & ~mask(reads)
    values = pc.if_else(pc.fill_null(reads, False), plain, pa.scalar(None, pa.string()))
    if mask(pc.match_substring_regex(values, r"\.\d{10,}$")).any():
        values = pc.replace_substring_regex(values, pattern=r"(\.\d{9})0+$", replacement=r"\1")
    lost = mask(pc.match_substring_regex(text, SCIENTIFIC)) & unreadable
    return Numbers(pc.cast(values, DECIMAL), unreadable & ~lost, lost)


def narrow(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return wide decimals as decimal128(38, 9) and the mask of those that do not fit exactly."""
    try:
        return pc.cast(values, DECIMAL), np.zeros(len(values), dtype=bool)
    except pa.ArrowInvalid:
        nothing = pa.scalar(None, values.type)
        bad = mask(pc.greater(pc.abs(values), MOST))
        kept = pc.if_else(pa.array(bad), nothing, values)
        bad |= mask(pc.not_equal(pc.round(kept, ndigits=9, round_mode="towards_zero"), kept))
        return pc.cast(pc.if_else(pa.array(bad), nothing, kept), DECIMAL), bad


def multiply(left: pa.Array, right: pa.Array) -> pa.Array:
    """Return the exact product of two decimal arrays, in decimal256."""
    return pc.cast(pc.multiply(pc.cast(left, pa.decimal256(37, 9)), pc.cast(right, pa.decimal256(37, 9))), WIDE)


def _exactly(left: pa.Array, right: pa.Array, symbol: ast.operator) -> tuple[pa.Array, np.ndarray]:
    """Return sum, difference or product of wide decimals, and the mask of those that WIDE cannot hold exactly."""
    digits = pa.decimal256(37, 12) if isinstance(symbol, ast.Mult) else pa.decimal256(75, 18)
    quick, slow = {
        ast.Mult: (pc.multiply, operator.mul), ast.Add: (pc.add, operator.add), ast.Sub: (pc.subtract, operator.sub),
    }[type(symbol)]  # fmt: skip
    try:
        return pc.cast(quick(pc.cast(left, digits), pc.cast(right, digits)), WIDE), np.zeros(len(left), dtype=bool)
    except pa.ArrowInvalid:  # some row has more digits than the quick way holds
        pass
    out: list[Decimal | None] = []
    inexact = np.zeros(len(left), dtype=bool)
    with localcontext(Context(prec=200)):
        for row, (one, other) in enumerate(zip(left.to_pylist(), right.to_pylist(), strict=True)):
            if one is None or other is None:
                out.append(None)
                continue
            value = slow(one, other)
            inexact[row] = value.adjusted() >= WIDE_DIGITS or value != value.quantize(WIDE_UNIT)
            out.append(None if inexact[row] else value.quantize(WIDE_UNIT))
    return pa.array(out, WIDE), inexact


def calculate(expression: str, rows: int, column: Callable[[str], pa.Array]) -> tuple[pa.Array, np.ndarray]:
    """Evaluate exact arithmetic over decimal columns; null where any input is null.

    Returns:
        The wide decimals, and the mask of rows where a step of the way cannot be written exactly.
    """
    text, names = split_backticks(expression)
    inexact = np.zeros(rows, dtype=bool)

    def walk(node: ast.expr) -> pa.Array:
        if isinstance(node, ast.Name):
            return pc.cast(column(names.get(node.id, node.id)), WIDE)
        if isinstance(node, ast.Constant):
            exact = parse_numbers(pa.array([ast.get_source_segment(text, node)], pa.string())).values
            return pa.repeat(pc.cast(exact, WIDE)[0], rows)
        if isinstance(node, ast.UnaryOp):
            inner = walk(node.operand)
            return pc.negate(inner) if isinstance(node.op, ast.USub) else inner
        if not isinstance(node, ast.BinOp):
            raise UsageError(f"`{expression}` is no arithmetic")
        values, lost = _exactly(walk(node.left), walk(node.right), node.op)
        inexact[lost] = True
        return values

    return walk(_parsed(text)), inexact


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
