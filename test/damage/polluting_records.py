"""Damage to how records are written: delimiters, quotes, escapes, record ends, field counts."""

from dataclasses import replace

from test.damage.canaries import Style
from test.damage.polluter import Case, Damaged, Line, damage, must_quote, written, written_value

PIECES = ("field_count", "stray_quote")
"""What the second line of a broken record of two lines may be set aside for."""


def rows_where(case: Case, style: Style, *signs: str) -> set[int]:
    """Rows whose note holds one of these signs, or cannot be written without quotes if none is named."""
    return {
        number
        for number, row in enumerate(case.rows)
        if (any(sign in row["note"] for sign in signs) if signs else must_quote(row["note"], style))
    }


@damage("clean", "")
def clean(case: Case, _variant: str) -> Damaged:
    return case.same(case.bytes_of(case.lines()))


@damage("another delimiter", ",", ";", "\t", "|", ":", "^", "~")
def other_delimiter(case: Case, variant: str) -> Damaged | None:
    if variant == case.style.delimiter:
        return None
    return case.whole(case.bytes_of(case.lines(replace(case.style, delimiter=variant))), "wrong_dialect")


@damage("delimiter of two signs", "doubled", "with a blank")
def long_delimiter(case: Case, variant: str) -> Damaged:
    style = case.style
    long = style.delimiter * 2 if variant == "doubled" else style.delimiter + " "
    lines = case.lines(replace(style, delimiter=long))
    content = case.bytes_of(lines)
    if variant == "doubled":
        if style.has_trailer:
            return case.whole(content, "control_total")
        if not style.has_header:
            return case.either(content, case.all_rows, "field_count", "stray_quote", "wrong_dialect")
        bare = rows_where(case, style, style.delimiter) - rows_where(case, replace(style, delimiter=long))
        return case.aside(content, bare, "field_count")
    if style.is_all_quoted:
        return case.either(content, case.all_rows, "stray_quote", "wrong_dialect")
    # A note with a bare delimiter is not quoted now: its writer looks for delimiter and blank only.
    bare = rows_where(case, style, style.delimiter) - rows_where(case, replace(style, delimiter=long))
    return case.aside(content, bare | rows_where(case, replace(style, delimiter=long)), "stray_quote", "field_count")


@damage("several delimiters", ",", ";", "\t", "|")
def some_other_delimiter(case: Case, variant: str) -> Damaged | None:
    if variant == case.style.delimiter:
        return None
    touched, lines = case.some(), case.lines()
    for line in lines:
        if line.row in touched:
            values = [case.rows[line.row][name] for name in case.feed.columns]
            line.text = written(values, replace(case.style, delimiter=variant))
    return case.aside(case.bytes_of(lines), touched, "field_count", "stray_quote")


@damage("another quote", "'", "`", "“”")
def other_quote(case: Case, variant: str) -> Damaged | None:
    if case.style.encoding == "cp1252" and variant == "“”":
        return None
    style = replace(case.style, quote=variant[0], escape=None, is_all_quoted=True)
    content = case.bytes_of(case.lines(style)).decode(case.style.encoding)
    if variant == "“”":
        for before, after in (
            (f"“{style.delimiter}", f"”{style.delimiter}"),
            (f"“{style.line_end}", f"”{style.line_end}"),
        ):
            content = content.replace(before, after)
    return case.whole(content.encode(case.style.encoding), "wrong_dialect")


@damage("another quote where needed", "'")
def other_quote_where_needed(case: Case, _variant: str) -> Damaged | None:
    # Written so, `"all of it"` is a quoted value of its own, and `\\` an escape: nothing could tell.
    case = case.without({n for n, row in enumerate(case.rows) if row["note"].startswith('"')})
    style = replace(case.style, quote="'", escape=None, is_all_quoted=False)
    touched = rows_where(case, style)
    if case.style.escape:
        touched |= rows_where(case, style, "\\")
    content = case.bytes_of(case.lines(style))
    return case.aside(content, touched, "field_count", "stray_quote", "stray_escape", junk=PIECES)


@damage("quotes left out", "")
def no_quotes(case: Case, _variant: str) -> Damaged | None:
    if case.style.quote is None or case.style.escape:
        return None
    # Written bare, `"all of it"` is a quoted value of its own: nothing could tell.
    case = case.without({n for n, row in enumerate(case.rows) if row["note"].startswith('"')})
    touched = rows_where(case, case.style, case.style.delimiter, "\n")
    content = case.bytes_of(case.lines(replace(case.style, quote=None)))
    if case.style.has_trailer and rows_where(case, case.style, "\n"):
        return case.whole(content, "control_total")
    return case.aside(content, touched, "field_count", junk=("field_count",))


