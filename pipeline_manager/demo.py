"""The simulated retailer as the default of the main job."""

from pathlib import Path

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.settings import Settings

FEEDS = Path(__file__).resolve().parent.parent / "feeds"
DONE_MARK = ".simulated"
SIMULATED = "simulated"
"""The retailer whose data lies in the past: it is judged in its own time."""


def demo_options(feeds: Path | None, inbox: Path | None, settings: Settings, progress: Progress) -> tuple[Path, Path]:
    """Return the folders to use; without any, a small month of the simulated retailer is made first.

    Raises:
        UsageError: the inbox is no folder.
    """
    if feeds is None and inbox is None:
        made = settings.inbox_dir / "simulated"
        if not (made / DONE_MARK).exists():
            from extract.simulated.retailer import simulate

            progress.step("simulate")
            month = simulate(made)
            (made / DONE_MARK).touch()
            progress.done(f"{len(month.files)} files of a small retailer's month")
        return FEEDS / "simulated", made
    found = feeds or FEEDS / "simulated"
    received = inbox or settings.inbox_dir
    if not received.is_dir():
        raise UsageError(f"The inbox {received} is no folder. Give the folder of received files with --inbox.")
    return found, received.resolve()
