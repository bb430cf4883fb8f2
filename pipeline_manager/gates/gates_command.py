"""What the `systock gates` command does."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from etl_pipeline.core.errors import UsageError
from pipeline_manager.gates.changed import changed_files
from pipeline_manager.gates.running import look_at_all
from pipeline_manager.gates.showing import as_annotation, as_counts, as_line, as_sarif


def show_gates(
    root: Path, only: str, changed_since: str | None, feeds: Sequence[Path], *, sarif: Path | None, annotations: bool
) -> bool:
    """Run the gates, print what they found, write SARIF; return whether all are open."""
    changed = None if changed_since is None else changed_files(root, changed_since)
    names = [name.strip() for name in only.split(",") if name.strip()]
    looked = look_at_all(root, only=names, changed=changed, feeds=feeds)
    findings = sorted(finding for each in looked.values() for finding in each.findings)
    if sarif is not None:
        try:
            sarif.parent.mkdir(parents=True, exist_ok=True)
            sarif.write_text(as_sarif(findings, version("systock")), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{sarif} cannot be written: {error.strerror}.") from error
    lines = [as_annotation(each) if annotations else as_line(each) for each in findings]
    lines += as_counts([(name, each.count, len(each.findings)) for name, each in looked.items()])
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return not findings
