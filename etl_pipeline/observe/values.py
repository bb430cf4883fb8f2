"""What observing hands on: a breach, whoever found it. Slack, the summary and the exit code all read these."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["failure", "warning"]


@dataclass(frozen=True, order=True)
class Breach:
    """Something that a person should act on, found by one look at one environment.

    The same trouble seen again has the same kind and subject, so that it is one incident however often it is seen.

    Attributes:
        kind: what it is, a stable code such as no_file, thin_file, law_broken.
        subject: what it is about: a feed, `feed/series`, a law, a stage.
        sentence: what is wrong, with figures; for people.
        advice: what to do about it.
        severity: failure: figures cannot be trusted or nothing was published; warning: somebody should look.
        place: location or supplier where it is one's; empty for the whole feed.
        amount: how many (windows, records, units) it is about; 0 where that means nothing.
    """

    kind: str
    subject: str
    sentence: str
    advice: str
    severity: Severity = "warning"
    place: str = ""
    amount: int = 0
