"""Folders that this user may not look into: their files would stay out in silence, so they are told of by name."""

import os
from pathlib import Path


def may_look_into(folder: str | Path) -> bool:
    """Tell whether this user may list a folder and open what is in it."""
    return os.access(folder, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def may_read(file: Path) -> bool:
    """Tell whether this user may read a file."""
    return os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def open_folders(inbox: Path) -> list[Path]:
    """Return the inbox and every folder below it that may be looked into."""
    return [Path(folder) for folder, _, _ in os.walk(inbox) if may_look_into(folder)]


def closed_folders(inbox: Path) -> dict[str, str]:
    """Return the inbox, as `.`, and the folders below it that may not be looked into, with what to do.

    Hidden folders are left alone, as their files are; so is `lost+found`, which a mounted disk has.
    """
    closed: set[str] = set()

    def note(error: OSError) -> None:
        if isinstance(error, PermissionError):
            closed.add(os.fspath(error.filename))

    for folder, _, _ in os.walk(inbox, onerror=note):
        if not may_look_into(folder):
            closed.add(folder)
    found = [Path(folder).relative_to(inbox) for folder in sorted(closed)]
    told = [p.as_posix() for p in found if not any(part.startswith(".") or part == "lost+found" for part in p.parts)]
    return {name: f"The folder {name} may not be looked into; give this user the right to read it." for name in told}
