"""Damage to the bytes: encodings, byte order marks, NULs, cuts, archives, and what is no table at all."""

import codecs
import gzip
import io
import zipfile
from dataclasses import replace

from test.damage.polluter import FILE, RECORDS, Case, Damaged, Line, damage
from test.damage.polluting_records import PIECES

MARKS = {
    "utf-8-sig": "utf-8-sig", "utf-16 with a mark": "utf-16", "utf-32 with a mark": "utf-32",
}  # fmt: skip
WIDE = {"utf-16 le without a mark": "utf-16-le", "utf-16 be without a mark": "utf-16-be",
        "utf-32 without a mark": "utf-32-le"}  # fmt: skip


def not_ascii(case: Case) -> set[int]:
    return {n for n, row in enumerate(case.rows) if not "".join(row.values()).isascii()}


def german_notes(case: Case) -> Case:
    """Every row has a letter beyond ASCII."""
    rows = [{**row, "note": f"{row['note'].split()[0].strip(chr(34))} größer"} for row in case.rows]
    return Case(case.feed, case.number, rows, case.rng)


@damage("another encoding with a byte order mark", *MARKS)
def marked(case: Case, variant: str) -> Damaged:
    return case.same(whole_text(case).encode(MARKS[variant]))


def whole_text(case: Case) -> str:
    return "".join(line.text + line.end for line in case.lines())


@damage("big end first with a byte order mark", "")
def big_end(case: Case, _variant: str) -> Damaged:
    return case.same(codecs.BOM_UTF16_BE + whole_text(case).encode("utf-16-be"))


@damage(
    "another encoding without a mark", *WIDE, "utf-8", "cp1252", "ebcdic", "cp1252 in every row", "utf-8 in every row"
)
def unmarked(case: Case, variant: str) -> Damaged | None:
    own = case.style.encoding
    is_every = variant.endswith("every row")
    name = {"ebcdic": "cp037"}.get(variant, WIDE.get(variant, variant.removesuffix(" in every row")))
    if name == own:
        return None
    if is_every:
        case = german_notes(case)
    text = whole_text(case)
    content = text.encode(name, "replace" if name == "cp037" else "strict")
    if own == "utf-16-le" or (case.style.has_header and name not in ("utf-8", "cp1252")):
        return case.whole(content, "wrong_encoding")
    if name not in ("utf-8", "cp1252"):
        made = case.either(content, case.all_rows, "wrong_encoding", "nul_byte", "bad_bytes", *PIECES)
        return replace(made, encoding=name, junk=made.reasons)
    if is_every:
        return case.whole(content, "wrong_encoding")
    return replace(case.aside(content, not_ascii(case), "bad_bytes"), encoding=name)


@damage("encodings mixed in one file", "")
def mixed(case: Case, _variant: str) -> Damaged | None:
    own = case.style.encoding
    if own == "utf-16-le":
        return None
    other = "cp1252" if own == "utf-8" else "utf-8"
    lines, touched = case.lines(), sorted(not_ascii(case))[::2]
    for line in lines:
        if line.row in touched:
            line.encoding = other
    return replace(case.aside(case.bytes_of(lines), touched, "bad_bytes"), encoding="latin-1")


@damage("letters lost before", "control signs for letters")
def lost_letters(case: Case, _variant: str) -> Damaged | None:
    """What cp1252 calls a euro sign or a curly quote arrives as a control sign: read as latin-1 on the way."""
    if case.style.encoding == "cp1252":
        return None
    touched, lines = case.some(), case.lines()
    for line in lines:
        if line.row in touched:
            line.text = line.text.replace(case.rows[line.row]["note"][:6], case.rows[line.row]["note"][:5] + "\x80", 1)
    return case.aside(case.bytes_of(lines), touched, "bad_bytes")


@damage("byte order marks too many", "twice", "in the middle", "before a second header")
def more_marks(case: Case, variant: str) -> Damaged | None:
    if case.style.encoding == "cp1252" or (variant == "before a second header" and not case.style.has_header):
        return None
    lines = case.lines()
    if variant == "twice":
        lines[0].text = "\ufeff\ufeff" + lines[0].text
    elif variant == "in the middle":
        if case.style.is_all_quoted:
            return None
        lines[6].text = "\ufeff" + lines[6].text
    else:
        header = case.lines()[0]
        lines.insert(7, replace(header, text="\ufeff" + header.text))
    return case.same(case.bytes_of(lines))


@damage("a byte too many in UTF-16", "")
def odd_byte(case: Case, _variant: str) -> Damaged | None:
    if case.style.encoding != "utf-16-le":
        return None
    row = case.rng.randrange(2, 12)
    lines = case.lines()
    before = [line for line in lines if line.row is None or line.row < row]
    content = case.bytes_of(before) + b"\x20" + case.bytes_of(lines[len(before) :])
    touched = [n for n in case.all_rows if n >= row]
    reasons = ("field_count", "bad_bytes", "nul_byte", "stray_quote", "wrong_encoding")
    return replace(case.either(content, touched, *reasons), junk=frozenset(reasons), encoding="utf-16-le")


@damage("NUL bytes", "in a value", "a tail of them", "between all letters of a row")
def nul(case: Case, variant: str) -> Damaged:
    lines = case.lines()
    if variant == "a tail of them":
        content = case.bytes_of([*lines, Line("\x00" * 512, "")])
        if case.style.has_trailer:
            return case.whole(content, "missing_trailer")
        return case.whole(content, "cut_short") if case.feed.ends_lines else case.same(content, "nul_byte")
    touched = case.some()
    for line in lines:
        if line.row in touched:
            if variant == "in a value":
                place = line.text.index(case.rows[line.row]["store"])
                line.text = line.text[:place] + "\x00" + line.text[place:]
            else:
                line.text = "\x00".join(line.text)
    reasons = ("nul_byte",) if variant == "in a value" else ("nul_byte", "field_count", "stray_quote")
    return case.aside(case.bytes_of(lines), touched, *reasons, junk=("nul_byte", "field_count", "stray_quote"))


