"""What every workflow keeps to: nothing from outside in a command, least rights, pinned actions."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from test.workflow_steps import ROOT, WORKFLOWS, read_workflow

GITHUB = ROOT / ".github"
NAMES = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
PINNED = re.compile(r"uses: (?P<name>[\w./-]+)@(?P<commit>[0-9a-f]{40})  # v\d+\.\d+\.\d+")
WRITES_ALLOWED = {("orchestrator.yml", "comment", "issues"), ("orchestrator.yml", "security", "security-events"),
                  ("security.yml", "code-scanning", "security-events")}  # fmt: skip

pytestmark = pytest.mark.fast


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_workflow(name)["jobs"]
    return found


def commands() -> Iterator[tuple[str, str]]:
    """Yield every command of a workflow or action."""
    for name in NAMES:
        for job in jobs(name).values():
            yield from ((name, step["run"]) for step in job.get("steps", []) if "run" in step)
    for path in ACTIONS:
        steps = yaml.safe_load(path.read_text(encoding="utf-8"))["runs"]["steps"]
        yield from ((path.parent.name, step["run"]) for step in steps if "run" in step)


def test_the_workflows_are_there():
    assert {"orchestrator.yml", "security.yml", "elt.yml", "observability.yml", "cleanup.yml", "ci.yml"} <= set(NAMES)


def test_no_command_holds_an_expression():
    assert [(where, command) for where, command in commands() if "${{" in command] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_gives_nothing_by_itself_and_each_job_the_least(name):
    assert read_workflow(name)["permissions"] == {}
    given = {
        (name, job, right)
        for job, what in jobs(name).items()
        for right, how in what["permissions"].items()
        if how != "read"
    }
    assert given <= WRITES_ALLOWED


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_can_be_started_by_nobody_who_could_bring_code_along_with_rights(name):
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read_workflow(name)["on"])
    if "pull_request" in read_workflow(name)["on"]:
        assert "secrets." not in (WORKFLOWS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_job_ends_some_time_and_every_workflow_has_a_group(name):
    assert read_workflow(name)["concurrency"]["group"]
    assert [job for job, what in jobs(name).items() if "uses" not in what and "timeout-minutes" not in what] == []


@pytest.mark.parametrize("path", [*(WORKFLOWS / name for name in NAMES), *ACTIONS], ids=lambda path: path.stem)
def test_every_action_is_pinned_by_a_commit_that_says_its_release(path):
    used = [
        line.strip().removeprefix("- ") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line
    ]
    assert [line for line in used if not line.startswith("uses: ./") and not PINNED.fullmatch(line)] == []


def test_one_action_is_pinned_at_one_commit_everywhere():
    commits: dict[str, set[str]] = {}
    for path in [*WORKFLOWS.glob("*.yml"), *ACTIONS]:
        for match in PINNED.finditer(path.read_text(encoding="utf-8")):
            commits.setdefault(match["name"], set()).add(match["commit"])
    assert [name for name, found in commits.items() if len(found) > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_checkout_leaves_its_credentials_behind(name):
    steps = [step for job in jobs(name).values() for step in job.get("steps", [])]
    checkouts = [step for step in steps if str(step.get("uses", "")).startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []
