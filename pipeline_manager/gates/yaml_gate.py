"""The gate of YAML: yamllint over every file, with the settings of `.yamllint.yml`; a warning counts, too."""

import importlib.util
from pathlib import Path

from etl_pipeline.core.errors import UsageError
from pipeline_manager.gates.findings import ERROR, WARNING, Finding, Looked, Scope

SETTINGS = ".yamllint.yml"


def look_at_yaml(scope: Scope) -> Looked:
    """Lint the YAML.

    Raises:
        UsageError: yamllint is not installed, or its settings do not read.
    """
    files = scope.wanted(".yml", ".yaml", all_if=(SETTINGS,))
    if not files:
        return Looked(0, ())
    if importlib.util.find_spec("yamllint") is None:
        raise UsageError("The gate of YAML needs yamllint: pip install 'systock[gates]'")
    from yamllint import linter
    from yamllint.config import YamlLintConfig, YamlLintConfigError

    settings = scope.root / SETTINGS
    try:
        rules = YamlLintConfig(file=str(settings)) if settings.is_file() else YamlLintConfig("extends: default")
    except YamlLintConfigError as error:
        raise UsageError(f"{SETTINGS} does not read: {error}") from error
    judged = [path for path in files if not rules.is_file_ignored(path.as_posix())]
    found: list[Finding] = []
    for path in judged:
        try:
            text = (scope.root / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            found.append(_finding(path, 1, ERROR, f"byte {error.start + 1} is not UTF-8", "utf-8"))
            continue
        found += [
            _finding(path, problem.line, problem.level, problem.desc, problem.rule or "syntax")
            for problem in linter.run(text, rules, path.as_posix())
        ]
    return Looked(len(judged), tuple(found))


def _finding(path: Path, line: int, level: str, message: str, rule: str) -> Finding:
    return Finding("yaml", path.as_posix(), max(1, line), WARNING if level == "warning" else ERROR, message, rule)
