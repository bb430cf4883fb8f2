"""What travels between a runner and the processes that it started for the transforms, as bytes.

The only place where objects are made from bytes: both ends are ours, the line between them is theirs alone, and no
byte of a received file is ever read this way.
"""

import pickle
from typing import Any

PROTOCOL = 5


def packed(value: object) -> bytes:
    """Return a value as bytes."""
    return pickle.dumps(value, PROTOCOL)


def unpacked(content: bytes) -> Any:
    """Return the value that the other end packed."""
    return pickle.loads(content)  # noqa: S301 - see above


def packed_error(error: Exception) -> bytes:
    """Return an error as the other end is to raise it; one that cannot travel, as its sentence."""
    try:
        content = packed(error)
        unpacked(content)
    except Exception:
        return packed(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
