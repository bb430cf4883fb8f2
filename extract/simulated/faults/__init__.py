"""Everything that goes wrong in feeds, F1 to F40: put into the simulated retailer's files by name and rate.

What is knowable once everything has been delivered stays what it was, with two kinds of exception: a fault that takes
knowledge away for good (a file that never comes, a line that is lost) leaves it out of the answer key, and everything
that a fault adds beside the truth must be kept out by the warehouse.
"""

import zlib

import numpy as np

from etl_pipeline.core.errors import UsageError
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults import counts, delivery, files, layout, masters, orders, records, text, times
from extract.simulated.faults.fault import Chance, Expected, Fault, Inbox
from extract.simulated.world import World

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in sorted(
        (
            *delivery.FAULTS, *files.FAULTS, *layout.FAULTS, *records.FAULTS, *text.FAULTS, *masters.FAULTS,
            *times.FAULTS, *counts.FAULTS, *orders.FAULTS,
        ),
        key=lambda fault: int(fault.name[1:]),
    )
}  # fmt: skip
USUAL = ("F3", "F4", "F14", "F20", "F21")
"""The little dirt of an ordinary month: one file each, of a small retailer's."""
_USUAL_RATE = 0.001


def parse_faults(text: str) -> dict[str, float]:
    """Read a list of faults.

    Args:
        text: `all`, `usual`, `none`, or names with an optional rate: `F3,F5:0.02`.

    Returns:
        Rate by name, in the order of the names' numbers.

    Raises:
        UsageError: a name is not known, or a rate is no share.
    """
    asked: dict[str, float] = {}
    for part in text.split(","):
        name, _, rate = part.strip().partition(":")
        if name.lower() in ("", "none"):
            continue
        names = {"all": tuple(FAULTS), "usual": USUAL}.get(name.lower(), (name.upper(),))
        for one in names:
            if one not in FAULTS:
                raise UsageError(
                    f"There is no fault '{name}'. Known are {', '.join(FAULTS)}, and all, usual and none; a share of "
                    "files may follow: F5:0.02."
                )
            usually = _USUAL_RATE if name.lower() == "usual" else FAULTS[one].rate
            asked[one] = _rate(rate, name) if rate else usually
    return {name: asked[name] for name in FAULTS if name in asked}


def _rate(text: str, name: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate <= 1:
        raise UsageError(
            f"The rate '{text}' of fault {name} is no share; write a number above 0 and up to 1: {name}:0.02."
        )
    return rate


def inject(
    sheets: list[Sheet], world: World, faults: dict[str, float], *, seed: int
) -> tuple[list[Sheet], list[Expected]]:
    """Put faults into the files of a retailer.

    Args:
        sheets: the files as the systems would write them; they are not changed.
        world: what truly happened.
        faults: rate by name, from `parse_faults`.
        seed: of chance; each fault draws from a generator of its own.

    Returns:
        The files as they are delivered, and how each fault is to be found.
    """
    inbox = Inbox(world, {sheet.name: sheet for sheet in sheets})
    for name in sorted(faults, key=lambda name: (FAULTS[name].phase, int(name[1:]))):
        inbox.fault = name
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        FAULTS[name].inject(inbox, Chance(faults[name], rng))
    return list(inbox.sheets.values()), inbox.expected
