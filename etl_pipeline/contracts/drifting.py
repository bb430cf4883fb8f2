"""What has changed in the columns of a feed's files, and whether the contract has an answer to it. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from etl_pipeline.contracts.expressions import column_uses, tests_of, values_of
from etl_pipeline.contracts.model import Condition, Contract, Test, Value

Kind = Literal["added", "lost", "renamed", "retyped", "new_value"]
ALL_FILES = ""
"""The name under which a shape counts the files themselves."""
LONGEST_NAME = 200
MOST_ADDED = 40
"""Columns of one file that are told of one by one; a file with more of them is another table."""
MOST_SAMPLES, LONGEST_SAMPLE = 10, 60
LIKE_ENOUGH = 0.62
"""From this likeness on, a column that went and one that came are proposed as one column with a new name."""
FEW_FILES, FEW_RECORDS = 3, 20
"""Objects leave out what they do not have: a field is missed after so many files that had it, in one so large."""


@dataclass(frozen=True)
class Drift:
    """Something that the contract has no answer to.

    Attributes:
        feed: whose files.
        kind: added, lost, renamed, retyped or new_value.
        column: by the contract's names; of a renamed one the old name.
        detail: what was seen, as JSON holds it.
    """

    feed: str
    kind: Kind
    column: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same drift when it is seen again."""
        return self.feed, self.kind, self.column


@dataclass(frozen=True)
class Change:
    """How the columns of one file differ from those of the files before it."""

    added: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Shape:
    """In how many files of a feed each column was."""

    def __init__(self, files: Mapping[str, int]) -> None:
        """Begin with what is known; the count of all files stands under ALL_FILES."""
        self.files = dict(files)
        self.fresh: dict[str, int] = {}

    @property
    def total(self) -> int:
        """How many files were looked at."""
        return self.files.get(ALL_FILES, 0)

    def take(self, columns: Iterable[str]) -> None:
        """Count a file that was loaded."""
        for name in {*columns, ALL_FILES}:
            self.files[name] = self.files.get(name, 0) + 1
            self.fresh[name] = self.fresh.get(name, 0) + 1

    def change(self, columns: Set[str], contract: Contract, records: int) -> Change:
        """Return what a file has that none before it had, and lacks that every one before it had."""
        ignored, used = set(contract.files.ignore), used_columns(contract)
        if not self.total:
            return Change()
        added = columns - self.files.keys() - ignored - used
        always = {name for name, files in self.files.items() if files == self.total} - {ALL_FILES}
        lost = always - columns - ignored - taken_names(contract)
        if not contract.files.name_their_columns:
            is_telling = self.total >= FEW_FILES and records >= FEW_RECORDS
            lost = lost & used if is_telling else set()
        return Change(tuple(sorted(added)[:MOST_ADDED]), tuple(sorted(lost)[:MOST_ADDED]))


def tidy_name(name: object) -> str:
    """Return a column's name as a database holds it: no NUL, no half characters, of a bounded length."""
    return str(name).replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_NAME]


def samples_of(values: Iterable[str]) -> list[str]:
    """Return a few distinct values, shortened, to be kept with a drift."""
    found = dict.fromkeys(tidy_name(value)[:LONGEST_SAMPLE].strip() for value in values)
    return [value for value in found if value][:MOST_SAMPLES]


def used_columns(contract: Contract) -> frozenset[str]:
    """Return the source columns that a contract reads."""
    return frozenset(name for _, name in column_uses(contract) if not name.startswith("$"))


def taken_names(contract: Contract) -> frozenset[str]:
    """Return the names that a contract takes for one of its columns; a file names them, records never have them."""
    return frozenset(other for others in contract.files.aliases.values() for other in others)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[^\w]|_", "", "".join(char for char in text if not unicodedata.combining(char)))


def likeness(old: str, new: str, before: Set[str], now: Set[str]) -> float:
    """Return how sure it is that a column has a new name, from 0 to 1: by its name, and by values in common.

    Args:
        old: the name that is gone.
        new: the name that came.
        before: values under the old name, in an earlier file; empty if there is none.
        now: values under the new one.
    """
    one, other = _plain(old), _plain(new)
    by_name = SequenceMatcher(None, one, other).ratio() if one and other else 0.0
    if one and other and (one in other or other in one):
        by_name = max(by_name, 0.7)
    if not before or not now:
        return by_name
    overlap = len(before & now) / min(len(before), len(now))
    alike = _alike_in_form(before, now)
    if not alike and not overlap:
        return by_name / 2
    return max(0.5 * by_name + 0.5 * overlap, 0.85 * by_name + 0.15 * alike, 0.8 * overlap * (len(before & now) > 1))


