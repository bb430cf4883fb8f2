"""Finding records in a JSON text by path, with their places; and records as flat text.

Numbers keep the text that the sender wrote: 1.10 stays 1.10, 1e308 stays 1e308; NaN and Infinity are no JSON.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from etl_pipeline.bronze_layer.chunks import text_fault
from etl_pipeline.core.errors import UsageError

MAX_DEPTH = 100
EACH = ""
"""The step into the elements of a list; other steps are names."""
LATER = object()
"""Stands for a value that is decoded when it is wanted."""
_SPACE = re.compile(r"[ \t\n\r]*")


class _Number(str):
    """The text of a number."""


class _NotFinite(_Number):
    """NaN or Infinity."""


class _Twice(dict[str, Any]):
    """An object that names a key twice; which of the values is meant is not known."""


class TooDeepError(Exception):
    """Nested deeper than MAX_DEPTH."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Twice(made)


_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_NotFinite, object_pairs_hook=_object
)
_READ_STRING = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Leaf:
    """A record in the text.

    Attributes:
        start: where it begins.
        end: where it ends.
        value: the decoded value.
        parents: the objects around it, nearest first; complete once the outermost list element has been read.
        fault: reason and sentence if it stands for something that has no records.
    """

    start: int
    end: int
    value: Any
    parents: tuple[dict[str, Any], ...]
    fault: tuple[str, str] | None = None


@dataclass
class _Walk:
    """One descent; `leaves` collects in the order of the text."""

    text: str
    leaves: list[Leaf] = field(default_factory=list)
    is_lazy: bool = False


