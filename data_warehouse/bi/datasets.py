"""The data sets of Superset, rendered: what offered.yml offers, in gold's own words. A test refuses drift.

Run `python -m data_warehouse.bi.datasets` after a change of offered.yml or of the words of gold.
"""

import uuid
from pathlib import Path
from typing import Any

import yaml

from data_warehouse.gold_reference import described_models

FOLDER = Path(__file__).resolve().parent
BUNDLE = FOLDER / "bundle"
SOURCE = "SyStock"
_NAMES = uuid.UUID("7d1c0f3a-6f0e-4f43-9d0b-5f2b7f0c9a11")  # of our own making: the same name, the same uuid


class _Readable(yaml.SafeDumper):
    """YAML in which SQL of several lines stays several lines."""


_Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if text.endswith("\n") else None
    ),
)


def uuid_of(kind: str, name: str) -> str:
    """Return the identity by which Superset knows a part of the bundle again."""
    return str(uuid.uuid5(_NAMES, f"{kind}/{name}"))


def offered() -> dict[str, dict[str, Any]]:
    """Return what is offered, by data set."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "offered.yml").read_text(encoding="utf-8"))
    return found


def column_type(name: str) -> str:
    """Return the type of an offered column; gold's names tell it."""
    if name.endswith("_at") or name == "as_of":
        return "TIMESTAMP WITH TIME ZONE"
    if name.endswith(("_date", "_day")) or name in ("day", "month"):
        return "DATE"
    return "BOOLEAN" if name.startswith(("is_", "has_")) else "TEXT"


def dataset(name: str, offer: dict[str, Any]) -> dict[str, Any]:
    """Return one data set as Superset reads it.

    Raises:
        KeyError: a column is offered that gold does not describe.
    """
    view = next(m for m in described_models() if m["name"] == (offer.get("like") or offer.get("reads") or name))
    columns = [_column(column, view["columns"]) for column in offer["columns"]]
    days = [column["column_name"] for column in columns if column["is_dttm"]]
    return {
        "table_name": name,
        "schema": "gold",
        "description": offer.get("describes") or f"{view['description']} {view['grain']}",
        "sql": offer.get("sql"),
        "main_dttm_col": days[0] if days else None,
        "filter_select_enabled": True,
        "uuid": uuid_of("dataset", name),
        "database_uuid": uuid_of("database", SOURCE),
        "metrics": [_metric(key, metric) for key, metric in offer["metrics"].items()],
        "columns": columns,
        "version": "1.0.0",
    }


def _column(column: str | dict[str, str], words: dict[str, str]) -> dict[str, Any]:
    name, meaning = (column, words[column]) if isinstance(column, str) else next(iter(column.items()))
    kind = column_type(name)
    return {
        "column_name": name,
        "verbose_name": name.removesuffix("_code").replace("_", " ").capitalize(),
        "description": meaning,
        "type": kind,
        "is_dttm": kind in ("DATE", "TIMESTAMP WITH TIME ZONE"),
        "is_active": True,
        "groupby": True,
        "filterable": True,
    }


def _metric(name: str, metric: dict[str, str]) -> dict[str, Any]:
    return {
        "metric_name": name,
        "verbose_name": metric["title"],
        "description": metric["meaning"],
        "expression": metric["sql"],
        "d3format": metric.get("format", ",.0f"),
    }


def rendered() -> dict[Path, str]:
    """Return the text of each file of bundle/datasets."""
    head = "# Rendered from offered.yml and gold's words by data_warehouse/bi/datasets.py; not edited by hand.\n"
    folder = BUNDLE / "datasets" / SOURCE
    return {
        folder / f"{name}.yaml": head + yaml.dump(dataset(name, offer), Dumper=_Readable, sort_keys=False, width=100)
        for name, offer in offered().items()
    }


if __name__ == "__main__":
    for path, text in rendered().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
