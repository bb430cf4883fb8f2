"""What a gate finds, and what it looks at."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from etl_pipeline.core.errors import UsageError

ERROR, WARNING = "error", "warning"
_NOT_OURS = {"build", "dist", "target", "logs", "dbt_packages", "node_modules", "__pycache__"}
_HIDDEN_BUT_OURS = {".github", ".ci"}


@dataclass(frozen=True, order=True)
class Finding:
    """Something that keeps a gate shut.

    Attributes:
        gate: which one: sql, yaml, contracts or gold.
        path: the file, with slashes, below the folder that was looked at. It comes from outside: show it escaped.
        line: from 1.
        level: error or warning; both keep the gate shut.
        message: what is wrong, in a sentence.
        rule: short name of the rule, such as LT02.
    """

    gate: str
    path: str
    line: int
    level: str
    message: str
    rule: str


@dataclass(frozen=True)
class Scope:
    """What the gates look at.

    Attributes:
        root: the repository's folder.
        files: every file of it that may be of interest, relative to it; no links.
        changed: only these are looked at, and what hangs on them; everything if None.
        feeds: folders of contracts besides those below `feeds`.
    """

    root: Path
    files: tuple[Path, ...]
    changed: frozenset[Path] | None = None
    feeds: tuple[Path, ...] = field(default=())

    @classmethod
    def of(cls, root: Path, changed: Iterable[Path] | None = None, feeds: Iterable[Path] = ()) -> "Scope":
        """Look what there is.

        Raises:
            UsageError: the root is no folder.
        """
        if not root.is_dir():
            raise UsageError(f"{root} is no folder. Give the repository's with --root.")
        only = None if changed is None else frozenset(changed)
        return cls(root, tuple(_files(root)), only, tuple(feeds))

    def wanted(self, *suffixes: str, all_if: tuple[str, ...] = ()) -> list[Path]:
        """Return the files of some endings to look at.

        Args:
            suffixes: endings, such as ".sql".
            all_if: where one of these, files or folders, has changed, all files are looked at.
        """
        found = [path for path in self.files if path.suffix in suffixes]
        if self.changed is None or self.has_changed(*all_if):
            return found
        return [path for path in found if path in self.changed]

    def has_changed(self, *places: str) -> bool:
        """Tell whether something changed at one of these places, files or folders, or everything is to be looked at."""
        if self.changed is None:
            return True
        return any(path.is_relative_to(place) for path in self.changed for place in places)


@dataclass(frozen=True)
class Looked:
    """What a gate looked at, counted, and what it found."""

    count: int
    findings: tuple[Finding, ...]


def _files(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_ours(name))
        paths = (here / name for name in sorted(names))
        found += [path.relative_to(root) for path in paths if path.is_file() and not path.is_symlink()]
    return found


def _is_ours(name: str) -> bool:
    is_left_out = name.startswith(".") or name in _NOT_OURS or name.endswith(".egg-info")
    return name in _HIDDEN_BUT_OURS or not is_left_out
