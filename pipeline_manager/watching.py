"""The flow that does not end: files are loaded as they arrive, in small batches, until it is told to stop."""

import datetime
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from etl_pipeline.bronze_layer.landing import claims, land, matching_files
from etl_pipeline.contracts.loading import Feeds, load_feeds
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.errors import RetryStepError, SetAsideError, UsageError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress, SilentProgress
from etl_pipeline.core.settings import Settings
from extract.arrivals import Arrivals
from load.postgres import AlreadyRunningError
from pipeline_manager.daily import Daily
from pipeline_manager.flow import Options, Run, extract_all, judge_again, load_all, run_flow, utc_now
from pipeline_manager.ingest import Ingest
from pipeline_manager.report import RunReport
from pipeline_manager.shipping_watch import Shipper
from pipeline_manager.telling import LONGEST_TELLING, told_when_it_fails
from pipeline_manager.transforming.choosing import transforms_for
from pipeline_manager.waiting import Waiting
from pipeline_manager.warehouse import OpenWarehouse, open_warehouse, served_by
from pipeline_manager.watch_telling import Teller

log = logging.getLogger(__name__)
BUSY_PAUSE = 0.5
"""Seconds until a warehouse is asked again in which another run works."""
LONGEST_NAP = 0.2
"""Seconds after which a wish to stop is noticed at the latest."""


@dataclass(frozen=True)
class Pace:
    """How a watch goes about it.

    Attributes:
        most_files: of a batch; what came beyond waits for the next.
        most_bytes: of a batch.
        list_seconds: how often the whole inbox is listed, for what nobody told of.
        poll_seconds: how often databases and APIs are asked.
        beat_seconds: how often the heartbeat is written.
        tell_seconds: how often deliveries and quarantine are looked at, and people told of what is new.
        ship_seconds: how often loads are shipped to a serving warehouse, where there is one.
        daily_at: when the daily run is done, by the retailer's clock; None where somebody else does it.
        poll_folders: look at the folders again and again instead of being told.
    """

    most_files: int = 500
    most_bytes: int = 64 << 20
    list_seconds: float = 60.0
    poll_seconds: float = 60.0
    beat_seconds: float = 5.0
    tell_seconds: float = 300.0
    ship_seconds: float = 60.0
    daily_at: datetime.time | None = None
    poll_folders: bool = False


@dataclass(frozen=True)
class Loaded:
    """What one round of a watch did.

    Attributes:
        known: the last load.
        files: names of what was new.
        records: how many were staged.
        refused: files that were not taken, and why.
        waiting: how many files wait for the next round.
        seconds: from the round's beginning to its last COMMIT.
    """

    known: int
    files: tuple[str, ...]
    records: int
    refused: dict[str, str]
    waiting: int
    seconds: float


@dataclass
class Totals:
    """What a watch did from its start to its end."""

    first: RunReport
    rounds: int = 0
    files: int = 0
    records: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def take_in(self, loaded: Loaded) -> None:
        """Count a round."""
        self.rounds += 1
        self.files += len(loaded.files)
        self.records += loaded.records
        self.refused |= loaded.refused


