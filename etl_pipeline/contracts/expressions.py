"""The small languages inside a contract (arithmetic, patterns, formats, zones, globs, ratios), and where they stand.

Each `..._problem` returns a sentence that says what is wrong and what to write, or None.
"""

import ast
import codecs
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.facts import FACT_KINDS, Column
from etl_pipeline.contracts.model import AllOf, AnyOf, Condition, Contract, Value, Yield

Path_ = tuple[str | int, ...]

LONGEST_CALC = 500
LONGEST_PATTERN = 500
FORMAT_WORDS = ("iso", "epoch_s", "epoch_ms")
_ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Add, ast.Sub, ast.Mult, ast.USub, ast.UAdd, ast.Name, ast.Load,
    ast.Constant,
)  # fmt: skip
_EXACT_NUMBER = re.compile(r"(\d{1,18}(\.\d{0,9})?|\.\d{1,9})")
# A repeated group that can itself match the same text in several ways: (a+)+, (a|a)*, ...
_FIRST_GROUP = re.compile(r"^((?:[^\\(\[]|\\.|\[(?:[^\]\\]|\\.)*\]|\(\?)*)\((?!\?)")
_REPEATED_TWICE = re.compile(r"\((?:[^()\\]|\\.)*(?:[+*|]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)(?:[+*]|\{\d*,)")
# What is no opening of a plain group, and then what is one.
_GROUP = re.compile(r"(\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|\(\?)|\(", re.DOTALL)
_DIRECTIVE_FOR = {
    "YYYY": "%Y", "yyyy": "%Y", "MM": "%m", "DD": "%d", "dd": "%d", "HH": "%H", "hh": "%H", "mm": "%M", "SS": "%S",
    "ss": "%S",
}  # fmt: skip
_INSTEAD = {
    "%s": "`epoch_s` as the whole format",
    "%T": "%H:%M:%S",
    "%F": "%Y-%m-%d",
    "%D": "%m/%d/%y",
    "%R": "%H:%M",
    "%e": "%d",
    "%k": "%H",
    "%l": "%I",
    "%L": "%f",
    "%N": "%f",
    "%P": "%p",
    "%h": "%b",
}


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the most similar known word, or an empty text."""
    by_lower = {word.lower(): word for word in known}
    close = get_close_matches(wrong.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def split_backticks(expression: str) -> tuple[str, dict[str, str]]:
    """Replace `odd names` in backticks by identifiers that Python's grammar takes; return text and names."""
    names: dict[str, str] = {}
    parts = expression.split("`")
    for place in range(1, len(parts), 2):
        alias = f"_column_{place}"
        names[alias] = parts[place]
        parts[place] = alias
    return "".join(parts), names


@lru_cache(maxsize=1_000)
def calc_names(expression: str) -> tuple[str, ...]:
    """Return the columns that an expression reads, in their order.

    Raises:
        ValueError: it is no plain arithmetic; the text says what to write.
    """
    if len(expression) > LONGEST_CALC:
        raise ValueError(f"the calculation is longer than {LONGEST_CALC} characters")
    if expression.count("`") % 2:
        raise ValueError("a backtick is not closed; write odd column names as `Unit Price`")
    text, names = split_backticks(expression)
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"'{expression[:60]}' is no arithmetic; write column names (odd ones in `backticks`), numbers, + - * and "
            "brackets"
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
            raise ValueError("only + - * are exact; instead of dividing, multiply by a decimal, such as * 0.01")
        if isinstance(node, ast.Attribute):
            raise ValueError("a column name with a dot must stand in backticks, such as `price.amount`")
        if not isinstance(node, _ARITHMETIC):
            raise ValueError(f"'{expression[:60]}' may hold only column names, numbers, + - * and brackets")
        if isinstance(node, ast.Constant) and not _EXACT_NUMBER.fullmatch(ast.get_source_segment(text, node) or ""):
            raise ValueError("a number in a calculation has at most 18 digits before and 9 after the point")
    found = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return tuple(names.get(name, name) for name in dict.fromkeys(found))


def calc_problem(expression: str) -> str | None:
    """Judge the arithmetic of `calc`."""
    try:
        names = calc_names(expression)
    except ValueError as error:
        return str(error)
    return None if names else "the calculation reads no column; write `const` for a constant"


def extract_pattern(pattern: str) -> str:
    """Return the pattern of an `extract` with its group named, as Arrow wants it."""
    return pattern if "(?P<" in pattern else _FIRST_GROUP.sub(r"\1(?P<kept>", pattern, count=1)


