"""Codes are looked up in references however these were read: whole, or piece by piece."""

import numpy as np
import pandas as pd
import pyarrow as pa

from etl_pipeline.contracts.values import References
from etl_pipeline.silver_layer.lookups import Lookups
from etl_pipeline.silver_layer.numbers import parse_numbers


def frame(**values: str) -> pd.DataFrame:
    found = pd.DataFrame({"pieces": list(values.values())}, index=pd.Index(list(values)))
    return found.astype(pd.ArrowDtype(pa.string()))


def test_references_read_in_pieces_give_values_like_any_other():
    whole = References({"pack": pd.concat([frame(A="6", B="12"), frame(C="24")])})

    found, is_known = Lookups(whole, np.zeros(4, dtype=np.int64)).find(
        "pack", "pieces", pa.array(["C", "A", "X", None])
    )

    assert isinstance(found, pa.Array)
    assert found.to_pylist() == ["24", "6", None, None]
    assert is_known.to_pylist() == [True, True, False, False]
    assert [str(n) for n in parse_numbers(found).values.to_pylist()[:2]] == ["24.000000000", "6.000000000"]


def test_each_part_remembers_what_its_own_rows_asked_for_and_nothing_that_its_facts_tell():
    lookups = Lookups(References(), np.array([0, 0, 1, 1]))
    lookups.find("bin", "place", pa.array(["b1", "b1", "b2", None]))
    lookups.find("product", "base_unit", pa.array(["A", "B", "C", "D"]))
    lookups.narrowed(np.array([1, 2])).note("unit", pa.array(["CS", "PK"]))
    used = sorted(tuple(row.values()) for row in lookups.used_by().to_pylist())
    assert used == [(0, "bin", "b1"), (0, "unit", "CS"), (1, "bin", "b2"), (1, "unit", "PK")]
    assert lookups.used["unit"] == {"CS", "PK"}


def test_keys_are_asked_for_once_and_before_they_are_looked_up():
    zones = {"b1": "cold", "b2": "dry", "b3": "dry"}
    references, asked = References(), []

    def ask(wanted):
        asked.append({name: sorted(keys) for name, keys in wanted.items()})
        there = [key for keys in asked for key in keys["bin"] if key in zones]
        references.sets["bin"] = pd.DataFrame({"zone": [zones[key] for key in there]}, index=there)
        return True

    lookups = Lookups(references, np.zeros(3, dtype=np.int64), ask)
    for keys, found in (
        (["b1", "b2", None], ["cold", "dry", None]),
        (["b2", "b1", "b1"], ["dry", "cold", "cold"]),
        (["b3", "b1", "b9"], ["dry", "cold", None]),
        (["b9", "b9", "b3"], [None, None, "dry"]),
    ):
        assert lookups.find("bin", "zone", pa.array(keys))[0].to_pylist() == found
    assert asked == [{"bin": ["b1", "b2"]}, {"bin": ["b3", "b9"]}]
