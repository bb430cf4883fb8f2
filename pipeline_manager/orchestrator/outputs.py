"""What GitHub's files and logs are told. What people wrote elsewhere cannot become a command or a line of ours."""

import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.log import printable
from etl_pipeline.core.settings import Settings, redact
from pipeline_manager.orchestrator.plan import EVERY_STAGE, Plan

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_LINE_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


def shown(text: str) -> str:
    """Return text as it may stand in a job's log: one line, no secrets, and nothing that a runner obeys."""
    return printable(redact(text)).replace("::", ": :").replace("##[", "## [")


def plan_outputs(plan: Plan) -> dict[str, str]:
    """Return a plan as outputs of a job; only words of our own, numbers and safe names."""
    stages = {f"run_{stage}": str(stage in plan.stages).lower() for stage in EVERY_STAGE}
    return {
        "stages": ",".join(plan.stages),
        **stages,
        "environment": plan.environment or "",
        "issue": str(plan.issue or ""),
        "key": plan.key,
    }


def write_outputs(settings: Settings, values: Mapping[str, str]) -> None:
    """Add outputs to GITHUB_OUTPUT, if a runner has set it.

    Raises:
        UsageError: a value has more than one line; written down, its second would be another output.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name) or _LINE_BREAKS.search(value):
            raise UsageError(f"The output {name[:40]!a} has more than one line, which no output of ours has.")
    mark = f"end_{uuid.uuid4().hex}"
    _append(settings, "GITHUB_OUTPUT", "".join(f"{n}<<{mark}\n{v}\n{mark}\n" for n, v in values.items()))


def write_step_summary(settings: Settings, markdown: str) -> None:
    """Add Markdown to GITHUB_STEP_SUMMARY, if a runner has set it."""
    _append(settings, "GITHUB_STEP_SUMMARY", markdown + "\n")


def _append(settings: Settings, name: str, text: str) -> None:
    target = settings.environ.get(name)
    if not target:
        return
    try:
        with Path(target).open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise StopRunError(f"{name} names a file that cannot be written: {error.strerror}.") from error


def run_address(settings: Settings, given: str | None) -> str:
    """Return the address of this run: as given, or as a runner's environment tells; empty if neither does.

    Raises:
        UsageError: it is no web address.
    """
    environ = settings.environ
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    address = given or ("{}/{}/actions/runs/{}".format(*parts) if all(parts) else "")
    if address and not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w.~%+/-]*)?", address, re.ASCII):
        raise UsageError("--run-url is no web address. Give one such as https://github.com/me/shop/actions/runs/7.")
    return address
