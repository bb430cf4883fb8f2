"""Text for Slack: what comes from files, contracts and errors is shown as it is; it calls nobody and links nowhere."""

import re

from etl_pipeline.core.log import printable
from etl_pipeline.core.settings import redact

MOST_HEADER, MOST_BLOCKS = 150, 50
"""Block Kit's limits; a message beyond them is refused whole."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack reads mentions in <> only, but clients and bots that repeat a message do not all hold to that.
_CALL = re.compile(r"@(?=here\b|channel\b|everyone\b)", re.IGNORECASE)
_NO_BREAK = "\u2060"
"""A word joiner: invisible, and `@here` with one in it calls nobody."""
_SCHEME = re.compile(r"\b([a-z][a-z0-9+.-]{0,20})://", re.IGNORECASE)
_MARKS = re.compile(r"[*~`]")
_LOOK_ALIKES = {"*": "\u2217", "~": "\u223c", "`": "\u02cb"}
_ELLIPSIS = "\u2026"
WIDE, LAST_NARROW = 2, 0xFFFF
"""Slack counts a letter beyond the first plane twice."""


def shown(text: object, most: int = 400) -> str:
    """Return data as text of a section: one line, nothing in it is formatting, a link or a mention.

    Args:
        text: whatever was told of; passwords are taken out.
        most: characters that are left of it, as Slack counts them.
    """
    unlinked = _SCHEME.sub(rf"\1:{_NO_BREAK}//", _uncalled(text))
    marked = _MARKS.sub(lambda mark: _LOOK_ALIKES[mark.group()], unlinked)
    return "".join(_cut([_ENTITIES.get(letter, letter) for letter in marked], most))


def plain(text: object, most: int = MOST_HEADER) -> str:
    """Return data as plain text, as a header has it: Slack reads no marks there."""
    return "".join(_cut(list(_uncalled(text)), most))


def _uncalled(text: object) -> str:
    return _CALL.sub(f"@{_NO_BREAK}", printable(redact(str(text))))


def _cut(letters: list[str], most: int) -> list[str]:
    """Return the first letters, none of them cut in half; an ellipsis says that there was more."""
    kept: list[str] = []
    size = 0
    for letter in letters:
        width = sum(WIDE if ord(one) > LAST_NARROW else 1 for one in letter)
        if size + width > most:
            while kept and size + 1 > most:
                size -= len(kept.pop())
            return [*kept, _ELLIPSIS]
        kept.append(letter)
        size += width
    return kept
