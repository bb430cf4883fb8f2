"""Proposes what to change in a contract because its feed has changed: edits where it is sure, comments where not."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import yaml

from etl_pipeline.contracts.drafting_words import meanings
from etl_pipeline.contracts.drifting import Drift, is_answered, is_time, used_columns
from etl_pipeline.contracts.expressions import Path_, column_uses, values_of
from etl_pipeline.contracts.loading import RETAILER_FILE, check_folder, check_text
from etl_pipeline.contracts.model import Contract, Value
from etl_pipeline.contracts.yaml_edits import (
    CannotEditError,
    add_comment,
    add_item,
    add_key,
    flow_list,
    node_at,
    plain_or_quoted,
    replace,
)
from etl_pipeline.contracts.yaml_lines import parse_yaml
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.log import printable

SURE_NAME = 0.75
"""From this likeness on a new name is proposed as an alias; below it, or with no value in common, as a comment."""
MARK = "unsure"
Edit = Callable[[str], str]


@dataclass
class Proposal:
    """What to change in one contract.

    Attributes:
        path: of the contract's file.
        before: its text.
        after: the proposed text; the same where there is nothing to change.
        sure: drifts that the new text answers.
        unsure: drifts that a person must decide on, marked in the text.
    """

    path: Path
    before: str
    after: str
    sure: list[Drift] = field(default_factory=list)
    unsure: list[Drift] = field(default_factory=list)

    def diff(self) -> str:
        """Return the change as a unified diff."""
        lines = unified_diff(
            self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), f"a/{self.path.name}",
            f"b/{self.path.name}",
        )  # fmt: skip
        return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)

    def write(self) -> None:
        """Put the new text in the place of the old one, whole or not at all.

        Raises:
            StopRunError: the file was changed since it was read.
        """
        if read_text(self.path) != self.before:
            raise StopRunError(f"{self.path.name} was changed in the meantime; nothing was written. Try it again.")
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(self.after)
                stream.flush()
                os.fsync(stream.fileno())
            shutil.copymode(self.path, name)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def read_text(path: Path) -> str:
    """Return a contract's text with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def contract_file(folder: Path, feed: str) -> Path:
    """Return the file that holds the contract of a feed.

    Raises:
        UsageError: none does.
    """
    for path in sorted((*folder.glob("*.yml"), *folder.glob("*.yaml"))):
        if path.name != RETAILER_FILE and path.is_file() and not path.name.startswith("."):
            value = parse_yaml(path.read_text(encoding="utf-8-sig")).value
            if isinstance(value, dict) and value.get("feed") == feed:
                return path
    raise UsageError(f"{folder} has no contract of a feed '{feed[:60]}'. See which there are: systock feeds check")


def propose(folder: Path, feed: str, drifts: Sequence[Drift]) -> Proposal:
    """Return the change of a feed's contract that answers what was seen; the result loads."""
    path = contract_file(folder, feed)
    made = Proposal(path, read_text(path), "")
    made.after = _text_for(made, drifts, edits=True)
    if made.after != made.before and not _loads(folder, path, made.after):
        # What fits one contract may not fit the others (a set that two feeds would give, say).
        made.sure, made.unsure = [], []
        made.after = _text_for(made, drifts, edits=False)
    if made.after != made.before and not _loads(folder, path, made.after):
        made.after = made.before
    return made


def _text_for(made: Proposal, drifts: Sequence[Drift], *, edits: bool) -> str:
    text = made.before
    for drift in drifts:
        contract = _checked(text)
        if contract is None or is_answered(contract, drift):
            continue
        changed = _edited(text, contract, drift) if edits else None
        if changed is not None:
            made.sure.append(drift)
            text = changed
            note = _hint(contract, drift)
            text = _noted(text, drift, note) if note else text
        else:
            made.unsure.append(drift)
            text = _noted(text, drift, _question(drift))
    return text


def _checked(text: str) -> Contract | None:
    try:
        return check_text(text.removeprefix("\ufeff"))[0]
    except (yaml.YAMLError, ValueError):
        return None


def _loads(folder: Path, path: Path, text: str) -> bool:
    """Tell whether the whole folder is right with the new text in it."""
    with tempfile.TemporaryDirectory() as place:
        for other in (*folder.glob("*.yml"), *folder.glob("*.yaml")):
            if other.is_file():
                shutil.copyfile(other, Path(place) / other.name)
        (Path(place) / path.name).write_bytes(text.encode("utf-8"))
        return check_folder(Path(place)).feeds is not None


def _edited(text: str, contract: Contract, drift: Drift) -> str | None:
    """Return the text with an answer in it, if there is a sure one that can be put there."""
    changed = text
    try:
        for edit in _edits(contract, drift):
            changed = edit(changed)
    except (CannotEditError, yaml.YAMLError):
        return None
    after = _checked(changed) if changed != text else None
    if after is None or not is_answered(after, drift):
        return None
    only_files = drift.kind in ("added", "lost", "renamed")
    if only_files and after.model_copy(update={"files": contract.files}) != contract:
        return None  # the place is shared with something else, by an anchor
    return changed


def _edits(contract: Contract, drift: Drift) -> Iterator[Edit]:
    if drift.kind == "added" or (drift.kind == "lost" and not drift.detail.get("is_used")):
        yield lambda text: _listed(text, ("files",), "ignore", drift.column)
    elif drift.kind == "renamed":
        is_sure = float(drift.detail.get("likeness", 0)) >= SURE_NAME or int(drift.detail.get("common_values", 0)) > 1
        if is_sure:
            yield lambda text: _alias(text, drift.column, str(drift.detail["to"]))
    elif drift.kind == "retyped" and drift.detail.get("is_sure"):
        yield from _retyped(contract, drift)


