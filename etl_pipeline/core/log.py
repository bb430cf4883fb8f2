"""Logging: one plain line per message, without passwords and without characters that move a terminal."""

import logging
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import TextIO

from etl_pipeline.core.settings import redact

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# Control characters, the marks that reverse or break a line on a screen, invisible ones, and halves of surrogate pairs,
# as which Python holds the bytes of a file's name that are not UTF-8. Joiners stay: scripts and emoji need them.
_UNSAFE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE_IN_LINE = re.compile(rf"[\t\n{_UNSAFE}]")
_UNSAFE_IN_BLOCK = re.compile(rf"[{_UNSAFE}]")

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def printable(text: str, *, one_line: bool = True) -> str:
    """Return text with control characters spelled out, so that a file's name or content cannot act on a terminal."""
    pattern = _UNSAFE_IN_LINE if one_line else _UNSAFE_IN_BLOCK
    return pattern.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


class RedactingFormatter(logging.Formatter):
    """Take passwords and control characters out of messages and tracebacks; the record itself stays as it was."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, made safe."""
        return printable(redact(super().formatMessage(record)))

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Return the traceback, made safe; its line breaks stay."""
        return printable(redact(super().formatException(ei)), one_line=False)


def set_up_logging(level: str = "INFO", *, file: Path | None = None, stream: TextIO | None = None) -> None:
    """Send what our modules log to a stream and, if asked, to a file.

    Args:
        level: lowest level on the stream; the file gets INFO and above in any case.
        file: appended to; its folder is made.
        stream: standard error if None.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    handlers[0].setLevel(level)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
        handlers[1].setLevel(min(logging.INFO, handlers[0].level))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, RedactingFormatter):  # ours, from an earlier call
            root.removeHandler(old)
            old.close()
    for handler in handlers:
        handler.setFormatter(RedactingFormatter(_FORMAT))
        root.addHandler(handler)
    root.setLevel(min(handler.level for handler in handlers))
