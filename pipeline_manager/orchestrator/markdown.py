"""Text from outside as Markdown that says it and does nothing: no link, mention, tag, image or table of its own."""

import re

from etl_pipeline.core.log import printable
from etl_pipeline.core.settings import redact

LONGEST_LINE = 2_000
_ACTIVE = re.compile(r"[\\`*{}\[\]<>#!|~$&@]|(?<!\w)_|_(?!\w)|:(?=/)|(?<=\bwww)\.")


def plain(text: str) -> str:
    """Return text for the flow of a paragraph or a table's cell, on one line.

    Marks are spelled as entities: unlike a backslash, that keeps mentions, references and bare addresses quiet, too.
    """
    return _ACTIVE.sub(lambda mark: f"&#{ord(mark.group())};", printable(redact(text))[:LONGEST_LINE])


def code(text: str) -> str:
    """Return text as a span of code; an empty one as nothing."""
    cut = printable(redact(text))[:LONGEST_LINE].strip()
    if not cut:
        return ""
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", cut)), default=0))
    edge = " " if cut.startswith("`") or cut.endswith("`") else ""
    return f"{ticks}{edge}{cut}{edge}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """Return text as a block of code."""
    block = printable(redact(text), one_line=False).strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", block)), default=0))
    return f"{fence}{language}\n{block}\n{fence}"
