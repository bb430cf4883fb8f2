"""The `systock gates` command: help on everything, no logic inside."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline_manager.console import STOPPED, command_errors, exit_with


def gates(  # noqa: PLR0917 - one argument an option
    only: Annotated[str, typer.Option(help="Gates, with commas: sql, yaml, contracts, gold; all without it.")] = "",
    changed_since: Annotated[
        str | None, typer.Option(help="Look only at files changed since this commit, and at what hangs on them.")
    ] = None,
    feeds: Annotated[
        list[Path] | None, typer.Option(help="A folder of contracts besides those below `feeds`; may be repeated.")
    ] = None,
    sarif: Annotated[Path | None, typer.Option(help="File to write the findings to as SARIF 2.1.0.")] = None,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Print findings as annotations of a workflow run.")
    ] = False,
    root: Annotated[Path, typer.Option(help="Folder of the repository.")] = Path(),
) -> None:
    """Check SQL, YAML, contracts and gold; every finding with file and line, and exit code 1 if there is one.

    Example: systock gates --only sql,contracts --changed-since origin/main
    """
    with command_errors():
        from pipeline_manager.gates.gates_command import show_gates

        is_open = show_gates(root, only, changed_since, feeds or [], sarif=sarif, annotations=annotations)
    exit_with(0 if is_open else STOPPED)
