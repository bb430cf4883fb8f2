"""The command `simulate`: the simulated retailer's files, told step by step."""

import sys
from datetime import date
from pathlib import Path

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import ended, make_progress
from extract.simulated.retailer import simulate

_YEARS = (1980, 2100)


def write_retailer(
    out: Path,
    *,
    seed: int,
    days: int,
    stores: int,
    products: int,
    start: str,
    faults: str,
    answers: Path | None,
    losses: bool,
) -> None:
    """Write the files and the answer key, and say where they are.

    Raises:
        UsageError: the first day is no date, a folder is a file, or a fault has no such name.
    """
    first = _date(start)
    for folder in (out, answers):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; name a folder.")
    with ended(make_progress()) as progress:
        month = simulate(
            out,
            seed=seed,
            days=days,
            stores=stores,
            products=products,
            start=first,
            faults=faults,
            answers=answers,
            losses=losses,
            progress=progress,
        )
    sys.stdout.write(f"{len(month.files):,} files in {out}.\n")
    if month.answers is not None:
        sys.stdout.write(f"The answer key is in {month.answers}.\n")
    sys.stdout.write(f"Load them: systock run --feeds feeds/simulated --inbox {out}\n")


def _date(text: str) -> date:
    try:
        first = date.fromisoformat(text)
    except ValueError:
        first = date.min
    if not _YEARS[0] <= first.year <= _YEARS[1]:
        raise UsageError(
            f"The first day '{text}' is no date of the years {_YEARS[0]} to {_YEARS[1]}; write it as 2025-03-01."
        )
    return first
