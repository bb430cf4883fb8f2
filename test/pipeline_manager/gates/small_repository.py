"""A repository of a few files, cut from this one, in which a test breaks something."""

import shutil
import subprocess
from pathlib import Path

from test.run_warehouse import REPO

SETTINGS = (".sqlfluff", ".sqlfluffignore", ".yamllint.yml")
FOLDERS = (".ci/sqlfluff_lib", "data_warehouse/gold", "feeds/uci", "feeds/northwind")
FILES = (".ci/snowflake.sqlfluff", "data_warehouse/gold_compiled.json", "data_warehouse/schema/010_ops.sql")
WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")


def small_repository(root: Path) -> Path:
    """Make it at `root`."""
    root.mkdir(parents=True)
    for name in SETTINGS:
        shutil.copy(REPO / name, root / name)
    for name in FOLDERS:
        left_out = shutil.ignore_patterns("target", "logs", "__pycache__")
        shutil.copytree(REPO / name, root / name, ignore=left_out)
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, root / name)
    return root


def git(root: Path, *arguments: str) -> str:
    """Call git as somebody."""
    done = subprocess.run(["git", *WHO, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(root: Path) -> str:
    """Make a commit of everything; return its number."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "a state")
    return git(root, "rev-parse", "HEAD")
