"""One run, top to bottom. A reader learns the system here."""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from etl_pipeline.bronze_layer.landing import land, landed_again, matching_files
from etl_pipeline.bronze_layer.still_written import sweep
from etl_pipeline.contracts.loading import Feeds, load_feeds
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.closed_folders import closed_folders
from etl_pipeline.core.errors import RetryStepError, SetAsideError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.settings import Settings
from etl_pipeline.core.snowflake_access import SnowflakeAccess
from etl_pipeline.observe.incidents import EVERYTHING
from load.postgres import FileKey, ManifestFile, PostgresWarehouse, contract_hash
from load.snowflake.serving import require_connector
from pipeline_manager.again import tasks_again
from pipeline_manager.decisions import all_decisions, keep_decisions
from pipeline_manager.ingest import Ingest, Task
from pipeline_manager.lineage_of_run import lineage_emitter, traced
from pipeline_manager.morning.report_page import publish_page
from pipeline_manager.ordering import load_order
from pipeline_manager.publishing import publish_gold
from pipeline_manager.rebuilding import Rebuild
from pipeline_manager.recording import Recorder, recorded
from pipeline_manager.report import RunReport
from pipeline_manager.serving import serve
from pipeline_manager.stages import timed
from pipeline_manager.telling import OF_THE_RUN, breaches_after, tell, told_when_it_fails, told_when_unreachable
from pipeline_manager.transforming.choosing import transforms_for
from pipeline_manager.warehouse import open_warehouse, served_by

log = logging.getLogger(__name__)
BATCH_BYTES = 2 << 30
MOST_ROUNDS = 10
_LANDED_AT_A_TIME = 4


@dataclass(frozen=True)
class Options:
    """What a run is asked to do.

    Attributes:
        feeds: folder of contracts.
        inbox: folder of received files; None takes nothing new in.
        env: environment, None for prod.
        database_url: the warehouse; None for the settings' or the embedded server.
        full_refresh: drop the environment's schemas and rebuild everything from bronze and the inbox.
        gold_tests: run the data tests of gold after loading.
        retry: judge everything that is set aside again, whatever it waits for.
        write_page: write the report page into the home folder when all is published.
        transforms: how files are read and conformed (`transforming/choosing.py`); None for what the settings say.
    """

    feeds: Path
    inbox: Path | None
    env: str | None = None
    database_url: str | None = None
    full_refresh: bool = False
    gold_tests: bool = True
    retry: bool = False
    write_page: bool = False
    transforms: str | None = None


@dataclass
class Run:
    """What one run carries from step to step."""

    feeds: Feeds
    warehouse: PostgresWarehouse
    ingest: Ingest
    bronze: BronzeStore
    report: RunReport
    progress: Progress
    extracts: Path | None = None
    records: int = 0


def utc_now() -> datetime:
    """Return what time it is; no figure depends on it, people are told it."""
    return datetime.now(UTC)


