"""What becomes of each table of the schema ops when an environment is copied, and when a warehouse is made anew.

A new table of ops needs one line here; test/pipeline_manager/environments/test_ops_tables.py fails until it has one.
"""

from fnmatch import fnmatchcase

OF_DATA = (
    "setting", "batch", "to_judge_again", "feed", "law", "decision", "answer_sample", "rebuild", "held_*",
    "feed_metric", "schema_*",
)  # fmt: skip
"""Belongs to what was loaded: an environment takes it over from prod, and a full refresh makes it anew."""
OF_RUNNING = ("heartbeat", "run", "run_*", "stage", "check", "expected_*")
"""Tells how this warehouse ran: an environment begins with none, and a full refresh begins it anew."""
OF_OUTSIDE = ("environment", "event*", "outbox*", "incident*", "claim*")
"""Speaks of what lies outside the data: an environment begins with none, and a full refresh keeps it."""


def is_copied(table: str) -> bool:
    """Tell whether an environment takes the rows of a table of ops over."""
    return _is_among(table, OF_DATA)


def is_kept(table: str) -> bool:
    """Tell whether a full refresh leaves a table of ops alone."""
    return _is_among(table, OF_OUTSIDE)


def classes_of(table: str) -> list[str]:
    """Return the classes that a table of ops is in; right is one."""
    classes = {"OF_DATA": OF_DATA, "OF_RUNNING": OF_RUNNING, "OF_OUTSIDE": OF_OUTSIDE}
    return [name for name, patterns in classes.items() if _is_among(table, patterns)]


def _is_among(table: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(table, pattern) for pattern in patterns)
