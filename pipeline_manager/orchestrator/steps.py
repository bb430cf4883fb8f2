"""What each stage does. A stage returns what came of it; it raises nothing but what ends the process."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from psycopg2 import extensions

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.errors import UsageError, WarehouseError
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import redact
from load.postgres import connect
from pipeline_manager.console import keep_traceback
from pipeline_manager.demo import demo_options, feeds_in_use
from pipeline_manager.environments import lifecycle, registry
from pipeline_manager.environments.impact import impact
from pipeline_manager.flow import Options, run_flow
from pipeline_manager.observing import look, own_time
from pipeline_manager.orchestrator.claims import BREACH, FAILED, REFUSED, SUCCESS, Claims
from pipeline_manager.orchestrator.markdown import code
from pipeline_manager.orchestrator.onboarding import Overlay, RefusedError, check_asked, lay_over
from pipeline_manager.orchestrator.plan import CLEANUP, ELT, OBSERVABILITY, SECURITY
from pipeline_manager.orchestrator.results import StageResult, Work
from pipeline_manager.report import FeedLine, RunReport
from pipeline_manager.telling import tell_of_look
from pipeline_manager.warehouse import open_warehouse, warehouse_url

LEASE_DAYS = 14.0
MOST_SHOWN = 30
Step = Callable[[Work, Claims | None], StageResult]


def run_stage(stage: str, work: Work, claims: Claims | None) -> StageResult:
    """Run a stage, and say what came of it and how long it took."""
    started = time.monotonic()
    try:
        result = _STEPS[stage](work, claims)
    except RefusedError as error:
        result = StageResult(stage, REFUSED, _sentence(error), markdown=error.markdown)
    except WarehouseError as error:
        told = _sentence(error)
        result = StageResult(stage, FAILED, told, markdown=f"It said: {code(told)}")
    except Exception as error:
        kept = keep_traceback(error)
        told = f"something unexpected: {type(error).__name__}; its details are in {kept}"
        result = StageResult(stage, FAILED, told, markdown="Something unexpected happened; the run's log tells what.")
    return replace(result, seconds=time.monotonic() - started)


def _sentence(error: Exception) -> str:
    return " ".join(redact(str(error)).split())


def _security(work: Work, _: Claims | None) -> StageResult:
    from pipeline_manager.gates.changed import changed_files
    from pipeline_manager.gates.running import run_gates

    if work.plan.refusal:
        raise RefusedError(work.plan.refusal, work.plan.refusal)
    check_asked(work.plan.asked, feeds_in_use(work.feeds, work.settings))
    changed = None if work.changed_since is None else changed_files(work.root, work.changed_since)
    findings = run_gates(work.root, changed=changed)
    if not findings:
        return StageResult(SECURITY, SUCCESS, "every gate is open")
    first = findings[0]
    told = [f"- {code(f'{f.path}:{f.line}')} {code(f'{f.rule}: {f.message}')}" for f in findings[:MOST_SHOWN]]
    more = [f"- and {len(findings) - MOST_SHOWN} more"] if len(findings) > MOST_SHOWN else []
    told_first = f"the first at {first.path}:{first.line}: {first.message}"
    return StageResult(
        SECURITY, FAILED, f"{_count(len(findings), 'finding')}, {told_first}",
        markdown="The gates stay shut:\n\n" + "\n".join([*told, *more]),
    )  # fmt: skip


def _elt(work: Work, claims: Claims | None) -> StageResult:
    feeds, inbox = demo_options(work.feeds, work.inbox, work.settings, make_progress("silent"))
    env, overlay = work.plan.environment, None
    settings = replace(work.settings, env=env)
    if env is not None and claims is not None:
        _have_environment(work, claims, env)
        if work.plan.asked.brings_a_feed:
            overlay = lay_over(work.plan.asked, feeds, settings.work_dir / "feeds")
    used = overlay.folder if overlay else feeds
    report = run_flow(Options(used, inbox, env=env), settings, make_progress("silent"))
    files = sum(line.files_new for line in report.feeds.values())
    told = f"{_count(files, 'new file')}, {_count(report.quarantined, 'record or file', 'records and files')} set aside"
    if env is None:
        return StageResult(ELT, SUCCESS, told)
    parts = [*_about_feed(overlay, report), _impact(work, env)]
    return StageResult(ELT, SUCCESS, told, markdown="\n\n".join(parts))


def _impact(work: Work, env: str) -> str:
    """Say what the environment changes against prod, in terms of the business."""
    with open_warehouse(work.settings.database_url, work.settings, Schemas.of(env)) as opened:
        return impact(opened).as_markdown().strip()


def _observability(work: Work, _: Claims | None) -> StageResult:
    folder = _feeds_in_use(work)
    feeds = load_feeds(folder)
    env = work.plan.environment
    with open_warehouse(work.settings.database_url, work.settings, Schemas.of(env)) as opened:
        now = own_time(opened.warehouse.connection, opened.warehouse.schemas, feeds, work.clock())
        breaches = look(opened.warehouse, feeds, now)
        tell_of_look(opened, feeds.retailer.retailer, breaches, work.clock())
    if not breaches:
        return StageResult(OBSERVABILITY, SUCCESS, "every feed came as it should")
    told = [f"- {code(b.subject)}: {code(b.sentence)} {code(b.advice)}" for b in breaches[:MOST_SHOWN]]
    more = [f"- and {len(breaches) - MOST_SHOWN} more"] if len(breaches) > MOST_SHOWN else []
    return StageResult(
        OBSERVABILITY, BREACH, f"{len(breaches)} late, thin or wrong, the first: {breaches[0].sentence}",
        markdown="Late, thin or wrong:\n\n" + "\n".join([*told, *more]),
    )  # fmt: skip


def _feeds_in_use(work: Work) -> Path:
    """Return the contracts that the environment was loaded with: its own, or prod's."""
    own = replace(work.settings, env=work.plan.environment).work_dir / "feeds"
    is_own = work.plan.environment is not None and work.plan.asked.brings_a_feed and own.is_dir()
    return own if is_own else feeds_in_use(work.feeds, work.settings)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _have_environment(work: Work, claims: Claims, name: str) -> None:
    """Make the environment of this issue or branch, or go on in the one it has."""
    with _owner(work) as connection:
        is_there = registry.find(connection, name) is not None
    try:
        claims.take_environment(name, is_there=is_there)
    except UsageError as error:
        raise RefusedError(str(error), code(str(error))) from error
    lifecycle.create(
        work.settings.database_url, work.settings, name, origin="prod", lease_days=LEASE_DAYS, now=work.clock()
    )