def run_flow(
    options: Options, settings: Settings, progress: Progress, clock: Callable[[], datetime] = utc_now
) -> RunReport:
    """Load what is new in the inbox, publish gold, and tell people what came of it.

    Args:
        options: what is asked for.
        settings: where things lie.
        progress: told of the steps.
        clock: what time it is, for what people are told.

    Raises:
        UsageError: a contract or an option is wrong; nothing was loaded.
        StopRunError: the warehouse cannot be used, or a law is broken; what was published before stays.
    """
    started = time.monotonic()
    feeds = load_feeds(options.feeds)
    schemas = Schemas.of(options.env)
    emitter = lineage_emitter(settings.environ)
    report = RunReport(schemas.env, feeds.retailer.retailer)
    progress = timed(progress)
    served = _served(options, settings)
    progress.step("warehouse")
    with (
        told_when_unreachable(settings, report, clock),
        open_warehouse(options.database_url or settings.database_url, settings, schemas) as opened,
    ):
        warehouse, settings = opened.warehouse, opened.settings
        report.dsn = opened.shown_url
        progress.done(opened.shown_url)
        with (
            closing(transforms_for(feeds, options.transforms, settings.environ)) as transforms,
            told_when_it_fails(opened, report, clock),
            recorded(Recorder(opened, feeds, report, progress, clock)) as recorder,
            traced(emitter, opened, feeds, report, recorder.run_id, clock=clock),
            warehouse.run_lock(),
        ):
            rebuild = Rebuild(settings.work_dir, schemas.env)
            if options.full_refresh:
                rebuild.remember(_landed_before(warehouse, settings.bronze, feeds))
                rebuild.remember_decisions(warehouse.persistently(partial(all_decisions, warehouse)))
                reached("rebuild.remembered")
                opened.have_own_tables(filled=False)
                warehouse.drop_everything()
                reached("rebuild.dropped")
            warehouse.persistently(partial(opened.have_own_tables, contracts=options.feeds))
            received = rebuild.files(settings.bronze)
            warehouse.persistently(opened.deploy)
            warehouse.take_over(recorder.run_id)
            reached("run.fenced")
            recorder.begun()
            warehouse.persistently(partial(keep_decisions, warehouse, rebuild.decisions(), anew=False))
            warehouse.settle_retailer(feeds.retailer)
            feed_ids = warehouse.register_feeds(list(feeds.contracts.values()))
            ingest = Ingest(feeds, warehouse, feed_ids, recorder.run_id, bronze=settings.bronze, transforms=transforms)
            run = Run(feeds, warehouse, ingest, settings.bronze, report, progress)
            extract_all(run, settings)
            reached("extract.done")
            landed = land_all(run, [p for p in (options.inbox, run.extracts) if p]) + received
            load_all(run, landed, warehouse.manifest(), retry=options.retry)
            judge_again(run, retry=options.retry)
            reached("judge_again.done")
            rebuild.forget()
            reached("rebuild.forgotten")
            warehouse.persistently(partial(publish_gold, opened, feeds, report, progress, run_tests=options.gold_tests))
            if served is not None:
                serve(opened, served, report, progress, full=options.full_refresh, run_tests=options.gold_tests)
        if options.write_page:
            publish_page(opened, report, progress)
        scope = OF_THE_RUN if recorder.looked is None else EVERYTHING
        tell(opened, report, breaches_after(report, recorder.looked or ()), clock(), scope=scope)
    report.seconds = time.monotonic() - started
    return report


def _served(options: Options, settings: Settings) -> SnowflakeAccess | None:
    """Return the serving warehouse; refuse before anything is loaded where something is missing for it."""
    served = served_by(options.database_url, settings)
    if served is not None:
        require_connector()
    return served


def _landed_before(warehouse: PostgresWarehouse, bronze: BronzeStore, feeds: Feeds) -> list[Landed]:
    """Return the files of the manifest, for a rebuild from bronze; an empty warehouse has none."""
    manifest = warehouse.manifest_or_nothing()
    names = warehouse.other_names() if manifest else {}
    return [
        landed_again(bronze, f.feed, name, f.sha256, logical_time)
        for f in manifest.values()
        if f.feed in feeds.contracts
        for name, logical_time in ((f.name, f.named_time), *names.get(f.file_id, []))
    ]


def extract_all(run: Run, settings: Settings) -> None:
    """Fetch the feeds that come from databases and APIs into a folder that is landed like an inbox."""
    for name, contract in sorted(run.feeds.contracts.items()):
        if contract.extract is None:
            continue
        from extract.extract_api import extract_api
        from extract.extract_database import extract_database, source_url

        run.extracts = settings.work_dir / "extracts" / run.feeds.retailer.retailer
        run.progress.step(f"extract {name}")
        url = source_url(name, contract.extract, settings.environ)
        if contract.extract.kind == "database":
            extract_database(name, contract.extract, url, run.extracts)
        else:
            extract_api(name, contract.extract, url, run.extracts, settings.environ)
        run.progress.done()


def land_all(run: Run, inboxes: list[Path]) -> list[Landed]:
    """Keep every received file once under its content; report what no contract claims."""
    sweep(run.bronze.own)
    run.progress.step("land")
    landed: list[Landed] = []
    for inbox in inboxes:
        found = [
            (name, path)
            for name, contract in sorted(run.feeds.contracts.items())
            for path in matching_files(inbox, contract.files)
        ]
        # A file is mostly waited for until the disk has it; several that wait are written down together.
        with ThreadPoolExecutor(_LANDED_AT_A_TIME, "land") as lanes:
            for (_, path), outcome in zip(found, lanes.map(partial(_land_one, run, inbox), found), strict=True):
                if isinstance(outcome, Landed):
                    landed.append(outcome)
                else:
                    run.report.refused[str(path.relative_to(inbox))] = outcome
                run.progress.advance()
        run.report.refused |= closed_folders(inbox)
        claimed = {path for _, path in found}
        everything = (p for p in inbox.rglob("*") if os.path.isfile(p) and not p.name.startswith("."))  # noqa: PTH113
        run.report.unclaimed += sorted(p.relative_to(inbox).as_posix() for p in everything if p not in claimed)
    reached("land.done")
    run.progress.done(f"{len(landed)} files")
    return landed


