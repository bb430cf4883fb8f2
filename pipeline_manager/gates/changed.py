"""Which files changed since a commit, asked of git. The commit's name comes from outside: it is never an option."""

import logging
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from etl_pipeline.core.errors import UsageError

log = logging.getLogger(__name__)
NO_COMMIT = re.compile(r"0{40}|0{64}")
"""What a push event gives as the commit before it where a branch is new."""


def changed_files(root: Path, since: str) -> list[Path] | None:
    """Return the files that differ from where this branch left a commit: committed, not committed, and new ones.

    Args:
        root: the repository's folder, or one below it.
        since: name or number of a commit.

    Returns:
        Paths relative to `root`, of files that are gone, too. None where everything is to be looked at: the branch is
        new, or the commit is not known here, as after a forced push or in a shallow clone.

    Raises:
        UsageError: this is no work tree of git.
    """
    if _git(root, "rev-parse", "--is-inside-work-tree") != b"true\n":
        raise UsageError(f"{root} is no work tree of git, so nobody knows what changed. Leave out --changed-since.")
    if not since.strip() or NO_COMMIT.fullmatch(since.strip()):
        return None
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}")
    base = commit and _git(root, "merge-base", commit.decode().strip(), "HEAD")
    if not base:
        log.warning("the commit to compare with is not known here; every file is looked at")
        return None
    differing = _git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", base.decode().strip(), "--")
    unknown = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if differing is None or unknown is None:
        return None
    names = {name for name in (differing + unknown).split(b"\0") if name}
    return sorted(Path(os.fsdecode(name)) for name in names)


def _git(root: Path, *arguments: str) -> bytes | None:
    """Return what git answers, or None where it refuses."""
    command: Sequence[str] = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    except (OSError, ValueError):  # no git here, or a name that no argument can hold
        return None
    return done.stdout if done.returncode == 0 else None
