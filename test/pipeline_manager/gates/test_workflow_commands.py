"""Every command of a workflow is there with its options, and the forms ask what the orchestrator reads."""

import shlex
from typing import Any

import pytest
import typer
import yaml

from pipeline_manager.commands import app
from test.pipeline_manager.gates.test_workflows import GITHUB, commands
from test.workflow_steps import ROOT

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(("where", "command"), list(commands()))
def test_every_command_is_one_that_is_there_with_these_options(where, command):
    lines = command.replace("\\\n", " ").splitlines()
    for words in (shlex.split(line) for line in lines):
        if words[0] == ".venv/bin/systock":
            known: Any = typer.main.get_command(app)
            names = iter(words[1:])
            while hasattr(known, "commands"):
                known = known.commands[next(names)]
            options = {option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)}
            assert {word for word in words if word.startswith("--")} <= options
        else:
            is_ours = (ROOT / words[0]).is_file() and words[0].startswith(".ci/")
            assert is_ours or words[0] in ("make", "gh", "shopt", "for", "done"), where


def test_the_issue_forms_have_the_labels_and_headings_that_the_orchestrator_reads():
    from pipeline_manager.orchestrator.asking import LABELS
    from pipeline_manager.orchestrator.plan import CLEANUP_LABEL, FEATURE

    forms = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml")
    }
    assert forms["new-feed"]["labels"] == [FEATURE] and forms["cleanup"]["labels"] == [CLEANUP_LABEL]
    headings = [
        field["attributes"]["label"].lower() for field in forms["new-feed"]["body"] if field["type"] != "markdown"
    ]
    assert "schema/object name" in headings and set(headings) <= set(LABELS)
