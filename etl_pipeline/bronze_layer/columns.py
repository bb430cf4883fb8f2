"""From the names in a file to the names of the contract."""

from collections import Counter
from collections.abc import Mapping, Sequence

from etl_pipeline.core.errors import SetAsideError

MAX_NAMES_SHOWN = 40


def resolve_columns(names: Sequence[str], aliases: Mapping[str, list[str]], needed: frozenset[str]) -> list[str]:
    """Return the names of the columns in the file's order: stripped, renamed by alias, each one once.

    A repeated name that nobody needs is kept as `name#2`, a column without a name as `column_5`: kept, not guessed.

    Raises:
        SetAsideError: a needed column is missing, or is there twice.
    """
    renamed = rename([name.strip() for name in names], aliases)
    counts = Counter(renamed)
    for name in sorted(needed & counts.keys()):
        if counts[name] > 1:
            raise SetAsideError(
                "repeated_column",
                f"The file has {counts[name]} columns '{name}' and the contract uses it; ask which one is meant.",
            )
    require_columns(renamed, needed)
    return _each_once(renamed)


def rename(names: Sequence[str], aliases: Mapping[str, list[str]]) -> list[str]:
    """Return the names with aliases replaced, unless the proper name is there as well."""
    present = set(names)
    proper = {other: name for name, others in aliases.items() if name not in present for other in others}
    return [proper.get(name, name) for name in names]


def require_columns(names: Sequence[str], needed: frozenset[str]) -> None:
    """Refuse a file that lacks a needed column: filled with nothing it would load, and be wrong.

    Raises:
        SetAsideError: `missing_column`.
    """
    missing = sorted(needed - set(names))
    if missing:
        shown = ", ".join(names[:MAX_NAMES_SHOWN]) + (", ..." if len(names) > MAX_NAMES_SHOWN else "")
        wanted = ", ".join(f"'{name}'" for name in missing)
        raise SetAsideError(
            "missing_column",
            f"The file has no column {wanted}; it has: {shown}. If a column was renamed, add its new name under "
            f"files.aliases ({missing[0]}: [new name]); else ask for the file again with the column.",
        )


def _each_once(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    result = []
    for position, name in enumerate(names, start=1):
        base = name or f"column_{position}"
        unique, copy = base, 1
        while unique in taken:
            copy += 1
            unique = f"{base}#{copy}"
        taken.add(unique)
        result.append(unique)
    return result