def pattern_problem(pattern: str, *, has_group: bool = False) -> str | None:
    """Judge a regular expression that the silver layer runs with RE2: it cannot run away, but it must compile."""
    if len(pattern) > LONGEST_PATTERN:
        return f"the regular expression is longer than {LONGEST_PATTERN} characters; use `in` for lists of values"
    try:
        pc.match_substring_regex(pa.array([""]), f"^(?:{pattern})$")
    except pa.ArrowInvalid as error:
        why = str(error).partition("\n")[0].rpartition("Invalid regular expression: ")[2]
        return (
            f"the regular expression '{pattern[:60]}' does not compile in RE2 ({why}); RE2 has no look-around, no \\1"
        )
    if not has_group:
        return None
    try:
        groups = pc.extract_regex(pa.array([""]), pattern=extract_pattern(pattern)).type.num_fields
    except pa.ArrowInvalid:
        groups = 0
    if groups:
        return None
    return (
        f"`extract` '{pattern[:60]}' needs exactly one group, the part that is kept, such as '^([A-Z]+)-'; write every "
        "other bracket as (?:...), behind it, or name all groups: (?P<kept>...)"
    )


def path_pattern_problem(pattern: str) -> str | None:
    """Judge the regular expression of a file's time: RE2 runs it over paths, so it cannot run away."""
    if len(pattern) > LONGEST_PATTERN:
        return f"the regular expression is longer than {LONGEST_PATTERN} characters"
    try:
        first_in_path(pattern, "")
    except pa.ArrowInvalid as error:
        why = str(error).partition("\n")[0].rpartition("Invalid regular expression: ")[2]
        return (
            f"the regular expression '{pattern[:60]}' does not compile in RE2 ({why}); RE2 has no look-around, no \\1"
        )
    if _REPEATED_TWICE.search(pattern):
        return (
            f"'{pattern[:60]}' repeats a group that repeats itself, which can take for ever; write it without nesting"
        )
    return None


def first_in_path(pattern: str, path: str) -> str | None:
    """Return what the first group of a pattern finds in a path, or the whole of it without a group; None if nothing.

    Arrow runs it by RE2, in time that grows with the path and no faster; it wants every group to have a name.
    """
    found = pc.extract_regex(pa.array([path]), pattern=_all_named(pattern))[0].as_py()
    if found is None:
        return None
    groups = list(found.values())
    return str(groups[1] if len(groups) > 1 else groups[0])


@lru_cache(maxsize=1_000)
def _all_named(pattern: str) -> str:
    numbers = iter(range(1, LONGEST_PATTERN))
    named = _GROUP.sub(lambda found: found[1] or f"(?P<kept_{next(numbers)}>", pattern)
    return f"(?P<kept_0>{named})"


def format_problem(form: str, *, words: tuple[str, ...] = FORMAT_WORDS) -> str | None:
    """Judge a strptime format."""
    if form in words:
        return None
    if "%" not in form:
        meant = re.sub("|".join(_DIRECTIVE_FOR), lambda found: _DIRECTIVE_FOR[found.group()], form)
        hint = f"'{meant}'" if meant != form else "'%Y-%m-%d %H:%M:%S'"
        allowed = f", or one of {', '.join(words)}" if words else ""
        return f"'{form[:60]}' is no strptime format; write {hint}{allowed}{did_you_mean(form, words)}"
    for wrong, right in _INSTEAD.items():
        if wrong in form.replace("%%", ""):
            return f"the format '{form[:60]}' has {wrong}, which is not read; write {right}"
    if re.search(r"%[-_^#0]", form):
        return f"the format '{form[:60]}' has a flag after %; leave it out, one digit is read as well as two"
    try:
        datetime.strptime("", form)  # noqa: DTZ007 - only asks whether the format is one
    except re.error:
        return f"the format '{form[:60]}' names a part twice: %m is the month, %M the minute; write each once"
    except ValueError as error:
        if "does not match" not in str(error):
            return f"'{form[:60]}' is no strptime format ({error}); write one such as '%Y-%m-%d %H:%M:%S'"
    return _implausible_format(form)


