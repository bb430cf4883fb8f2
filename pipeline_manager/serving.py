"""What follows a run where Snowflake serves: what changed is shipped, and dbt deploys and tests gold over it."""

from contextlib import closing
from functools import partial

from data_warehouse.dbt_runner import build_on_snowflake, gold_version
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.snowflake_access import SnowflakeAccess
from pipeline_manager.report import RunReport
from pipeline_manager.shipping import GOLD_NOTE, ShippingReport, Target, open_target, ship
from pipeline_manager.warehouse import OpenWarehouse


def serve(
    opened: OpenWarehouse, target: Target, report: RunReport, progress: Progress, *, full: bool, run_tests: bool
) -> None:
    """Bring the serving warehouse up to what a run loaded and published; harmless to do twice.

    Raises:
        StopRunError: the target refuses, or gold's tests fail there; the keeper has everything.
        RetryStepError: the target does not answer; the next run ships.
    """
    report.shipped = ship_and_deploy(opened, target, progress, full=full, run_tests=run_tests).sentence


def ship_and_deploy(
    opened: OpenWarehouse, target: Target, progress: Progress, *, full: bool, run_tests: bool
) -> ShippingReport:
    """Ship what changed; on Snowflake, deploy gold where its models changed, and test it where anything was shipped."""
    shipped = opened.warehouse.persistently(partial(ship, opened, target, progress, full=full))
    if isinstance(target, SnowflakeAccess) and shipped.known:
        _deploy_gold(opened, target, progress, run_tests=run_tests and bool(shipped.relations))
    return shipped


def _deploy_gold(opened: OpenWarehouse, target: SnowflakeAccess, progress: Progress, *, run_tests: bool) -> None:
    progress.step("gold on Snowflake")
    schemas, version = opened.warehouse.schemas, gold_version()
    with closing(open_target(target, schemas)) as serving:
        is_built = serving.note(GOLD_NOTE) == version
        if is_built and not run_tests:
            progress.done("up to date")
            return
        folder = opened.settings.work_dir / "dbt_snowflake"
        built = build_on_snowflake(
            target.as_settings(), schemas, target_dir=folder, run_tests=run_tests, views=not is_built
        )
        if not is_built:
            serving.write_note(GOLD_NOTE, version)
    tests = sum(node.kind == "test" for node in built.nodes)
    progress.done(("up to date" if is_built else "built") + (f", {tests} data tests passed" if tests else ""))
