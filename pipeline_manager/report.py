"""What a run tells: one plain value, rendered for people and for machines elsewhere."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline_manager.stages import Stage


@dataclass
class FeedLine:
    """One feed's row of the summary; counts are of the whole warehouse, files of this run."""

    feed: str
    files_new: int = 0
    files_again: int = 0
    files_set_aside: int = 0
    records: int = 0
    accepted: int = 0
    duplicate: int = 0
    superseded: int = 0
    non_data: int = 0
    quarantined: int = 0
    dismissed: int = 0


@dataclass
class RunReport:
    """Everything a run has to say.

    Attributes:
        env: environment that was loaded.
        retailer: whose feeds.
        feeds: one line a feed.
        unclaimed: files of the inbox that no contract claims.
        refused: files that could not be landed, with the sentence.
        set_aside: sentences of records set aside: feed, reason, sentence, records.
        stock: location -> units on hand, stock keys, negative keys.
        risks: what is at risk: kind, records, examples.
        alerts: what a person should know of: kind, subject, sentence, since_known.
        drift: what changed in the columns of feeds and has no answer in their contracts.
        laws: law -> kept or the sentence.
        snapshots: snapshots sealed by this run.
        shipped: what went to the serving warehouse, as a sentence; empty where PostgreSQL serves.
        known: load number after the run.
        batches: load transactions of this run.
        seconds: how long it took.
        stages: where that time went.
        dsn: how to look at the warehouse.
        page: where the report page lies; empty if none was written.
        notes: what else a person should know.
    """

    env: str
    retailer: str
    feeds: dict[str, FeedLine] = field(default_factory=dict)
    unclaimed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    set_aside: list[dict[str, Any]] = field(default_factory=list)
    stock: list[dict[str, Any]] = field(default_factory=list)
    risks: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    laws: list[dict[str, Any]] = field(default_factory=list)
    snapshots: int = 0
    shipped: str = ""
    known: int = 0
    batches: int = 0
    seconds: float = 0.0
    stages: list[Stage] = field(default_factory=list)
    dsn: str = ""
    page: str = ""
    notes: list[str] = field(default_factory=list)

    def line(self, feed: str) -> FeedLine:
        """Return the line of a feed, made on first use."""
        return self.feeds.setdefault(feed, FeedLine(feed))

    @property
    def quarantined(self) -> int:
        """Records and files that wait for a person; what one has dismissed does not wait."""
        waiting = (line.quarantined - line.dismissed + line.files_set_aside for line in self.feeds.values())
        return sum(waiting) + len(self.refused)

    @property
    def broken_laws(self) -> list[dict[str, Any]]:
        """Laws that were not kept."""
        return [law for law in self.laws if not law["is_kept"]]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)
