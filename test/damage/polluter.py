"""Damaged files beside their clean twins: the machinery. The kinds of damage are in the `polluting_*` modules.

A file is made from clean rows (`canaries`), so that for every damaged file it is known which rows are in it, which of
them the damage touched, and what must become of them. Everything is made by the file's number: the same number, the
same bytes.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from test.damage.canaries import FEEDS, Feed, Style, table

SAME, RECORDS, FILE = "loaded right", "records set aside", "file set aside"
Rows = list[dict[str, str]]


@dataclass
class Line:
    """One record as its sender writes it; `row` is the clean row that it carries, None for what is no row."""

    text: str
    end: str
    row: int | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Damaged:
    """A damaged file, and what must become of it.

    Attributes:
        content: the bytes.
        rows: the clean rows that it was made of, by number.
        fates: what may become of the file; one, or two where both are right.
        reasons: the reasons that a touched row, or the file, may be set aside for.
        touched: rows that may not be loaded; all others must be, unless the file is set aside whole.
        absent: clean rows that are not in the file at all (cut off).
        junk: reasons that records may be set aside for that are no rows (a footer, say).
        encoding: how to find a row's marks in the bytes that were set aside.
    """

    content: bytes
    fates: frozenset[str]
    rows: Rows
    reasons: frozenset[str] = frozenset()
    touched: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()
    junk: frozenset[str] = frozenset()
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Case:
    """A clean file that is about to be damaged."""

    feed: Feed
    number: int
    rows: Rows
    rng: random.Random = field(repr=False, default_factory=random.Random)

    @property
    def style(self) -> Style:
        return self.feed.style

    def lines(self, style: Style | None = None, columns: tuple[str, ...] | None = None) -> list[Line]:
        """The clean file as lines, written in a style (its own, if none is named)."""
        style, columns = style or self.style, columns or self.feed.columns
        lines = [header_line(columns, style)] if style.has_header else []
        lines += [
            Line(written([row[name] for name in columns], style), style.line_end, number)
            for number, row in enumerate(self.rows)
        ]
        if style.has_trailer:
            lines.append(trailer_line(self.rows, style))
        return lines

    def bytes_of(self, lines: list[Line], encoding: str | None = None) -> bytes:
        return b"".join((line.text + line.end).encode(line.encoding or encoding or self.style.encoding)
                        for line in lines)  # fmt: skip

    def some(self, count: int = 3) -> list[int]:
        """Some rows, always another choice."""
        return sorted(self.rng.sample(range(len(self.rows)), count))

    # --- what must become of it ---

    def same(self, content: bytes, *junk: str, absent: frozenset[int] = frozenset()) -> Damaged:
        return self._made(content, SAME, junk=frozenset(junk), absent=absent)

    def aside(self, content: bytes, touched: "list[int] | set[int]", *reasons: str, junk: tuple[str, ...] = (),
              absent: frozenset[int] = frozenset()) -> Damaged:  # fmt: skip
        fate = RECORDS if touched else SAME
        made = self._made(
            content, fate, reasons=frozenset(reasons), touched=frozenset(touched), absent=absent, junk=frozenset(junk)
        )
        if self.style.has_trailer and any("\n" in self.rows[number]["note"] for number in touched):
            # The broken row takes two lines now, and the trailer counts one.
            made = replace(made, fates=made.fates | {FILE}, reasons=made.reasons | {"control_total"})
        return made

    def whole(self, content: bytes, *reasons: str, absent: frozenset[int] = frozenset()) -> Damaged:
        return self._made(content, FILE, reasons=frozenset(reasons), absent=absent)

    def either(self, content: bytes, touched: "list[int] | set[int]", *reasons: str) -> Damaged:
        """Both the touched rows and the whole file may be set aside: how many rows it takes is not the point."""
        made = self.aside(content, touched, *reasons)
        return replace(made, fates=made.fates | {FILE})

    def _made(self, content: bytes, fate: str, *, reasons: frozenset[str] = frozenset(),
              touched: frozenset[int] = frozenset(), absent: frozenset[int] = frozenset(),
              junk: frozenset[str] = frozenset()) -> Damaged:  # fmt: skip
        return Damaged(content, frozenset({fate}), self.rows, reasons, touched, absent, junk, self.style.encoding)

    @property
    def all_rows(self) -> list[int]:
        return list(range(len(self.rows)))

    def without(self, rows: set[int]) -> "Case":
        """The case without some rows."""
        return replace(self, rows=[row for number, row in enumerate(self.rows) if number not in rows])


def header_line(columns: tuple[str, ...] | list[str], style: Style) -> Line:
    return Line(written(list(columns), style), style.line_end)


def trailer_line(rows: Rows, style: Style) -> Line:
    cents = sum(int(row["net"].replace(style.decimal, "")) for row in rows)
    return Line(written(["TRL", str(len(rows)), f"{cents // 100}.{cents % 100:02d}"], style), style.line_end)


def must_quote(value: str, style: Style) -> bool:
    """Tell whether a value can be written in a style only between quotes."""
    hard = (style.delimiter, style.quote or "", "\n", "\r")
    return style.quote is not None and any(sign and sign in value for sign in hard)


def written(values: list[str], style: Style) -> str:
    """One record without its end."""
    return style.delimiter.join(written_value(value, style) for value in values)


def written_value(value: str, style: Style, quote: str | None = None) -> str:
    inside = value.replace(style.escape, style.escape * 2) if style.escape else value
    if style.quote is None or not (style.is_all_quoted or must_quote(value, style)):
        return inside
    inside = inside.replace(style.quote, (style.escape or style.quote) + style.quote)
    return f"{style.quote}{inside}{style.quote}"


Maker = Callable[[Case, str], Damaged | None]
KINDS: dict[str, tuple[tuple[str, ...], Maker]] = {}


def damage(kind: str, *variants: str) -> Callable[[Maker], Maker]:
    """Register a kind of damage; its maker returns None where a feed cannot suffer it."""

    def keep(maker: Maker) -> Maker:
        KINDS[kind] = (variants or ("",), maker)
        return maker

    return keep


@dataclass(frozen=True)
class Polluted:
    """One file of the corpus."""

    kind: str
    variant: str
    case: Case
    damaged: Damaged

    @property
    def feed(self) -> Feed:
        return self.case.feed

    @property
    def name(self) -> str:
        return f"{self.case.feed.name}/{self.case.number:04d}.csv"

    def __str__(self) -> str:
        return f"{self.kind} [{self.variant}] of {self.name}"


def corpus(seed: int = 0) -> Iterator[Polluted]:
    """Yield every kind of damage in every variant, done to a file of every feed."""
    number = 0
    for kind, (variants, maker) in KINDS.items():
        for variant in variants:
            for feed in FEEDS.values():
                rng = random.Random(f"{seed} {kind} {variant} {feed.name}")
                case = Case(feed, number, table(feed, number), rng)
                damaged = maker(case, variant)
                if damaged is not None:
                    yield Polluted(kind, variant, case, damaged)
                    number += 1
