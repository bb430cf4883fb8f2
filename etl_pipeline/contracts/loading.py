"""Loads the contracts of a retailer. Every mistake of every file is reported at once; nothing half is returned.

Mistakes stop a load. Warnings do not: what they name loads, but may not be what was meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from etl_pipeline.contracts.checking import (
    DEFAULT_AUTHORITY,
    ORDINAL,
    UNFILLED,
    CheckedContract,
    check_contract,
    check_retailer,
    check_together,
    constant,
    unfilled,
)
from etl_pipeline.contracts.expressions import Path_, values_of
from etl_pipeline.contracts.facts import FACT_KINDS, MOVEMENT_CLASSES
from etl_pipeline.contracts.model import AuthorityRule, Contract, Retailer, Value, Yield
from etl_pipeline.contracts.yaml_lines import (
    Located,
    Mistake,
    UnsafeYamlError,
    complaints,
    parse_yaml,
    read_yaml,
)
from etl_pipeline.core.errors import UsageError

RETAILER_FILE = "retailer.yml"
Model = TypeVar("Model", bound=BaseModel)
MOST_SHOWN = 100


@dataclass(frozen=True)
class Feeds:
    """A retailer and the contracts of its feeds, by feed name."""

    retailer: Retailer
    contracts: dict[str, Contract]
    folder: Path


@dataclass(frozen=True)
class CheckResult:
    """What a look at a folder of contracts found.

    Attributes:
        mistakes: what must be mended; sorted by file and line.
        warnings: what loads, but may not be what was meant.
        feeds: the contracts, if there is no mistake.
    """

    mistakes: list[Mistake]
    warnings: list[Mistake]
    feeds: Feeds | None


class ContractError(UsageError):
    """One or more contracts are wrong; the text lists every mistake."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep the mistakes; the text has one line each."""
        self.mistakes = mistakes
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''} in the contracts; nothing was loaded."
        lines = [str(mistake) for mistake in mistakes[:MOST_SHOWN]]
        if len(mistakes) > MOST_SHOWN:
            lines.append(f"  ... and {len(mistakes) - MOST_SHOWN} more")
        super().__init__("\n".join([count, *lines, "Mend them, then try `systock feeds check` on the folder."]))


