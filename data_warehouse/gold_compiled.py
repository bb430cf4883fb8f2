"""What dbt makes of the project of gold, kept: with it gold is deployed and tested without dbt.

dbt compiles the project once, with marks in place of the names of database and schemas; they are filled in when it is
used. `gold_compiled.json` beside this file is shipped (`python -m data_warehouse.gold_compiled` writes it anew; a test
refuses drift) and holds for the very project that it was made of. A project of other content is compiled where it is
first used, into the folder for what dbt writes. One that asks for more than views and plain tests is left to dbt.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_warehouse.dbt_calls import call_dbt
from data_warehouse.gold_project import gold_version
from etl_pipeline.core.names import LAYERS

SHIPPED = Path(__file__).parent / "gold_compiled.json"
_KEPT = "gold_compiled.json"
_MARK = "systock_mark_"
_DATABASE = f"{_MARK}database"
COMPILE = ("compile", "--no-introspect", "--no-populate-cache")
MARKED_SCHEMAS = {f"{layer}_schema": _MARK + layer for layer in LAYERS}
GIVEN_DATABASE = {"SYSTOCK_DBT_DATABASE": _DATABASE}
_PLAIN_VIEW: Mapping[str, Any] = {
    "pre-hook": [], "post-hook": [], "grants": {}, "sql_header": None,
    "persist_docs": {"relation": True, "columns": True},
}  # fmt: skip
_PLAIN_TEST: Mapping[str, Any] = {
    "severity": "ERROR", "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0", "limit": None,
    "store_failures": None, "store_failures_as": None, "sql_header": None,
}  # fmt: skip
_HEEDED_WHEN_COMPILED = re.compile(r"generate_(schema|alias|database)_name|test_\w+")
"""Macros by which a project may say otherwise than dbt, and which have had their say in what is compiled."""


@dataclass(frozen=True)
class CompiledView:
    """A view as it is deployed.

    Attributes:
        name: its name in the gold schema.
        comment: what it is.
        columns: name and meaning of its columns, as far as they are described.
        query: its SQL, with marks for the schemas.
    """

    name: str
    comment: str
    columns: Mapping[str, str]
    query: str


@dataclass(frozen=True)
class CompiledTest:
    """A data test; its SQL gives a row for each thing that is wrong."""

    name: str
    query: str


@dataclass(frozen=True)
class CompiledAnswer:
    """What a function of this database answers, as gold on Snowflake reads it: as a table of its name in gold.

    Attributes:
        name: the table's name.
        query: SQL that gives its rows here, with marks for the schemas.
    """

    name: str
    query: str


@dataclass(frozen=True)
class CompiledGold:
    """The project, compiled.

    Attributes:
        version: hash of the project that it was made of.
        dbt: the version of dbt that made it.
        views: in an order in which each finds the views that it reads.
        tests: by name.
        answers: what is shipped to Snowflake beside the tables that gold reads, by name.
    """

    version: str
    dbt: str
    views: tuple[CompiledView, ...]
    tests: tuple[CompiledTest, ...]
    answers: tuple[CompiledAnswer, ...]


class _NotPlainError(Exception):
    """The project asks for what only dbt does."""


def compiled_gold(target_dir: Path) -> CompiledGold | None:
    """Return the project of this code compiled: as shipped, as kept by an earlier run, or compiled now and kept.

    Args:
        target_dir: a folder of this environment's own for what dbt writes.

    Returns:
        None where only dbt can deploy the project, or tell what is wrong with it.
    """
    wanted, kept_at = gold_version(), target_dir / _KEPT
    shipped = read_compiled(SHIPPED)
    if shipped and shipped.version == wanted:
        return shipped
    kept = read_compiled(kept_at)
    if kept and (kept.version, kept.dbt) == (wanted, version("dbt-core")):
        return kept
    made = compile_gold(target_dir)
    if made is not None:
        kept_at.write_text(as_text(made), encoding="utf-8")
    return made


def compile_gold(target_dir: Path) -> CompiledGold | None:
    """Let dbt compile the project; no database is asked. None where it cannot, or where the project is not plain."""
    wanted = gold_version()
    outcome = call_dbt(COMPILE, MARKED_SCHEMAS, GIVEN_DATABASE, target_dir)
    if not outcome.success:
        return None
    manifest = json.loads((target_dir / "manifest.json").read_text(encoding="utf-8"))
    try:
        return _from_manifest(manifest, wanted)
    except _NotPlainError:
        return None


def as_text(gold: CompiledGold) -> str:
    """Return a compiled project as JSON in which SQL is a list of lines, so that changes can be read."""
    whole = asdict(gold)
    for part in (*whole["views"], *whole["tests"], *whole["answers"]):
        part["query"] = part["query"].split("\n")
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def read_compiled(path: Path) -> CompiledGold | None:
    """Return what was kept, or None where there is nothing that can be read."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        views = tuple(CompiledView(**v | {"query": "\n".join(v["query"])}) for v in whole["views"])
        tests = tuple(CompiledTest(t["name"], "\n".join(t["query"])) for t in whole["tests"])
        answers = tuple(CompiledAnswer(a["name"], "\n".join(a["query"])) for a in whole["answers"])
        return CompiledGold(whole["version"], whole["dbt"], views, tests, answers)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _from_manifest(manifest: Mapping[str, Any], wanted: str) -> CompiledGold:
    nodes: dict[str, dict[str, Any]] = manifest["nodes"]
    others = {node["resource_type"] for node in nodes.values()} - {"model", "test", "analysis"}
    if others or manifest["unit_tests"] or _overrides(manifest["macros"]):
        raise _NotPlainError
    reads = {
        name: sorted(above for above in node["depends_on"]["nodes"] if above in nodes)
        for name, node in sorted(nodes.items())
    }
    models = [nodes[name] for name in TopologicalSorter(reads).static_order()]
    tests, asked = (
        sorted((node for node in models if node["resource_type"] == kind), key=lambda node: str(node["name"]))
        for kind in ("test", "analysis")
    )
    answers = tuple(CompiledAnswer(str(node["name"]), _marked(node["compiled_code"])) for node in asked)
    views = [node for node in models if node["resource_type"] == "model" and not _is_inside(node)]
    return CompiledGold(
        wanted, str(manifest["metadata"]["dbt_version"]), tuple(map(_view, views)), tuple(map(_test, tests)), answers
    )


