"""What OpenLineage is told of a run: the feeds that it read, and the tables of the warehouse that it wrote."""

import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from psycopg2.extensions import parse_dsn

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.errors import UsageError
from etl_pipeline.observe.lineage import Dataset, Emitter, RunTraced
from load.postgres import AlreadyRunningError
from pipeline_manager.report import RunReport
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)
OURS, ANYBODYS, API_KEY = "SYSTOCK_OPENLINEAGE_URL", "OPENLINEAGE_URL", "OPENLINEAGE_API_KEY"
_TABLES = {
    "movement": "fact_movement", "count": "fact_count", "sale": "fact_sale", "demand": "fact_demand",
    "supply": "fact_supply", "product": "fact_product", "location": "fact_location", "alias": "fact_alias",
    "price": "fact_price", "reference": "fact_reference",
}  # fmt: skip
_PUBLISHED = ("stock_on_hand", "sale_line", "feed_file", "quarantine")


def lineage_emitter(environ: Mapping[str, str]) -> Emitter | None:
    """Return what sends events, or None where nobody asked for them.

    Raises:
        UsageError: SYSTOCK_OPENLINEAGE_URL is set, and the package is missing or the address is none.
    """
    address = (environ.get(OURS) or environ.get(ANYBODYS) or "").strip()
    if not address:
        return None
    problem = _problem(address)
    if problem and environ.get(OURS):
        raise UsageError(f"{OURS} is set, but {problem}")
    if problem:  # set for other programs, maybe
        log.warning("%s is set, but %s", ANYBODYS, problem)
        return None
    return Emitter(address, environ.get(API_KEY, ""))


def _problem(address: str) -> str:
    if not address.lower().startswith(("http://", "https://", "file:///")):
        return "is no address. Write http://host:port, https://host or file:///folder/events.jsonl, or unset it."
    if importlib.util.find_spec("openlineage") is None:
        return "the package openlineage-python is missing. Install it (pip install 'systock[lineage]'), or unset it."
    return ""


@contextmanager
def traced(
    emitter: Emitter | None, opened: OpenWarehouse, feeds: Feeds, report: RunReport, run_id: str, *,
    clock: Callable[[], datetime],
) -> Iterator[None]:  # fmt: skip
    """Tell that a run begins, and what came of it; without an emitter do nothing."""
    if emitter is None:
        yield
        return
    run = run_traced(opened, feeds, report, run_id)
    emitter.emit("START", run, clock())
    try:
        yield
    except AlreadyRunningError:
        emitter.emit("ABORT", run, clock())
        raise
    except BaseException as error:
        failed = replace(run_traced(opened, feeds, report, run_id), outputs=(), message=str(error))
        emitter.emit("FAIL", failed, clock())
        raise
    else:
        emitter.emit("COMPLETE", run_traced(opened, feeds, report, run_id), clock())
    finally:
        emitter.close()


def run_traced(opened: OpenWarehouse, feeds: Feeds, report: RunReport, run_id: str) -> RunTraced:
    """Return what is told of a run as far as it has come."""
    schemas = opened.warehouse.schemas
    place, database = _address_of(opened.url)
    facts = {rule.fact for contract in feeds.contracts.values() for rule in contract.yields}
    tables = [f"{schemas.silver}.{_TABLES[fact]}" for fact in sorted(facts) if fact in _TABLES]
    tables += [f"{schemas.gold}.{view}" for view in _PUBLISHED]
    return RunTraced(
        run_id, f"systock.{schemas.env}", f"{report.retailer}.run",
        [Dataset(f"systock.feed.{report.retailer}", feed, _files(report, feed)) for feed in sorted(feeds.contracts)],
        [Dataset(place, f"{database}.{table}") for table in tables],
    )  # fmt: skip


def _files(report: RunReport, feed: str) -> int | None:
    return report.feeds[feed].files_new if feed in report.feeds else None


def _address_of(url: str) -> tuple[str, str]:
    """Return the server and the database as OpenLineage names them; never a user, never a password."""
    parts = parse_dsn(url.replace("postgresql+psycopg2://", "postgresql://"))
    host = str(parts.get("host") or "localhost")
    host = "localhost" if host.startswith("/") else host
    return f"postgres://{host}:{parts.get('port') or 5432}", str(parts.get("dbname") or "postgres")
