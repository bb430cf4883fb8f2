"""What the values of a sample's columns look like: type, formats of times, decimal sign, what is unique."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Literal

from etl_pipeline.contracts.drafting_sniff import Sample

NULL_WORDS = ("NULL", "null", "N/A", "n/a", "NaN", "nan", "None", "\\N", "-", "#N/A", "(null)")
MOST_LOOKED_AT = 400
LONGEST_CODE = 40
"""Longer values without blanks are text: links, hashes, words that were joined."""
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?")
OFFSET = re.compile(r"\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$")
POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?-?|[+-]?\d*\.\d+-?|[+-]?\d+-?")
COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?-?|[+-]?\d*,\d+-?|[+-]?\d+-?")
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
          "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d%m%Y")  # fmt: skip
_CLOCKS = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S%z", " %H:%M:%S %z", " %I:%M %p",
           " %I:%M:%S %p")  # fmt: skip
FORMATS = (
    *(day + clock for day in _DATES for clock in _CLOCKS),
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H%M",
)
_DATE_LIKE = re.compile(r"\d{1,4}[-/. ]\w|\d{8}|[A-Za-z]{3,9} \d")
Kind = Literal["empty", "integer", "decimal", "time", "flag", "code", "text"]


@dataclass
class Profile:
    """What one column holds.

    Attributes:
        name: of the column.
        kind: what its values look like.
        filled: records in which it is not empty.
        samples: a few distinct values.
        distinct: number of distinct values in the sample.
        formats: formats that read every time in it.
        decimal: decimal sign, where one shows.
        has_negative: some number is below zero.
        null_words: words in it that mean empty.
        is_numbered: whole numbers written with `.0`, as exports of codes with gaps have them.
    """

    name: str
    kind: Kind = "empty"
    filled: int = 0
    samples: list[str] = field(default_factory=list)
    distinct: int = 0
    formats: list[str] = field(default_factory=list)
    decimal: str = ""
    has_negative: bool = False
    null_words: list[str] = field(default_factory=list)
    is_numbered: bool = False


def time_formats(values: list[str]) -> list[str]:
    """Return the formats that read all values: `iso`, an epoch, or strptime formats."""
    if all(ISO.fullmatch(value) for value in values):
        return ["iso"]
    if all(re.fullmatch(r"1\d{9}", value) for value in values):
        return ["epoch_s"]
    if all(re.fullmatch(r"1\d{12}", value) for value in values):
        return ["epoch_ms"]
    if not _DATE_LIKE.match(values[0]):
        return []
    if any(re.fullmatch(r"\d{1,7}|\d{9,11}|\d{13}|\d{15,}", value) for value in values):
        return []
    return [form for form in FORMATS if all(_reads(value, form) for value in values)]


def _reads(value: str, form: str) -> bool:
    try:
        year = datetime.strptime(value, form).year  # noqa: DTZ007 - only asks whether it reads
    except (ValueError, re.error):
        return False
    return 1970 <= year <= 2100  # noqa: PLR2004 - the years that retail data is from


def profile(name: str, values: list[str]) -> Profile:
    """Describe a column by its values."""
    trimmed = [value.strip() for value in values]
    words = sorted({value for value in trimmed if value in NULL_WORDS})
    filled = [value for value in trimmed if value and value not in NULL_WORDS]
    distinct = list(dict.fromkeys(filled))
    made = Profile(name, filled=len(filled), samples=distinct[:3], distinct=len(distinct), null_words=words)
    looked_at = distinct[:MOST_LOOKED_AT]
    if not looked_at:
        return made
    made.formats = time_formats(looked_at)
    has_zeros = any(re.fullmatch(r"0\d+", value) for value in looked_at)
    if made.formats:
        made.kind = "time"
    elif {value.lower() for value in looked_at} <= {"true", "false", "y", "n", "yes", "no", "t", "f"}:
        made.kind = "flag"
    elif has_zeros:
        made.kind = "code"
    elif all(re.fullmatch(r"[+-]?\d+-?", value) for value in looked_at):
        made.kind = "integer"
    elif all(POINT.fullmatch(value) for value in looked_at):
        made.kind, made.decimal = "decimal", "."
        made.is_numbered = all(re.fullmatch(r"\d+\.0", value) for value in looked_at)
    elif all(COMMA.fullmatch(value) for value in looked_at):
        made.kind, made.decimal = "decimal", ","
    else:
        made.kind = "code" if all(len(value) <= LONGEST_CODE and " " not in value for value in looked_at) else "text"
    if made.kind in ("integer", "decimal"):
        made.has_negative = any("-" in value for value in looked_at)
    return made


def profiles_of(sample: Sample) -> dict[str, Profile]:
    """Describe every column of a sample."""
    return {name: profile(name, [row[name] for row in sample.rows]) for name in sample.columns}


def is_unique(sample: Sample, names: tuple[str, ...]) -> bool:
    """Tell whether columns are unique together, and at least one is filled in every record."""
    seen: set[tuple[str, ...]] = set()
    for row in sample.rows:
        key = tuple(row[name].strip() for name in names)
        if key in seen or not any(key):
            return False
        seen.add(key)
    return bool(seen)


def unique_sets(sample: Sample, candidates: list[str], most: int = 4) -> tuple[str, ...] | None:
    """Return the smallest set of candidate columns, in their order, that is unique together."""
    for size in range(1, min(most, len(candidates)) + 1):
        for names in combinations(candidates[:12], size):
            if is_unique(sample, names):
                return names
    return None
