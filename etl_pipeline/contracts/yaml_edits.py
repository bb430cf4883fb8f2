"""Small changes of a YAML text that leave every other character, comments and order included, as it was."""

import json
import re
import textwrap

import yaml

from etl_pipeline.contracts.drafting import quoted
from etl_pipeline.contracts.expressions import Path_
from etl_pipeline.core.log import printable

WIDTH = 110


class CannotEditError(ValueError):
    """There is no place for the change; a person has to make it."""


def plain_or_quoted(text: str) -> str:
    """Return a text as a YAML scalar that reads back as written."""
    return quoted(text) if text.isascii() or not text.isprintable() else json.dumps(text, ensure_ascii=False)


def flow_list(items: list[str]) -> str:
    """Return texts as a YAML list in one line."""
    return "[" + ", ".join(plain_or_quoted(item) for item in items) + "]"


def _root(text: str) -> yaml.Node:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.BaseLoader)
    if node is None:
        raise CannotEditError("the document is empty")
    return node


def node_at(text: str, path: Path_) -> yaml.Node | None:
    """Return the node at a path, or None if there is nothing."""
    node: yaml.Node | None = _root(text)
    for part in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            return None
    return node


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end_of(node: yaml.Node) -> int:
    """Return where the last character of a node's own text is; a block's end mark lies behind its comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)


def _insert_line(text: str, behind: int, line: str) -> str:
    """Put a line behind the one in which a character stands."""
    at = text.find("\n", max(behind - 1, 0))
    end = _line_end(text)
    if at < 0:
        return text + end + line + end
    return text[: at + 1] + line + end + text[at + 1 :]


def _insert_into_flow(text: str, node: yaml.CollectionNode, entry: str) -> str:
    close = int(node.end_mark.index) - 1
    if text[close] not in "]}":
        raise CannotEditError("the end of the list is not where it should be")
    if not node.value:
        return text[:close].rstrip() + entry + text[close:]
    last = node.value[-1]
    end = _end_of(last[1] if isinstance(node, yaml.MappingNode) else last)
    return text[:end] + ", " + entry + text[end:]


def add_key(text: str, path: Path_, key: str, value: str) -> str:
    """Return the text with a key more in the mapping at a path; `value` is YAML of one line.

    Raises:
        CannotEditError: there is no mapping, or it has the key.
    """
    node = node_at(text, path)
    if not isinstance(node, yaml.MappingNode) or any(name.value == key for name, _ in node.value):
        raise CannotEditError(f"{'.'.join(map(str, path))} is no mapping that can take `{key}`")
    entry = f"{plain_or_quoted(key)}: {value}"
    if node.flow_style:
        return _insert_into_flow(text, node, entry)
    indent = " " * node.value[0][0].start_mark.column
    return _insert_line(text, _end_of(node), indent + entry)


def add_item(text: str, path: Path_, item: str) -> str:
    """Return the text with an item more at the end of the list at a path.

    Raises:
        CannotEditError: there is no list.
    """
    node = node_at(text, path)
    if not isinstance(node, yaml.SequenceNode):
        raise CannotEditError(f"{'.'.join(map(str, path))} is no list")
    if node.flow_style:
        return _insert_into_flow(text, node, plain_or_quoted(item))
    start = node.value[0].start_mark
    head = text[start.index - start.column : start.index]
    dash = re.match(r"\s*- +", head)
    if dash is None:
        raise CannotEditError("the list is written in a way that is not known")
    return _insert_line(text, _end_of(node), dash.group() + plain_or_quoted(item))


def replace(text: str, path: Path_, value: str) -> str:
    """Return the text with other YAML of one line in the place of the scalar at a path.

    Raises:
        CannotEditError: there is no scalar.
    """
    node = node_at(text, path)
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise CannotEditError(f"{'.'.join(map(str, path))} is no plain value")
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def add_comment(text: str, line: int, comment: str) -> str:
    """Return the text with a comment above a line (from 1; 0 puts it at the end); unchanged if it is there already."""
    lines = text.splitlines(keepends=True)
    above = lines[line - 1] if 0 < line <= len(lines) else ""
    indent = above[: len(above) - len(above.lstrip(" "))]
    shown = "".join(char if char.isprintable() else "?" for char in printable(comment))
    wrapped = [f"{indent}# {part}" for part in textwrap.wrap(shown, WIDTH - len(indent), break_on_hyphens=False)]
    if not wrapped or wrapped[0].strip() in {known.strip() for known in lines}:
        return text
    end = _line_end(text)
    block = "".join(part + end for part in wrapped)
    if not above:
        return text + ("" if text.endswith("\n") or not text else end) + block
    return "".join(lines[: line - 1]) + block + "".join(lines[line - 1 :])