def _alike_in_form(before: Set[str], now: Set[str]) -> float:
    """Return the share of values whose form (digits, letters, signs) the other side has too."""
    forms = {_form(value) for value in before}
    return sum(_form(value) in forms for value in now) / len(now)


def _form(value: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", value.strip()))


def pairs(scores: Mapping[tuple[str, str], float]) -> list[tuple[str, str, float]]:
    """Return which lost column is which new one: the surest first, each column once."""
    chosen: list[tuple[str, str, float]] = []
    for (old, new), score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        if score >= LIKE_ENOUGH and not any(old == one or new == other for one, other, _ in chosen):
            chosen.append((old, new, score))
    return chosen


def told_values(contract: Contract, column: str) -> set[str]:
    """Return the values of a column that the conditions of `yields` name."""
    found: set[str] = set()
    for rule in contract.yields:
        found |= _told_by(rule.when, column) if rule.when is not None else set()
    return found


def _told_by(condition: Condition, column: str) -> set[str]:
    found: set[str] = set()
    for _, name, test in tests_of((), condition):
        if name != column:
            continue
        if isinstance(test, Test):
            listed = [test.equals, *(test.in_ or [])]
        else:
            listed = list(test) if isinstance(test, list) else [test]
        found |= {str(value) for value in listed if value is not None}
    return found


def is_answered(contract: Contract, drift: Drift) -> bool:
    """Tell whether a contract says what to do about a drift, so that it is no news any more."""
    known = used_columns(contract) | taken_names(contract) | set(contract.files.ignore)
    if drift.kind == "added":
        return drift.column in known
    if drift.kind == "lost":
        was_used = bool(drift.detail.get("is_used"))
        return drift.column in contract.files.ignore or (was_used and drift.column not in used_columns(contract))
    if drift.kind == "renamed":
        return str(drift.detail.get("to")) in known
    if drift.kind == "retyped":
        return _reads_now(contract, drift)
    return _knows_values(contract, drift)


def _reads_now(contract: Contract, drift: Drift) -> bool:
    reads_as = drift.detail.get("reads_as") or {}
    form, decimal, clean = (reads_as.get(name) for name in ("format", "decimal", "clean"))
    if decimal is not None:
        return (contract.reading.decimal, contract.reading.thousands) == (decimal, reads_as.get("thousands", ""))
    uses = [value for value in values_from(contract, drift.column) if form is None or is_time(contract, value)]
    if form is not None:
        return bool(uses) and all(form in (value.formats or contract.reading.formats) for value in uses)
    return clean is not None and bool(uses) and all(clean in value.clean for value in uses)


def is_time(contract: Contract, value: Value) -> bool:
    """Tell whether a value of a contract is read as a time."""
    found = [column for _, other, _, column in values_of(contract) if other == value]
    return any(column is None or column.type in ("instant", "date") for column in found) or value.formats is not None


def values_from(contract: Contract, column: str) -> list[Value]:
    """Return the values of a contract that are read from one column alone."""
    return [value for _, value, _, _ in values_of(contract) if value.from_ == column]


def _knows_values(contract: Contract, drift: Drift) -> bool:
    new: Sequence[str] = drift.detail.get("values") or []
    if drift.detail.get("by") == "when":
        return contract.unmatched == "ignore" or set(new) <= told_values(contract, drift.column)
    maps = [value for value in values_from(contract, drift.column) if value.map is not None]
    return all(value.map_else is not None or set(new) <= (value.map or {}).keys() for value in maps)


def sentence_of(drift: Drift, first_file: str) -> str:
    """Return what happened, for a person."""
    column, detail, since = drift.column, drift.detail, f"since {first_file}"
    if drift.kind == "added":
        return f"{drift.feed}: column '{column}' is new {since}; nothing reads it."
    if drift.kind == "lost":
        needs = "the contract reads it" if detail.get("is_used") else "the contract does not read it"
        return f"{drift.feed}: column '{column}' is gone {since}; {needs}."
    if drift.kind == "renamed":
        return f"{drift.feed}: column '{column}' seems to be called '{detail.get('to')}' {since}."
    shown = ", ".join(str(value) for value in (detail.get("values") or detail.get("samples") or [])[:3])
    if drift.kind == "retyped":
        return f"{drift.feed}: column '{column}' is written another way {since}, such as {shown}."
    return f"{drift.feed}: column '{column}' has values that the contract does not know {since}: {shown}."
