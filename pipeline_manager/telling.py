"""Tells people what a run found: incidents are kept in the warehouse, and Slack hears of what changed, if it is set up.

Telling comes last, takes a few seconds at most, and never changes how a run ends: whatever goes wrong here is logged,
and what could not be sent waits in the outbox.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2 import Error as DatabaseError
from psycopg2 import extensions

from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import PROD, Schemas
from etl_pipeline.core.settings import Settings, first_line, redact, remember_webhook
from etl_pipeline.observe.incidents import EVERYTHING, NOTHING, Changes, Scope, keep_incidents, key_of
from etl_pipeline.observe.outbox import Sent, put, send_waiting
from etl_pipeline.observe.slack_message import RunTold, compose
from etl_pipeline.observe.slack_sending import Attempt, send
from etl_pipeline.observe.values import Breach
from load.postgres import AlreadyRunningError, reconnect
from pipeline_manager.drift_telling import SCHEMA_DRIFT, drift_breaches
from pipeline_manager.report import RunReport
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)
WEBHOOK, EVERY_RUN, RUN_URL = "SLACK_WEBHOOK_URL", "SLACK_EVERY_RUN", "SYSTOCK_RUN_URL"
LONGEST_TELLING = 5.0
"""Seconds that a run waits for Slack at most."""
QUIET = timedelta(hours=1)
LONGEST_STATEMENT_MS = 5_000
RUN_FAILED, SET_ASIDE, REFUSED, LAW_BROKEN = "run_failed", "set_aside", "refused_file", "law_broken"
OWN_KINDS = frozenset({RUN_FAILED, SET_ASIDE, REFUSED, LAW_BROKEN, SCHEMA_DRIFT})
OF_THE_RUN = Scope(OWN_KINDS)
"""For who tells of a run alone: what a look at the warehouse found stays open."""
OF_A_LOOK = Scope(OWN_KINDS, is_all_but=True)
"""For who only looked: what runs found stays open."""


@dataclass(frozen=True)
class Telling:
    """How people are told.

    Attributes:
        webhook: Slack's address; None where nobody set it up.
        is_every_run: tell of runs, too, that change nothing.
        run_url: where the run can be seen, if it has an address.
    """

    webhook: str | None = None
    is_every_run: bool = False
    run_url: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Telling":
        """Read the settings; the address is a secret from now on."""
        webhook = environ.get(WEBHOOK, "").strip() or None
        remember_webhook(webhook or "")
        is_every_run = environ.get(EVERY_RUN, "").strip().lower() in ("1", "true", "yes", "on")
        return cls(webhook, is_every_run, environ.get(RUN_URL, "").strip())


def breaches_after(report: RunReport, looked: Sequence[Breach] = ()) -> list[Breach]:
    """Return what is wrong after a run: what its report tells, and what a look at the warehouse found; each once."""
    found = [*_laws(report), *_set_aside(report), *_refused(report), *drift_breaches(report.drift), *looked]
    return list({key_of(breach): breach for breach in reversed(found)}.values())[::-1]


def failed_run(error: BaseException) -> Breach:
    """Return the breach of a run that ended early."""
    said = redact(str(error)).strip() or type(error).__name__
    return Breach(
        RUN_FAILED, "run", f"The run stopped, and nothing was published: {said}",
        "See the message above and the run's output, mend it, and start the run again. What was published before "
        "stays.", "failure",
    )  # fmt: skip


def _laws(report: RunReport) -> Iterator[Breach]:
    for law in report.broken_laws:
        yield Breach(
            LAW_BROKEN, f"law {law['law']}", f"A law of the warehouse is broken: {law['sentence']}",
            "Look at ops.law; gold was not published anew, and the last good figures stay.", "failure",
            amount=int(law.get("violations") or 0),
        )  # fmt: skip


def _set_aside(report: RunReport) -> Iterator[Breach]:
    see = "systock quarantine list" + ("" if report.env == PROD else f" --env {report.env}")
    for row in report.set_aside:
        yield Breach(
            SET_ASIDE, f"{row['feed']}/{row['reason']}",
            f"{row['records']:,} of {row['feed']} set aside ({row['reason']}), such as {row['example']}.",
            f"{row['sentence'].rstrip('. ')}. All of them: {see}", amount=int(row["records"]),
        )  # fmt: skip


def _refused(report: RunReport) -> Iterator[Breach]:
    for name, sentence in report.refused.items():
        yield Breach(
            REFUSED, name, f"A file could not be taken: {sentence}",
            "Send it again, or take it out of the inbox.", amount=1,
        )  # fmt: skip


def tell(
    opened: OpenWarehouse, report: RunReport, breaches: Sequence[Breach], now: datetime, *, scope: Scope = EVERYTHING,
    is_run: bool = True,
) -> None:  # fmt: skip
    """Keep what is wrong as incidents, and send what people do not know yet; never raises.

    Args:
        opened: the warehouse; its connection is not used, it may be in any state.
        report: of the run.
        breaches: all that is wrong now, see `breaches_after`; `failed_run` among them leaves the other incidents open.
        now: when that was seen.
        scope: what would have been seen; what is within it and not seen is resolved.
        is_run: a look is none: there are hundreds a day, and without news nobody is told of them.
    """
    started = time.monotonic()
    telling = Telling.of(opened.settings.environ)
    is_failed = any(breach.kind == RUN_FAILED for breach in breaches)
    run = _run_told(report, telling, is_published=not (is_failed or report.broken_laws))
    try:
        with connected(opened) as connection:
            with connection, connection.cursor() as cursor:  # the incidents and the message about them, both or neither
                seen_in = NOTHING if is_failed else scope
                changes = keep_incidents(cursor, opened.warehouse.schemas, breaches, now, seen_in)
                if telling.webhook and (changes.is_news or (is_run and telling.is_every_run)):
                    put(cursor, opened.warehouse.schemas, compose(run, changes), now)
            if telling.webhook:
                clock = _clock_from(now, started)
                sent = send_all(connection, opened.warehouse.schemas, telling.webhook, clock, LONGEST_TELLING)
                if sent.waiting or sent.given_up:
                    log.warning("%s", told_of_sending(sent))
    except Exception as error:  # a run ends as it would without telling, whatever this is
        log.warning("nobody could be told of the run: %s", printable(first_line(error)))
        if telling.webhook and is_failed and isinstance(error, DatabaseError):
            # Without a warehouse there is no outbox; that it is away is what people have to know.
            attempt = send(telling.webhook, compose(run, Changes(opened=breaches)), timeout=LONGEST_TELLING, now=now)
            log.info("told Slack without the outbox: %s", attempt.outcome)


def tell_of_look(opened: OpenWarehouse, retailer: str, breaches: Sequence[Breach], now: datetime) -> None:
    """Tell what a look at the deliveries found, without a run; what runs found stays open. Never raises."""
    tell(opened, RunReport(opened.warehouse.schemas.env, retailer), breaches, now, scope=OF_A_LOOK, is_run=False)


@contextmanager
def told_when_it_fails(opened: OpenWarehouse, report: RunReport, clock: Callable[[], datetime]) -> Iterator[None]:
    """Tell of a run that stops in here, and let it stop; a wrong use or another run at work is no news."""
    try:
        yield
    except (UsageError, AlreadyRunningError):
        raise
    except Exception as error:
        tell(opened, report, [*breaches_after(report), failed_run(error)], clock())
        raise


@contextmanager
def told_when_unreachable(settings: Settings, report: RunReport, clock: Callable[[], datetime]) -> Iterator[None]:
    """Tell Slack, once an hour at most, that a run found no warehouse; it has no outbox then, and nothing is kept."""
    try:
        yield
    except StopRunError as error:
        telling = Telling.of(settings.environ)
        if telling.webhook and not report.dsn and _is_first_of_the_hour(settings, clock()):
            failed = failed_run(error)
            run = _run_told(report, telling, is_published=False)
            attempt = send(
                telling.webhook, compose(run, Changes(opened=[failed])), timeout=LONGEST_TELLING, now=clock()
            )
            log.info("told Slack that the warehouse is away: %s", attempt.outcome)
        raise


def _is_first_of_the_hour(settings: Settings, now: datetime) -> bool:
    """Tell whether nobody was told for an hour, and note that somebody is now."""
    note = settings.work_dir / "told_unreachable"
    try:
        if note.exists() and abs(now - datetime.fromisoformat(note.read_text("utf-8").strip())) < QUIET:
            return False
    except (OSError, ValueError, TypeError) as error:
        log.info("%s cannot be read: %s", note.name, type(error).__name__)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(now.isoformat(), encoding="utf-8")
    except OSError as error:
        log.warning("%s cannot be written: %s", note.name, error.strerror)
    return True


def _clock_from(now: datetime, started: float) -> Callable[[], datetime]:
    return lambda: now + timedelta(seconds=time.monotonic() - started)


@contextmanager
def connected(opened: OpenWarehouse) -> Iterator[extensions.connection]:
    """Open a connection for telling alone, in which no statement takes long."""
    connection = reconnect(opened.url, opened.warehouse.schemas.options)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, false)", (str(LONGEST_STATEMENT_MS),))
        yield connection
    finally:
        connection.close()


def send_all(
    connection: extensions.connection, schemas: Schemas, webhook: str, clock: Callable[[], datetime], seconds: float
) -> Sent:
    """Send what waits in the outbox, for so many seconds at most."""
    until = clock() + timedelta(seconds=seconds)

    def call(message: dict[str, Any]) -> Attempt:
        left = (until - clock()).total_seconds()
        return send(webhook, message, timeout=max(1.0, left), now=clock())

    return send_waiting(connection, schemas, call, clock, until=until)


def told_of_sending(sent: Sent) -> str:
    """Return what a round of sending did, as a sentence."""
    parts = [f"{sent.sent:,} sent"]
    parts += [f"{sent.waiting:,} waiting"] if sent.waiting else []
    parts += [f"{sent.given_up:,} given up"] if sent.given_up else []
    after = ""
    if sent.reason:
        after = f" {sent.reason}"
    if sent.waiting:
        after += " `systock notify` and the next run send what waits."
    return f"Messages: {', '.join(parts)}.{after}"


def webhook_or_refusal(environ: Mapping[str, str]) -> str:
    """Return the webhook's address.

    Raises:
        UsageError: it is not set, or is no address.
    """
    webhook = Telling.of(environ).webhook
    if webhook is None:
        raise UsageError(
            f"{WEBHOOK} is not set, so nothing can be sent. Make an incoming webhook (docs/slack.md says how) and put "
            f"its address into the environment or .env: {WEBHOOK}=https://hooks.slack.com/services/..."
        )
    if not webhook.startswith(("https://", "http://")):
        raise UsageError(f"{WEBHOOK} is no address: it begins with https://hooks.slack.com/services/")
    return webhook


def _run_told(report: RunReport, telling: Telling, *, is_published: bool) -> RunTold:
    new = sum(line.files_new for line in report.feeds.values())
    loaded = f"{new:,} new files; {report.quarantined:,} set aside in all; load {report.known}."
    if is_published and report.known:
        kept = len(report.laws) - len(report.broken_laws)
        summary = (
            f"{loaded} {kept} of {len(report.laws)} laws kept." if report.laws else f"{loaded} Nothing new to verify."
        )
    elif is_published:
        summary = "A look at the deliveries; nothing was loaded for it."
    else:
        summary = "Nothing was published. The figures of the last good run stay."
    places = [f"the page: {report.page}"] if report.page else []
    places += [f"{Schemas.of(report.env).gold}.quarantine"] if report.quarantined else []
    return RunTold(report.env, report.retailer, is_published, summary, places, telling.run_url)
