"""`systock watch`: the console's side of the watch, and what a signal does to it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from etl_pipeline.core.log import printable
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import load_settings
from pipeline_manager.demo import demo_options
from pipeline_manager.flow import Options
from pipeline_manager.watching import Loaded, Pace, watch_flow

MOST_NAMES = 3


def watch_until_told(
    feeds: Path | None, inbox: Path | None, env: str | None, database_url: str | None, pace: Pace,
    *, transforms: str | None = None,
) -> None:  # fmt: skip
    """Watch until SIGTERM or Ctrl-C, telling of each round in a line."""
    settings = load_settings(os.environ, Path.cwd())
    progress = make_progress("auto", sys.stderr)
    feeds, inbox = demo_options(feeds, inbox, settings, progress)
    console = Console(highlight=False, soft_wrap=True)

    def tell(loaded: Loaded) -> None:
        console.print(line_of(loaded), markup=False)

    with _stop_by_signal() as stop:
        options = Options(feeds, inbox, env, database_url, gold_tests=False, transforms=transforms)
        console.print(f"Watching {inbox}. Ctrl-C stops it when the load at work is done.")
        totals = watch_flow(options, pace, settings, progress, stop=stop, told=tell)
    console.print(
        f"Stopped. After the first run: {totals.files:,} files, {totals.records:,} records, {totals.rounds:,} rounds. "
        "Nothing is left half done; what arrives now is loaded by the next start."
    )


def line_of(loaded: Loaded) -> str:
    """Return what a round did, as a line."""
    names = ", ".join(printable(name) for name in loaded.files[:MOST_NAMES])
    more = f" and {len(loaded.files) - MOST_NAMES:,} more" if len(loaded.files) > MOST_NAMES else ""
    told = f"load {loaded.known}: {names}{more}; {loaded.records:,} records" if loaded.files else "nothing new"
    waits = f", {loaded.waiting:,} files wait" if loaded.waiting else ""
    refused = "".join(f"\nnot taken: {printable(n)}: {printable(why)}" for n, why in sorted(loaded.refused.items()))
    return f"{told} ({1000 * loaded.seconds:,.0f} ms{waits}){refused}"


@contextmanager
def _stop_by_signal() -> Iterator[threading.Event]:
    """Yield an event that the first SIGTERM or SIGINT sets; the second ends the process as ever."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
