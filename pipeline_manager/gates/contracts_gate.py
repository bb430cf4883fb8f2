"""The gate of contracts: every folder below `feeds` must load, each contract by itself and all together."""

from pathlib import Path

from etl_pipeline.contracts.loading import check_folder
from etl_pipeline.core.errors import UsageError
from pipeline_manager.gates.findings import ERROR, Finding, Looked, Scope

FEEDS = "feeds"
JUDGES = "etl_pipeline/contracts"
"""Where the code that judges has changed, every folder is judged."""


def look_at_contracts(scope: Scope) -> Looked:
    """Check the contracts of every folder in which one changed, and of the folders that were asked for."""
    folders = [(scope.root / folder, folder) for folder in _folders(scope)] + [(each, each) for each in scope.feeds]
    found: list[Finding] = []
    for folder, shown in folders:
        try:
            mistakes = check_folder(folder).mistakes
        except UsageError as error:
            found.append(Finding("contracts", shown.as_posix(), 1, ERROR, str(error), "folder"))
            continue
        for each in mistakes:
            text = f"{each.path}: {each.text}" if each.path else each.text
            found.append(
                Finding("contracts", (shown / each.file).as_posix(), max(1, each.line), ERROR, text, "contract")
            )
    return Looked(len(folders), tuple(found))


def _folders(scope: Scope) -> list[Path]:
    """Return the folders that hold contracts and have changed; one that has lost its last is no longer one."""
    feeds = Path(FEEDS)
    held = {path.parent for path in scope.files if path.suffix in (".yml", ".yaml") and path.parent.parent == feeds}
    return sorted(folder for folder in held if scope.has_changed(JUDGES, folder.as_posix()))
