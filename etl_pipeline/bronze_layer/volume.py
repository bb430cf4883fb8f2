"""The gate of volume: a file with far too many or too few records waits, whole, for a person.

The contract's bounds decide. A bound learned from earlier files depends on which of them came first, and the same files
in another order would then give another warehouse: so it is asked for only where a contract wants it
(`schedule.gate`), and what it held is remembered as a decision, which replays heed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl_pipeline.contracts.format import Volume
from etl_pipeline.contracts.values import RecordChunk
from etl_pipeline.core.errors import SetAsideError


@dataclass(frozen=True)
class Bounds:
    """What a file may bring by what its weekday usually brings."""

    at_least: float
    at_most: float
    usual: int


class HeldError(SetAsideError):
    """A file is held for what is usual; a person lets it in."""


def within_usual(chunks: Iterable[RecordChunk], bounds: Bounds | None) -> Iterator[RecordChunk]:
    """Hand on the chunks of a file while it brings about what is usual.

    Raises:
        HeldError: `unusual_volume`, at the record too many or at the end of a file with too few.
    """
    records = 0
    for chunk in chunks:
        records += len(chunk.text) + len(chunk.set_aside)
        if bounds is not None and records > bounds.at_most:
            raise held(f"more than {bounds.at_most:,.0f} records, where about {bounds.usual:,} are usual")
        yield chunk
    if bounds is not None and records < bounds.at_least:
        raise held(f"{records:,} records, where about {bounds.usual:,} are usual")


def held(what: str) -> HeldError:
    """Return the error of a file that is held."""
    return HeldError("unusual_volume", _sentence(what + " (`schedule.gate`)"))


def within_volume(chunks: Iterable[RecordChunk], volume: Volume) -> Iterator[RecordChunk]:
    """Hand on the chunks of a file while its records, set-aside ones too, are as many as the contract expects.

    Raises:
        SetAsideError: `unusual_volume`, at the record too many or at the end of a file with too few.
    """
    records = 0
    for chunk in chunks:
        records += len(chunk.text) + len(chunk.set_aside)
        if volume.at_most is not None and records > volume.at_most:
            raise _unusual(f"more than {volume.at_most:,} records, the contract's `files.records.at_most`")
        yield chunk
    if not records and not volume.allow_empty:
        raise _unusual("no records, and the contract says `files.records.allow_empty: false`")
    if records and volume.at_least is not None and records < volume.at_least:
        raise _unusual(
            f"{records:,} records, fewer than the contract's `files.records.at_least` of {volume.at_least:,}"
        )


def _unusual(what: str) -> SetAsideError:
    return SetAsideError("unusual_volume", _sentence(what))


def _sentence(what: str) -> str:
    return (
        f"The file has {what}. If it is right, let it in: systock quarantine accept FILE --reason TEXT; if not, ask "
        "the sender for the right one."
    )