def _overrides(macros: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the project replaces one of dbt's own macros, other than those that are heeded when it is compiled."""
    own: set[str] = set()
    dbts: set[str] = set()
    for macro in macros.values():
        is_dbts = macro["package_name"].startswith("dbt")
        (dbts if is_dbts else own).add(str(macro["name"]).rpartition("__")[2])
    return any(not _HEEDED_WHEN_COMPILED.fullmatch(name) for name in own & dbts)


def _is_inside(node: Mapping[str, Any]) -> bool:
    return bool(node["config"]["materialized"] == "ephemeral")


def _view(node: Mapping[str, Any]) -> CompiledView:
    config = node["config"]
    is_sql_view = config["materialized"] == "view" and node["language"] == "sql"
    is_at_home = (node["database"], node["schema"]) == (_DATABASE, f"{_MARK}gold")
    described = node["columns"].values()
    if not is_sql_view or not is_at_home or config["contract"]["enforced"] or any(c["quote"] for c in described):
        raise _NotPlainError
    _require(config, _PLAIN_VIEW)
    meanings = {str(column["name"]): str(column["description"]) for column in described}
    return CompiledView(str(node["alias"]), str(node["description"]), meanings, _marked(node["compiled_code"]))


def _test(node: Mapping[str, Any]) -> CompiledTest:
    _require(node["config"], _PLAIN_TEST)
    return CompiledTest(str(node["name"]), _marked(node["compiled_code"]))


def _require(config: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    if any(config.get(name) != value for name, value in plain.items()):
        raise _NotPlainError


def _marked(query: str) -> str:
    """Return SQL with the schema marks of this house in place of the names that dbt was given."""
    if "{{" in query:
        raise _NotPlainError
    query = query.replace(f'"{_DATABASE}".', "")
    for layer in LAYERS:
        mark = f"{{{{ {layer} }}}}"
        query = query.replace(f'"{_MARK}{layer}"', mark).replace(f"{_MARK}{layer}", mark)
    if _MARK in query.lower():
        raise _NotPlainError
    return query


def main() -> None:
    """Write what is shipped anew."""
    with tempfile.TemporaryDirectory() as folder:
        made = compile_gold(Path(folder))
    if made is None:
        raise SystemExit("dbt cannot compile data_warehouse/gold, or it asks for more than views and plain tests.")
    SHIPPED.write_text(as_text(made), encoding="utf-8")


if __name__ == "__main__":
    main()
