"""The dbt project of gold as files: where it lies, which state it is in, which views it deploys."""

import hashlib
from pathlib import Path

PROJECT = Path(__file__).parent / "gold"
_PARTS = ("dbt_project.yml", "macros/**/*.sql", "models/**/*", "answers/*.sql", "tests/**/*.sql")


def gold_version(project: Path | None = None) -> str:
    """Return a hash of everything in a dbt project that shapes the views; of this one's, if none is given."""
    project = project or PROJECT
    whole = hashlib.sha256()
    for path in sorted({p for part in _PARTS for p in project.glob(part) if p.is_file()}):
        whole.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:16]


def gold_views() -> list[str]:
    """Return the names of the views that the project deploys."""
    models = PROJECT.joinpath("models").rglob("*.sql")
    return sorted(path.stem for path in models if path.parent.name != "inside")
