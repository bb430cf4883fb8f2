"""`systock backup` and `systock restore`: the warehouse and the received files, as of one load, and back again.

A backup is a folder: `warehouse.dump` is pg_dump's, `bronze/` has the received files by content, and `backup.json` says
as of which load both are. Backing up into the same folder again copies only files that it does not have.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from psycopg2 import extensions

from data_warehouse.dbt_runner import build_gold
from data_warehouse.deploy import deploy
from etl_pipeline.core.bronze_store import BronzeStore, copy_aside, put_in_place, sync_directory
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.names import LAYERS, Schemas
from etl_pipeline.core.ops_tables import OF_OUTSIDE
from etl_pipeline.core.progress import Progress, ended
from etl_pipeline.core.release import RELEASE
from etl_pipeline.core.settings import redact
from etl_pipeline.observe.prometheus import write_whole
from load.server_binaries import find_binaries
from pipeline_manager.verifying import Verdict, verify
from pipeline_manager.warehouse import OpenWarehouse

DUMP, NOTE, FILES = "warehouse.dump", "backup.json", "bronze"
_AS_OF = """
    select
        pg_export_snapshot() as snapshot, b.known, coalesce(b.chain_hash, '') as head,
        current_setting('server_version') as server
    from (select 0 as none) as one
    left join {{ ops }}.batch as b on true
    order by b.known desc nulls last
    limit 1