def _parsed(path: Path, mistakes: list[Mistake]) -> Located | None:
    """Read a file; a mistake if it is no YAML that a contract may be written in."""
    try:
        located = read_yaml(path)
    except UnsafeYamlError as error:
        mistakes.append(Mistake(path.name, error.line, str(error)))
        return None
    except UnicodeDecodeError as error:
        mistakes.append(Mistake(path.name, 1, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"))
        return None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).partition("\n")[0]
        hint = "; indent with blanks, not with tabs" if "\\t" in what else ""
        mistakes.append(Mistake(path.name, mark.line + 1 if mark else 1, f"this is no YAML: {what}{hint}"))
        return None
    except OSError as error:
        mistakes.append(Mistake(path.name, 1, f"the file cannot be read: {error.strerror}"))
        return None
    if not isinstance(located.value, dict):
        mistakes.append(Mistake(path.name, 1, "the file is empty or no mapping; see docs/contracts.md"))
        return None
    return located


def validate(model: type[Model], located: Located, file: str, mistakes: list[Mistake]) -> Model | None:
    """Return the document as a model, or None and its mistakes."""
    open_ = unfilled(located, file)
    mistakes += open_
    try:
        return model.model_validate(located.value)
    except ValidationError as invalid:
        found = [
            Mistake(file, located.line_of(path), text, ".".join(str(part) for part in path))
            for path, text in complaints(model, located, invalid)
            if located.at(path) != UNFILLED
        ]
        if not found and not open_:
            found = [Mistake(file, 1, f"the contract does not read: {invalid.errors()[0]['msg']}")]
        seen: dict[tuple[int, str], Mistake] = {(each.line, each.text): each for each in reversed(found)}
        mistakes += seen.values()
        return None


def _warn_identity(contract: Contract) -> Iterator[tuple[Path_, str]]:
    revision, kinds = contract.revision, {rule.fact for rule in contract.yields}
    has_order = revision.number or revision.updated_at or contract.files.logical_time or contract.extract
    if not has_order and contract.key.line != ORDINAL:
        yield (
            ("key",),
            (
                "nothing says which of two versions of a record is newer, its content's hash decides; if the "
                "source sends corrections, give `revision.number`, `revision.updated_at` or `files.logical_time`"
            ),
        )
    if contract.key.line == ORDINAL and contract.void is not None:
        yield ("void",), "with `line: $ordinal` a void cannot name the line that it takes back; give real lines"
    for number, fix in enumerate(contract.fixes):
        if fix.only_while is None:
            yield ("fixes", number), "without `only_while` the fix goes on after the sender has repaired the fault"
    has_events = any(kind in FACT_KINDS and not FACT_KINDS[kind].is_master for kind in kinds)
    if contract.schedule.every_hours is None and has_events and contract.extract is None:
        yield ("schedule",), "without `schedule.every_hours` nobody is told when files stop coming"


def _reads_local_times(contract: Contract) -> bool:
    """Tell whether a contract reads times that may lack an offset, without saying where they are local."""
    for _, value, _, column in values_of(contract):
        formats = value.formats or contract.reading.formats
        has_offset = all(form.startswith("epoch") or "%z" in form for form in formats)
        is_said = value.zone or contract.reading.zone or "const" in value.model_fields_set
        is_own = value.from_ is None or value.from_ == "$file.logical_time"
        if column is not None and column.type == "instant" and not (has_offset or is_said or is_own):
            return True
    return False


def _warn_yield(number: int, rule: Yield) -> Iterator[tuple[Path_, str]]:
    path: Path_ = ("yields", number)
    kind = FACT_KINDS.get(rule.fact)
    for name, mapped in rule.columns.items():
        column = kind.by_name[name] if kind else None
        value = Value(from_=mapped) if isinstance(mapped, str) else mapped
        is_raw = value.from_ is not None and not (value.map or value.lookup or value.extract)
        if column is not None and column.choices and is_raw:
            yield (
                (*path, "columns", name),
                (f"read without a `map`: only {', '.join(column.choices)} are accepted, other texts are set aside"),
            )
        upper, lower = "upper" in value.clean, "lower" in value.clean
        for key in value.map or {}:
            if (upper and key != key.upper()) or (lower and not upper and key != key.lower()):
                yield (
                    (*path, "columns", name, "map", key),
                    f"'{key}' never matches after `clean`; write it in that case",
                )
    if rule.fact == "sale" and "product_code" not in rule.columns and constant(rule, "kind") != "charge":
        yield (
            (*path, "columns"),
            "a sale without `product_code` that is no charge counts no goods; map it or `kind: {const: charge}`",
        )
    classes = movement_classes(rule)
    if (
        rule.fact == "movement"
        and classes <= {"transfer_in", "transfer_out"}
        and "counter_location_code" not in rule.columns
    ):
        yield (*path, "columns"), "a transfer without `counter_location_code` cannot be matched with its other end"
    if rule.fact == "count" and constant(rule, "scope") in ("zone", "location"):
        if "count_document" not in rule.columns:
            yield (*path, "columns"), "without `count_document` the records of one count are not seen as one"
        if constant(rule, "absence") in (None, "unknown") and "absence" not in rule.columns:
            yield (
                (*path, "columns"),
                "a count of a whole place with `absence` unknown leaves missing products as they were; `zero` if full",
            )


def warn_contract(checked: CheckedContract) -> list[Mistake]:
    """Return what one contract says that may not be meant."""
    contract = checked.contract
    found = checked.at(_warn_identity(contract))
    for number, rule in enumerate(contract.yields):
        found += checked.at(_warn_yield(number, rule))
    return found


def movement_classes(rule: Yield) -> set[str]:
    """Return the movement classes that a rule can give; all of them if a column of the source decides."""
    if rule.fact != "movement":
        return set()
    value = rule.columns["movement_class"]
    if isinstance(value, Value) and "const" in value.model_fields_set:
        return {str(value.const)}
    if isinstance(value, Value) and value.map is not None and value.map_else is None:
        return {text for text in value.map.values() if text}
    return set(MOVEMENT_CLASSES)


def _warn_doubles(checked: list[CheckedContract], rules: list[AuthorityRule]) -> Iterator[Mistake]:
    """Warn of movements that feeds of two kinds of system post, with no rule and no role between them."""
    ruled = {subject for rule in rules for subject in rule.facts}
    first: dict[str, CheckedContract] = {}
    warned: set[tuple[str, str]] = set()
    for each in checked:
        for number, rule in enumerate(each.contract.yields):
            if each.contract.reading.role is not None or "role" in rule.columns:
                continue
            for subject in sorted(movement_classes(rule) - ruled):
                other = first.setdefault(subject, each)
                pair = other.contract.feed, each.contract.feed
                if other.contract.source_system != each.contract.source_system and pair not in warned:
                    warned.add(pair)
                    yield each.mistake(
                        ("yields", number, "fact"),
                        f"movements '{subject}' of '{pair[0]}' and of '{pair[1]}' are both counted; if they tell the "
                        "same goods, give one feed `reading: {role: shadow}`, or write a rule under `authority`",
                    )


def warn_together(checked: list[CheckedContract], retailer: Retailer) -> list[Mistake]:
    """Return what the feeds of a retailer lack or tell twice."""
    found: list[Mistake] = []
    kinds = {rule.fact for each in checked for rule in each.contract.yields}
    for name in ("product", "location"):
        column = f"{name}_code"
        users = [e for e in checked if any(column in r.columns and r.fact != "reference" for r in e.contract.yields)]
        needy = [each for each in users if getattr(each.contract.reading, f"unknown_{name}") == "quarantine"]
        creators = len(needy) < len(users)
        if name not in kinds and needy and not creators:
            text = (
                f"no feed yields `{name}`, so every record will wait for its {name}; add the master, or "
                f"`reading: {{unknown_{name}: create}}` where this feed is the only source"
            )
            found.append(needy[0].mistake(("reading",), text))
    if "zone" not in retailer.model_fields_set:
        text = "times without an offset are read as UTC; name their zone, `zone: Europe/Berlin`, or in retailer.yml"
        found += [each.mistake(("reading",), text) for each in checked if _reads_local_times(each.contract)]
    systems = {each.contract.source_system for each in checked}
    rules = (
        retailer.authority if retailer.authority is not None else [r for r in DEFAULT_AUTHORITY if r.from_ in systems]
    )
    return found + list(_warn_doubles(checked, rules))


def check_text(text: str, file: str = "contract.yml") -> tuple[Contract | None, list[Mistake], list[Mistake]]:
    """Check the text of one contract by itself; return it (if right), its mistakes and its warnings."""
    mistakes: list[Mistake] = []
    located = parse_yaml(text)
    contract = validate(Contract, located, file, mistakes)
    if contract is None:
        return None, mistakes, []
    checked = CheckedContract(file, contract, located)
    mistakes += check_contract(checked)
    return (None if mistakes else contract), sorted(mistakes), sorted(warn_contract(checked))


def _contract_paths(folder: Path, mistakes: list[Mistake]) -> list[Path]:
    paths = []
    for path in sorted(p for pattern in ("*.yml", "*.yaml") for p in folder.glob(pattern)):
        if path.name == RETAILER_FILE or path.name.startswith("."):
            continue
        if path.name == "retailer.yaml":
            mistakes.append(Mistake(path.name, 1, f"the retailer is read from {RETAILER_FILE}; rename this file"))
        elif not path.is_file():
            mistakes.append(Mistake(path.name, 1, "this is no regular file; take it out of the folder"))
        else:
            paths.append(path)
    return paths


def _retailer(folder: Path, mistakes: list[Mistake]) -> tuple[Retailer | None, Located]:
    path = folder / RETAILER_FILE
    if not path.is_file():
        text = f"{folder.name} has no {RETAILER_FILE}; write one with `retailer`, `describes`, `zone` and `currency`"
        mistakes.append(Mistake(RETAILER_FILE, 1, text))
        return None, Located(None)
    located = _parsed(path, mistakes)
    if located is None:
        return None, Located(None)
    return validate(Retailer, located, path.name, mistakes), located


def check_folder(folder: Path) -> CheckResult:
    """Check retailer.yml and every contract of a folder, each by itself and all together.

    Raises:
        UsageError: the folder is none, or has no contract.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of contracts. Give one with --feeds, such as feeds/simulated.")
    mistakes: list[Mistake] = []
    paths = _contract_paths(folder, mistakes)
    if not paths and not mistakes:
        raise UsageError(f"{folder} has no contract (*.yml). Draft one with `systock feeds draft FILE`.")
    retailer, where = _retailer(folder, mistakes)
    checked: list[CheckedContract] = []
    for path in paths:
        located = _parsed(path, mistakes)
        contract = validate(Contract, located, path.name, mistakes) if located is not None else None
        if contract is not None and located is not None:
            checked.append(CheckedContract(path.name, contract, located))
    for each in checked:
        mistakes += check_contract(each)
    is_complete = len(checked) == len(paths)
    mistakes += check_together(checked, is_complete=is_complete)
    if retailer is not None:
        mistakes += check_retailer(RETAILER_FILE, retailer, where, checked, is_complete=is_complete)
    warnings = [warning for each in checked for warning in warn_contract(each)]
    if retailer is not None and is_complete:
        warnings += warn_together(checked, retailer)
    feeds = None
    if not mistakes and retailer is not None:
        feeds = Feeds(retailer, {each.contract.feed: each.contract for each in checked}, folder)
    return CheckResult(sorted(mistakes), sorted(warnings), feeds)


def load_feeds(folder: Path) -> Feeds:
    """Load retailer.yml and every contract of a folder.

    Raises:
        UsageError: the folder is none, or has no contract.
        ContractError: at least one mistake; all of them are in its text.
    """
    result = check_folder(folder)
    if result.feeds is None:
        raise ContractError(result.mistakes)
    return result.feeds
