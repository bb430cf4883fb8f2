"""YAML read safely, with the line of every value, so that a mistake can be pointed at and explained.

What is written is what is read: a plain `01`, `NO`, `NULL`, `12:30` or `2024-01-01` stays text, because YAML's own
guesses (1, false, nothing, 750, a date) are never what a code means. Keys are always text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from etl_pipeline.contracts.expressions import Path_, did_you_mean
from etl_pipeline.contracts.model import Test
from etl_pipeline.core.log import printable

MOST_BYTES = 256_000
MOST_NODES = 20_000
MOST_DEPTH = 40
MERGE = "<<"
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,8})\.\d{1,8}")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")}


class UnsafeYamlError(yaml.YAMLError):
    """The document parses, but it is nothing that a contract may hold."""

    def __init__(self, text: str, line: int) -> None:
        """Say what is wrong and on which line (from 1)."""
        super().__init__(text)
        self.line = line


class DuplicateKeyError(UnsafeYamlError):
    """A key stands twice in one mapping."""

    def __init__(self, key: str, line: int) -> None:
        """Name the key and its line (from 1)."""
        super().__init__(f"the key '{key[:60]}' stands twice", line)


@dataclass
class Located:
    """A YAML document's plain value, and the line (from 1) of each path in it."""

    value: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def at(self, path: Path_) -> Any:
        """Return the value at a path; None if there is nothing."""
        value = self.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def line_of(self, path: Path_) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake in a contract: where, what is wrong, and what to write instead. A warning has the same form."""

    file: str
    line: int
    text: str
    path: str = ""

    def __str__(self) -> str:
        """Return it as one line for a person."""
        place = f" {self.path}:" if self.path else ""
        return printable(f"  {self.file}, line {self.line}:{place} {self.text}")


class _Loader(yaml.BaseLoader):
    """Composes nodes, every plain scalar as text, and gives up on what is too deep or too large for a contract."""

    def __init__(self, stream: str) -> None:
        """Start at the top."""
        super().__init__(stream)
        self._depth = self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node within the limits."""
        line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        self._depth += 1
        self._count += 1
        _refuse_too_much(self._depth, self._count, line)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refuse_too_much(depth: int, count: int, line: int) -> None:
    if depth > MOST_DEPTH:
        raise UnsafeYamlError(f"the document is nested deeper than {MOST_DEPTH} levels; write it flatter", line)
    if count > MOST_NODES:
        raise UnsafeYamlError(f"the document has more than {MOST_NODES:,} values, aliases unfolded; split it", line)


def _scalar(node: yaml.ScalarNode) -> Any:
    """Return a scalar: quoted is text; plain is a word, a number that reads back as written, or text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and text != "-0":
        return int(text)
    if _DECIMAL.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return text


class _Builder:
    """Turns nodes into plain values and notes the line of each; aliases are counted unfolded."""

    def __init__(self) -> None:
        self.lines: dict[Path_, int] = {}
        self._count = 0

    def build(self, node: yaml.Node, path: Path_) -> Any:
        line = node.start_mark.line + 1
        self._count += 1
        _refuse_too_much(len(path), self._count, line)
        if node.tag not in _PLAIN_TAGS:
            shown = node.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            raise UnsafeYamlError(f"the tag {shown} is not read; write a plain value", line)
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
        return _scalar(node)  # type: ignore[arg-type] # there is no fourth kind of node

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise UnsafeYamlError("a key must be plain text, not a list or mapping", line)
            name = str(key.value)
            if name == MERGE and key.style is None:
                merged |= self._merged(value, path, line)
                continue
            if name in own:
                raise DuplicateKeyError(name, line)
            self.lines[(*path, name)] = line
            own[name] = self.build(value, (*path, name))
        return {**merged, **own}

    def _merged(self, value: yaml.Node, path: Path_, line: int) -> dict[str, Any]:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                raise UnsafeYamlError("`<<` takes a mapping, such as `<<: *name`", line)
            apart = _Builder()
            apart._count = self._count
            found |= apart.build(source, path)
            self._count = apart._count
            for place, where in apart.lines.items():
                self.lines.setdefault(place, where)
        return found


def parse_yaml(text: str) -> Located:
    """Read one YAML document.

    Raises:
        yaml.YAMLError: it does not parse, has tags, a key twice, or is too large or too deep.
    """
    node = _Loader(text).get_single_node()
    if node is None:
        return Located(None)
    builder = _Builder()
    return Located(builder.build(node, ()), builder.lines)


def read_yaml(path: Path) -> Located:
    """Read a file with one YAML document; see `parse_yaml`.

    Raises:
        yaml.YAMLError: as `parse_yaml`, or the file is too large.
        UnicodeDecodeError: it is not UTF-8.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UnsafeYamlError(f"the file is larger than {MOST_BYTES // 1000} kB; a contract is small", 1)
    return parse_yaml(path.read_text(encoding="utf-8-sig"))