@damage("everything quoted", "")
def all_quoted(case: Case, _variant: str) -> Damaged:
    style = replace(case.style, is_all_quoted=True, quote=case.style.quote or '"')
    content = case.bytes_of(case.lines(style))
    return case.same(content) if case.style.quote else case.whole(content, "wrong_dialect")


@damage("another escape", "")
def other_escape(case: Case, _variant: str) -> Damaged | None:
    if case.style.quote is None:
        return None
    style = replace(case.style, escape=None if case.style.escape else "\\")
    if case.style.escape:
        touched = rows_where(case, case.style, '"', "\\")
    else:
        # `\\` reads as two signs where the contract knows no escape: nothing could tell.
        case = case.without(rows_where(case, case.style, "\\"))
        touched = rows_where(case, case.style, '"')
    return case.aside(case.bytes_of(case.lines(style)), touched, "stray_quote", "stray_escape", junk=PIECES)


@damage("other record ends", "\n", "\r", "\r\n", "mixed", "\r\r\n", "\n\n", "blank lines at the end")
def record_ends(case: Case, variant: str) -> Damaged:
    lines = case.lines()
    for number, line in enumerate(lines):
        line.end = ("\n", "\r", "\r\n")[number % 3] if variant == "mixed" else variant
    if variant.startswith("blank"):
        lines = [*case.lines(), *(Line("", end) for end in ("\n", "\r\n", "\n"))]
    return case.same(case.bytes_of(lines))


@damage("no record end at the end of the file", "")
def no_last_end(case: Case, _variant: str) -> Damaged:
    lines = case.lines()
    lines[-1].end = ""
    content = case.bytes_of(lines)
    return case.whole(content, "cut_short") if case.feed.ends_lines else case.same(content)


@damage("record ends that are none", "\x0b", "\x0c", "\x1e", "\x85", "\u2028", "")
def odd_record_ends(case: Case, variant: str) -> Damaged | None:
    lines = case.lines()
    for line in lines:
        line.end = variant
    try:
        content = case.bytes_of(lines)
    except UnicodeEncodeError:
        return None
    if not case.style.has_header:
        return case.either(content, case.all_rows, "field_count", "stray_quote", "wrong_dialect")
    return case.whole(content, "wrong_dialect")


@damage("two records on one line", "", "header")
def glued(case: Case, variant: str) -> Damaged | None:
    lines = case.lines()
    if variant == "header":
        if not case.style.has_header:
            return None
        lines[0].end = ""
        return case.whole(case.bytes_of(lines), "wrong_dialect")
    row = case.rng.randrange(len(case.rows) - 1)
    next(line for line in lines if line.row == row).end = ""
    content = case.bytes_of(lines)
    if case.style.has_trailer:
        return case.whole(content, "control_total")
    return case.aside(content, [row, row + 1], "field_count", "stray_quote")


@damage("a line end inside a record", "in a value", "behind a delimiter", "several")
def broken_line(case: Case, variant: str) -> Damaged:
    style = replace(case.style, is_all_quoted=False)
    lines = case.lines(style)
    # Inside quotes a line end is a letter like any other.
    bare = sorted(set(case.all_rows) - rows_where(case, style))
    touched = sorted(case.rng.sample(bare, 3 if variant == "several" else 1))
    for number in touched:
        line = next(line for line in lines if line.row == number)
        places = [p for p, sign in enumerate(line.text) if sign == style.delimiter]
        place = places[4] if variant == "behind a delimiter" else places[4] + 3
        line.text = line.text[: place + 1] + style.line_end + line.text[place + 1 :]
    content = case.bytes_of(lines)
    if case.style.has_trailer:
        return case.whole(content, "control_total")
    return case.aside(content, touched, "field_count", junk=("field_count",))


@damage("a quote that is not closed", "first row", "some row", "last row")
def open_quote(case: Case, variant: str) -> Damaged | None:
    if case.style.quote is None:
        return None
    row = {"first row": 0, "last row": len(case.rows) - 1}.get(variant, case.rng.randrange(1, 8))
    lines = case.lines()
    line = next(line for line in lines if line.row == row)
    note = case.rows[row]["note"]
    as_quoted = written_value(note, replace(case.style, is_all_quoted=True))
    line.text = line.text.replace(written_value(note, case.style), as_quoted[:-1])
    return case.aside(case.bytes_of(lines), [row], "stray_quote", junk=PIECES)