def _implausible_format(form: str) -> str | None:
    named = set(re.findall(r"%([A-Za-z])", form.replace("%%", "")))
    if named & {"c", "x", "X"}:
        return f"the format '{form[:60]}' depends on the machine's language; write the parts, such as '%d/%m/%Y'"
    has_day = bool(named & {"Y", "y", "G"}) and (bool(named & {"m", "b", "B"}) or bool(named & {"j", "U", "W", "V"}))
    if not has_day:
        hint = " (%M is the minute, %m the month)" if "M" in named and "m" not in named else ""
        return f"the format '{form[:60]}' has no year and month{hint}; write one such as '%Y-%m-%d'"
    if "I" in named and "p" not in named:
        return f"the format '{form[:60]}' has %I, 12 hours, without %p (AM, PM); write %H for 24 hours"
    return None


@lru_cache(maxsize=512)
def zone_problem(zone: str) -> str | None:
    """Judge the name of a time zone."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(zone, available_timezones())
        return f"'{zone[:60]}' is no IANA time zone; write one such as Europe/Berlin or UTC{hint}"
    if zone in ("EST", "MST", "HST"):
        return f"'{zone}' knows no summer time; write the place, such as Europe/Berlin or America/New_York"
    return None


def encoding_problem(encoding: str) -> str | None:
    """Judge the name of an encoding."""
    try:
        "".encode(codecs.lookup(encoding).name)
    except (LookupError, ValueError):
        known = ["utf-8", "utf-16", "latin-1", "cp1252", "cp437", "cp850", "iso-8859-15", "mac-roman", "shift_jis"]
        hint = did_you_mean(encoding, known)
        return f"the encoding '{encoding[:40]}' is not known; write utf-8, cp1252, latin-1, utf-16 ...{hint}"
    return None


def ratio_problem(ratio: str | int) -> str | None:
    """Judge a unit's ratio of base units."""
    example = "write how many base units one is, such as 12 or '1/2'"
    if not re.fullmatch(r"\d{1,12}(\.\d{1,9}|/\d{1,12})?", str(ratio)):
        return f"'{str(ratio)[:40]}' is no ratio; {example}"
    try:
        is_positive = Fraction(str(ratio)) > 0
    except ZeroDivisionError:
        is_positive = False
    return None if is_positive else f"'{ratio}' is not above zero; {example}"


def glob_problem(pattern: str) -> str | None:
    """Judge a pattern of files below the inbox."""
    shown, parts = pattern[:80], pattern.split("/")
    if not pattern.strip() or any(ord(char) < ord(" ") for char in pattern):
        return "the pattern is empty or has control characters; write one such as pos/*.csv"
    if pattern.startswith(("/", "~")) or "\\" in pattern or re.match(r"[A-Za-z]:", pattern) or ".." in parts:
        return f"'{shown}' leaves the inbox; write it relative to the inbox, with forward slashes and without '..'"
    if any("**" in part and part != "**" for part in parts):
        return f"in '{shown}' ** must stand alone between slashes; write **/*.csv"
    if pattern.endswith(("/", "**")):
        return f"'{shown}' names folders, not files; write {shown.rstrip('/')}/*.csv"
    if parts[-1].endswith((".tmp", ".part")) or any(part.startswith(".") for part in parts):
        return f"'{shown}' never matches: hidden files and *.tmp, *.part are still being sent; write another pattern"
    return None


def json_path_problem(path: str) -> str | None:
    """Judge the path to the records of a JSON document."""
    for number, part in enumerate(path.split(".") if path else []):
        found = re.fullmatch(r"([^\[\]]*)((?:\[\])*)", part)
        if found is None or part == "" or (not found.group(1) and number):
            return f"the path '{path[:60]}' is malformed; write it like orders[].lines[] ([] after each list)"
    return None


def xml_path_problem(path: str) -> str | None:
    """Judge the path to the records of an XML document."""
    if not all(re.fullmatch(r"[\w.-]+", part) for part in path.strip("/").split("/")):
        return f"the path '{path[:60]}' is no path of element names; write it from below the root, like Order/Line"
    return None


def is_name(text: str) -> bool:
    """Tell whether a text is a name as feeds and sets have one."""
    return re.fullmatch(r"[a-z][a-z0-9_]{0,47}", text) is not None


