"""Writes the report page: asks gold section by section, and puts the file in place whole."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from psycopg2 import extensions

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import PROD, Schemas
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.settings import Settings, load_settings, redact
from load.postgres import connect
from pipeline_manager.morning.feed_sections import drift, freshness, quarantine
from pipeline_manager.morning.gold_reader import GoldReader, MissingViewError
from pipeline_manager.morning.page import Section, render_empty, render_page
from pipeline_manager.morning.page_state import is_up_to_date, page_state, remember
from pipeline_manager.morning.promise_sections import open_orders, promises_at_risk
from pipeline_manager.morning.sales_section import sales
from pipeline_manager.morning.stock_sections import safety_stock, stock_at_risk, stock_today
from pipeline_manager.report import RunReport
from pipeline_manager.warehouse import OpenWarehouse, open_warehouse

PATIENCE_SECONDS = 600
AT_ONCE = 2
"""Connections that the page is asked over."""
LONGEST = ("drift", "stock")
"""Sections that take longest: they are begun first, so that nobody waits for one alone at the end."""
SECTIONS: dict[str, tuple[str, Callable[[GoldReader], Section]]] = {
    "stock": ("Stock today", stock_today),
    "risk": ("Stock at risk", stock_at_risk),
    "promises": ("Promises at risk", promises_at_risk),
    "orders": ("Orders to look into", open_orders),
    "freshness": ("Freshness of feeds", freshness),
    "drift": ("Source drift", drift),
    "quarantine": ("Quarantine", quarantine),
    "sales": ("Sales", sales),
    "safety": ("Safety stock", safety_stock),
}
_IS_LOADED = "select exists (select 1 from {{ gold }}.feed_file) as is_loaded"
# All rows of availability tell the same instant, so one product's will do; all are read where the first have none.
_AS_OF = """
    select nullif(coalesce(
        (
            select a.as_of
            from (select product_code from {{ gold }}.product limit 20) as p
            cross join lateral (
                select as_of from {{ gold }}.availability where product_code = p.product_code limit 1
            ) as a
            limit 1
        ),
        (select max(as_of) from {{ gold }}.availability)
    ), '-infinity') as as_of
"""
_LAST_FILE = "select max(logical_time) as as_of from {{ gold }}.feed_file where status = 'loaded'"
_ADVICE = (
    "<h2>Nothing has been loaded yet</h2><p>Put what your systems send into the inbox, then load it: "
    "<code>systock run</code>. Without feeds of your own it loads a made-up retailer. START_HERE.md is a tour.</p>"
)


def page_path(settings: Settings) -> Path:
    """Return where the page of prod, or of the settings' environment, lies when nobody says otherwise."""
    return settings.work_dir / "report.html"


def publish_page(opened: OpenWarehouse, report: RunReport, progress: Progress) -> None:
    """Write the page at the end of a run; where that fails, the run has not: it says so and ends well."""
    target = page_path(opened.settings)
    progress.step("report")
    state = page_state(opened)
    if is_up_to_date(target, state):
        report.page = str(target)
        progress.done(f"{target.name} is up to date")
        return
    told = _write_apart(opened, target)
    if told:
        report.notes.append(f"The report page was not written ({redact(told)}); the load is done. Try: systock report")
        progress.done("not written")
        return
    remember(target, state)
    report.page = str(target)
    progress.done(target.name)


def _write_apart(opened: OpenWarehouse, target: Path) -> str:
    """Write the page in a process of its own; return what went wrong, or nothing.

    The library that draws may abort its process, and a query may take for ever: neither may end the run.
    """
    command = [sys.executable, "-m", "pipeline_manager.commands", "report", "--out", str(target)]
    command += ["--env", opened.warehouse.schemas.env]
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    known = {"SYSTOCK_DATABASE_URL": opened.url, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    try:
        done = subprocess.run(
            command, env={**os.environ, **known}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            encoding="utf-8", errors="replace", timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took longer than {PATIENCE_SECONDS} s"
    except OSError as error:
        return str(error)
    if not done.returncode:
        return ""
    return next(iter(done.stderr.strip().splitlines()), "") or f"exit code {done.returncode}"


def show_report(out: Path | None, env: str | None, database_url: str | None) -> Path:
    """Write the page for `systock report`; return where it lies.

    Raises:
        StopRunError: the server does not answer.
        UsageError: the file cannot be written there.
    """
    settings = load_settings(os.environ, Path.cwd())
    with open_warehouse(database_url or settings.database_url, settings, Schemas.of(env)) as opened:
        target = out or page_path(opened.settings)
        write_report(opened.url, opened.warehouse.schemas, target)
    return target


def write_report(url: str, schemas: Schemas, target: Path) -> None:
    """Write the page of an environment; a page that stands there is replaced whole.

    Raises:
        StopRunError: the server does not answer.
        UsageError: the file cannot be written there.
    """
    with ExitStack() as stack:
        # One query is one core's work, so the sections are asked for over several connections.
        connections = [stack.enter_context(closing(connect(url, schemas.options))) for _ in range(AT_ONCE)]
        page = make_page(GoldReader(connections[0], schemas), connections[1:])
    being_written = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        being_written.write_text(page, encoding="utf-8")
        being_written.replace(target)
    except OSError as error:
        being_written.unlink(missing_ok=True)
        raise UsageError(
            f"The report cannot be written to {target}: {error.strerror}. Name a file with --out."
        ) from None


def make_page(gold: GoldReader, more: Sequence[extensions.connection] = ()) -> str:
    """Return the page as HTML; the same data give the same bytes.

    Args:
        gold: reads it.
        more: connections over which other sections are asked for at the same time, of the same moment.
    """
    title = "Stock this morning" + ("" if gold.schemas.env == PROD else f": {gold.schemas.env}")
    try:
        if not gold.value(_IS_LOADED):
            return render_empty(title, "The warehouse is empty.", _ADVICE)
        gold.as_of = gold.value(_LAST_FILE) or gold.value(_AS_OF)
    except MissingViewError:
        return render_empty(title, "The warehouse is empty.", _ADVICE)
    told = "No file tells of an instant."
    if gold.as_of:
        told = f"As of {gold.as_of} UTC, the latest instant that the files tell of."
    sections = _all_made([gold, *(gold.beside(connection) for connection in more)])
    return render_page(title, told, [sections[anchor] for anchor in SECTIONS])


def _all_made(readers: Sequence[GoldReader]) -> dict[str, Section]:
    """Return all sections, each made by the reader that is free first."""
    todo = deque(sorted(SECTIONS, key=lambda anchor: anchor not in LONGEST))
    made: dict[str, Section] = {}

    def work(reader: GoldReader) -> None:
        while todo:
            with suppress(IndexError):  # another was quicker
                anchor = todo.popleft()
                made[anchor] = _made(reader, anchor)

    with ThreadPoolExecutor(len(readers), "section") as lanes:
        for done in [lanes.submit(work, reader) for reader in readers]:
            done.result()
    return made


def _made(gold: GoldReader, anchor: str) -> Section:
    title, make = SECTIONS[anchor]
    try:
        return make(gold)
    except MissingViewError:
        return Section(
            anchor, title, "not there", True,
            "Gold of this environment does not have this yet: it comes with the next run (systock run).",
        )  # fmt: skip