@damage("cut short", "in the first half", "in the second half", "between records", "in the header", "in the last field")
def cut(case: Case, variant: str) -> Damaged | None:
    lines = case.lines()
    is_guarded = case.style.has_trailer or case.feed.ends_lines
    reason = "missing_trailer" if case.style.has_trailer else "cut_short"
    size = len(" ".encode(case.style.encoding))
    if variant == "in the header":
        if not case.style.has_header:
            return None
        content = case.bytes_of(lines[:1])
        half = content[: len(content) // 2 // size * size]
        return case.whole(half, "missing_column", absent=frozenset(case.all_rows))
    row = {"in the first half": 3, "in the second half": 10}.get(variant, 8)
    at = next(n for n, line in enumerate(lines) if line.row == row)
    absent = frozenset(n for n in case.all_rows if n > row)
    before = case.bytes_of(lines[:at])
    if variant == "between records":
        # Nothing in a file without trailer can tell; what came is loaded.
        if not case.style.has_trailer:
            return None
        return case.whole(before, reason, absent=frozenset(case.all_rows))
    line = case.bytes_of([lines[at]])
    keep = len(line) * 3 // 5 if variant != "in the last field" else len(line) - size * (len(lines[at].end) + 1)
    content = before + line[: keep // size * size]
    if is_guarded:
        return case.whole(content, reason, absent=frozenset(case.all_rows))
    if variant == "in the last field":
        # The unused last column lost a letter; where the last one is used, only a trailer or `last_line_end` tells.
        is_used = case.feed.columns[-1] != "clerk" or case.style.is_all_quoted
        if is_used and not case.style.is_all_quoted:
            return None
        return case.aside(content, [row] if case.style.is_all_quoted else [], "stray_quote", absent=absent)
    return case.aside(content, [row], "field_count", "stray_quote", absent=absent)


@damage("packed", "gzip", "zip", "gzip in two members", "gzip cut short", "gzip with a wrong checksum",
        "zip cut short", "packed twice", "zip that is damaged")  # fmt: skip
def packed(case: Case, variant: str) -> Damaged:
    plain = case.bytes_of(case.lines())
    small = gzip.compress(plain, mtime=0)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("sales.csv"), plain, zipfile.ZIP_DEFLATED)
    zipped = held.getvalue()
    half = len(plain) // 2
    return {
        "gzip": lambda: case.same(small),
        "zip": lambda: case.same(zipped),
        "gzip in two members": lambda: case.same(
            gzip.compress(plain[:half], mtime=0) + gzip.compress(plain[half:], mtime=0)
        ),
        "gzip cut short": lambda: case.whole(small[: len(small) * 2 // 3], "truncated_archive"),
        "gzip with a wrong checksum": lambda: case.whole(
            small[:-8] + bytes([small[-8] ^ 1]) + small[-7:], "corrupt_archive"
        ),
        "zip cut short": lambda: case.whole(zipped[: len(zipped) * 2 // 3], "truncated_archive"),
        "packed twice": lambda: case.whole(gzip.compress(small, mtime=0), "not_this_format"),
        "zip that is damaged": lambda: case.whole(
            zipped[:60] + bytes([zipped[60] ^ 255, zipped[61] ^ 255]) + zipped[62:], "corrupt_archive"
        ),
    }[variant]()


@damage("no rows", "no bytes", "only a byte order mark", "header only", "blank lines only")
def no_rows(case: Case, variant: str) -> Damaged | None:
    absent = frozenset(case.all_rows)
    if variant == "no bytes":
        return case.whole(b"", "empty_file", absent=absent)
    if variant == "only a byte order mark":
        return case.whole(codecs.BOM_UTF8, "empty_file", absent=absent)
    if not case.style.has_header:
        return None
    if variant == "blank lines only":
        return case.whole("\n\n\n".encode(case.style.encoding), "missing_column", absent=absent)
    none = Case(case.feed, case.number, [])
    return Case.same(none, none.bytes_of(none.lines()))


@damage("no table", "HTML", "JSON", "a picture", "a letter", "a workbook", "noise")
def no_table(case: Case, variant: str) -> Damaged | None:
    texts = {
        "HTML": "<!DOCTYPE html>\n<html><h1>503 Service Unavailable</h1>\n<p>Try again, later.</p></html>\n",
        "JSON": '{"error": "rate limit",\n "retry": 30}\n',
        "a letter": "Dear all,\nplease find the sales attached.\nBest regards\nMüller\n",
    }
    absent = frozenset(case.all_rows)
    if variant in texts:
        content = texts[variant].encode(case.style.encoding)
    elif variant == "a picture":
        content = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00" + bytes(range(256))
    elif variant == "noise":
        content = case.rng.randbytes(700)
    else:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            archive.writestr(zipfile.ZipInfo("[Content_Types].xml"), "<Types/>")
        content = held.getvalue()
    reasons = ("missing_column", "wrong_dialect", "not_this_format", "wrong_encoding", "cut_short")
    made = case.whole(content, *reasons, absent=absent)
    if not case.style.has_header and variant != "a workbook":
        junk = frozenset({"field_count", "bad_bytes", "nul_byte", "stray_quote"})
        return replace(made, fates=frozenset({RECORDS, FILE}), junk=junk)
    return made
