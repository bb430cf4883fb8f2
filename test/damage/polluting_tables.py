"""Damage to what stands around and above the rows: preambles, footers, headers, columns, how values are written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from test.damage.canaries import Feed
from test.damage.polluter import FILE, Case, Damaged, Line, damage, header_line, written

TYPED = (
    "missing_key", "missing_value", "not_a_time", "not_a_number", "unknown_location", "unknown_product",
)  # fmt: skip
PREAMBLES = {
    "one line": ["Sales report of March"],
    "three lines": ["Sales report", "Printed 2025-04-01; all stores, all tills", "Page 1|1\tof 9"],
    "of the table's width": ["Report,,,,,,,,,", ";;;;;;;;;2025", "|||||||||"],
    "names its delimiter": ["sep=;"],
    "blank lines": ["", "", ""],
}


@damage("preamble", *PREAMBLES)
def preamble(case: Case, variant: str) -> Damaged:
    lines = [*(Line(text, case.style.line_end) for text in PREAMBLES[variant]), *case.lines()]
    content = case.bytes_of(lines)
    if variant == "blank lines":
        return case.same(content)
    if not case.style.has_header:
        made = case.same(content, "field_count", *TYPED)
        if variant == "of the table's width":
            # The first line has as many fields as the contract wants, with another delimiter.
            made = replace(made, fates=made.fates | {FILE}, reasons=frozenset({"wrong_dialect"}))
        return made
    return case.whole(content, "missing_column")


@damage("footer", "a line", "a total of the table's width", "behind a blank line", "a signature")
def footer(case: Case, variant: str) -> Damaged:
    width, end = len(case.feed.columns), case.style.line_end
    texts = {
        "a line": ["Total: 14 rows"],
        "a total of the table's width": [case.style.delimiter.join(["Total", *[""] * (width - 2), "42000"])],
        "behind a blank line": ["", "-- end of file --"],
        "a signature": ["", "", "Printed by Müller", "Page 1"],
    }[variant]
    content = case.bytes_of([*case.lines(), *(Line(text, end) for text in texts)])
    if case.style.has_trailer:
        return case.whole(content, "missing_trailer")
    return case.same(content, "field_count", *TYPED)


@damage("several tables", "the same again", "columns in another order", "narrower", "wider", "other columns")
def several(case: Case, variant: str) -> Damaged | None:
    """Two tables in one file; the second one carries the second half of the rows, or is about something else."""
    feed, style, half = case.feed, case.style, 7
    lines = case.lines()
    is_trailed = style.has_trailer
    trailer = lines.pop() if is_trailed else None
    head = lines[: half + style.has_header]
    tail = lines[half + style.has_header :]
    end = [trailer] if trailer else []
    if variant == "the same again":
        content = case.bytes_of([*head, header_line(feed.columns, style), *tail, *end])
        return case.same(content)
    if variant == "columns in another order":
        columns = tuple(sorted(feed.columns))
        texts = [written([row[name] for name in columns], style) for row in case.rows[half:]]
        rest = [Line(text, style.line_end, number + half) for number, text in enumerate(texts)]
        return case.whole(case.bytes_of([*head, header_line(columns, style), *rest, *end]), "changed_header")
    width = {"narrower": 3, "wider": len(feed.columns) + 4, "other columns": len(feed.columns)}[variant]
    names = [f"measure {n}" for n in range(width)]
    other = [header_line(names, style), *(Line(written([f"m{r}{n}" for n in range(width)], style), style.line_end)
                                          for r in range(3))]  # fmt: skip
    content = case.bytes_of([*lines, Line("", style.line_end), *other, *end])
    if is_trailed:
        return case.whole(content, "control_total")
    return case.same(content, "field_count", *TYPED)


@damage("no header", "")
def no_header(case: Case, _variant: str) -> Damaged | None:
    if not case.style.has_header:
        return None
    return case.whole(case.bytes_of(case.lines()[1:]), "missing_column")


@damage("a header too many", "twice", "three times", "in the middle", "a row of types below")
def more_headers(case: Case, variant: str) -> Damaged:
    header, lines = header_line(case.feed.columns, case.style), case.lines()
    if variant == "in the middle":
        lines.insert(8, header)
    elif variant == "a row of types below":
        types = header_line(["text"] * len(case.feed.columns), case.style)
        lines.insert(1, types)
        content = case.bytes_of(lines)
        if case.style.has_trailer:
            return case.whole(content, "control_total")
        return case.same(content, *TYPED)
    else:
        lines = [header] * (1 if variant == "twice" else 2) + lines
    return case.same(case.bytes_of(lines))


@damage("header in another order than the contract", "")
def headless_reordered(case: Case, _variant: str) -> Damaged | None:
    if case.style.has_header:
        return None
    columns = tuple(sorted(case.feed.columns))
    lines = [header_line(columns, case.style), *case.lines(columns=columns)]
    return case.whole(case.bytes_of(lines), "changed_header")


def with_header(case: Case, names: list[str]) -> bytes:
    return case.bytes_of([header_line(names, case.style), *case.lines()[1:]])


@damage("renamed columns", "one", "to an alias", "upper case", "the names are padded", "a name is cut")
def renamed(case: Case, variant: str) -> Damaged | None:
    if not case.style.has_header:
        return None
    names = list(case.feed.columns)
    if variant == "upper case":
        return case.whole(with_header(case, [name.upper() for name in names]), "missing_column")
    if variant == "the names are padded":
        return case.same(with_header(case, [f" {name}  " for name in names]))
    old, new = {
        "one": ("sold_at", "sold_on"),
        "to an alias": ("article", "item_no"),
        "a name is cut": ("price", "pric"),
    }[variant]
    content = with_header(case, [new if name == old else name for name in names])
    return case.same(content) if variant == "to an alias" else case.whole(content, "missing_column")


@damage("reordered columns", "backwards", "turned by one")
def reordered(case: Case, variant: str) -> Damaged | None:
    columns = case.feed.columns
    columns = columns[::-1] if variant == "backwards" else columns[1:] + columns[:1]
    content = case.bytes_of(case.lines(columns=columns))
    return case.same(content) if case.style.has_header else case.aside(content, case.all_rows, *TYPED)


@damage("columns too many", "first", "inside", "last", "without a name", "a needed name twice")
def more_columns(case: Case, variant: str) -> Damaged | None:
    place = {"first": 0, "inside": 4, "without a name": 5}.get(variant, len(case.feed.columns))
    name = {"without a name": "", "a needed name twice": "net"}.get(variant, "shelf")
    lines = case.lines()
    for line in lines:
        if line.row is None and line.text.startswith("TRL"):
            continue
        values = list(case.feed.columns) if line.row is None else [case.rows[line.row][n] for n in case.feed.columns]
        values.insert(place, name if line.row is None else f"S-{line.row}")
        line.text = written(values, case.style)
    content = case.bytes_of(lines)
    if not case.style.has_header:
        return case.either(content, case.all_rows, "field_count", "stray_quote", "wrong_dialect")
    return case.whole(content, "repeated_column") if variant == "a needed name twice" else case.same(content)


@damage("columns too few", "needed", "not needed")
def fewer_columns(case: Case, variant: str) -> Damaged:
    gone = case.rng.choice(["store", "sold_at", "price"]) if variant == "needed" else "clerk"
    content = case.bytes_of(case.lines(columns=tuple(n for n in case.feed.columns if n != gone)))
    if not case.style.has_header:
        return case.either(content, case.all_rows, "field_count", "stray_quote", "wrong_dialect")
    return case.whole(content, "missing_column") if variant == "needed" else case.same(content)


def grouped(text: str, sign: str, decimal: str) -> str:
    whole, mark, part = text.partition(decimal)
    return f"{int(whole):,}".replace(",", sign) + mark + part


def rewritten(case: Case, names: tuple[str, ...], change: Callable[[str], str]) -> Case:
    """The case with the values of some columns written in another way."""
    rows = [{name: change(value) if name in names else value for name, value in row.items()} for row in case.rows]
    return Case(case.feed, case.number, rows, case.rng)


def same_rows(case: Case, other: Case) -> list[int]:
    return [n for n, (one, two) in enumerate(zip(case.rows, other.rows, strict=True)) if one != two]


@damage("another decimal sign", "in all rows", "in some rows")
def other_decimal(case: Case, variant: str) -> Damaged:
    sign = "," if case.style.decimal == "." else "."
    chosen = set(case.all_rows if variant == "in all rows" else case.some())
    changed = rewritten(case, ("price", "net"), lambda text: text.replace(case.style.decimal, sign))
    rows = [changed.rows[n] if n in chosen else row for n, row in enumerate(case.rows)]
    return content_of(case, Case(case.feed, case.number, rows, case.rng), "not_a_number")


@damage("thousands signs", "the contract's", "the other one", "blank", "apostrophe")
def thousands(case: Case, variant: str) -> Damaged | None:
    decimal = case.style.decimal
    other = "," if decimal == "." else "."
    sign = {"the contract's": other, "the other one": decimal, "blank": " ", "apostrophe": "'"}[variant]
    names = ("net",) if sign == decimal else ("net", "pieces")
    changed = rewritten(case, names, lambda text: grouped(text, sign, decimal))
    if variant == "the contract's" and decimal == ",":
        return case.same(case.bytes_of(changed.lines()))
    return content_of(case, changed, "not_a_number")


def content_of(case: Case, changed: Case, *reasons: str) -> Damaged:
    """A file with values written in another way; its trailer is that of the clean one."""
    lines = (
        changed.lines()
        if not case.style.has_trailer
        else [*Case(trailless(case.feed), case.number, changed.rows).lines(), case.lines()[-1]]
    )
    content = case.bytes_of(lines)
    made = case.aside(content, same_rows(case, changed), *reasons)
    if case.style.has_trailer:
        return case.either(content, same_rows(case, changed), *reasons, "control_total")
    return made


def trailless(feed: Feed) -> Feed:
    return replace(feed, style=replace(feed.style, has_trailer=False))


@damage("numbers with lost digits", "price", "pieces")
def scientific(case: Case, variant: str) -> Damaged:
    changed = rewritten(
        case, (variant,), lambda text: f"{float(text.replace(',', '.')):.1E}".replace(".", case.style.decimal)
    )
    return content_of(case, changed, "digits_lost")


@damage("numbers in another dress", "trailing .0", "full width", "currency sign", "minus of a typesetter", "no number")
def dressed(case: Case, variant: str) -> Damaged | None:
    decimal = case.style.decimal
    change = {
        "trailing .0": lambda text: f"{text}{decimal}0",
        "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text),
        "currency sign": lambda text: f"€ {text}",
        "minus of a typesetter": lambda text: f"\u2212{text}",
        "no number": lambda _text: "n/a",
    }[variant]
    changed = rewritten(case, ("pieces",), change)
    try:
        content = case.bytes_of(changed.lines())
    except UnicodeEncodeError:
        return None
    if variant in ("minus of a typesetter", "no number"):
        return case.aside(content, case.all_rows, "not_a_number")
    return case.same(content)


@damage("another way to write times", "%m/%d/%Y %I:%M %p", "%d-%b-%y", "%Y%m%d")
def times(case: Case, variant: str) -> Damaged:
    own = case.style.time_format
    changed = rewritten(
        case, ("sold_at",), lambda text: datetime.strptime(text, own).replace(tzinfo=UTC).strftime(variant)
    )
    return case.aside(case.bytes_of(changed.lines()), case.all_rows, "not_a_time")
