"""A feed brought in by an issue: its contract, anybody's text, is checked and laid over prod's for one environment.

Nothing of it is run or written outside the given folder. What a contract of an issue may not do at all, fetch from a
database or an API, or claim files outside the inbox, is refused whatever else is right.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from etl_pipeline.contracts.drafting import draft_contract
from etl_pipeline.contracts.loading import RETAILER_FILE, ContractError, check_folder
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.yaml_lines import Mistake, parse_yaml
from etl_pipeline.core.errors import UsageError, WarehouseError
from pipeline_manager.orchestrator.asking import Asked
from pipeline_manager.orchestrator.markdown import code, fenced

MOST_BYTES = 64_000
FILE = "from_the_issue.yml"
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,80}(/[A-Za-z0-9_][A-Za-z0-9_. -]{0,80}){0,5}")
_PATTERN = re.compile(r"[^\x00-\x1f\x7f\\]{1,200}")
_KINDS = {
    "json lines": ".jsonl",
    "json": ".json",
    "xml": ".xml",
    "tsv": ".tsv",
    "xlsx": "",
    "excel": "",
    "parquet": "",
    "edi": ".edi",
}


class RefusedError(WarehouseError):
    """What an issue asks for cannot be done as it stands; the same text comes to the same."""

    def __init__(self, sentence: str, markdown: str) -> None:
        """Keep what a comment says beside the sentence; it is safe Markdown."""
        super().__init__(sentence)
        self.markdown = markdown


@dataclass(frozen=True)
class Overlay:
    """Contracts of an environment.

    Attributes:
        folder: all of them.
        feed: name of the feed that the issue brings; empty if it brings none.
        replaces: whether prod has a feed of that name.
        notes: what is right, but worth a look; safe Markdown.
    """

    folder: Path
    feed: str = ""
    replaces: bool = False
    notes: str = ""


def check_asked(asked: Asked, prod_feeds: Path) -> Overlay | None:
    """Check what an issue brings without keeping anything of it; see `lay_over`."""
    if not asked.brings_a_feed:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return lay_over(asked, prod_feeds, Path(folder) / "feeds")


def lay_over(asked: Asked, prod_feeds: Path, folder: Path) -> Overlay:
    """Write prod's contracts and the issue's into a folder, made anew.

    Raises:
        RefusedError: the issue's contract is wrong, or may not do what it says.
        ContractError: prod's own contracts are wrong.
    """
    if not asked.contract:
        raise _drafted(asked)
    _require_small(asked.contract)
    inbox = _inbox(asked.inbox)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    name = _feed_of(asked.contract)
    replaced = [path for path in sorted(prod_feeds.glob("*.y*ml")) if not _copied(path, folder, name)]
    (folder / FILE).write_text(asked.contract, encoding="utf-8", newline="\n")
    result = check_folder(folder)
    if result.feeds is None:
        of_prod = check_folder(prod_feeds).mistakes
        raise ContractError(of_prod) if of_prod else _wrong(result.mistakes, asked.contract)
    contract = result.feeds.contracts[str(name)]
    _require_harmless(contract, asked, inbox)
    warnings = [warning for warning in result.warnings if warning.file == FILE]
    notes = "Right, but worth a look:\n\n" + _listed(warnings) if warnings else ""
    return Overlay(folder, contract.feed, bool(replaced), notes)


def _require_small(text: str) -> None:
    if len(text.encode()) > MOST_BYTES:
        raise RefusedError(
            f"The contract has over {MOST_BYTES // 1000} kB.", f"The contract has over {MOST_BYTES // 1000} kB."
        )


def _inbox(text: str) -> str:
    """Return the folder below the inbox, or an empty text for all of it."""
    wished = text.strip().strip("/")
    if wished in ("", ".", "inbox"):
        return ""
    is_absolute = text.strip().startswith(("/", "~")) or "\\" in text
    if is_absolute or not _FOLDER.fullmatch(wished) or ".." in wished:
        raise _refused("The inbox path must be a folder below the inbox, such as `supplier`, without `..`", text)
    return wished


def _feed_of(text: str) -> Any:
    """Return what a contract says its feed is; None if that does not read, which the check then tells."""
    try:
        document = parse_yaml(text).value
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return document.get("feed") if isinstance(document, dict) else None


def _copied(path: Path, folder: Path, but: Any) -> bool:
    """Copy one of prod's contracts, unless it is the one that the issue's replaces."""
    is_replaced = path.name != RETAILER_FILE and _feed_of(path.read_text(encoding="utf-8")) == but
    if not is_replaced:
        shutil.copyfile(path, folder / path.name)
    return not is_replaced


def _require_harmless(contract: Contract, asked: Asked, inbox: str) -> None:
    if contract.extract is not None:
        raise _refused("A contract in an issue may not fetch (`extract`): that takes a reviewed change", "extract")
    if asked.feed and asked.feed != contract.feed:
        raise _refused(f"The contract is of feed {code(contract.feed)}, the form names another", asked.feed)
    for pattern in contract.files.patterns:
        is_inside = _PATTERN.fullmatch(pattern) and not pattern.startswith(("/", "~")) and ".." not in pattern
        if not is_inside:
            raise _refused(
                "The files of a feed lie in the inbox; its patterns have no `..` and begin with no /", pattern
            )
        if inbox and not pattern.startswith(f"{inbox}/"):
            raise _refused(f"The files of this feed lie in {code(inbox)}; begin its pattern so", pattern)


def _refused(sentence: str, quoted: str) -> RefusedError:
    return RefusedError(f"{sentence}: {quoted[:200]}", f"{sentence}: {code(quoted[:200])}.")


def _listed(mistakes: list[Mistake]) -> str:
    return "\n".join(f"- {_place(each)}: {code(each.text)}" for each in mistakes)


def _place(mistake: Mistake) -> str:
    """Return where a mistake is; one that the issue's contract brings into another is told with that one's name."""
    return f"line {mistake.line}" if mistake.file == FILE else f"{code(mistake.file)}, line {mistake.line}"


def _wrong(mistakes: list[Mistake], contract: str) -> RefusedError:
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''} in the contract"
    lines = contract.splitlines()
    shown = "\n".join(f"{number:>4}  {line}" for number, line in enumerate(lines, 1))
    told = f"{count}. Mend {'them' if len(mistakes) > 1 else 'it'} in the issue, then put the label on again.\n\n"
    return RefusedError(
        f"{count}, the first in {mistakes[0].file}, line {mistakes[0].line}: {mistakes[0].text}",
        told + _listed(mistakes[:50]) + "\n\n<details><summary>The contract, with its lines</summary>\n\n"
        + fenced(shown[:20_000]) + "\n\n</details>",
    )  # fmt: skip


def _drafted(asked: Asked) -> RefusedError:
    """Answer a sample with a draft of its contract: a person must say what the columns mean."""
    _require_small(asked.sample)
    kind = next((end for word, end in _KINDS.items() if word in asked.kind.lower()), ".csv")
    name = asked.feed if re.fullmatch(r"[a-z][a-z0-9_]{0,47}", asked.feed) else "new_feed"
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / f"{name}{kind}"
        sample.write_text(asked.sample, encoding="utf-8", newline="\n")
        try:
            draft = draft_contract(sample)
        except UsageError as error:
            return _refused("No contract can be drafted from the sample", str(error).replace(f"{folder}/", ""))
    return RefusedError(
        "The issue has a sample and no contract yet; a draft of one is proposed.",
        "This is a draft of the contract, made from the sample. Complete what it is unsure of, write it under "
        "`Contract` into the issue, and put the label on again.\n\n" + fenced(draft[:40_000], "yaml"),
    )  # fmt: skip