def _listed(text: str, path: Path_, key: str, item: str) -> str:
    """Put an item into a list, which is made if there is none."""
    if node_at(text, (*path, key)) is not None:
        return add_item(text, (*path, key), item)
    return add_key(text, path, key, flow_list([item]))


def _alias(text: str, old: str, new: str) -> str:
    if node_at(text, ("files", "aliases")) is None:
        return add_key(text, ("files",), "aliases", f"{{{plain_or_quoted(old)}: {flow_list([new])}}}")
    return _listed(text, ("files", "aliases"), old, new)


def _set(text: str, path: Path_, key: str, value: str) -> str:
    """Give a key of a mapping a value, over what it has."""
    if node_at(text, path) is None:
        return add_key(text, path[:-1], str(path[-1]), f"{{{key}: {value}}}")
    if node_at(text, (*path, key)) is not None:
        return replace(text, (*path, key), value)
    return add_key(text, path, key, value)


def _retyped(contract: Contract, drift: Drift) -> Iterator[Edit]:
    reads_as = drift.detail.get("reads_as") or {}
    if "decimal" in reads_as:
        decimal, thousands = str(reads_as["decimal"]), str(reads_as.get("thousands", ""))
        yield lambda text: _set(text, ("reading",), "decimal", f'"{decimal}"')
        if thousands != contract.reading.thousands:
            yield lambda text: _set(text, ("reading",), "thousands", f'"{thousands}"')
    for path, value, _, _ in values_of(contract):
        if value.from_ != drift.column:
            continue
        if "format" in reads_as and is_time(contract, value):
            form = str(reads_as["format"])
            yield lambda text, path=path, value=value, form=form: _format(text, path, value, contract, form)  # type: ignore[misc]
        elif "clean" in reads_as:
            clean = str(reads_as["clean"])
            yield lambda text, path=path, clean=clean: _clean(text, path, clean)  # type: ignore[misc]


def _format(text: str, path: Path_, value: Value, contract: Contract, form: str) -> str:
    if value.formats:
        return text if form in value.formats else add_item(text, (*path, "formats"), form)
    now = _checked(text)
    if now is not None and form in now.reading.formats:
        return text
    if node_at(text, ("reading", "formats")) is not None:
        return add_item(text, ("reading", "formats"), form)
    return _set(text, ("reading",), "formats", flow_list([*contract.reading.formats, form]))


def _clean(text: str, path: Path_, clean: str) -> str:
    node = node_at(text, path)
    if isinstance(node, yaml.ScalarNode):
        return replace(text, path, f"{{from: {plain_or_quoted(str(node.value))}, clean: [{clean}]}}")
    return _listed(text, path, "clean", clean)


def _hint(contract: Contract, drift: Drift) -> str:
    """Return what a new column may be good for; empty where nothing is known."""
    if drift.kind != "added":
        return ""
    found = [meaning for meaning, strength in meanings(drift.column) if strength > 1]
    if not found or drift.column in used_columns(contract):
        return ""
    return (
        f"{MARK}: '{drift.column}' is new and ignored here; by its name it may be a {found[0].replace('_', ' ')}. To "
        "read it, name it under `yields` and take it out of `ignore`."
    )


def _question(drift: Drift) -> str:
    """Return what a person must decide, for a comment in the contract."""
    column, detail = drift.column, drift.detail
    shown = ", ".join(str(text) for text in (detail.get("values") or detail.get("samples") or [])[:5])
    if drift.kind == "lost":
        ask = "ask the sender" if detail.get("is_used") else "nothing reads it"
        return f"{MARK}: '{column}' is gone; {ask}. If it stays away: files.ignore: {flow_list([column])}"
    if drift.kind == "renamed":
        return f"{MARK}: is '{column}' called '{detail.get('to')}' now ({shown})? Then files.aliases: " + (
            f"{{{plain_or_quoted(column)}: {flow_list([str(detail.get('to'))])}}}"
        )
    if drift.kind == "added":
        return f"{MARK}: '{column}' is new ({shown}); read it, or files.ignore: {flow_list([column])}"
    if drift.kind == "new_value":
        where = "the `when` of a rule" if detail.get("by") == "when" else "the `map`"
        return f"{MARK}: '{column}' has new values: {shown}. What do they mean? Each needs a place in {where}."
    reads_as = detail.get("reads_as") or {}
    ways = [str(reads_as["format"]), *map(str, detail.get("rivals", []))] if "format" in reads_as else []
    also = f"; formats that read them all: {', '.join(ways)}" if ways else ""
    if "decimal" in reads_as:
        also = f"; they read with decimal '{reads_as['decimal']}', but other columns may not"
    return f"{MARK}: '{column}' was {detail.get('expects', 'written another way')}, now there is {shown}{also}."


def _noted(text: str, drift: Drift, note: str) -> str:
    """Put a comment above the place where a column is used, or where it does not change what the contract says."""
    before = _checked(text)
    located = parse_yaml(text.removeprefix("\ufeff"))
    lines = [located.line_of(path) for path, name in column_uses(before) if name == drift.column] if before else []
    for line in (*lines[:1], located.line_of(("files",)), 0):
        changed = add_comment(text, line, printable(note))
        if _checked(changed) == before:
            return changed
    return text
