"""What one contract alone cannot show: feeds that need each other, zones, expressions, patterns."""

from dataclasses import dataclass

from etl_pipeline.contracts.model import Contract, Retailer
from etl_pipeline.contracts.yaml_lines import Located


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake in a contract: where, and what to write instead."""

    file: str
    line: int
    text: str
    path: str = ""

    def __str__(self) -> str:
        """Return it as one line for a person."""
        place = f" {self.path}:" if self.path else ""
        return f"  {self.file}, line {self.line}:{place} {self.text}"


def check_together(
    loaded: list[tuple[str, Contract, Located]], retailer: Retailer | None, *, complete: bool
) -> list[Mistake]:
    """Check contracts against each other.

    Args:
        loaded: file name, contract and lines of each contract that is right by itself.
        retailer: the retailer, if its file is right.
        complete: False when some contract could not be read: what only it could define is then not missed.
    """
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    for file, contract, located in loaded:
        if contract.feed in first:
            line = located.line_of(("feed",))
            mistakes.append(Mistake(file, line, f"feed '{contract.feed}' is also in {first[contract.feed]}; rename one"))
        first.setdefault(contract.feed, file)
    return mistakes
