"""After the load: gold deployed and tested, laws checked, snapshots sealed, the report filled."""

from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.progress import Progress
from pipeline_manager.report import RunReport
from pipeline_manager.warehouse import OpenWarehouse


def publish_gold(
    opened: OpenWarehouse, feeds: Feeds, report: RunReport, progress: Progress, *, run_tests: bool
) -> None:
    """Publish gold and fill the report."""
