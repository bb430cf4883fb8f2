"""`.ci/check_workflows` refuses what is broken, and the hooks before a commit are there and run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from test.workflow_steps import ROOT, ByHand

GITHUB = ROOT / ".github"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("workflows/cleanup.yml", "run: .venv/bin/systock env gc", "run: echo '${{ github.event.issue.title }}'"),
        ("workflows/elt.yml", "permissions: {}", "permissions: write-all"),
        ("workflows/ci.yml", "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "actions/checkout@v4"),
        ("workflows/ci.yml", "runs-on: ubuntu-24.04", "runs-on: []"),
        ("workflows/security.yml", "needs: gates", "needs: gatez"),
        ("actions/install/action.yml", "using: composite", "using: nothing"),
        ("ISSUE_TEMPLATE/new-feed.yml", "type: dropdown", "type: slider"),
        ("dependabot.yml", "interval: weekly", "interval: sometimes"),
    ],
)
def test_the_check_of_workflows_refuses_what_is_broken(tmp_path, file, old, new):
    shutil.copytree(GITHUB, tmp_path / ".github")
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    path = tmp_path / ".github" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert checked(tmp_path) == 1


def checked(folder: Path) -> int:
    return subprocess.run([".ci/check_workflows"], cwd=folder, capture_output=True, check=False).returncode


def test_the_workflows_of_this_repository_pass():
    assert checked(ROOT) == 0


def hooks():
    whole = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [each["repo"] for each in whole["repos"]] == ["local"]
    return whole["repos"][0]["hooks"]


@pytest.mark.fast
def test_every_hook_calls_what_is_installed_here_and_fetches_nothing():
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert [hook["entry"] for hook in hooks() if not os.access(ROOT / hook["entry"].split()[0], os.X_OK)] == []


@pytest.mark.slow
def test_the_hooks_run_before_a_commit_and_refuse_what_a_gate_refuses(tmp_path):
    with ByHand() as runner:
        # mypy of a fresh copy takes minutes, and `make check` has it.
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SKIP": "types"}
        environ["PRE_COMMIT_HOME"] = str(tmp_path / "hooks")

        def commit(file: str, text: str) -> tuple[int, str]:
            (runner.workspace / file).write_text(text, encoding="utf-8")
            subprocess.run(["git", "add", "-A"], cwd=runner.workspace, check=True)
            done = subprocess.run(
                [".venv/bin/pre-commit", "run"], cwd=runner.workspace, env=environ, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            return done.returncode, done.stdout + done.stderr

        code, said = commit("feeds/uci/more.yml", "feed:   more\n")
        assert code == 1 and "contracts: feeds/uci/more.yml, line 1: " in said and "(colons)" in said
        (runner.workspace / "feeds/uci/more.yml").unlink()
        code, said = commit("note.yml", "---\na: 1\n")
        assert code == 0, said
        assert "workflows" in said and "Skipped" in said
        code, said = commit("extract/bad.py", "import os\n")
        assert code == 1 and "F401" in said