class Watch:
    """One warehouse, kept up with one inbox."""

    def __init__(self, opened: OpenWarehouse, feeds: Feeds, options: Options, pace: Pace, settings: Settings) -> None:
        """Prepare; `options.inbox` is the folder that is watched."""
        if options.inbox is None:
            raise UsageError("Name the folder to watch with --inbox.")
        self.inbox = options.inbox
        self.waiting = Waiting()
        self._opened = opened
        self._feeds = feeds
        self._pace = pace
        self._settings = settings
        self._run_id = uuid.uuid4().hex
        self._due = dict.fromkeys(("list", "poll", "beat"), 0.0)
        self._feed_ids: dict[str, int] | None = None
        self._ingest: Ingest | None = None
        self._transforms = transforms_for(feeds, options.transforms, settings.environ)

    def look(self, arrived: set[Path]) -> None:
        """Take in names that were told of, and list the inbox where that is due or a whole folder came."""
        folders = {path for path in arrived if _is_folder(path)}
        self.waiting.add(path for path in arrived - folders if self._is_claimed(path))
        if folders or self._is_due("list", self._pace.list_seconds):
            for contract in self._feeds.contracts.values():
                self.waiting.add_unseen(matching_files(self.inbox, contract.files))

    def round(self) -> Loaded | None:
        """Load what is ready in one go; None where nothing is, or where another run works just now."""
        is_poll = self._is_due("poll", self._pace.poll_seconds) and self._has_sources()
        ready = self.waiting.ready(self._pace.most_files, self._pace.most_bytes)
        if not ready and not is_poll:
            return None
        started = time.monotonic()
        try:
            with self._locked() as run:
                landed = [file for path in ready for file in self._land(run, path)]
                if is_poll:
                    landed += self._fetched(run)
                load_all(run, landed, run.warehouse.manifest_of(landed), retry=False)
                judge_again(run, retry=False)
                reached("watch.loaded")
        except AlreadyRunningError:
            self.waiting.put_back(ready, BUSY_PAUSE)
            return None
        new = sum(line.files_new for line in run.report.feeds.values())
        names = tuple(file.name for file in landed) if new else ()
        seconds = time.monotonic() - started
        return Loaded(run.report.known, names, run.records, run.report.refused, len(self.waiting), seconds)

    def beat(self) -> None:
        """Write the heartbeat where it is due."""
        if self._is_due("beat", self._pace.beat_seconds):
            self._opened.warehouse.beat(self._run_id, len(self.waiting))

    def seconds_to_wait(self) -> float:
        """Return for how long nothing but an arrival needs anything done."""
        now = time.monotonic()
        return max(0.0, min(self.waiting.seconds_to_next(), *(due - now for due in self._due.values())))

    def _is_due(self, name: str, every: float) -> bool:
        if time.monotonic() < self._due[name]:
            return False
        self._due[name] = time.monotonic() + every
        return True

    def _has_sources(self) -> bool:
        return any(contract.extract is not None for contract in self._feeds.contracts.values())

    def _is_claimed(self, path: Path) -> bool:
        return any(claims(path, self.inbox, contract.files) for contract in self._feeds.contracts.values())

    @contextmanager
    def _locked(self) -> Iterator[Run]:
        """Hold the environment for one round; between rounds other commands may work."""
        warehouse, bronze = self._opened.warehouse, self._settings.bronze
        with closing(self._transforms), warehouse.run_lock():
            if self._feed_ids is None or warehouse.runner() != self._run_id:
                warehouse.take_over(self._run_id)
                self._feed_ids = warehouse.register_feeds(list(self._feeds.contracts.values()))
                self._ingest = None  # another run was here: what codes mean is read anew
            if self._ingest is None:
                self._ingest = Ingest(
                    self._feeds, warehouse, self._feed_ids, self._run_id, bronze=bronze, transforms=self._transforms
                )
            else:
                self._ingest.hear_decisions()
            ingest = self._ingest
            report = RunReport(warehouse.schemas.env, self._feeds.retailer.retailer)
            yield Run(self._feeds, warehouse, ingest, bronze, report, SilentProgress())

    def _land(self, run: Run, path: Path) -> list[Landed]:
        """Keep a file for each feed that claims it; one that is still written waits."""
        claimed = {n: c for n, c in sorted(self._feeds.contracts.items()) if claims(path, self.inbox, c.files)}
        try:
            landed = [file for name in claimed for file in self._keep(run, path, self.inbox, name)]
        except RetryStepError as error:
            log.info("%s", error)
            self.waiting.try_later(path)
            return []
        self.waiting.done(path)
        return landed

    def _fetched(self, run: Run) -> list[Landed]:
        """Ask databases and APIs; what they say is landed like a file."""
        extract_all(run, self._settings)
        if run.extracts is None:
            return []
        return [
            file
            for name, contract in sorted(self._feeds.contracts.items())
            if contract.extract is not None
            for path in matching_files(run.extracts, contract.files)
            for file in self._keep(run, path, run.extracts, name)
        ]

    def _keep(self, run: Run, path: Path, inbox: Path, name: str) -> list[Landed]:
        """Land a file for one feed; what may never be read is told once."""
        files = self._feeds.contracts[name].files
        try:
            return [land(path, inbox=inbox, bronze=run.bronze, feed=name, files=files)]
        except SetAsideError as error:
            run.report.refused[path.relative_to(inbox).as_posix()] = str(error)
            return []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:  # it lies in a folder that was closed after it was told of
        return False


def watch_flow(
    options: Options, pace: Pace, settings: Settings, progress: Progress, *, stop: threading.Event,
    told: Callable[[Loaded], None], clock: Callable[[], datetime.datetime] = utc_now,
) -> Totals:  # fmt: skip
    """Load what is there, then what arrives, until `stop` is set; the round at work is finished first.

    Gold is right with the COMMIT of each round, and every load says so on the channel `systock_gold`. Demand rates,
    snapshots and the report page are the business of the daily run, for which arrivals wait.

    Args:
        options: as for `run_flow`; the inbox must be there.
        pace: how often and how much at once.
        settings: where things lie.
        progress: told of the first run's steps.
        stop: ends the watch; wake it up by a signal's handler.
        told: called with what each round did.
        clock: what time it is: for what is due, and for people.

    Raises:
        UsageError: a contract or an option is wrong, or the inbox cannot be watched.
        StopRunError: the warehouse cannot be used, or a law is broken; what was published before stays.
    """
    feeds = load_feeds(options.feeds)
    with (
        Arrivals([p for p in (options.inbox,) if p], poll=pace.poll_folders) as arrivals,
        open_warehouse(options.database_url or settings.database_url, settings, Schemas.of(options.env)) as opened,
    ):
        watch = Watch(opened, feeds, options, pace, settings)
        watch.waiting.remember(matching_files(watch.inbox, c.files) for c in feeds.contracts.values())
        first = _whole_run(replace(options, write_page=False), settings, progress, stop)
        if first is None:
            return Totals(RunReport(opened.warehouse.schemas.env, feeds.retailer.retailer))
        totals = Totals(first, refused=dict(first.refused))
        teller = Teller(opened, feeds, pace.tell_seconds, clock)
        shipper = Shipper(opened, served_by(options.database_url, settings), pace.ship_seconds)
        daily = Daily(pace.daily_at, feeds.retailer.zone, clock())
        with told_when_it_fails(opened, RunReport(first.env, first.retailer), clock):
            while not stop.is_set():
                if daily.is_due(clock()):
                    _whole_run(replace(options, write_page=True), settings, progress, stop)
                watch.look(arrivals.take(min(watch.seconds_to_wait(), LONGEST_NAP)))
                loaded = watch.round()
                watch.beat()
                if loaded is not None:
                    totals.take_in(loaded)
                    told(loaded)
                    shipper.note()
                shipper.ship_when_due()
                teller.tell_when_due(totals.refused, watch.inbox)
        teller.end(LONGEST_TELLING)
    return totals


def _whole_run(options: Options, settings: Settings, progress: Progress, stop: threading.Event) -> RunReport | None:
    """Load what is there and publish gold; wait for another run to end before. None where told to stop instead."""
    while not stop.is_set():
        try:
            return run_flow(options, settings, progress)
        except AlreadyRunningError:
            log.info("another run works here; the watch goes on when it has ended")
            stop.wait(BUSY_PAUSE)
    return None