def steps_of(path: str) -> list[str]:
    """Return the steps of a `records` path; `orders[].lines[]` is orders, EACH, lines, EACH.

    Raises:
        UsageError: the path is malformed.
    """
    if not path:
        return []
    steps: list[str] = []
    for part in path.split("."):
        found = re.fullmatch(r"([^\[\]]*)((?:\[\])*)", part)
        if found is None or part == "" or (not found.group(1) and steps):
            raise UsageError(f"json.records '{path}' is malformed; write it like orders[].lines[].")
        steps += ([found.group(1)] if found.group(1) else []) + [EACH] * (len(found.group(2)) // 2)
    return steps


def skip_space(text: str, position: int) -> int:
    """Return the position of the next character that is not white space."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


def decode(text: str, position: int) -> tuple[Any, int]:
    """Decode the value at a position; return it and the position behind it.

    Raises:
        json.JSONDecodeError: it is not JSON.
        TooDeepError: it is nested too deep.
    """
    try:
        value, end = _DECODER.raw_decode(text, position)
    except RecursionError as error:
        raise TooDeepError from error
    if isinstance(value, dict | list) and text.count("[", position, end) + text.count("{", position, end) > MAX_DEPTH:
        _require_shallow(value)
    return value, end


def _require_shallow(value: Any) -> None:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeepError
        inner: list[Any] = []
        for entry in layer:
            inner += (v for v in (entry.values() if isinstance(entry, dict) else entry) if isinstance(v, dict | list))
        layer = inner


def leaves(text: str, position: int, steps: list[str]) -> Iterator[Leaf | int]:
    """Yield the records at a position in the order of the text, and at last the position behind the value.

    A list at the top is read element by element. Records within an object are found first and decoded later (by
    `flatten`), because fields of the object may stand behind them: so memory holds places, not records.
    """
    position = skip_space(text, position)
    if not steps and text.startswith("[", position):
        steps = [EACH]
    if steps[:1] != [EACH] or not text.startswith("[", position):
        walk = _Walk(text, is_lazy=len(steps) > 0)
        end = _descend(walk, position, steps, ())
        yield from walk.leaves
        yield end
        return
    position = skip_space(text, position + 1)
    is_open = not text.startswith("]", position)
    while is_open:
        walk = _Walk(text)
        end = _descend(walk, position, steps[1:], ())
        yield from walk.leaves
        position, is_open = _next_element(text, end)
    yield position + 1


def _next_element(text: str, end: int) -> tuple[int, bool]:
    """Return the position of the next element, or of the closing bracket and False."""
    end = skip_space(text, end)
    if text.startswith("]", end):
        return end, False
    if not text.startswith(",", end):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, end)
    return skip_space(text, end + 1), True


def _descend(walk: _Walk, position: int, steps: list[str], parents: tuple[dict[str, Any], ...]) -> int:
    """Collect the records of the value at a position; return the position behind it."""
    text = walk.text
    if not steps:
        value, end = decode(text, position)
        walk.leaves.append(Leaf(position, end, LATER if walk.is_lazy else value, parents))
        return end
    wanted = "[" if steps[0] == EACH else "{"
    if not text.startswith(wanted, position):
        value, end = decode(text, position)
        if value is not None:
            kind = "a list" if wanted == "[" else "an object"
            sentence = f"is not {kind}, which the path to the records goes through; see json.records"
            walk.leaves.append(Leaf(position, end, value, parents, ("not_an_object", sentence)))
        return end
    if steps[0] == EACH:
        return _descend_list(walk, position, steps, parents)
    return _descend_object(walk, position, steps, parents)


def _descend_list(walk: _Walk, position: int, steps: list[str], parents: tuple[dict[str, Any], ...]) -> int:
    text = walk.text
    position = skip_space(text, position + 1)
    if text.startswith("]", position):
        return position + 1
    is_open = True
    while is_open:
        position, is_open = _next_element(text, _descend(walk, position, steps[1:], parents))
    return position + 1


def _descend_object(walk: _Walk, position: int, steps: list[str], parents: tuple[dict[str, Any], ...]) -> int:
    """Go through an object by its keys: the wanted one is descended into, the others are fields of a parent."""
    text = walk.text
    own: dict[str, Any] = {}
    seen: set[str] = set()
    first = len(walk.leaves)
    position = skip_space(text, position + 1)
    while not text.startswith("}", position):
        if not text.startswith('"', position):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
        key, end = _READ_STRING(text, position)
        end = skip_space(text, end)
        if not text.startswith(":", end):
            raise json.JSONDecodeError("Expecting ':' delimiter", text, end)
        at = skip_space(text, end + 1)
        if key == steps[0]:
            end = _descend(walk, at, steps[1:], (own, *parents))
        else:
            own[key], end = decode(text, at)
        if key in seen:
            twice = ("not_an_object", f"lies in an object that names the key '{key[:40]}' twice")
            walk.leaves[first:] = [
                Leaf(x.start, x.end, x.value, x.parents, x.fault or twice) for x in walk.leaves[first:]
            ]
        seen.add(key)
        position = skip_space(text, end)
        if text.startswith(",", position):
            position = skip_space(text, position + 1)
            if text.startswith("}", position):
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
        elif not text.startswith("}", position):
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    return position + 1


def flatten(leaf: Leaf, text: str) -> tuple[dict[str, str], tuple[str, str] | None]:
    """Return a record's fields as text, or reason and sentence why it has none."""
    if leaf.fault is not None:
        return {}, leaf.fault
    value = decode(text, leaf.start)[0] if leaf.value is LATER else leaf.value
    if not isinstance(value, dict):
        return {}, ("not_an_object", "is not an object with named fields; see json.records")
    fields: dict[str, str] = {}
    fault: tuple[str, str] | None = _collect(value, "", fields, has_lists=True)
    for up, parent in enumerate(leaf.parents, start=1):
        fault = fault or _collect(parent, "../" * up, fields, has_lists=False)
    fault = fault or text_fault(fields.keys()) or text_fault(fields.values())
    return fields, fault


def _collect(value: dict[str, Any], prefix: str, fields: dict[str, str], *, has_lists: bool) -> tuple[str, str] | None:
    """Add an object's fields; nested objects as `a.b`. A parent's lists are no fields: they may hold the records."""
    if isinstance(value, _Twice):
        return "not_an_object", "names a key twice; which value is meant is not known"
    for key, entry in value.items():
        name = prefix + key
        if isinstance(entry, dict) and entry:
            fault = _collect(entry, name + ".", fields, has_lists=has_lists)
            if fault:
                return fault
        elif isinstance(entry, _NotFinite):
            return "not_a_number", f"has {entry} in '{name}', which is no number"
        elif not isinstance(entry, list) or has_lists:
            if name in fields:
                return "not_an_object", f"has the field '{name}' twice, nested and flat"
            fields[name] = entry if type(entry) is str else _as_text(entry)
    return None


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    return compact(value)


def compact(value: Any) -> str:
    """Return JSON without blanks, numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(k)}:{compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(v) for v in value) + "]"
    if isinstance(value, _Number):
        return str(value)
    return encode_basestring(value) if isinstance(value, str) else "null" if value is None else _as_text(value)
