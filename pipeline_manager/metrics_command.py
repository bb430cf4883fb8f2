"""`systock metrics`: runs, feeds, laws, incidents and the outbox of an environment, for Prometheus."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl_pipeline.observe.prometheus import Figure
from pipeline_manager.console import DONE, command_errors, exit_with
from pipeline_manager.pipeline_flow import URL_HELP

if TYPE_CHECKING:
    from pipeline_manager.warehouse import OpenWarehouse

_LAST_RUN = """
    select
        run_id, outcome = 'done' as is_done, outcome = 'running' as is_running, batches, files_new, files_refused,
        extract(epoch from started_at) as started, extract(epoch from ended_at) as ended
    from {{ ops }}.run order by started_at desc, run_id limit 1
"""
_LAST_GOOD = "select extract(epoch from max(ended_at)) as ended from {{ ops }}.run where outcome = 'done'"
_OUTCOMES = "select outcome, count(*) as amount from {{ ops }}.run group by outcome order by outcome"
_STAGES = """
    select stage, sum(seconds) as seconds from {{ ops }}.stage
    where run_id = %s and within = '' group by stage order by stage
"""
_FEEDS = """
    select
        feed, count(*) as files, sum(records) as records, sum(accepted) as accepted, sum(duplicate) as duplicate,
        sum(superseded) as superseded, sum(non_data) as non_data, sum(quarantined - dismissed) as set_aside,
        count(*) filter (where status = 'set_aside' and not is_dismissed) as files_set_aside
    from {{ gold }}.feed_file group by feed order by feed
"""
_ARRIVALS = """
    select feed, extract(epoch from max(arrived_at)) as arrived from {{ ops }}.feed_metric group by feed order by feed
"""
_LAWS = """
    select distinct on (law) law, is_kept from {{ ops }}.law order by law, known desc
"""
_INCIDENTS = """
    select kind, severity, count(*) as amount from {{ ops }}.incident
    where resolved_at is null group by kind, severity order by kind, severity
"""
_SEVERITIES = ("failure", "warning")
_OUTBOX = """
    select
        count(*) filter (where sent_at is null and given_up_at is null) as waiting,
        count(*) filter (where given_up_at is not null) as given_up
    from {{ ops }}.outbox
