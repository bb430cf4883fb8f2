"""Runs the gates."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from etl_pipeline.core.errors import UsageError
from pipeline_manager.gates.contracts_gate import look_at_contracts
from pipeline_manager.gates.findings import Finding, Looked, Scope
from pipeline_manager.gates.gold_gate import look_at_gold
from pipeline_manager.gates.sql_gate import look_at_sql
from pipeline_manager.gates.yaml_gate import look_at_yaml

GATES: Mapping[str, Callable[[Scope], Looked]] = {
    "sql": look_at_sql,
    "yaml": look_at_yaml,
    "contracts": look_at_contracts,
    "gold": look_at_gold,
}


def run_gates(
    root: Path,
    *,
    only: Collection[str] | None = None,
    changed: Iterable[Path] | None = None,
    feeds: Iterable[Path] = (),
) -> list[Finding]:
    """Return what keeps a gate shut, sorted by gate, file and line; empty where all are open.

    Args:
        root: the repository's folder.
        only: names of gates; all of them if None or empty.
        changed: look only at these files, relative to the root, and at what hangs on them; at everything if None.
        feeds: folders of contracts besides those below `feeds`.

    Raises:
        UsageError: no such gate, or a package that one needs is not installed.
        StopRunError: a gate could not judge.
    """
    looked = look_at_all(root, only=only, changed=changed, feeds=feeds)
    return sorted(finding for each in looked.values() for finding in each.findings)


def look_at_all(
    root: Path,
    *,
    only: Collection[str] | None = None,
    changed: Iterable[Path] | None = None,
    feeds: Iterable[Path] = (),
) -> dict[str, Looked]:
    """Return what each gate looked at and found; see `run_gates`."""
    wanted = list(only or GATES)
    unknown = [name for name in wanted if name not in GATES]
    if unknown:
        raise UsageError(f"There is no gate '{unknown[0]}'. There are: {', '.join(GATES)}.")
    scope = Scope.of(root, changed, feeds)
    return {name: look(scope) for name, look in GATES.items() if name in wanted}
