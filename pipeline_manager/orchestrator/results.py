"""What stages are given, what they return, and how that is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from etl_pipeline.core.settings import Settings
from pipeline_manager.orchestrator.markdown import code, plain
from pipeline_manager.orchestrator.plan import Plan


@dataclass(frozen=True)
class Work:
    """What every stage is given.

    Attributes:
        plan: what the event asks for.
        settings: where things lie.
        root: the repository's folder, which the security stage looks at.
        feeds: folder of prod's contracts; None for the simulated retailer's.
        inbox: folder of received files; None for the simulated retailer's.
        changed_since: commit since which files are looked at.
        clock: what time it is.
    """

    plan: Plan
    settings: Settings
    root: Path
    feeds: Path | None
    inbox: Path | None
    changed_since: str | None
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class StageResult:
    """What came of a stage.

    Attributes:
        stage: its name.
        outcome: success, breach, failed, refused or skipped.
        sentence: what happened, for people; it may quote what came from outside.
        seconds: how long it took.
        markdown: more about it for the comment; safe already.
        is_again: nothing was done, because the same was asked before or is being done.
    """

    stage: str
    outcome: str
    sentence: str
    seconds: float = 0.0
    markdown: str = ""
    is_again: bool = False


def summary_text(plan: Plan, results: Sequence[StageResult], address: str) -> list[str]:
    """Return the lines of the summary, as they are printed."""
    where = f", environment {plan.environment}" if plan.environment else ""
    lines = [f"{plan.event}: {plan.reason}{where}."]
    for each in results:
        lines.append(f"  {each.stage:<14} {each.outcome:<8} {each.seconds:7.1f} s  {each.sentence}")
    ran = {each.stage for each in results}
    lines += [f"  {stage:<14} skipped          {why}" for stage, why in plan.skipped.items() if stage not in ran]
    return [*lines, f"Run: {address}"] if address else lines


def summary_markdown(plan: Plan, results: Sequence[StageResult], address: str) -> str:
    """Return the summary as a table in Markdown."""
    lines = [f"**{plan.event}**: {plain(plan.reason)}.", ""]
    if plan.environment:
        lines[0] += f" Environment {code(plan.environment)}."
    told = [(each.stage, each.outcome, f"{each.seconds:.1f}", each.sentence) for each in results]
    ran = {each.stage for each in results}
    told += [(stage, "skipped", "", why) for stage, why in plan.skipped.items() if stage not in ran]
    lines += ["| stage | outcome | seconds | what |", "| --- | --- | ---: | --- |"]
    lines += [f"| {stage} | {outcome} | {seconds} | {plain(what)} |" for stage, outcome, seconds, what in told]
    return "\n".join([*lines, "", f"[The run]({address})"] if address else lines) + "\n"
