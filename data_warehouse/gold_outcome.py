"""What became of gold's models and tests, and the sentence when one of them failed."""

from dataclasses import dataclass

from etl_pipeline.core.errors import StopRunError


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one model or test.

    Attributes:
        name: the model's or test's name.
        kind: `model` or `test`.
        status: dbt's word: success, pass, warn, fail, error, skipped.
        seconds: how long it took.
        message: what dbt or the server said, empty where all is well.
    """

    name: str
    kind: str
    status: str
    seconds: float
    message: str

    @property
    def is_good(self) -> bool:
        """Whether the run may go on after it."""
        return self.status in ("success", "pass", "warn", "no-op")


@dataclass(frozen=True)
class GoldReport:
    """What a build did; `is_built` is False when the views were up to date."""

    is_built: bool
    nodes: tuple[NodeOutcome, ...]
    seconds: float


def refuse_failures(command: str, nodes: tuple[NodeOutcome, ...]) -> None:
    """Raise StopRunError if a node failed, naming the first and counting the rest."""
    bad = [node for node in nodes if not node.is_good]
    if not bad:
        return
    first = next((node for node in bad if node.status != "skipped"), bad[0])
    others = f" ({len(bad) - 1} others failed or were skipped after it)" if len(bad) > 1 else ""
    raise StopRunError(
        f"gold: {first.kind} {first.name} failed{others}: {' '.join(first.message.split())} "
        f"Mend it in data_warehouse/gold, or the data it complains about, then run dbt {command} again."
    )
