"""The simulated retailer as the default of the main job."""

from pathlib import Path

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.settings import Settings

FEEDS = Path(__file__).resolve().parent.parent / "feeds"
DONE_MARK = ".simulated"
SIMULATED = "simulated"
"""The retailer whose data lies in the past: it is judged in its own time."""


def feeds_in_use(given: Path | None, settings: Settings) -> Path:
    """Return the folder of contracts: the one given, that of SYSTOCK_FEEDS, or the simulated retailer's."""
    return given or settings.feeds or FEEDS / "simulated"


def demo_options(feeds: Path | None, inbox: Path | None, settings: Settings, progress: Progress) -> tuple[Path, Path]:
    """Return the folders to use; without any, a small month of the simulated retailer is made first.

    Raises:
        UsageError: the inbox is no folder.
    """
    if feeds is None and inbox is None and settings.feeds is None:
        made = settings.inbox_dir / "simulated"
        if not (made / DONE_MARK).exists():
            from extract.simulated.retailer import simulate

            progress.step("simulate")
            month = simulate(made)
            (made / DONE_MARK).touch()
            progress.done(f"{len(month.files)} files of a small retailer's month")
        return FEEDS / "simulated", made
    found = feeds_in_use(feeds, settings)
    of_senders = settings.senders if found == settings.feeds else None
    received = inbox or of_senders or settings.inbox_dir
    if not received.is_dir():
        raise UsageError(
            f"The inbox {received} is no folder. Give the folder of received files with --inbox or SYSTOCK_INBOX."
        )
    return found, received.resolve()
