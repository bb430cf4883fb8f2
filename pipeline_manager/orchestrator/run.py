"""One event, top to bottom: read it, plan, claim, run the stages, tell what came of it."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.settings import Settings, load_settings
from pipeline_manager.orchestrator.claims import BREACH, FAILED, REFUSED, SKIPPED, Claims, prepare
from pipeline_manager.orchestrator.comment import comment_on
from pipeline_manager.orchestrator.event import read_event
from pipeline_manager.orchestrator.outputs import (
    plan_outputs,
    run_address,
    shown,
    write_outputs,
    write_step_summary,
)
from pipeline_manager.orchestrator.plan import EVERY_STAGE, SECURITY, Plan, make_plan
from pipeline_manager.orchestrator.required import require_settings
from pipeline_manager.orchestrator.results import StageResult, Work, summary_markdown, summary_text
from pipeline_manager.orchestrator.steps import run_stage

OBSERVED = "OBSERVABILITY_SCHEMA_PREFIX"
STOPPED, IN_BREACH = 1, 4


@dataclass(frozen=True)
class Request:
    """What `systock orchestrate` is asked; see its options."""

    event: Path
    event_name: str
    only: str | None = None
    feeds: Path | None = None
    inbox: Path | None = None
    comment: Path | None = None
    run_url: str | None = None
    changed_since: str | None = None


def show_plan(request: Request) -> int:
    """Print the plan as JSON, and give it to the runner as outputs."""
    settings = load_settings(os.environ, Path.cwd())
    plan = _planned(request, settings)
    told = plan.as_json()
    told["reason"] = shown(plan.reason)
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    write_outputs(settings, plan_outputs(plan))
    return 0


def _planned(request: Request, settings: Settings) -> Plan:
    return make_plan(
        read_event(request.event, request.event_name),
        observed=settings.environ.get(OBSERVED),
        occasion=run_address(settings, request.run_url),
    )


def orchestrate_event(request: Request) -> int:
    """Do what the event asks for; return the exit code."""
    settings = load_settings(os.environ, Path.cwd())
    plan = _planned(request, settings)
    stages = _wanted(plan, request.only)
    address = run_address(settings, request.run_url)
    if not stages:
        why = plan.reason if not plan.stages else f"the plan has no stage '{request.only}': {plan.reason}"
        sys.stdout.write(f"Nothing to do: {shown(why)}.\n")
        write_step_summary(settings, summary_markdown(plan, [], address))
        return 0
    require_settings(settings.environ, stages)
    work = Work(
        plan, replace(settings, environ={**settings.environ, "SYSTOCK_RUN_URL": address}), Path.cwd(), request.feeds,
        request.inbox, request.changed_since, _clock,
    )  # fmt: skip
    results = run_stages(work, stages, address)
    _tell(work, results, request.comment, address)
    return exit_code(results)


def _clock() -> datetime:
    return datetime.now(UTC)


def _wanted(plan: Plan, only: str | None) -> tuple[str, ...]:
    if only is not None and only not in EVERY_STAGE:
        raise UsageError(f"There is no stage {only[:40]!a}. There are: {', '.join(EVERY_STAGE)}.")
    return tuple(stage for stage in plan.stages if only in (None, stage))


def exit_code(results: list[StageResult]) -> int:
    """Return how the command ends: the worst of its stages."""
    outcomes = {result.outcome for result in results}
    if outcomes & {FAILED, REFUSED}:
        return STOPPED
    return IN_BREACH if BREACH in outcomes else 0


def run_stages(work: Work, stages: tuple[str, ...], address: str) -> list[StageResult]:
    """Run the stages one after the other; what comes after one that failed is skipped."""
    if stages == (SECURITY,):  # it only looks: it needs no warehouse, and may look twice
        return [run_stage(SECURITY, work, None)]
    with _claims(work, address) as claims, claims.held() as is_held:
        if not is_held:
            return [_not_now(stage, "another process works on this very event now") for stage in stages]
        if claims.is_stale():
            return [_not_now(stage, "this was cleaned up since; the event is an old one") for stage in stages]
        return _one_after_the_other(work, stages, claims)


@contextmanager
def _claims(work: Work, address: str) -> Iterator[Claims]:
    from load.postgres import connect
    from pipeline_manager.warehouse import warehouse_url

    with closing(connect(warehouse_url(work.settings.database_url, work.settings))) as connection:
        prepare(connection)
        yield Claims(connection, work.plan, address, work.clock)


def _one_after_the_other(work: Work, stages: tuple[str, ...], claims: Claims) -> list[StageResult]:
    results: list[StageResult] = []
    stopped_by = _stopped_before(work.plan, stages, claims)
    for stage in stages:
        earlier = claims.earlier(stage)
        if stopped_by:
            result = StageResult(stage, SKIPPED, f"{stopped_by} did not succeed")
        elif earlier is not None and earlier.is_settled:
            result = StageResult(stage, earlier.outcome, f"done before: {earlier.sentence}", is_again=True)
        else:
            claims.begin(stage)
            result = run_stage(stage, work, claims)
            claims.end(stage, result.outcome, result.sentence, result.seconds)
        results.append(result)
        if result.outcome in (FAILED, REFUSED) and not stopped_by:
            stopped_by = stage
    return results


def _stopped_before(plan: Plan, stages: tuple[str, ...], claims: Claims) -> str:
    """Return the stage, run by an earlier job, that keeps these from running; empty if none does."""
    for stage in plan.stages[: plan.stages.index(stages[0])]:
        found = claims.earlier(stage)
        if found is None and stage != SECURITY:  # a security job has no warehouse to write into
            return stage
        if found is not None and found.outcome in (FAILED, REFUSED):
            return stage
    return ""


def _not_now(stage: str, why: str) -> StageResult:
    return StageResult(stage, SKIPPED, why, is_again=True)


def _tell(work: Work, results: list[StageResult], comment: Path | None, address: str) -> None:
    sys.stdout.write("\n".join(shown(line) for line in summary_text(work.plan, results, address)) + "\n")
    write_step_summary(work.settings, summary_markdown(work.plan, results, address))
    write_outputs(work.settings, _outcomes(results))
    is_news = any(result.markdown and not result.is_again for result in results)
    if comment is not None and work.plan.issue is not None and is_news:
        comment.parent.mkdir(parents=True, exist_ok=True)
        comment.write_text(comment_on(work.plan, results, address), encoding="utf-8", newline="\n")


def _outcomes(results: list[StageResult]) -> Mapping[str, str]:
    return {f"{result.stage}_outcome": result.outcome for result in results}