def is_env_name(text: str) -> bool:
    """Tell whether a text is the name of an environment variable."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]{0,79}", text) is not None


def is_currency(text: str) -> bool:
    """Tell whether a text has the form of an ISO 4217 code."""
    return re.fullmatch("[A-Z]{3}", text) is not None


def is_number(text: str) -> bool:
    """Tell whether a text is a number that is read exactly."""
    return _EXACT_NUMBER.fullmatch(text.strip().lstrip("+-")) is not None


def text_problem(text: str, column: Column) -> str | None:
    """Judge a text that the contract itself gives a column of a fact: a constant, a default, a result of a map."""
    if column.choices and text not in column.choices:
        hint = did_you_mean(text, column.choices) or f"; write one of {', '.join(column.choices)}"
        return f"'{text[:40]}' is no {column.name}{hint}"
    if column.type in ("quantity", "money", "number", "integer") and not is_number(text):
        return f"'{text[:40]}' is no number, and {column.name} is one; write digits and a decimal point"
    if column.type == "flag" and text.lower() not in ("true", "t", "yes", "y", "1", "s", "false", "f", "no", "n", "0"):
        return f"'{text[:40]}' is neither yes nor no; write 'true' or 'false'"
    if column.name == "currency" and not is_currency(text):
        return f"'{text[:40]}' is no currency; write three capitals, such as EUR"
    return zone_problem(text) if column.name == "zone" else None


def as_list(names: str | list[str] | None) -> list[str]:
    """Return one name or several as a list."""
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def conditions_of(contract: Contract) -> Iterator[tuple[Path_, Condition]]:
    """Yield every condition of a contract with its path."""
    if contract.void is not None:
        yield ("void",), contract.void
    for number, exclude in enumerate(contract.exclude):
        yield ("exclude", number, "when"), exclude.when
    for number, fix in enumerate(contract.fixes):
        yield ("fixes", number, "where"), fix.where
        if fix.only_while is not None:
            yield ("fixes", number, "only_while"), fix.only_while
    for number, rule in enumerate(contract.yields):
        if rule.when is not None:
            yield ("yields", number, "when"), rule.when


def tests_of(path: Path_, condition: Condition) -> Iterator[tuple[Path_, str, Any]]:
    """Yield path, column and test of each column that a condition names."""
    if isinstance(condition, AnyOf | AllOf):
        word = "any_of" if isinstance(condition, AnyOf) else "all_of"
        for number, part in enumerate(getattr(condition, word)):
            yield from tests_of((*path, word, number), part)
        return
    for column, test in condition.items():
        yield (*path, column), column, test


def values_of(contract: Contract) -> Iterator[tuple[Path_, Value, Yield | None, Column | None]]:
    """Yield every value of a contract with its path, rule and fact column; a plain name counts as one."""
    for name, mapped in contract.derive.items():
        yield ("derive", name), Value(from_=mapped) if isinstance(mapped, str) else mapped, None, None
    for number, rule in enumerate(contract.yields):
        for name, mapped in rule.columns.items():
            value = Value(from_=mapped) if isinstance(mapped, str) else mapped
            kind = FACT_KINDS.get(rule.fact)
            yield ("yields", number, "columns", name), value, rule, kind.by_name[name] if kind else None
    updated = contract.revision.updated_at
    if updated is not None:
        yield ("revision", "updated_at"), Value(from_=updated) if isinstance(updated, str) else updated, None, None


def column_uses(contract: Contract) -> Iterator[tuple[Path_, str]]:
    """Yield path and name of every source column that a contract reads, pseudo-columns too, derived ones not."""
    yield from ((path, name) for path, name in _all_uses(contract) if name not in contract.derive)


def _all_uses(contract: Contract) -> Iterator[tuple[Path_, str]]:
    for part in ("document", "line", "epoch"):
        yield from ((("key", part), name) for name in as_list(getattr(contract.key, part)))
    yield from ((("revision", "number"), name) for name in as_list(contract.revision.number))
    for path, condition in conditions_of(contract):
        yield from ((place, column) for place, column, _ in tests_of(path, condition))
    for number, fix in enumerate(contract.fixes):
        yield from ((("fixes", number, "set", name), name) for name in fix.set)
    for path, value, _, _ in values_of(contract):
        yield from (((*path, "from"), name) for name in as_list(value.from_))
        yield from (((*path, "join"), name) for name in value.join or [])
        yield from (((*path, word), name) for word in ("times", "over") for name in as_list(getattr(value, word)))
        if value.calc is not None and calc_problem(value.calc) is None:
            yield from (((*path, "calc"), name) for name in calc_names(value.calc))
    logical = contract.files.logical_time
    if logical is not None and logical.column is not None:
        yield ("files", "logical_time", "column"), logical.column
