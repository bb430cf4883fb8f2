"""Runs the workflows of `.github/workflows` by hand: their `run:` steps, in order, with the environment of an event.

`uses:` steps are what a runner has and we do not: a checkout and an installation are there already, artifacts are
carried by copying, and anything else is only written down. Every job begins with a workspace and a SYSTOCK_HOME of its
own, as on a runner. `gh` is a stand-in that keeps what it was told.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from test.workflow_expressions import evaluate, filled_in, is_met

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"
_TOOLS = ("zizmor", "actionlint", "check-jsonschema", "ruff", "mypy", "lint-imports", "pre-commit")
_STATUS = re.compile(r"\b(always|cancelled|failure|success)\(\)")
_GH = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$TOLD_GH"\nfor last; do :; done\ncat -- "$last" >> "$TOLD_GH"\n'


@dataclass
class Step:
    """A step as it went."""

    name: str
    command: str
    code: int
    output: str


@dataclass
class Job:
    """A job as it went; `jobs` are those of the workflow that it called."""

    result: str
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    jobs: "dict[str, Job]" = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Everything that was printed."""
        return "\n".join([*(step.output for step in self.steps), *(job.output for job in self.jobs.values())])


def read_workflow(name: str) -> dict[str, Any]:
    """Return a workflow; YAML takes its key `on` for a truth value."""
    whole: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    whole["on"] = whole.pop(True, whole.get("on"))
    return whole


