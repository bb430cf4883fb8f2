"""YAML read safely, with the line of every value, so that a mistake can be pointed at.

What is written is what is read: a plain `01`, `NO`, `12:30` or `2024-01-01` stays text, because YAML's own guesses
(1, false, 750, a date) are never what a code means. Keys are always text.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Path_ = tuple[str | int, ...]
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

    def line_of(self, path: Path_) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


class _Loader(yaml.BaseLoader):
    """Composes nodes, every plain scalar as text, and gives up on what is too deep or too large for a contract."""

    def __init__(self, stream: str) -> None:
        """Start at the top."""
        super().__init__(stream)
        self._depth = self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - yaml's own
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


def _scalar(node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - any scalar
    """Return a scalar: quoted is text; plain is a word, a number that reads back as written, or text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
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

    def build(self, node: yaml.Node, path: Path_) -> Any:  # noqa: ANN401 - any YAML value
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
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node)

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
    node = _Loader(text).get_single_node()  # type: ignore[no-untyped-call]
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