"""
_LOADS = "select coalesce(max(known), 0) as known from {{ ops }}.batch"
_STATES = ("accepted", "duplicate", "superseded", "non_data", "set_aside")


def metrics(
    out: Annotated[Path | None, typer.Option(help="File to write, whole or not at all; default: print.")] = None,
    env: Annotated[str | None, typer.Option("--env", help="Environment; default: prod.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help=URL_HELP)] = None,
) -> None:
    """Print the state of an environment in Prometheus's text format: last run, feeds, laws, open incidents.

    Example: systock metrics --out /var/lib/node_exporter/systock.prom
    """
    with command_errors():
        from etl_pipeline.core.errors import StopRunError
        from etl_pipeline.observe.prometheus import exposition, write_whole
        from pipeline_manager.warehouse_commands import deployed_warehouse

        with deployed_warehouse(env, database_url) as opened:
            opened.deploy()
            text = exposition(opened.warehouse.schemas.env, figures(opened))
        if out is None:
            sys.stdout.write(text)
        else:
            try:
                write_whole(out, text)
            except OSError as error:
                raise StopRunError(f"{out} could not be written: {error.strerror}. Name another --out.") from None
    exit_with(DONE)


def figures(opened: "OpenWarehouse") -> list[Figure]:
    """Return everything that is measured of an environment.

    Args:
        opened: the warehouse, deployed.
    """
    from pipeline_manager.publishing import rows

    connection, schemas = opened.warehouse.connection, opened.warehouse.schemas

    def asked(statement: str, *arguments: object) -> list[dict[str, Any]]:
        return rows(connection, schemas, statement, arguments)

    has_gold = asked("select to_regclass(%s) is not null as is_there", f"{schemas.gold}.feed_file")[0]["is_there"]
    last = asked(_LAST_RUN)
    return [
        *_of_runs(last, asked(_LAST_GOOD)[0]["ended"], asked(_OUTCOMES)),
        *_of_stages(asked(_STAGES, last[0]["run_id"]) if last else []),
        *_of_feeds(asked(_FEEDS) if has_gold else [], asked(_ARRIVALS)),
        *_of_troubles(asked(_LAWS), asked(_INCIDENTS), asked(_OUTBOX)[0], asked(_LOADS)[0]["known"]),
    ]


def _one(values: Sequence[float]) -> dict[tuple[str, ...], float]:
    """Return the value of a figure without labels, if there is one."""
    return {(): value for value in values[:1]}  # noqa: B035 - there is one at most


def _of_runs(last: Sequence[dict[str, Any]], good: float | None, outcomes: Sequence[dict[str, Any]]) -> list[Figure]:
    ended = [run for run in last if run["ended"] is not None]

    def of_last(name: str, meaning: str, column: str, runs: Sequence[dict[str, Any]] = last) -> Figure:
        return Figure(f"last_run_{name}", meaning, _one([float(run[column]) for run in runs]))

    return [
        of_last("success", "1 if the last run that ended was done, 0 if it failed or was lost.", "is_done",
                [run for run in last if not run["is_running"]]),
        of_last("is_running", "1 while a run is at work.", "is_running"),
        of_last("start_timestamp_seconds", "When the last run began.", "started"),
        of_last("end_timestamp_seconds", "When the last run ended.", "ended", ended),
        Figure("last_run_duration_seconds", "How long the last run took.",
               _one([float(run["ended"]) - float(run["started"]) for run in ended])),
        Figure("last_success_timestamp_seconds", "When the last run ended that was done; its age is time() minus this.",
               _one([] if good is None else [float(good)])),
        of_last("files_new", "New files of the last run.", "files_new"),
        of_last("files_refused", "Files that the last run could not take.", "files_refused"),
        of_last("loads", "Load transactions of the last run.", "batches"),
        Figure("runs", "Runs on record, by outcome.", {(r["outcome"],): float(r["amount"]) for r in outcomes},
               ["outcome"]),
    ]  # fmt: skip


def _of_stages(stages: Sequence[dict[str, Any]]) -> list[Figure]:
    spent: dict[tuple[str, ...], float] = {(row["stage"],): float(row["seconds"]) for row in stages}
    return [Figure("last_run_stage_seconds", "How long a stage of the last run took.", spent, ["stage"])]


def _of_feeds(feeds: Sequence[dict[str, Any]], arrivals: Sequence[dict[str, Any]]) -> list[Figure]:
    states: dict[tuple[str, ...], float] = {
        (row["feed"], state): float(row[state] or 0) for row in feeds for state in _STATES
    }
    return [
        Figure("feed_files", "Files of the feed in the warehouse.",
               {(row["feed"],): float(row["files"]) for row in feeds}, ["feed"]),
        Figure("feed_files_set_aside", "Files set aside whole that wait for a person.",
               {(row["feed"],): float(row["files_set_aside"]) for row in feeds}, ["feed"]),
        Figure("feed_records", "Records of the feed in the warehouse, by what became of them.", states,
               ["feed", "state"]),
        Figure("feed_last_arrival_timestamp_seconds", "When the last file of the feed came.",
               {(row["feed"],): float(row["arrived"]) for row in arrivals if row["arrived"] is not None}, ["feed"]),
    ]  # fmt: skip


def _of_troubles(
    laws: Sequence[dict[str, Any]], incidents: Sequence[dict[str, Any]], outbox: dict[str, Any], known: int
) -> list[Figure]:
    by_severity = dict.fromkeys(_SEVERITIES, 0.0)
    for row in incidents:
        by_severity[row["severity"]] += float(row["amount"])
    return [
        Figure("law_kept", "1 if the law was kept when it was checked last.",
               {(row["law"],): float(row["is_kept"]) for row in laws}, ["law"]),
        Figure("open_incidents", "Open incidents, by severity.", {(key,): n for key, n in by_severity.items()},
               ["severity"]),
        Figure("open_incidents_by_kind", "Open incidents, by kind.",
               {(row["kind"], row["severity"]): float(row["amount"]) for row in incidents}, ["kind", "severity"]),
        Figure("outbox_waiting", "Messages that wait to be sent.", {(): float(outbox["waiting"])}),
        Figure("outbox_given_up", "Messages of the last 30 days that were given up.", {(): float(outbox["given_up"])}),
        Figure("load", "Number of the last load.", {(): float(known)}),
    ]  # fmt: skip
