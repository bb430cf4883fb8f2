"""Incidents: what is wrong is opened once, grows worse, and is resolved once, however often it is seen in between."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg2 import extensions
from psycopg2.extras import execute_values

from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import redact
from etl_pipeline.observe.values import Breach, Severity

WORSE = 2
"""An amount this many times of what was told last is worth telling again."""
MOST_CODE, MOST_TEXT = 200, 2_000
Key = tuple[str, str, str]
Change = Literal["opened", "worse", "resolved"]
_OPEN = """
    select
        incident_id, kind, subject, place, severity, sentence, advice, amount, told_amount, told_severity, opened_at
    from {{ ops }}.incident where resolved_at is null order by incident_id
"""
_INSERT = """
    insert into {{ ops }}.incident (
        kind, subject, place, severity, sentence, advice, amount, told_amount, told_severity, opened_at, last_seen_at
    ) values %s
"""
_SEEN = """
    update {{ ops }}.incident as i
    set
        severity = s.severity, sentence = s.sentence, advice = s.advice, amount = s.amount,
        last_seen_at = greatest(i.last_seen_at, s.seen_at), times_seen = i.times_seen + 1,
        told_amount = case when s.is_worse then s.amount else i.told_amount end,
        told_severity = case when s.is_worse then s.severity else i.told_severity end
    from (values %s) as s (incident_id, severity, sentence, advice, amount, seen_at, is_worse)
    where i.incident_id = s.incident_id
"""
_RESOLVE = """
    update {{ ops }}.incident set resolved_at = greatest(%s, last_seen_at)
    where incident_id = any(%s) and resolved_at is null
"""


@dataclass(frozen=True)
class Incident:
    """One trouble from its first sight to its end.

    Attributes:
        incident_id: its number.
        breach: what was seen of it last.
        told_amount: how many it was about when people heard of it last.
        told_severity: how bad it was then.
        opened_at: when it was seen first.
    """

    incident_id: int
    breach: Breach
    told_amount: int
    told_severity: Severity
    opened_at: datetime


@dataclass(frozen=True)
class Changes:
    """What one look changed.

    Attributes:
        opened: troubles nobody knew of.
        worse: open ones that have grown much, or become failures.
        same: open ones, seen again.
        resolved: open ones that are gone.
        unseen: open ones that this look says nothing about.
    """

    opened: Sequence[Breach] = ()
    worse: Sequence[tuple[Incident, Breach]] = ()
    same: Sequence[tuple[Incident, Breach]] = ()
    resolved: Sequence[Incident] = ()
    unseen: Sequence[Incident] = ()

    @property
    def is_news(self) -> bool:
        """Whether there is something that people do not know yet."""
        return bool(self.opened or self.worse or self.resolved)

    @property
    def still_open(self) -> int:
        """How many incidents are open after it."""
        return len(self.opened) + len(self.worse) + len(self.same) + len(self.unseen)


@dataclass(frozen=True)
class Scope:
    """What a look was able to see, so that only what it looked for and did not find counts as gone.

    Attributes:
        kinds: kinds that it speaks for.
        is_all_but: it speaks for every kind but those.
    """

    kinds: Set[str] = field(default_factory=frozenset)
    is_all_but: bool = False

    def covers(self, kind: str) -> bool:
        """Tell whether an incident of this kind would have been seen."""
        return (kind in self.kinds) != self.is_all_but


EVERYTHING = Scope(is_all_but=True)
NOTHING = Scope()


def key_of(breach: Breach) -> Key:
    """Return what makes a breach the same trouble as another."""
    return breach.kind, breach.subject, breach.place


def changes_of(open_now: Sequence[Incident], seen: Sequence[Breach], scope: Scope = EVERYTHING) -> Changes:
    """Compare what is open with what a look has seen.

    Args:
        open_now: the open incidents.
        seen: the breaches; of the same trouble told twice, the worse one counts.
        scope: what the look would have seen.
    """
    latest: dict[Key, Breach] = {}
    for breach in sorted(seen, key=lambda one: (one.severity == "failure", one.amount)):
        latest[key_of(breach)] = breach
    known = {key_of(incident.breach): incident for incident in open_now}
    both = [(known[key], breach) for key, breach in sorted(latest.items()) if key in known]
    gone = [incident for key, incident in sorted(known.items()) if key not in latest]
    return Changes(
        opened=[breach for key, breach in sorted(latest.items()) if key not in known],
        worse=[pair for pair in both if _is_worse(*pair)],
        same=[pair for pair in both if not _is_worse(*pair)],
        resolved=[incident for incident in gone if scope.covers(incident.breach.kind)],
        unseen=[incident for incident in gone if not scope.covers(incident.breach.kind)],
    )


def _is_worse(incident: Incident, breach: Breach) -> bool:
    if breach.severity == "failure" and incident.told_severity != "failure":
        return True
    return breach.amount > 0 and breach.amount >= WORSE * max(incident.told_amount, 1)


def kept_form(breach: Breach) -> Breach:
    """Return a breach as it may be kept: without passwords and control characters, in bounded length."""

    def kept(text: str, most: int) -> str:
        return printable(redact(text))[:most]

    return Breach(
        kept(breach.kind, MOST_CODE), kept(breach.subject, MOST_CODE), kept(breach.sentence, MOST_TEXT),
        kept(breach.advice, MOST_TEXT), breach.severity, kept(breach.place, MOST_CODE),
        max(0, min(breach.amount, 2**62)),
    )  # fmt: skip


def keep_incidents(
    cursor: extensions.cursor, schemas: Schemas, seen: Sequence[Breach], now: datetime, scope: Scope = EVERYTHING
) -> Changes:
    """Open, go on with and resolve incidents, within the caller's transaction; return what changed.

    Others that do the same wait for the end of the transaction, so each change is found by one of them only.

    Args:
        cursor: of a transaction that the caller ends.
        schemas: the environment.
        seen: what is wrong now.
        now: when it was seen.
        scope: what was looked at.
    """
    cursor.execute(schemas.render("lock table {{ ops }}.incident in share row exclusive mode"))
    changes = changes_of(open_incidents(cursor, schemas), [kept_form(breach) for breach in seen], scope)
    opened: list[tuple[Any, ...]] = [
        (b.kind, b.subject, b.place, b.severity, b.sentence, b.advice, b.amount, b.amount, b.severity, now, now)
        for b in changes.opened
    ]
    again = [
        (i.incident_id, b.severity, b.sentence, b.advice, b.amount, now, is_worse)
        for pairs, is_worse in ((changes.worse, True), (changes.same, False))
        for i, b in pairs
    ]
    if opened:
        execute_values(cursor, schemas.render(_INSERT), opened)
    if again:
        execute_values(cursor, schemas.render(_SEEN), again)
    cursor.execute(schemas.render(_RESOLVE), (now, [incident.incident_id for incident in changes.resolved]))
    return changes


def open_incidents(cursor: extensions.cursor, schemas: Schemas) -> list[Incident]:
    """Return the incidents that are open, the oldest first."""
    cursor.execute(schemas.render(_OPEN))
    return [
        Incident(number, Breach(kind, subject, sentence, advice, severity, place, amount), told, told_severity, at)
        for number, kind, subject, place, severity, sentence, advice, amount, told, told_severity, at in cursor
    ]
