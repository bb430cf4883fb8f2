"""Loads the contracts of a retailer. Every mistake of every file is reported at once; nothing half is returned."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from etl_pipeline.contracts.checking import Mistake, check_together
from etl_pipeline.contracts.model import Contract, Retailer
from etl_pipeline.contracts.yaml_lines import DuplicateKeyError, Located, read_yaml
from etl_pipeline.core.errors import UsageError

RETAILER_FILE = "retailer.yml"
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Feeds:
    """A retailer and the contracts of its feeds, by feed name."""

    retailer: Retailer
    contracts: dict[str, Contract]
    folder: Path


class ContractError(UsageError):
    """One or more contracts are wrong; the text lists every mistake."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep the mistakes; the text has one line each."""
        self.mistakes = mistakes
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''} in the contracts; nothing was loaded."
        lines = [str(mistake) for mistake in mistakes]
        super().__init__("\n".join([count, *lines, "Mend them, then try `systock feeds check` on the folder."]))


def _explain(error: dict[str, Any]) -> str:
    kind, where = error["type"], error["loc"][-1] if error["loc"] else ""
    if kind == "extra_forbidden":
        return f"`{where}` is not known here; take it out or look it up in docs/contracts.md"
    if kind == "missing":
        return f"`{where}` is missing; add it"
    if kind == "literal_error":
        return f"'{error['input']}' is not allowed; write one of {error['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return f"'{error['input']}' is no name: small letters, digits and underscores, starting with a letter"
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _yaml_path(located: Located, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the part of pydantic's path that is in the document (it names union members too)."""
    path: tuple[str | int, ...] = ()
    for part in loc:
        if (*path, part) in located.lines:
            path = (*path, part)
    return path


def _validate(model: type[Model], path: Path, mistakes: list[Mistake]) -> tuple[Model | None, Located]:
    try:
        located = read_yaml(path)
    except DuplicateKeyError as error:
        mistakes.append(Mistake(path.name, error.line, f"{error}; keep one of them"))
        return None, Located(None)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        mistakes.append(Mistake(path.name, mark.line + 1 if mark else 1, f"this is no YAML: {what}"))
        return None, Located(None)
    if not isinstance(located.value, dict):
        mistakes.append(Mistake(path.name, 1, "the file is empty or no mapping; see docs/contracts.md"))
        return None, located
    try:
        return model.model_validate(located.value), located
    except ValidationError as invalid:
        seen: set[tuple[int, str]] = set()
        for error in invalid.errors():
            place = _yaml_path(located, tuple(error["loc"]))
            line, text = located.line_of(place), _explain(dict(error))
            if (line, text) not in seen:
                seen.add((line, text))
                mistakes.append(Mistake(path.name, line, text, ".".join(str(part) for part in place)))
        return None, located


def load_feeds(folder: Path) -> Feeds:
    """Load retailer.yml and every contract of a folder.

    Raises:
        UsageError: the folder is none, or has no contract.
        ContractError: at least one mistake; all of them are in its text.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of contracts. Give one with --feeds, such as feeds/simulated.")
    paths = sorted(p for pattern in ("*.yml", "*.yaml") for p in folder.glob(pattern) if p.name != RETAILER_FILE)
    if not paths:
        raise UsageError(f"{folder} has no contract (*.yml). Draft one with `systock feeds draft FILE`.")
    mistakes: list[Mistake] = []
    retailer_path = folder / RETAILER_FILE
    retailer: Retailer | None = None
    if retailer_path.exists():
        retailer, _ = _validate(Retailer, retailer_path, mistakes)
    else:
        mistakes.append(Mistake(RETAILER_FILE, 1, f"{folder.name} has no {RETAILER_FILE}; see docs/contracts.md"))
    loaded: list[tuple[Path, Contract, Located]] = []
    for path in paths:
        contract, located = _validate(Contract, path, mistakes)
        if contract is not None:
            loaded.append((path, contract, located))
    mistakes += check_together([(p.name, c, at) for p, c, at in loaded], retailer, complete=len(loaded) == len(paths))
    if mistakes or retailer is None:
        raise ContractError(sorted(mistakes))
    return Feeds(retailer, {contract.feed: contract for _, contract, _ in loaded}, folder)