class ByHand:
    """Runs workflows in a copy of this tree.

    Args:
        secrets: of the repository; SYSTOCK_DATABASE_URL is the warehouse that outlives a job.
        variables: of the repository.
        environment: what else the runner has set.
    """

    def __init__(
        self,
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="byhand-"))  # short: a server's socket lies below it
        self.secrets, self.variables, self.environment = dict(secrets or {}), dict(variables or {}), environment or {}
        self.workspace = self.home / "w"
        self.told_gh = self.home / "gh.txt"
        self.told_gh.touch()
        self._copy_tree()

    def __enter__(self) -> "ByHand":
        return self

    def __exit__(self, *_: object) -> None:
        self._end_job()
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, workflow: str, event_name: str, payload: Mapping[str, Any]) -> dict[str, Job]:
        """Run a workflow for an event; return its jobs."""
        shutil.rmtree(self.home / "artifacts", ignore_errors=True)
        event = self.home / "event.json"
        event.write_text(json.dumps(payload), encoding="utf-8")
        return self._run(workflow, self._github(event, event_name, payload), self.secrets)

    def _run(self, workflow: str, github: dict[str, Any], secrets: Mapping[str, str]) -> dict[str, Job]:
        done: dict[str, Job] = {}
        for name, job in read_workflow(workflow)["jobs"].items():
            needs = job.get("needs", [])
            before = {need: done[need] for need in ([needs] if isinstance(needs, str) else needs)}
            context = {
                "github": github, "secrets": dict(secrets), "vars": self.variables, "env": {},
                "needs": {need: {"result": it.result, "outputs": it.outputs} for need, it in before.items()},
                "went_well": all(it.result == SUCCESS for it in before.values()),
            }  # fmt: skip
            done[name] = self._job(job, context) if _may_run(job.get("if", ""), context) else Job(SKIPPED)
        return done

    def _job(self, job: dict[str, Any], context: dict[str, Any]) -> Job:
        if called := job.get("uses"):
            secrets = {name: filled_in(value, context) for name, value in job.get("secrets", {}).items()}
            jobs = self._run(Path(called).name, context["github"], secrets)
            results = {each.result for each in jobs.values()}
            return Job(FAILURE if FAILURE in results else SUCCESS if SUCCESS in results else SKIPPED, jobs=jobs)
        try:
            return self._steps(job, context)
        finally:
            self._end_job()

    def _steps(self, job: dict[str, Any], context: dict[str, Any]) -> Job:
        result = Job(SUCCESS)
        context = {**context, "steps": {}, "went_well": True}
        context["env"] = {name: filled_in(value, context) for name, value in job.get("env", {}).items()}
        for step in job["steps"]:
            context["went_well"] = result.result == SUCCESS
            if not _may_run(step.get("if", ""), context):
                continue
            if "run" not in step:
                self._use(str(step["uses"]).partition("@")[0], step.get("with", {}))
                continue
            own = {name: filled_in(value, context) for name, value in step.get("env", {}).items()}
            went, outputs = self._step(step, {**context["env"], **own}, context["github"])
            result.steps.append(went)
            context["steps"][step.get("id", "")] = {"outputs": outputs}
            if went.code:
                result.result = FAILURE
        result.outputs = {name: filled_in(value, context) for name, value in job.get("outputs", {}).items()}
        return result

    def _step(
        self, step: dict[str, Any], environment: Mapping[str, str], github: Mapping[str, Any]
    ) -> tuple[Step, dict[str, str]]:
        """Run one command as a runner does: no expression may be left in it."""
        command = str(step["run"])
        assert "${{" not in command, command
        told = self.home / "output.txt"
        told.write_text("", encoding="utf-8")
        whole = {
            "PATH": os.pathsep.join([str(self.home / "bin"), os.environ["PATH"]]), "HOME": str(self.home),
            "LC_ALL": "C.UTF-8", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_EVENT_PATH": github["event_path"], "GITHUB_EVENT_NAME": github["event_name"],
            "GITHUB_REPOSITORY": github["repository"], "GITHUB_SERVER_URL": github["server_url"],
            "GITHUB_RUN_ID": github["run_id"], "GITHUB_OUTPUT": str(told),
            "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"), "TOLD_GH": str(self.told_gh),
            **self.environment, **environment,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", command], cwd=self.workspace, env=whole,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False,
        )  # fmt: skip
        return Step(step.get("name", ""), command, done.returncode, done.stdout), _outputs(told)

    def _use(self, action: str, options: Mapping[str, Any]) -> None:
        artifacts = self.home / "artifacts"
        if action == "actions/upload-artifact":
            source = self.workspace / options["path"]
            if source.exists():
                (artifacts / options["name"]).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, artifacts / options["name"])
        elif action == "actions/download-artifact":
            named = options.get("name")
            for folder in sorted(artifacts.glob(named or options["pattern"])):
                target = self.workspace / options["path"] / ("" if named else folder.name)
                shutil.copytree(folder, target, dirs_exist_ok=True)

    def _github(self, event: Path, event_name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        repository = payload.get("repository", {})
        return {
            "event": dict(payload), "event_name": event_name, "event_path": str(event), "token": "made-up-token",
            "ref": payload.get("ref") or "refs/heads/main", "repository": repository.get("full_name", "me/shop"),
            "server_url": "https://github.com", "run_id": "7", "sha": payload.get("after", "0" * 40),
        }  # fmt: skip

    def _end_job(self) -> None:
        """Take away what a runner takes away: the server of the job, and what was written."""
        if (self.workspace / ".systock" / "postgres").exists():
            subprocess.run([".venv/bin/systock", "stop"], cwd=self.workspace, capture_output=True, check=False)
        for name in (".systock", "build"):
            shutil.rmtree(self.workspace / name, ignore_errors=True)

    def _copy_tree(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
            check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = ROOT / name, self.workspace / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        commands = self.workspace / ".venv" / "bin"
        commands.mkdir(parents=True)
        (self.home / "bin").mkdir()
        _write_command(self.home / "bin" / "gh", _GH)
        systock = f'cd "{self.workspace}" && exec "{sys.executable}" -m pipeline_manager.commands "$@"\n'
        _write_command(commands / "systock", "#!/bin/sh\nexport PYTHONDONTWRITEBYTECODE=1\n" + systock)
        for tool in _TOOLS:
            (commands / tool).symlink_to(Path(sys.executable).parent / tool)
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=self.workspace, check=True)
        self.commit()

    def commit(self) -> str:
        """Commit what lies in the workspace, as somebody's push would; return the number of the commit."""
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
        for arguments in (["add", "-A"], [*who, "commit", "-q", "--allow-empty", "-m", "A state"]):
            subprocess.run(["git", *arguments], cwd=self.workspace, check=True, capture_output=True)
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.workspace, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


def _may_run(condition: str, context: dict[str, Any]) -> bool:
    """Without a word about the state of what went before, that must have gone well."""
    asked = condition.removeprefix("${{").removesuffix("}}").strip()
    if not _STATUS.search(asked) and not context["went_well"]:
        return False
    return not asked or is_met(evaluate(asked, context))


def _outputs(told: Path) -> dict[str, str]:
    """Read what a step wrote to GITHUB_OUTPUT."""
    found: dict[str, str] = {}
    lines = iter(told.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and "<<" not in name:
            found[name] = value
            continue
        name, _, mark = line.partition("<<")
        found[name] = "\n".join(iter(lambda: next(lines), mark))
    return found


def _write_command(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