"""
_RECEIVED = "select distinct sha256, size_bytes from {{ bronze }}.file order by sha256"
_NOBODYS = ("--no-owner", "--no-privileges")
_KNOWS_ALL_SETTINGS = 170000
"""Since this version a server knows every setting that pg_restore makes."""
_UNKNOWN_SETTING = b"SET transaction_timeout = 0;\n"
_TOO_OLD = ("server version mismatch", "unsupported version")
"""What pg_dump says of a server, and pg_restore of a dump, that is later than itself."""
_NEWER = "name the folder of the programs of the server's version in SYSTOCK_PG_BIN."
_FORGET_VERSIONS = "delete from {{ ops }}.setting where name in ('schema_version', 'gold_version', 'runner')"


@dataclass(frozen=True)
class Backup:
    """What a backup says of itself.

    Attributes:
        systock: version that made it.
        server: version of the server that was backed up.
        made_at: when.
        known: the last load in it.
        head: chain hash of that load; what is restored must contain it.
        files: received files in it.
        bytes: their size.
    """

    systock: str
    server: str
    made_at: str
    known: int
    head: str
    files: int
    bytes: int


def back_up(opened: OpenWarehouse, out: Path, progress: Progress) -> Backup:
    """Write a backup of prod into a folder, while others go on working.

    Raises:
        StopRunError: a received file is missing, pg_dump failed, or there is no room; an older backup there stays.
    """
    schemas, connection = opened.warehouse.schemas, opened.warehouse.connection
    out.mkdir(parents=True, exist_ok=True)
    connection.rollback()  # whoever opened it may have asked something
    with ended(progress), connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute(schemas.render(_AS_OF))
        snapshot, known, head, server = cursor.fetchone() or ("", 0, "", "")
        cursor.execute(schemas.render(_RECEIVED))
        received = {str(sha256): int(size) for sha256, size in cursor.fetchall()}
        progress.step("received files", len(received))
        _copy(received, opened.settings.bronze, BronzeStore(out / FILES), progress)
        progress.done(f"{len(received):,}")
        progress.step("dump")
        part = out / f"{DUMP}.part"
        _pg(opened.url, "pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={part}", *_what(schemas))
        part.replace(out / DUMP)
        sync_directory(out)
        progress.done(f"{(out / DUMP).stat().st_size:,} bytes")
    connection.rollback()
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    made = Backup(RELEASE, server, made_at, known or 0, head, len(received), sum(received.values()))
    write_whole(out / NOTE, json.dumps(asdict(made), indent=2) + "\n")
    sync_directory(out)
    return made


def read_backup(folder: Path) -> Backup:
    """Return what a backup says of itself.

    Raises:
        UsageError: the folder holds no whole backup.
    """
    try:
        told: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        found = Backup(**told)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder} holds no backup: {NOTE} cannot be read ({type(error).__name__}).") from error
    if not (folder / DUMP).is_file():
        raise UsageError(f"{folder} holds no whole backup: {DUMP} is missing.")
    return found


def restore(opened: OpenWarehouse, folder: Path, progress: Progress) -> tuple[Backup, Verdict]:
    """Put a backup into an empty database, bring it up to this code, and verify every byte of it.

    Raises:
        UsageError: there is no backup, or the database is not empty.
        StopRunError: pg_restore failed; the database is empty as before.
    """
    found = read_backup(folder)
    schemas, connection = opened.warehouse.schemas, opened.warehouse.connection
    _require_empty(connection, opened.shown_url)
    kept = BronzeStore(folder / FILES)
    files = {path.name: path.stat().st_size for path in kept.files()}
    with ended(progress):
        progress.step("received files", len(files))
        _copy(files, kept, opened.settings.bronze, progress)
        progress.done(f"{len(files):,}")
        progress.step("restore")
        if connection.server_version >= _KNOWS_ALL_SETTINGS:
            _pg(
                opened.url, "pg_restore", "--single-transaction", "--exit-on-error", *_NOBODYS, "--dbname={dsn}",
                str(folder / DUMP),
            )  # fmt: skip
        else:
            _restore_into_older(opened.url, folder / DUMP)
        progress.done(f"load {found.known}")
        progress.step("deploy")
        with connection, connection.cursor() as cursor:
            cursor.execute(schemas.render(_FORGET_VERSIONS))  # rights and views are made anew, by this code
        deploy(connection, schemas)
        build_gold(opened.url, schemas, target_dir=opened.settings.work_dir / "dbt", run_tests=False, full=True)
        progress.done()
    return found, verify(opened.warehouse, opened.settings, progress, expected_head=found.head or None)


def _require_empty(connection: extensions.connection, shown: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("select nspname from pg_catalog.pg_namespace where nspname = any(%s)", (list(LAYERS),))
        there = sorted(str(name) for (name,) in cursor.fetchall())
    if there:
        raise UsageError(
            f"{shown} is not empty: it has {', '.join(there)}. Restore into an empty database: name a new one with "
            "--database-url, or a new folder with SYSTOCK_HOME. Nothing was changed."
        )


def _what(schemas: Schemas) -> Iterator[str]:
    """Yield what is dumped: all layers, and of what speaks of the outside only the empty tables."""
    yield from ("--no-owner", "--no-privileges", "--dbname={dsn}")
    for layer in LAYERS:
        yield f"--schema={getattr(schemas, layer)}"
    for pattern in OF_OUTSIDE:
        yield f"--exclude-table-data={schemas.ops}.{pattern}"


def _copy(files: dict[str, int], source: BronzeStore, target: BronzeStore, progress: Progress) -> None:
    """Copy received files that the target does not have in full; all are on its disk when this ends."""
    folders = set()
    for sha256, size in files.items():
        path, copy = source.path_of(sha256), target.own_path(sha256)
        if not path.is_file():
            raise StopRunError(f"The received file {path} is missing; `systock verify` says which one it is.")
        if not copy.exists() or copy.stat().st_size != size:
            _copy_one(path, copy)
            folders.add(copy.parent)
        progress.advance()
    for folder in sorted(folders):  # once each: a sync for every file takes longer than copying a small one
        sync_directory(folder)
    if folders:
        sync_directory(target.own)
        sync_directory(target.own.parent)


def _copy_one(path: Path, copy: Path) -> None:
    temporary = copy.parent.parent / f".{copy.name}.tmp"
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as stream:
            copy_aside(stream, temporary)
        put_in_place(temporary, copy)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StopRunError(f"{path} could not be copied to {copy.parent.parent} ({error.strerror}).") from error


def _restore_into_older(url: str, dump: Path) -> None:
    """Restore by psql, without the setting that a server before version 17 does not know; whole or not at all."""
    shown, environ = _address(url)
    read = [str(_program("pg_restore")), *_NOBODYS, "--file=-", str(dump)]
    write = [str(_program("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={shown}"]
    with tempfile.TemporaryFile() as said:
        source = subprocess.Popen(read, env=environ, stdout=subprocess.PIPE, stderr=said)
        target = subprocess.Popen(write, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        with suppress(BrokenPipeError), source, target:  # psql has stopped, and said why
            script = cast(BinaryIO, target.stdin)
            script.write(b"begin;\n")
            _hand_on(cast(BinaryIO, source.stdout), script)
            if source.wait() == 0:  # psql cannot tell the end of a dump from the end of what came of it
                script.write(b"commit;\n")
        if source.returncode or target.returncode:
            said.seek(0)
            raise StopRunError(_failed(Path(read[0]), said.read().decode(errors="replace")))


def _hand_on(source: BinaryIO, target: BinaryIO) -> None:
    for line in source:
        if line == _UNKNOWN_SETTING:
            break
        target.write(line)
    shutil.copyfileobj(source, target, 1 << 20)


def _failed(program: Path, said: str) -> str:
    what = redact("; ".join(said.strip().splitlines()[:3])) or "it did not say why"
    advice = f" {program} is too old for that: {_NEWER}" if any(sign in said for sign in _TOO_OLD) else ""
    return f"{program.name} failed: {what}{advice}"


def _address(url: str) -> tuple[str, dict[str, str]]:
    """Return a warehouse's address without its password, and an environment that has it: others see arguments."""
    dsn = extensions.parse_dsn(url)
    secret = dsn.pop("password", None)
    return extensions.make_dsn(**dsn), {**os.environ, "LC_ALL": "C", **({"PGPASSWORD": secret} if secret else {})}


def _pg(url: str, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL against a warehouse."""
    shown, environ = _address(url)
    path = _program(program)
    command: Sequence[str] = [
        str(path), *(part.replace("{dsn}", shown) if "{dsn}" in part else part for part in arguments)
    ]  # fmt: skip
    done = subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise StopRunError(_failed(path, done.stderr))


def _program(name: str) -> Path:
    """Return a client program of PostgreSQL: from SYSTOCK_PG_BIN, beside the server's programs, or on PATH.

    Raises:
        StopRunError: there is none.
    """
    named = Path(os.environ.get("SYSTOCK_PG_BIN") or os.devnull, name)  # it need not hold a server
    if named.is_file():
        return named
    with suppress(StopRunError):
        beside = find_binaries() / name
        if beside.is_file():
            return beside
    on_path = shutil.which(name)
    if on_path is None:
        raise StopRunError(f"{name} was not found. Install PostgreSQL's client programs, or set SYSTOCK_PG_BIN.")
    return Path(on_path)
