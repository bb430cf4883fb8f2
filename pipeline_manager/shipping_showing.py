"""What `systock ship` does and prints."""

import sys

from etl_pipeline.core.log import printable
from etl_pipeline.core.progress import Progress
from pipeline_manager.serving import ship_and_deploy
from pipeline_manager.shipping import Target
from pipeline_manager.shipping_comparing import compare
from pipeline_manager.warehouse import OpenWarehouse


def ship_and_tell(opened: OpenWarehouse, target: Target, progress: Progress, *, full: bool) -> str:
    """Ship what changed; return what to say about it."""
    with opened.warehouse.run_lock():
        report = ship_and_deploy(opened, target, progress, full=full, run_tests=False)
    return printable(f"Shipped: {report.sentence} ({report.seconds:.1f} s).")


def check_and_tell(opened: OpenWarehouse, target: Target) -> bool:
    """Compare both sides and print a line a relation; return whether all are equal."""
    with opened.warehouse.run_lock():  # a load meanwhile would be a difference
        compared = compare(opened, target)
    for one in compared:
        verdict = "equal    " if one.is_equal else "DIFFERENT"
        sys.stdout.write(printable(f"{verdict}  {one.relation}: {one.kept:,} rows kept, {one.served:,} served") + "\n")
    return all(one.is_equal for one in compared)
