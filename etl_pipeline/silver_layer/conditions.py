"""Which records a rule speaks about: conditions of a contract as masks."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.model import AllOf, AnyOf, Condition, Reading, Scalar, Test
from etl_pipeline.silver_layer.columns import Columns
from etl_pipeline.silver_layer.numbers import DECIMAL, mask, parse_numbers

_COMPARE = {
    "less_than": pc.less,
    "at_most": pc.less_equal,
    "greater_than": pc.greater,
    "at_least": pc.greater_equal,
}


def scalar_text(value: Scalar) -> str | None:
    """Return a YAML scalar as the text it stands for."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _in(values: pa.Array, wanted: list[Scalar]) -> np.ndarray:
    texts = [scalar_text(value) for value in wanted]
    found = mask(pc.is_in(values, value_set=pa.array([t for t in texts if t is not None], pa.string())))
    found &= mask(pc.is_valid(values))
    return found | mask(pc.is_null(values)) if None in texts else found


def _test(values: pa.Array, test: Test, reading: Reading) -> np.ndarray:
    held = np.ones(len(values), dtype=bool)
    given = test.model_fields_set
    if "equals" in given:
        held &= _in(values, [test.equals])
    if test.in_ is not None:
        held &= _in(values, test.in_)
    if test.not_in is not None:
        held &= ~_in(values, test.not_in)
    if test.starts_with is not None:
        held &= mask(pc.starts_with(values, test.starts_with))
    if test.ends_with is not None:
        held &= mask(pc.ends_with(values, test.ends_with))
    if test.matches is not None:
        held &= mask(pc.match_substring_regex(values, f"^(?:{test.matches})$"))
    if test.is_null is not None:
        held &= mask(pc.is_null(values)) == test.is_null
    for name, compare in _COMPARE.items():
        bound = getattr(test, name)
        if bound is not None:
            numbers = parse_numbers(values, reading.decimal, reading.thousands).values
            held &= mask(compare(numbers, pc.cast(pa.scalar(str(bound)), DECIMAL)))
    return held


def holds(condition: Condition | None, columns: Columns, reading: Reading) -> np.ndarray:
    """Return the mask of records for which a condition holds; no condition holds for all."""
    if condition is None:
        return np.ones(columns.rows, dtype=bool)
    if isinstance(condition, AnyOf):
        return np.asarray(np.any([holds(part, columns, reading) for part in condition.any_of], axis=0), dtype=bool)
    if isinstance(condition, AllOf):
        return np.asarray(np.all([holds(part, columns, reading) for part in condition.all_of], axis=0), dtype=bool)
    held = np.ones(columns.rows, dtype=bool)
    for name, wanted in condition.items():
        values = columns.get(name)
        if isinstance(wanted, Test):
            held &= _test(values, wanted, reading)
        else:
            held &= _in(values, wanted if isinstance(wanted, list) else [wanted])
    return held