@contextmanager
def _owner(work: Work) -> Iterator[extensions.connection]:
    with closing(connect(warehouse_url(work.settings.database_url, work.settings))) as connection:
        yield connection


def _about_feed(overlay: Overlay | None, report: RunReport) -> Iterator[str]:
    """Say what came in of the feed that the issue brought."""
    if overlay is None:
        return
    line = report.feeds.get(overlay.feed, FeedLine(overlay.feed))
    how = "prod's contract of it is replaced here" if overlay.replaces else "prod has no feed of this name"
    yield (
        f"Feed {code(overlay.feed)} ({how}): {_count(line.files_new, 'new file')}, "
        f"{_count(line.records - line.non_data, 'record')}, {line.accepted:,} accepted, {line.quarantined:,} set aside."
    )
    if not line.files_new and not line.records:
        yield "No file in the inbox fits its pattern yet. Put one there, and run it in this environment."
    reasons = [row for row in report.set_aside if row["feed"] == overlay.feed]
    if reasons:
        yield "\n".join(f"- {row['records']:,} x {code(row['reason'])}: {code(row['sentence'])}" for row in reasons)
    if overlay.notes:
        yield overlay.notes


def _cleanup(work: Work, claims: Claims | None) -> StageResult:
    dropped = []
    for name in claims.environments() if claims else []:
        lifecycle.drop(work.settings.database_url, work.settings, name)
        if claims is not None:
            claims.give_back(name)
        dropped.append(name)
    if not dropped:
        return StageResult(CLEANUP, SUCCESS, "there was nothing to drop")
    listed = ", ".join(code(name) for name in dropped)
    return StageResult(
        CLEANUP, SUCCESS, f"dropped {', '.join(dropped)}", markdown=f"Dropped {listed}: schemas, role and files.",
    )  # fmt: skip


_STEPS: Mapping[str, Step] = {SECURITY: _security, ELT: _elt, OBSERVABILITY: _observability, CLEANUP: _cleanup}
