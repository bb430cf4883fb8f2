"""The comment that answers an issue: what came of it, in business terms, in Markdown that is safe to post."""

from collections.abc import Sequence

from pipeline_manager.orchestrator.claims import BREACH, FAILED, REFUSED
from pipeline_manager.orchestrator.markdown import code
from pipeline_manager.orchestrator.plan import CLEANUP, ELT, Plan
from pipeline_manager.orchestrator.results import StageResult, summary_markdown

LONGEST = 60_000
"""Characters of a comment; GitHub takes 65,536."""


def comment_on(plan: Plan, results: Sequence[StageResult], address: str) -> str:
    """Return the comment on an issue."""
    parts = [_headline(plan, results), *(each.markdown for each in results if each.markdown)]
    end = summary_markdown(plan, results, address)
    body = "\n\n".join(parts)
    room = LONGEST - len(end)
    if len(body) > room:
        body = _cut(body, room)
    return f"{body}\n\n<details><summary>Stages</summary>\n\n{end}\n</details>\n"


def _cut(body: str, room: int) -> str:
    """Cut at the end of a line, and close what was left open."""
    kept = body[: room - 200].rpartition("\n")[0]
    opened = [line for line in kept.split("\n") if line.startswith("```")]
    fence = "\n" + opened[-1][: len(opened[-1]) - len(opened[-1].lstrip("`"))] if len(opened) % 2 else ""
    details = "\n\n</details>" * (kept.count("<details>") - kept.count("</details>"))
    return f"{kept}{fence}{details}\n\n(The rest is in the run's log.)"


def _headline(plan: Plan, results: Sequence[StageResult]) -> str:
    where = f" in environment {code(plan.environment)}" if plan.environment else ""
    worst = {each.outcome: each.stage for each in results}
    if CLEANUP in plan.stages:
        return "### Cleaned up" if FAILED not in worst else "### The cleanup failed"
    if REFUSED in worst:
        return "### Not run: something in the issue is to be mended"
    if FAILED in worst:
        return f"### Stopped at {worst[FAILED]}{where}"
    needs_a_look = BREACH in worst
    if not any(each.stage == ELT for each in results):
        return f"### Something needs a look{where}" if needs_a_look else f"### Looked at{where}"
    return f"### Loaded{where}{', and something needs a look' if needs_a_look else ''}"