def _land_one(run: Run, inbox: Path, found: tuple[str, Path]) -> Landed | str:
    """Land a file that a feed's contract claims; where it is refused, return why."""
    name, path = found
    try:
        return land(path, inbox=inbox, bronze=run.bronze, feed=name, files=run.feeds.contracts[name].files)
    except (SetAsideError, RetryStepError) as error:
        return str(error)


def load_all(run: Run, landed: list[Landed], manifest: Mapping[FileKey, ManifestFile], *, retry: bool) -> None:
    """Load the files that the manifest does not have, group by group.

    Args:
        run: the run.
        landed: the files.
        manifest: of the whole warehouse, or of these files where nothing else is to be taken up again.
        retry: read what was set aside once more.
    """
    tasks: dict[str, list[Task]] = {}
    told_before: list[Landed] = []
    seen: Counter[FileKey] = Counter()
    for file in landed:
        key = (file.feed, file.sha256, file.logical_time)
        seen[key] += 1
        old = manifest.get(key)
        if seen[key] > 1 or old is not None:
            told_before.append(file)
        if seen[key] > 1 or (old is not None and not _is_worth_another_look(run, old)):
            run.report.line(file.feed).files_again += 1
            continue
        run.report.line(file.feed).files_new += old is None
        task = Task(file) if old is None else Task(file, old.file_id, is_whole=True)
        tasks.setdefault(file.feed, []).append(task)
    asked = {
        (task.landed.feed, task.landed.sha256, task.landed.logical_time) for group in tasks.values() for task in group
    }
    for key, old in manifest.items():
        is_wanted = (retry and old.status == "set_aside") or run.ingest.let_in.opens(old)
        if is_wanted and old.feed in run.feeds.contracts and key not in asked:
            again = landed_again(run.bronze, old.feed, old.name, old.sha256, old.named_time)
            tasks.setdefault(old.feed, []).append(Task(again, old.file_id, is_whole=True))
    run.ingest.prepare(task for group in tasks.values() for task in group)
    for group in load_order(run.feeds.contracts):
        for batch in _batches([task for feed in group for task in tasks.get(feed, [])]):
            _load_batch(run, "load " + ", ".join(sorted({t.landed.feed for t in batch})), batch)
    reached("load.before_names")
    if told_before:  # what is new came into the manifest with its name
        run.warehouse.note_names(told_before)
    reached("load.after_names")


def _is_worth_another_look(run: Run, old: ManifestFile) -> bool:
    """A file that was set aside whole is read again once its contract was mended."""
    return old.status == "set_aside" and old.contract_hash != contract_hash(run.feeds.contracts[old.feed])


def _batches(tasks: list[Task]) -> list[list[Task]]:
    batches: list[list[Task]] = []
    size = 0
    for task in tasks:
        if not batches or size + task.landed.size_bytes > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(task)
        size += task.landed.size_bytes
    return batches


def _load_batch(run: Run, step: str, tasks: list[Task]) -> None:
    run.progress.step(step, len(tasks))
    done = run.ingest.run_batch(tasks, lambda _: run.progress.advance())
    run.report.batches += 1
    run.records += done.applied.records
    run.report.known = done.applied.known
    run.progress.done(f"{done.applied.records:,} records, {done.applied.touched_keys:,} stock keys touched")


def judge_again(run: Run, *, retry: bool) -> None:
    """Judge again what waited for a code that has come, and what used a code whose meaning changed."""
    tried: set[tuple[int, frozenset[int] | None]] = set()
    for _ in range(MOST_ROUNDS):
        changed = run.warehouse.to_judge_again()
        reached("judge_again.begun")
        found = run.warehouse.persistently(partial(_tasks_again, run, changed, everything=retry))
        tasks = [task for task in found if (task.file_id or 0, task.record_nos) not in tried or task.file_id in changed]
        if not tasks:
            return
        tried |= {(task.file_id or 0, task.record_nos) for task in tasks}
        _load_batch(run, "judge again", tasks)
        # What waits for something else now, or for what came in this very batch, gets another chance.
        if run.warehouse.verdicts_changed(run.report.known):
            tried.clear()


def _tasks_again(run: Run, changed: list[int], *, everything: bool) -> list[Task]:
    return tasks_again(run.warehouse, run.ingest.reader, run.feeds, run.bronze, changed, everything=everything)