_SAY = {
    "string_type": "write text here; put a number, true, false or null in quotes, such as '1'",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "list_type": "write a list: [a, b], or one `- a` a line",
    "dict_type": "write a mapping: `name: value`, indented below",
    "model_type": "write a mapping: `name: value`, indented below",
    "model_attributes_type": "write a mapping: `name: value`, indented below",
    "string_too_long": "this is too long; write {max_length} character(s) at most",
    "string_too_short": "this is too short; write {min_length} character(s) at least",
    "too_short": "this list is empty; write at least one entry",
    "greater_than": "this must be more than {gt}",
    "greater_than_equal": "this must be {ge} or more",
    "less_than_equal": "this must be {le} or less",
}


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the plain types of an annotation: unions and Annotated taken apart."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _models_at(model: type[BaseModel], path: Path_) -> list[type[BaseModel]]:
    """Return the models that may stand at a path below a model."""
    here: list[Any] = [model]
    for part in path:
        found: list[Any] = []
        for kind in here:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                fields = [i for n, i in kind.model_fields.items() if part in (n, i.alias)]
                found += [member for info in fields for member in _members(info.annotation)]
            elif get_origin(kind) in (dict, list):
                found += _members(get_args(kind)[-1])
        here = found
    return [kind for kind in here if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _nested(root: type[BaseModel], path: Path_) -> list[str]:
    return [name for model in _models_at(root, path) for name in _names(model)]


def _names_below(root: type[BaseModel], path: Path_, name: str) -> list[str]:
    return [inner for model in _models_at(root, (*path, name)) for inner in _names(model)]


def _unknown_key(root: type[BaseModel], path: Path_) -> str:
    """Say what to write instead of a key that is not known where it stands."""
    wrong = str(path[-1])
    known = _nested(root, path[:-1])
    inner = [
        f"; it belongs under `{name}`"
        for name in _nested(root, path[:-1])
        if wrong in _names_below(root, path[:-1], name)
    ]
    outer = [f"; it belongs under `{name}`" for name in _nested(root, ()) if wrong in _names_below(root, (), name)]
    hint = (inner or [did_you_mean(wrong, known)])[0] or (outer or [""])[0]
    has = f" It has: {', '.join(known)}." if known and not hint else ""
    return f"`{wrong}` is not known here{hint or '; take it out.'}{has}"


def _explain(root: type[BaseModel], error: dict[str, Any], path: Path_) -> str:
    """Return what to write instead, for one of pydantic's complaints."""
    kind, where = str(error["type"]), error["loc"][-1] if error["loc"] else ""
    if kind == "extra_forbidden":
        return _unknown_key(root, path)
    if kind == "missing":
        return f"`{where}` is missing; add it"
    shown = str(error["input"])[:60]
    if kind == "literal_error":
        allowed = [text.strip(" '") for text in str(error["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        return f"'{shown}' is not allowed; write one of {', '.join(allowed)}{did_you_mean(shown, allowed)}"
    if kind == "string_pattern_mismatch":
        if "[A-Z]{3}" in str(error["ctx"]["pattern"]):
            return f"'{shown}' is no currency; write three capitals, such as EUR"
        return f"'{shown}' is no name; write small letters, digits and underscores, starting with a letter, 48 at most"
    if kind == "string_type" and isinstance(error["input"], list) and "columns" in path:
        return (
            "a list is no column; write {from: [a, b]} for the first non-empty one, {join: [a, b]} to put them together"
        )
    if kind in _SAY:
        return _SAY[kind].format(**error.get("ctx", {})) + (f" (found {shown})" if shown else "")
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _yaml_path(located: Located, loc: Path_) -> Path_:
    """Return the part of pydantic's path that is in the document (it names union members too)."""
    path: Path_ = ()
    for part in loc:
        if (*path, part) in located.lines:
            path = (*path, part)
        elif isinstance(part, str) and part.endswith("_") and (*path, part[:-1]) in located.lines:
            path = (*path, part[:-1])
    return path


def _condition_problems(value: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    """Yield what is wrong with a condition, once: pydantic would complain for each form that it could have had."""
    if not isinstance(value, dict) or not value:
        yield path, "a condition is a mapping, such as `Type: S`, `Type: [S, R]` or `Qty: {less_than: 0}`"
        return
    for word in ("any_of", "all_of"):
        if word in value and isinstance(value[word], list):
            if len(value) > 1:
                yield path, f"`{word}` must stand alone; put the other columns into its list"
            for number, part in enumerate(value[word]):
                yield from _condition_problems(part, (*path, word, number))
            return
    for column, test in value.items():
        place = (*path, column)
        if isinstance(test, list):
            if any(isinstance(entry, dict | list) for entry in test):
                yield place, f"the list of `{column}` holds values only; for several conditions write `any_of: [...]`"
        elif isinstance(test, dict):
            try:
                Test.model_validate(test)
            except ValidationError as invalid:
                for error in invalid.errors():
                    yield (*place, *error["loc"][:1]), _explain(Test, dict(error), tuple(error["loc"]))


def complaints(root: type[BaseModel], located: Located, invalid: ValidationError) -> Iterator[tuple[Path_, str]]:
    """Yield path and text of each of pydantic's complaints; of a union only what fits the form that was written."""
    conditions: set[Path_] = set()
    errors = invalid.errors(include_url=False)
    by_place: dict[Path_, list[Any]] = {}
    for error in errors:
        loc = tuple(error["loc"])
        member = next(
            (i for i, part in enumerate(loc) if str(part).startswith("dict[") or part in ("AnyOf", "AllOf")), None
        )
        if member is not None:
            conditions.add(_yaml_path(located, loc[:member]))
            continue
        by_place.setdefault(_yaml_path(located, loc), []).append(error)
    for place in sorted(conditions, key=str):
        if not any(place[:length] in conditions for length in range(len(place))):
            yield from _condition_problems(located.at(place), place)
    for place, found in by_place.items():
        raw = located.at(place)
        fits = [e for e in found if not _other_form(e, raw, is_union=len(found) > 1)]
        for error in _each_kind_once(fits or found[:1]):
            if error["type"] == "string_type" and isinstance(raw, dict) and _deeper(by_place, place):
                continue
            yield place, _explain(root, dict(error), place)


def _each_kind_once(errors: list[Any]) -> list[Any]:
    return list({error["type"]: error for error in reversed(errors)}.values())


def _deeper(places: dict[Path_, list[Any]], place: Path_) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _other_form(error: Any, raw: Any, *, is_union: bool) -> bool:
    """Tell whether pydantic complains that a value has not a form which it does not try to have."""
    if not is_union:
        return False
    wrong_form: dict[str, tuple[type, ...]] = {
        "string_type": (dict, list),
        "list_type": (str, int, float, dict),
        "dict_type": (str, int, float, list),
        "model_type": (str, list, int, float),
        "int_parsing": (str,),
        "float_parsing": (str,),
    }
    return isinstance(raw, wrong_form.get(error["type"], ()))
