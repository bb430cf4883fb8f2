"""The gate of SQL: SQLFluff over every file, with the settings of `.sqlfluff`.

SQLFluff leaves with 0 after an error of its own, having looked at nothing; that stops here. Its dbt templater wants a
database, so the Jinja templater renders the models of gold, with stand-ins for what dbt offers (`.ci/sqlfluff_lib`).
Gold is looked at twice: as it is rendered for PostgreSQL, and for Snowflake.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from etl_pipeline.core.errors import StopRunError, UsageError
from pipeline_manager.gates.findings import ERROR, Finding, Looked, Scope

SHAPES_ALL = (
    ".sqlfluff",
    ".sqlfluffignore",
    ".ci/sqlfluff_lib",
    "data_warehouse/gold/macros",
    ".ci/snowflake.sqlfluff",
)
"""Where one of these has changed, every file may read differently."""
_FOR_SNOWFLAKE = ("--config", ".ci/snowflake.sqlfluff")
_GOLD = Path("data_warehouse/gold")
_AT_ONCE = 500
_ODD_NAME = "the file's name is not UTF-8, so it cannot be judged; rename it"
_OWN_ERRORS = ("Unable to lint", "Traceback")


def look_at_sql(scope: Scope) -> Looked:
    """Lint the SQL.

    Raises:
        UsageError: SQLFluff is not installed.
        StopRunError: SQLFluff failed.
    """
    files = scope.wanted(".sql", all_if=SHAPES_ALL)
    if not files:
        return Looked(0, ())
    if importlib.util.find_spec("sqlfluff") is None:
        raise UsageError("The gate of SQL needs SQLFluff: pip install 'systock[gates]'")
    named = [path for path in files if _is_utf8(path)]
    linted = [each for start in range(0, len(named), _AT_ONCE) for each in _lint(scope.root, named[start:][:_AT_ONCE])]
    gold = [path for path in named if path.is_relative_to(_GOLD)]
    again = _lint(scope.root, gold, *_FOR_SNOWFLAKE) if gold else []
    odd = [Finding("sql", path.as_posix(), 1, ERROR, _ODD_NAME, "name") for path in files if not _is_utf8(path)]
    return Looked(
        len(linted) + len(odd), (*odd, *(finding for each in (*linted, *again) for finding in _findings(each)))
    )


def _is_utf8(path: Path) -> bool:
    """Tell whether a name is one that SQLFluff can look at."""
    try:
        return bool(str(path).encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _lint(root: Path, files: Sequence[Path], *switches: str) -> list[dict[str, Any]]:
    """Return what SQLFluff says of each file that `.sqlfluffignore` does not leave out."""
    command = [sys.executable, "-m", "sqlfluff", "lint", "--format", "json", "--disable-progress-bar", "--nocolor"]
    done = subprocess.run([*command, *switches, "--", *map(str, files)], cwd=root, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    try:
        linted: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        linted = []
        said = said or done.stdout.decode(errors="replace")
    if done.returncode not in (0, 1) or any(mark in said for mark in _OWN_ERRORS) or (said and not linted):
        lines = said.strip().splitlines() or ["it said nothing"]
        told = next((line for line in lines if any(mark in line for mark in _OWN_ERRORS)), lines[-1])
        raise StopRunError(f"SQLFluff failed, so no SQL was judged: {told.strip()}. Try: sqlfluff lint")
    return linted


def _findings(linted: dict[str, Any]) -> list[Finding]:
    path = Path(str(linted["filepath"])).as_posix()
    return [
        Finding("sql", path, int(each.get("start_line_no") or 1), ERROR, str(each["description"]), str(each["code"]))
        for each in linted["violations"]
        if not each.get("warning")
    ]
