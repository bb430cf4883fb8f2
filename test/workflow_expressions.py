"""The expressions of workflows, as far as ours use them: names, texts, comparing, `!`, `&&`, `||`, some functions."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<sign>&&|\|\||==|!=|[!(),])|(?P<name>[\w.*-]+))"
)
_HOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def filled_in(text: object, context: Mapping[str, Any]) -> str:
    """Return a text with its expressions evaluated."""
    return _HOLE.sub(lambda hole: _as_text(evaluate(hole[1], context)), str(text))


def is_met(value: object) -> bool:
    """Whether a condition holds."""
    return value not in (None, "", False, 0)


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return what an expression is worth."""
    reader = _Reader(expression.strip(), context)
    value = reader.either()
    assert reader.token == "", f"not read to its end: {expression}"
    return value


class _Reader:
    """Reads an expression from left to right; each method reads what binds more tightly than the one before it."""

    def __init__(self, text: str, context: Mapping[str, Any]) -> None:
        self.text, self.place, self.context = text, 0, context
        self.kind: str | None = ""
        self.token = ""
        self.step()

    def step(self) -> str:
        """Go on; return what was there."""
        was = self.token
        if self.text[self.place :].strip() == "":
            self.kind, self.token = "", ""
            return was
        found = _TOKEN.match(self.text, self.place)
        assert found, f"not understood: {self.text[self.place :]}"
        self.kind, self.token, self.place = found.lastgroup, found[found.lastgroup or 0], found.end()
        return was

    def either(self) -> Any:
        value = self.both()
        while self.token == "||":
            self.step()
            other = self.both()
            value = value if is_met(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.token == "&&":
            self.step()
            other = self.compared()
            value = other if is_met(value) else value
        return value

    def compared(self) -> Any:
        value = self.single()
        while self.token in ("==", "!="):
            is_equal = self.step() == "=="
            other = self.single()
            value = (_as_text(value).lower() == _as_text(other).lower()) is is_equal
        return value

    def single(self) -> Any:
        if self.token == "!":
            self.step()
            return not is_met(self.single())
        if self.token == "(":
            self.step()
            value = self.either()
            assert self.step() == ")"
            return value
        kind, token = self.kind, self.step()
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return int(token)
        assert kind == "name", f"not understood: {token}"
        return self.call(token) if self.token == "(" else _looked_up(token, self.context)

    def call(self, name: str) -> Any:
        self.step()
        values = []
        while self.token != ")":
            values.append(self.either())
            if self.token == ",":
                self.step()
        self.step()
        return _FUNCTIONS[name](self.context, *values)


def _looked_up(name: str, context: Any) -> Any:
    """Return what a name with dots stands for; None where there is nothing."""
    if name in ("true", "false"):
        return name == "true"
    for part in name.split("."):
        context = context.get(part) if isinstance(context, Mapping) else None
    return context


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "always": lambda context: True,
    "cancelled": lambda context: False,
    "success": lambda context: context["went_well"],
    "failure": lambda context: not context["went_well"],
    "fromJSON": lambda context, text: json.loads(text),
    "contains": lambda context, where, what: what in where,
    "format": lambda context, text, *values: text.format(*values),
}
