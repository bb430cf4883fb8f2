"""Findings as lines for people, as annotations of a workflow run, and as SARIF. Names of files are not trusted."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from etl_pipeline.core.log import printable
from pipeline_manager.gates.findings import Finding

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def shown(text: str) -> str:
    """Return text that can be printed on a runner, too, where `##[` within a line would begin a command."""
    return printable(text).replace("##[", "## [")


def as_line(finding: Finding) -> str:
    """Return a line for a person. The gate comes first: a file's name could begin like a workflow command."""
    where = f"{finding.path}, line {finding.line}"
    return shown(f"{finding.gate}: {where}: {finding.message} ({finding.rule})")


def as_annotation(finding: Finding) -> str:
    """Return the workflow command that shows the finding beside its line."""
    title = _property(f"{finding.gate} {finding.rule}")
    place = f"file={_property(finding.path)},line={finding.line},title={title}"
    return f"::{finding.level} {place}::{_data(finding.message)}"


def as_sarif(findings: Iterable[Finding], version: str) -> str:
    """Return a SARIF 2.1.0 log of one run."""
    ordered = sorted(findings)
    rules = sorted({(_rule(each), each.gate) for each in ordered})
    driver = {
        "name": "systock gates",
        "version": version,
        "rules": [
            {"id": rule, "shortDescription": {"text": rule}, "properties": {"tags": [gate]}} for rule, gate in rules
        ],
    }
    places = {rule: place for place, (rule, _) in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "systock-gates/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, places) for each in ordered],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def as_counts(counts: Sequence[tuple[str, int, int]]) -> list[str]:
    """Return a line for each gate: what it looked at, and what it found."""
    return [
        f"{gate}: {_many(looked, 'folder' if gate == 'contracts' else 'file')}, {_many(found, 'finding')}"
        for gate, looked, found in counts
    ]


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _result(finding: Finding, places: dict[str, int]) -> dict[str, Any]:
    rule = _rule(finding)
    location = {"uri": quote(os.fsencode(finding.path), safe="/")}
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "level": finding.level,
        "message": {"text": printable(finding.message, one_line=False)},
        "locations": [
            {"physicalLocation": {"artifactLocation": location, "region": {"startLine": finding.line}}},
        ],
    }


def _rule(finding: Finding) -> str:
    return f"{finding.gate}/{printable(finding.rule)}"


def _data(text: str) -> str:
    """Escape what a workflow command says; the control characters that it cannot carry are spelled out first."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return shown(escaped)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
