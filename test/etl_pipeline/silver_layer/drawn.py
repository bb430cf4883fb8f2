"""Records drawn as a table, conformed by a contract given as its YAML; no file, no database."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from etl_pipeline.contracts.model import AuthorityRule, Contract
from etl_pipeline.contracts.values import (
    NON_DATA_COLUMNS,
    SET_ASIDE_COLUMNS,
    Addresses,
    Conformed,
    Landed,
    Part,
    RecordChunk,
    References,
)
from etl_pipeline.silver_layer.conform import Rules, conform

BASE = """
feed: moves
describes: Movements for tests of the silver layer.
source_system: wms
files: {pattern: "*.csv"}
key: {document: doc}
yields:
  - fact: movement
    columns: {product_code: sku, location_code: place, event_time: at, quantity: qty, movement_class: kind}
"""
MASTERS = {
    "product": pd.DataFrame({"base_unit": ["EA", "KG"]}, index=["A", "B"]),
    "location": pd.DataFrame(
        {"zone": ["Europe/Berlin", None], "location_kind": ["store", "warehouse"], "day_close_minutes": ["0", "0"]},
        index=["S1", "W1"],
    ),
}


def contract(text: str = BASE, **changes: Any) -> Contract:
    return Contract.model_validate({**yaml.safe_load(text), **changes})


def frame(table: str) -> pd.DataFrame:
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return pd.DataFrame(lines[1:], columns=lines[0], dtype=pd.ArrowDtype(pa.string()))


def part(table: str, logical_time: datetime | None = None) -> Part:
    text = frame(table)
    numbers = np.arange(len(text), dtype=np.int64)
    chunk = RecordChunk(
        text=text,
        addresses=Addresses(numbers + 1, numbers + 2, numbers * 10, numbers * 10 + 10),
        set_aside=pd.DataFrame(columns=SET_ASIDE_COLUMNS),
        non_data=pd.DataFrame(columns=NON_DATA_COLUMNS),
        content=b"",
        content_start=0,
    )
    return Part(Landed("moves", "moves.csv", Path("moves.csv"), "0" * 64, 0, logical_time), chunk)


def judged(
    table: str,
    described: Contract | None = None,
    references: dict[str, pd.DataFrame] | None = None,
    rules: list[AuthorityRule] | None = None,
    logical_time: datetime | None = None,
) -> Conformed:
    known = References(MASTERS if references is None else MASTERS | references)
    return conform([part(table, logical_time)], described or contract(), Rules(rules or [], "EUR", "UTC"), known)


def facts(conformed: Conformed, kind: str = "movement") -> list[dict[str, object]]:
    return list(conformed.facts[kind].to_pylist()) if kind in conformed.facts else []


def verdicts(conformed: Conformed) -> dict[int, str]:
    """Record number -> reason."""
    return dict(zip(conformed.set_aside["record_no"].tolist(), conformed.set_aside["reason"].tolist(), strict=True))
