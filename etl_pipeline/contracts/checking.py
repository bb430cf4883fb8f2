"""What pydantic cannot show: columns, patterns, zones and choices of one contract, and feeds that need each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from etl_pipeline.contracts import expressions as ex
from etl_pipeline.contracts.expressions import Path_
from etl_pipeline.contracts.facts import LOCATION_KINDS, MOVEMENT_CLASSES, Column
from etl_pipeline.contracts.model import AuthorityRule, Contract, Retailer, Test, Value, Yield
from etl_pipeline.contracts.yaml_lines import Located, Mistake

UNFILLED = "???"
ORDINAL = "$ordinal"
PSEUDO = ("$file.name", "$file.logical_time", "$record.no", "$record.line")
SYSTEMS = ("pos", "erp", "wms", "shop", "supplier", "store", "other")
NUMERIC = ("quantity", "money", "number", "integer")
NUMBER_STEPS = ("negate", "absolute", "sign")
TEXT_STEPS = {"extract", "clean", "pad", "null_if", "map", "map_else", "lookup", "lookup_else", "default"}
BUILT_IN_SETS: dict[str, set[str]] = {
    "product": {"base_unit"},
    "location": {"zone", "location_kind", "day_close_minutes"},
    "alias": {"product_code"},
    "unit": {"numerator", "denominator"},
}
DEFAULT_AUTHORITY = (
    AuthorityRule(facts=["sale", "return"], at=["store"], from_="pos"),
    AuthorityRule(
        facts=["shipment", "receipt", "transfer_out", "transfer_in", "adjustment"], at=["warehouse"], from_="wms"
    ),
    AuthorityRule(facts=["receipt", "transfer_in"], at=["store"], from_="store"),
    AuthorityRule(facts=["demand"], from_="shop"),
)
"""Who posts what where, unless retailer.yml says otherwise; semantics.md section 4."""
Found = tuple[Path_, str]


@dataclass(frozen=True)
class CheckedContract:
    """A contract that is right by its form, with its file and the lines of its parts."""

    file: str
    contract: Contract
    located: Located

    def mistake(self, path: Path_, text: str) -> Mistake:
        """Return a mistake (or warning) at a path of the document."""
        return Mistake(self.file, self.located.line_of(path), text, ".".join(str(part) for part in path))

    def at(self, found: Iterator[Found]) -> list[Mistake]:
        """Return what a check found as mistakes, each once."""
        return list(dict.fromkeys(self.mistake(path, text) for path, text in found))


def unfilled(located: Located, file: str) -> list[Mistake]:
    """Return the places of a draft that still wait for a person."""
    found = []
    for path, line in located.lines.items():
        if located.at(path) == UNFILLED:
            where = ".".join(str(part) for part in path)
            found.append(
                Mistake(file, line, f"`{UNFILLED}` is still to be filled in; docs/onboarding.md says how", where)
            )
    return found


def _check_columns(contract: Contract) -> Iterator[Found]:
    files, known = contract.files, None
    if files.format == "delimited" and not files.delimited.header:
        known = list(files.delimited.columns or [])
        for name in {n for n in known if known.count(n) > 1}:
            yield ("files", "delimited", "columns"), f"the column `{name}` stands twice; give each its own name"
    for path, name in ex.column_uses(contract):
        if name == ORDINAL:
            if path != ("key", "line") or contract.key.line != ORDINAL:
                yield (
                    path,
                    "`$ordinal` stands alone under key.line; it says that the source has no line numbers",
                )
        elif name.startswith("$"):
            if name not in PSEUDO:
                hint = ex.did_you_mean(name, PSEUDO)
                yield path, f"`{name}` is no pseudo-column{hint or '; there are ' + ', '.join(PSEUDO)}"
            elif name == "$file.logical_time" and (files.logical_time is None or files.logical_time.path is None):
                yield (
                    path,
                    "`$file.logical_time` needs `files.logical_time: {path: ...}`, which takes it from the file's path",
                )
        elif name != name.strip() or not name:
            yield (
                path,
                f"the column '{name}' is empty or has blanks around it; headers are trimmed, write '{name.strip()}'",
            )
        elif known is not None and name not in known:
            yield path, f"`{name}` is not among files.delimited.columns{ex.did_you_mean(name, known)}"


def _check_files(contract: Contract) -> Iterator[Found]:
    files = contract.files
    for number, pattern in enumerate(files.patterns):
        yield from _told(
            ("files", "pattern", number) if isinstance(files.pattern, list) else ("files", "pattern"),
            ex.glob_problem(pattern),
        )
    if not files.patterns:
        yield ("files", "pattern"), "the list is empty; write at least one pattern, such as pos/*.csv"
    yield from _told(("files", "encoding"), ex.encoding_problem(files.encoding))
    yield from _told(("files", "json", "records"), ex.json_path_problem(files.json_.records))
    if files.xml is not None:
        yield from _told(("files", "xml", "records"), ex.xml_path_problem(files.xml.records))
    for name, formats in (
        ("delimited", ("delimited",)),
        ("json_", ("json", "jsonl")),
        ("xlsx", ("xlsx",)),
        ("xml", ("xml",)),
    ):
        if name in files.model_fields_set and files.format not in formats:
            shown = name.rstrip("_")
            yield (
                ("files", shown),
                f"`{shown}` is not read, the format is {files.format}; write `format: {shown}` or take it out",
            )
    logical = files.logical_time
    if logical is not None:
        if logical.path is not None:
            yield from _told(("files", "logical_time", "path"), ex.path_pattern_problem(logical.path))
            yield from _told(("files", "logical_time", "format"), ex.format_problem(logical.format, words=()))
        elif "format" in logical.model_fields_set:
            yield from _told(("files", "logical_time", "format"), ex.format_problem(logical.format))
    yield from _check_dialect(contract)
    others = [other for names in files.aliases.values() for other in names]
    for other in {o for o in others if others.count(o) > 1 or o in files.aliases}:
        yield ("files", "aliases"), f"`{other}` is an alias of two columns; keep it under one"


def _check_dialect(contract: Contract) -> Iterator[Found]:
    dialect = contract.files.delimited
    for name in ("quote", "escape"):
        sign = getattr(dialect, name)
        if sign is not None and len(sign) != 1:
            yield ("files", "delimited", name), f"`{name}` is one character, or null for none"
        elif sign == dialect.delimiter:
            yield ("files", "delimited", name), f"`{name}` and `delimiter` are the same character"
    trailer = dialect.trailer
    if trailer is not None and (trailer.total_field is None) != (trailer.total_of is None):
        yield ("files", "delimited", "trailer"), "`total_field` (where) and `total_of` (which column) go together"
    for name in ("count_field", "total_field"):
        if trailer is not None and (getattr(trailer, name) or 1) < 1:
            yield ("files", "delimited", "trailer", name), f"`{name}` is a position, counted from 1"


def _told(path: Path_, problem: str | None) -> Iterator[Found]:
    if problem is not None:
        yield path, problem


def _check_reading(contract: Contract) -> Iterator[Found]:
    reading = contract.reading
    if reading.decimal == reading.thousands:
        yield ("reading", "thousands"), "`decimal` and `thousands` are the same sign; write `thousands: ''` for none"
    if contract.files.logical_time is not None:
        yield from _told(("files", "logical_time", "zone"), ex.zone_problem(contract.files.logical_time.zone))
    if reading.zone not in (None, "location"):
        yield from _told(("reading", "zone"), ex.zone_problem(str(reading.zone)))
    for number, form in enumerate(reading.formats):
        yield from _told(("reading", "formats", number), ex.format_problem(form))
    if not reading.formats:
        yield ("reading", "formats"), "the list is empty; write the formats of times, such as ['%Y-%m-%d %H:%M:%S']"
    if reading.currency is not None and not ex.is_currency(reading.currency):
        yield ("reading", "currency"), f"'{reading.currency}' is no currency; write three capitals, such as EUR"
    if reading.plausible.most is not None and reading.plausible.most <= 0:
        yield ("reading", "plausible", "most"), "`most` is the greatest absolute quantity; write a number above zero"
    if reading.future_tolerance_hours < 0:
        yield ("reading", "future_tolerance_hours"), "hours of tolerance are zero or more"


def _check_conditions(contract: Contract) -> Iterator[Found]:
    for path, condition in ex.conditions_of(contract):
        for place, column, test in ex.tests_of(path, condition):
            if column in ("any_of", "all_of") and isinstance(test, list):
                yield place, f"`{column}` is a list of conditions, each a mapping such as `Type: S`; write at least one"
                continue
            wanted = test if isinstance(test, list) else [] if isinstance(test, Test) else [test]
            if isinstance(test, Test):
                wanted = [
                    *(test.in_ or []),
                    *(test.not_in or []),
                    *([test.equals] if "equals" in test.model_fields_set else []),
                ]
                if test.matches is not None:
                    yield from _told((*place, "matches"), ex.pattern_problem(test.matches))
                for name in ("less_than", "at_most", "greater_than", "at_least"):
                    bound = getattr(test, name)
                    if bound is not None and not ex.is_number(str(bound)):
                        yield (*place, name), f"`{name}` compares numbers, and '{bound}' is none; for texts use `in`"
                if not test.model_fields_set:
                    yield (
                        place,
                        f"the test of `{column}` is empty; write one such as {{in: [a, b]}} or {{is_null: true}}",
                    )
            for word in wanted:
                if word == "":
                    yield place, "an empty text never matches, empty values are null; write null"
                elif isinstance(word, str) and word != word.strip():
                    yield place, f"'{word}' never matches, values are trimmed; write '{word.strip()}'"


def _check_steps(path: Path_, value: Value, kind: str) -> Iterator[Found]:
    """Check that each step of a value can have an effect on a column of this type."""
    given = value.model_fields_set
    for step, needs in (("map_else", "map"), ("lookup_else", "lookup"), ("with_", "join")):
        if step in given and getattr(value, needs) is None:
            yield (*path, step.rstrip("_")), f"`{step.rstrip('_')}` needs `{needs}`; add it or take this out"
    if value.calc is not None:
        for step in sorted(given & TEXT_STEPS):
            yield (*path, step), f"`{step}` has no effect on `calc`; take it out"
    is_time = kind == "instant" or path[0] == "revision"
    for steps, fits, what in ((("formats", "zone"), is_time, "times"), (NUMBER_STEPS, kind in NUMERIC, "numbers")):
        for step in steps:
            if step in given and not fits:
                yield (*path, step), f"`{step}` is for {what}, and this is a {kind}; take it out"


def _check_value(path: Path_, value: Value, column: Column | None, contract: Contract) -> Iterator[Found]:
    """Check the texts of one value; `column` is None for attributes of a reference and for update times."""
    kind = column.type if column else "text"
    yield from _check_steps(path, value, kind)
    if value.calc is not None:
        yield from _told((*path, "calc"), ex.calc_problem(value.calc))
        if kind not in NUMERIC:
            yield (*path, "calc"), f"`calc` makes numbers, and this is a {kind}; use `from` or `join`"
    if value.extract is not None:
        yield from _told((*path, "extract"), ex.pattern_problem(value.extract, has_group=True))
    for number, form in enumerate(value.formats or []):
        yield from _told((*path, "formats", number), ex.format_problem(form))
    if value.zone not in (None, "location"):
        yield from _told((*path, "zone"), ex.zone_problem(str(value.zone)))
    for key in value.map or {}:
        if key != key.strip() or key == "" or key in contract.reading.null_tokens + value.null_if:
            yield (*path, "map", key), f"'{key}' never matches: values are trimmed, empty ones null; use `default`"
    if column is not None:
        yield from _check_results(path, value, column)


def _check_results(path: Path_, value: Value, column: Column) -> Iterator[Found]:
    """Check texts that the contract itself gives a column: constants, defaults, results of maps."""
    given: list[tuple[Path_, Any]] = [((*path, "map", key), text) for key, text in (value.map or {}).items()]
    steps = ["map_else", "default"] if value.map is not None else ["lookup_else", "default"]
    if value.map is None and value.lookup is None:
        steps.append("const")
    for step in steps:
        if step in value.model_fields_set and getattr(value, step) != "$keep":
            given.append(((*path, step), getattr(value, step)))
    for place, text in given:
        if text not in (None, UNFILLED):
            yield from _told(place, ex.text_problem(str(text).lower() if isinstance(text, bool) else str(text), column))


def _check_yield(number: int, rule: Yield) -> Iterator[Found]:
    path: Path_ = ("yields", number)
    if rule.fact != "reference" and rule.set is not None:
        yield (*path, "set"), "`set` is for the fact `reference` only; take it out"
    if rule.fact == "reference" and rule.set is not None:
        if not ex.is_name(rule.set):
            yield (*path, "set"), f"'{rule.set}' is no name; write small letters, digits and underscores"
        elif rule.set in BUILT_IN_SETS:
            yield (*path, "set"), f"'{rule.set}' is a set of the warehouse's own; choose another name"
    if rule.fact == "count" and constant(rule, "scope") == "zone" and "zone_code" not in rule.columns:
        yield (*path, "columns"), "a count with `scope: zone` needs `zone_code`, the zone that it covers"


def constant(rule: Yield, column: str) -> str | None:
    """Return the constant of a column, if the rule gives it one."""
    value = rule.columns.get(column)
    return str(value.const) if isinstance(value, Value) and "const" in value.model_fields_set else None


def _check_rest(contract: Contract) -> Iterator[Found]:
    reasons = [exclude.reason for exclude in contract.exclude]
    for number, reason in enumerate(reasons):
        if reason in reasons[:number]:
            yield ("exclude", number, "reason"), f"'{reason}' stands twice; join the conditions with `any_of`"
    extract = contract.extract
    if extract is None:
        return
    for name in ("url_env", "token_env"):
        env = getattr(extract, name)
        if env is not None and not ex.is_env_name(env):
            yield (
                ("extract", name),
                f"`{name}` names an environment variable, such as ERP_URL; never write the secret itself",
            )
    if extract.kind == "database" and (extract.table is None) == (extract.query is None):
        yield ("extract",), "give either `table` or `query`"
    if extract.kind == "api" and extract.path is None:
        yield ("extract",), "an api needs `path`, below its address"


def check_contract(checked: CheckedContract) -> list[Mistake]:
    """Return every mistake that one contract shows by itself."""
    contract = checked.contract
    checks: list[Callable[[Contract], Iterator[Found]]] = [
        _check_files, _check_columns, _check_reading, _check_conditions, _check_rest,
    ]  # fmt: skip
    found = [mistake for check in checks for mistake in checked.at(check(contract))]
    for path, value, _, column in ex.values_of(contract):
        found += checked.at(_check_value(path, value, column, contract))
    for number, rule in enumerate(contract.yields):
        found += checked.at(_check_yield(number, rule))
    return found


def _reference_sets(checked: list[CheckedContract]) -> dict[str, tuple[str, set[str]]]:
    """Return each lookup set with the first feed that fills it and its attributes."""
    sets: dict[str, tuple[str, set[str]]] = {name: ("", attributes) for name, attributes in BUILT_IN_SETS.items()}
    for each in checked:
        for rule in each.contract.yields:
            if rule.fact == "reference" and rule.set is not None:
                feed, attributes = sets.get(rule.set, (each.contract.feed, set()))
                sets[rule.set] = feed, attributes | (set(rule.columns) - {"key"})
    return sets


def _check_lookup(step: str, sets: dict[str, tuple[str, set[str]]], *, is_complete: bool) -> str | None:
    name, dot, attribute = step.rpartition(".")
    if not dot or not name or not attribute:
        return f"the lookup '{step}' has no attribute; write `set.attribute`, such as product_ids.code"
    if name not in sets:
        others = ", ".join(sorted(sets.keys() - BUILT_IN_SETS.keys())) or "none yet"
        hint = (
            ex.did_you_mean(name, sets)
            or f"; add a `reference` with `set: {name}` to the feed that has it (sets: {others})"
        )
        return f"no feed fills the set '{name}'{hint}" if is_complete else None
    if attribute not in sets[name][1]:
        hint = ex.did_you_mean(attribute, sets[name][1]) or f"; it has {', '.join(sorted(sets[name][1]))}"
        return f"the set '{name}' has no attribute '{attribute}'{hint}"
    return None


def check_together(checked: list[CheckedContract], *, is_complete: bool) -> list[Mistake]:
    """Return the mistakes that contracts show only beside each other.

    Args:
        checked: the contracts that are right by their form.
        is_complete: False when some contract could not be read: what only it could define is then not missed.
    """
    mistakes: list[Mistake] = []
    first: dict[str, str] = {}
    sets = _reference_sets(checked)
    for each in checked:
        feed = each.contract.feed
        if feed in first:
            mistakes.append(each.mistake(("feed",), f"feed '{feed}' is also in {first[feed]}; rename one"))
        first.setdefault(feed, each.file)
        for number, rule in enumerate(each.contract.yields):
            if rule.fact == "reference" and rule.set is not None and sets[rule.set][0] not in ("", feed):
                text = (
                    f"the set '{rule.set}' is also filled by feed '{sets[rule.set][0]}'; a set has one feed, rename one"
                )
                mistakes.append(each.mistake(("yields", number, "set"), text))
        for path, value, _, _ in ex.values_of(each.contract):
            for step in ex.as_list(value.lookup):
                mistakes += each.at(_told((*path, "lookup"), _check_lookup(step, sets, is_complete=is_complete)))
    return mistakes


def _check_rule(number: int, rule: AuthorityRule, feeds: list[str] | None) -> Iterator[Found]:
    path: Path_ = ("authority", number)
    subjects = dict.fromkeys((*MOVEMENT_CLASSES, "count", "sale", "demand", "supply"))
    for words, known, key in ((rule.facts, subjects, "facts"), (rule.at or [], LOCATION_KINDS, "at")):
        for word in words:
            if word not in known:
                hint = ex.did_you_mean(word, known) or f"; write one of {', '.join(known)}"
                yield (*path, key), f"'{word}' is not known here{hint}"
    if rule.from_ not in SYSTEMS and feeds is not None and rule.from_ not in feeds:
        hint = ex.did_you_mean(rule.from_, [*SYSTEMS, *feeds])
        yield (*path, "from"), f"'{rule.from_}' is no kind of system ({', '.join(SYSTEMS)}) and no feed{hint}"


def check_retailer(
    file: str, retailer: Retailer, located: Located, checked: list[CheckedContract], *, is_complete: bool
) -> list[Mistake]:
    """Return the mistakes of a retailer; `checked` are its feeds, `is_complete` is False if some could not be read."""
    found = list(_told(("zone",), ex.zone_problem(retailer.zone)))
    for unit, ratio in retailer.units.items():
        found += _told(("units", unit), ex.ratio_problem(ratio))
    feeds = [each.contract.feed for each in checked] if is_complete else None
    for number, rule in enumerate(retailer.authority or []):
        found += _check_rule(number, rule, feeds)
    return [Mistake(file, located.line_of(p), text, ".".join(str(part) for part in p)) for p, text in found]
