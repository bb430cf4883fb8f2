"""The gate of gold: what is shipped compiled must be of these very models, or dbt says what is wrong with them.

No database is asked. The hash of the project says whether it is the one that dbt has compiled, which takes no time;
dbt is called only where it is not.
"""

import re
import tempfile
from pathlib import Path

from data_warehouse.dbt_calls import call_dbt
from data_warehouse.gold_compiled import COMPILE, GIVEN_DATABASE, MARKED_SCHEMAS, read_compiled
from data_warehouse.gold_project import gold_version
from pipeline_manager.gates.findings import ERROR, Finding, Looked, Scope

GOLD = "data_warehouse/gold"
COMPILED = "data_warehouse/gold_compiled.json"
_NAMED_FILE = re.compile(r"\(((?:models|macros|tests)/[^()\s]+)\)|([\w./-]+\.(?:sql|yml))")


def look_at_gold(scope: Scope) -> Looked:
    """Compare the hash of the project with what was compiled; ask dbt where they differ."""
    project = scope.root / GOLD
    if not (project / "dbt_project.yml").is_file() or not scope.has_changed(GOLD, COMPILED):
        return Looked(0, ())
    count = sum(path.is_relative_to(GOLD) for path in scope.files)
    compiled = read_compiled(scope.root / COMPILED)
    if compiled is not None and compiled.version == gold_version(project):
        return Looked(count, ())
    said = _dbt_says(project)
    if said is not None:
        return Looked(count, (said,))
    message = "it was compiled from other models than these; run: python -m data_warehouse.gold_compiled"
    return Looked(count, (Finding("gold", COMPILED, 1, ERROR, message, "compiled"),))


def _dbt_says(project: Path) -> Finding | None:
    """Return what dbt finds wrong with the project."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = call_dbt(COMPILE, MARKED_SCHEMAS, GIVEN_DATABASE, Path(folder), project=project)
    if outcome.success:
        return None
    results = getattr(outcome.result, "results", None) or ()
    failed = [str(each.message) for each in results if str(each.status) == "error"]
    told = " ".join((str(outcome.exception or "") or next(iter(failed), "dbt gives no reason")).split())
    named = _NAMED_FILE.search(told)
    path = f"{GOLD}/{named[1] or named[2]}" if named else f"{GOLD}/dbt_project.yml"
    return Finding("gold", path, 1, ERROR, told, "dbt")
