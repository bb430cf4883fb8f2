"""Text to exact decimals. Nothing is rounded, guessed or turned into floating point."""

import ast
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.expressions import split_backticks
from etl_pipeline.core.errors import UsageError

DECIMAL = pa.decimal128(38, 9)
WIDE = pa.decimal256(76, 18)
PLAIN = r"^[+-]?(\d{1,18}(\.\d{0,9}0*)?|\.\d{1,9}0*)$"
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
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def parse_numbers(text: pa.Array, decimal: str = ".", thousands: str = "") -> Numbers:
    """Read texts as exact decimals of up to 18 digits before and 9 after the sign.

    Args:
        text: clean text, null where empty.
        decimal: decimal sign.
        thousands: thousands sign, or empty.
    """
    plain = text
    if thousands:
        plain = pc.replace_substring(plain, thousands, "")
    if decimal != ".":
        plain = pc.replace_substring(plain, decimal, ".")
    reads = pc.match_substring_regex(plain, PLAIN)
    if not pc.all(reads, min_count=0).as_py():
        # Some systems write the sign behind the number: 12.50-
        turned = pc.replace_substring_regex(plain, pattern=r"^(\d[\d.]*)-$", replacement=r"-\1")
        plain = turned
        reads = pc.match_substring_regex(plain, PLAIN)
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
        rounded = pc.round(values, ndigits=9, round_mode="towards_zero")
        bad = mask(pc.not_equal(rounded, values)) | mask(pc.greater(pc.abs(values), pa.scalar(10**28)))
        kept = pc.if_else(pa.array(bad), pa.scalar(None, values.type), values)
        return pc.cast(kept, DECIMAL), bad


def multiply(left: pa.Array, right: pa.Array) -> pa.Array:
    """Return the exact product of two decimal arrays, in decimal256."""
    return pc.cast(pc.multiply(pc.cast(left, pa.decimal256(37, 9)), pc.cast(right, pa.decimal256(37, 9))), WIDE)


def calculate(expression: str, rows: int, column: Callable[[str], pa.Array]) -> pa.Array:
    """Evaluate exact arithmetic over decimal columns; null where any input is null."""
    text, names = split_backticks(expression)

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
        left, right = walk(node.left), walk(node.right)
        if isinstance(node.op, ast.Mult):
            return pc.cast(
                pc.multiply(pc.cast(left, pa.decimal256(37, 12)), pc.cast(right, pa.decimal256(37, 12))), WIDE
            )
        operation = pc.add if isinstance(node.op, ast.Add) else pc.subtract
        return pc.cast(operation(pc.cast(left, pa.decimal256(75, 18)), pc.cast(right, pa.decimal256(75, 18))), WIDE)

    return walk(ast.parse(text, mode="eval").body)
