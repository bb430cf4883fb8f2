"""Names of environments and of their roles; untrusted text becomes a name here or not at all."""

import hashlib
import re

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import LAYERS, PROD, SAFE_NAME, safe_role

LONGEST = 48 - len("_bronze")
"""Bytes of a name: with the longest suffix it is still a safe name of a schema, and its role has under 63."""
_HASHED = 8
_TAKEN = frozenset({PROD, "public", "information_schema", "postgres", "systock", *LAYERS})
_NOT_OURS = re.compile(r"[^a-z0-9]+")


def is_environment_name(text: str) -> bool:
    """Tell whether a text is, as it stands, the name of an environment beside prod."""
    return (
        SAFE_NAME.fullmatch(text) is not None
        and len(text) <= LONGEST
        and text not in _TAKEN
        and not text.startswith("pg_")
        # `x_gold` beside `x` would be another's schema.
        and not text.endswith(tuple(f"_{layer}" for layer in LAYERS))
    )


def checked_name(text: str) -> str:
    """Return a name as a person typed it; nothing is repaired.

    Raises:
        UsageError: it is no name of an environment.
    """
    if not is_environment_name(text):
        raise UsageError(
            f"{text[:60]!a} cannot be the name of an environment. Use small letters, digits and underscores, starting "
            f"with a letter, {LONGEST} at most; prod, public, pg_..., and the names of schemas are taken."
        )
    return text


def environment_name(text: str, *, issue: int | None) -> str:
    """Make a name out of text that anybody may have written, such as a line of an issue.

    What is no small letter or digit becomes an underscore. A name that is too long, empty or taken is shortened and
    gets a hash of the whole text, so that two texts do not end in one environment.

    Args:
        text: the wished name, such as `inv_supplier_stage`.
        issue: number of the issue that asks for it; becomes the end of the name.

    Returns:
        A name for which `is_environment_name` holds; the same text and issue give the same name.
    """
    end = f"_issue_{issue}" if issue is not None and issue >= 0 else ""
    wished = _NOT_OURS.sub("_", text.lower()).strip("_")
    if is_environment_name(wished + end) and len(end) < LONGEST:
        return wished + end
    if len(end) > LONGEST - _HASHED - 5:  # no forge counts so far
        text, end = f"{text}{end}", ""
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASHED]
    room = LONGEST - len(end) - _HASHED - 1
    start = wished[:room].strip("_")
    if not start or not start[0].isalpha() or start.startswith("pg_"):
        start = f"env_{start}"[:room].strip("_")
    return f"{start}_{mark}{end}"


def role_name(database: str, name: str) -> str:
    """Return the role of an environment: roles belong to the whole server, so the database is told apart in it."""
    return safe_role(f"env_{hashlib.sha256(database.encode()).hexdigest()[:10]}_{name}")
