"""Findings as lines, annotations and SARIF; the names of files and what they quote are not trusted."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import jsonschema  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner

from pipeline_manager.commands import app
from pipeline_manager.gates.findings import Finding
from pipeline_manager.gates.showing import as_annotation, as_line, as_sarif

pytestmark = pytest.mark.fast
NASTY = [
    "::add-mask::x.sql",
    "a\n::error::fake.sql",
    "a,line=9::b%0A%25.sql",
    "a\r##[add-mask]b.sql",
    "\x1b[2Jgone.sql",
    "\u202elqs.sql",
    os.fsdecode(b"latin-\xfc.sql"),
    "-rf $(touch x) `id` .sql",
    "@everyone <!channel>.sql",
]
# What code scanning asks of a file of SARIF 2.1.0, as far as ours has it.
SARIF = {
    "type": "object", "required": ["version", "runs"], "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {
            "type": "object", "required": ["tool", "results"], "additionalProperties": False,
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name", "version", "rules"],
                    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {
                        "type": "object", "required": ["id"],
                        "properties": {"shortDescription": {"type": "object", "required": ["text"]}},
                    }}},
                }}},
                "automationDetails": {"type": "object", "required": ["id"]},
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["ruleId", "message", "locations"],
                    "properties": {
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "ruleIndex": {"type": "integer", "minimum": 0},
                        "message": {"type": "object", "required": ["text"]},
                        "locations": {"type": "array", "minItems": 1, "items": {
                            "type": "object", "required": ["physicalLocation"],
                            "properties": {"physicalLocation": {
                                "type": "object", "required": ["artifactLocation", "region"],
                                "properties": {
                                    "artifactLocation": {"type": "object", "properties": {
                                        "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~/%-]+$"},
                                    }},
                                    "region": {"type": "object", "properties": {
                                        "startLine": {"type": "integer", "minimum": 1},
                                    }},
                                },
                            }},
                        }},
                    },
                }},
            },
        }},
    },
}  # fmt: skip


def found(path: str, message: str = "wrong") -> Finding:
    return Finding("sql", path, 3, "error", message, "LT02")


@pytest.mark.parametrize("name", NASTY)
def test_a_line_for_people_is_one_line_and_no_command_of_a_runner(name):
    for line in (as_line(found(name)), as_line(found("a.sql", name))):
        assert line.isprintable() and line.startswith("sql: ")
        assert "##[" not in line


@pytest.mark.parametrize("name", NASTY)
def test_an_annotation_is_one_command_whatever_the_name_and_the_message_say(name):
    line = as_annotation(found(name, name))
    assert line.isprintable() and "##[" not in line
    whole = re.fullmatch(r"::error file=([^,:]*),line=3,title=sql LT02::(.*)", line)
    assert whole is not None
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", line)


def test_an_annotation_names_the_very_file_where_its_name_can_be_told():
    assert as_annotation(found("a, b:100%.sql", "50 %")) == (
        "::error file=a%2C b%3A100%25.sql,line=3,title=sql LT02::50 %25"
    )
    assert "file=a%0Ab.sql," in as_annotation(found("a\nb.sql"))


def test_sarif_has_the_shape_that_code_scanning_reads_and_names_each_file_by_its_bytes():
    findings = [found(name, name) for name in NASTY]
    findings += [Finding("yaml", "feeds/x.yml", 7, "warning", "late", "comments")]
    whole = json.loads(as_sarif(findings, "1.2.3"))
    jsonschema.validate(whole, SARIF)
    run = whole["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["sql/LT02", "yaml/comments"]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]]
    assert {unquote_to_bytes(uri) for uri in uris} == {os.fsencode(name) for name in [*NASTY, "feeds/x.yml"]}


def test_sarif_without_findings_is_whole_so_that_old_alerts_are_closed():
    whole = json.loads(as_sarif([], "1.2.3"))
    jsonschema.validate(whole, SARIF)
    assert whole["runs"][0]["results"] == []


def test_the_command_prints_writes_and_leaves_with_1_where_a_gate_is_shut(tmp_path: Path):
    (tmp_path / "feeds/mine").mkdir(parents=True)
    (tmp_path / "feeds/mine/a.yml").write_text("feed:   a\n", encoding="utf-8")
    sarif = tmp_path / "out/gates.sarif"
    asked = ["gates", "--root", str(tmp_path), "--only", "yaml,contracts", "--sarif", str(sarif)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert "yaml: feeds/mine/a.yml, line 1: too many spaces after colon (colons)" in done.stdout
    assert "contracts: 1 folder, " in done.stdout
    assert json.loads(sarif.read_text(encoding="utf-8"))["runs"][0]["results"]
    annotated = CliRunner().invoke(app, [*asked[:5], "--annotations"])
    assert "::error file=feeds/mine/a.yml,line=1,title=yaml colons::" in annotated.stdout


def test_the_command_leaves_with_0_where_all_gates_are_open_and_with_2_for_wrong_use(tmp_path: Path):
    (tmp_path / "a.yml").write_text("---\na: 1\n", encoding="utf-8")
    right = CliRunner().invoke(app, ["gates", "--root", str(tmp_path)])
    assert (right.exit_code, right.stdout.splitlines()[1]) == (0, "yaml: 1 file, 0 findings")
    assert CliRunner().invoke(app, ["gates", "--root", str(tmp_path), "--only", "x"]).exit_code == 2
    assert CliRunner().invoke(app, ["gates", "--root", str(tmp_path), "--changed-since", "main"]).exit_code == 2