@damage("a quote that another row's inch mark closes", "two rows on", "far below")
def swallowing_quote(case: Case, variant: str) -> Damaged | None:
    """The rows between are whole by themselves; as one value of many lines they would be gone."""
    style = replace(case.style, is_all_quoted=False)
    if style.quote is None:
        return None
    case = case.without(rows_where(case, style) | rows_where(case, style, '"', "\\"))
    first, last = 0, 2 if variant == "two rows on" else len(case.rows) - 1
    lines = case.lines(style)
    for line in lines:
        if line.row == first:
            before, sign, value = line.text.rpartition(style.delimiter)
            line.text = before + sign + style.quote + value
        elif line.row == last:
            line.text += style.quote
    return case.aside(case.bytes_of(lines), [first, last], "stray_quote")


@damage("text behind a closing quote", "")
def early_close(case: Case, _variant: str) -> Damaged | None:
    if case.style.quote is None:
        return None
    row, lines = case.rng.randrange(len(case.rows)), case.lines()
    line = next(line for line in lines if line.row == row)
    place = case.feed.columns.index("store")
    values = [written_value(case.rows[row][name], case.style) for name in case.feed.columns]
    values[place] = f'"{case.rows[row]["store"][:2]}"{case.rows[row]["store"][2:]}'
    line.text = case.style.delimiter.join(values)
    return case.aside(case.bytes_of(lines), [row], "stray_quote", junk=("field_count",))


@damage("ragged rows", "one more", "one less", "five more", "one more inside", "only the first", "trailing delimiter")
def ragged(case: Case, variant: str) -> Damaged:
    touched, lines = case.some(4), case.lines()
    for line in lines:
        if line.row not in touched or line.row is None:
            continue
        values = [case.rows[line.row][name] for name in case.feed.columns]
        line.text = written(
            {
                "one more": [*values, "X-99"],
                "one less": values[:-1],
                "five more": [*values, *["X-99"] * 5],
                "one more inside": [*values[:3], "X-99", *values[3:]],
                "only the first": values[:2],
                "trailing delimiter": [*values, ""],
            }[variant],
            case.style,
        )
    return case.aside(case.bytes_of(lines), touched, "field_count", "stray_quote", junk=PIECES)


@damage("every row is ragged", "delimiter behind each row", "delimiter behind the header", "behind both")
def all_ragged(case: Case, variant: str) -> Damaged | None:
    if not case.style.has_header and "header" in variant:
        return None
    lines = case.lines()
    for line in lines:
        is_header = line.row is None and not line.text.startswith("TRL")
        if (line.row is not None and "header" not in variant) or (is_header and "each" not in variant):
            line.text += case.style.delimiter
    content = case.bytes_of(lines)
    if variant == "behind both" and case.style.has_header:
        return case.same(content)
    return case.either(content, case.all_rows, "field_count", "stray_quote", "wrong_dialect")


@damage("field count changes from a row on", "one more", "one less")
def changed_count(case: Case, variant: str) -> Damaged:
    start, lines = case.rng.randrange(3, 12), case.lines()
    touched = [n for n in case.all_rows if n >= start]
    for line in lines:
        if line.row is not None and line.row >= start:
            values = [case.rows[line.row][name] for name in case.feed.columns]
            line.text = written([*values, "X-99"] if variant == "one more" else values[:-1], case.style)
    return case.aside(case.bytes_of(lines), touched, "field_count", "stray_quote", junk=PIECES)


@damage("empty rows", "nothing", "blanks", "delimiters only")
def empty_rows(case: Case, variant: str) -> Damaged:
    delimiter = case.style.delimiter
    text = {"nothing": "", "blanks": "   ", "delimiters only": delimiter * (len(case.feed.columns) - 1)}[variant]
    lines = case.lines()
    for place in (2, 7, 7):
        lines.insert(place, Line(text, case.style.line_end))
    content = case.bytes_of(lines)
    if variant == "delimiters only" and case.style.has_trailer:
        return case.whole(content, "control_total")
    return case.same(content, "missing_key", "missing_value", "field_count")


@damage("padded values", "")
def padded(case: Case, _variant: str) -> Damaged:
    lines = case.lines()
    for line in lines:
        if line.row is not None and not case.style.is_all_quoted:
            values = [case.rows[line.row][name] for name in case.feed.columns]
            line.text = case.style.delimiter.join(
                written_value(v, case.style) if must_quote(v, case.style) else f"  {written_value(v, case.style)} "
                for v in values
            )
        elif line.row is not None:
            values = [f" {case.rows[line.row][name]}  " for name in case.feed.columns]
            line.text = written(values, case.style)
    return case.same(case.bytes_of(lines))
