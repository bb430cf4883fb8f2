"""`systock verify`: hash everything that was received once more, and name what is no longer as it was.

Silver and gold can be built again from bronze (`systock run --full-refresh`, then `systock hash`); what is verified
here cannot: landed files, their bytes in bronze, the manifest, what was set aside, and the sealed snapshots.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress, ended, make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import PostgresWarehouse
from pipeline_manager.publishing import rows
from pipeline_manager.warehouse_commands import deployed_warehouse

READ_BYTES = 1 << 20
FILES_AT_ONCE = 100
MOST_SHOWN = 50
_RESEND = "Ask the sender for the file again and land it: the damaged copy is replaced."
_REBUILD = "Rebuild from the landed files (systock run --full-refresh), or restore a backup."
_RESTORE = "Restore the warehouse from a backup, and find out who changed it."

_FILES = """
    select file_id, feed, sha256, name, size_bytes, status, known, bytes_known, seal, expected_seal
    from {{ bronze }}.sealed_file order by file_id
"""
_BLOCKS = """
    select
        b.file_id, b.block_no, b.byte_start, b.byte_end, octet_length(b.content) as size,
        b.digest is null as is_unsealed,
        b.digest is distinct from {{ bronze }}.block_digest(
            b.block_no, b.byte_start, b.byte_end, b.first_record_no, b.first_line_no, b.record_starts, b.line_nos,
            b.content
        ) as is_changed
    from {{ bronze }}.block as b where b.file_id = any(%s) order by b.file_id, b.block_no
"""
_WHOLE_FILES = """
    select f.file_id
    from {{ bronze }}.file as f
    left join {{ bronze }}.block as b on f.file_id = b.file_id
    where f.file_id = any(%s) and f.blocks_digest is not null
    group by f.file_id
    having
        f.blocks_digest <> encode(sha256(coalesce(string_agg(b.digest, ''::bytea order by b.block_no), '')), 'hex')
        or f.content_bytes <> coalesce(sum(octet_length(b.content)), 0)
"""
_LOADS = """
    select
        b.known, b.chain_hash,
        b.content_hash is distinct from {{ ops }}.batch_content(b.known) as is_other_content,
        b.chain_hash is distinct from {{ ops }}.batch_chain(b.known, b.run_id, b.content_hash, b.previous_hash)
        or b.previous_hash is distinct from coalesce(
            lag(b.chain_hash) over (order by b.known), ''
        ) as is_unlinked,
        (
            select string_agg(f.name, ', ' order by f.name)
            from (
                select n.name from {{ bronze }}.file as n
                where n.known = b.known or n.bytes_known = b.known order by n.name limit 5
            ) as f
        ) as names
    from {{ ops }}.batch as b where b.chain_hash is not null order by b.known
"""
_ORPHANS = """
    select 'the manifest' as place, count(*) as rows, min(f.known) as known
    from {{ bronze }}.file as f
    where not exists (select 1 from {{ ops }}.batch as b where b.known = f.known)
    union all
    select 'silver.record', count(*), min(r.known_from)
    from {{ silver }}.record as r
    where not exists (select 1 from {{ ops }}.batch as b where b.known = r.known_from)
"""
_SET_ASIDE = """
    select f.name, f.sha256, q.line_no, q.byte_start, q.byte_end, b.file_id is null as is_nowhere
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as f on q.file_id = f.file_id
    left join {{ bronze }}.block as b
        on q.file_id = b.file_id and q.byte_start >= b.byte_start and q.byte_end <= b.byte_end
    where q.raw is distinct from substring(
        b.content from (q.byte_start - b.byte_start + 1)::integer for (q.byte_end - q.byte_start)::integer
    )
    order by f.name, q.record_no
"""
_ADDRESSES = """
    select f.name, f.sha256, r.line_no, r.byte_start, r.byte_end, f.content_bytes, f.records, r.record_no
    from {{ silver }}.record as r
    left join {{ bronze }}.file as f on r.file_id = f.file_id
    where
        f.file_id is null or r.byte_start < 0 or r.byte_end <= r.byte_start or r.byte_end > f.content_bytes
        or r.record_no < 0 or r.record_no > f.records
    order by f.name, r.record_no
"""
_SNAPSHOTS = """
    select s.kind, s.business_date, s.version, p.problem
    from (
        select * from {{ gold }}.broken_snapshots() union all select * from {{ gold }}.altered_snapshots()
    ) as p
    inner join {{ gold }}.snapshot as s on p.snapshot_id = s.snapshot_id
    order by s.snapshot_id, p.problem
"""
_COUNTS = """
    select
        (select count(*) from {{ bronze }}.file) as files,
        (select count(*) from {{ bronze }}.file as f where f.seal is null) as unsealed_files,
        (select count(*) from {{ ops }}.batch) as loads,
        (select count(*) from {{ silver }}.quarantine) as set_aside,
        (select count(*) from {{ silver }}.record) as records,
        (select count(*) from {{ gold }}.snapshot) as snapshots
"""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was received.

    Attributes:
        what: landed_file, block, file, manifest, load, quarantine, record or snapshot.
        where: which one, for a person: a file's name, bytes, a load, a day.
        problem: what is wrong with it.
        remedy: what to do.
    """

    what: str
    where: str
    problem: str
    remedy: str


@dataclass
class Verdict:
    """What was looked at, and what is wrong.

    Attributes:
        findings: what is no longer as it was.
        checked: kind -> how many were looked at.
        unsealed_files: files loaded before seals were kept; only their landed bytes can be verified.
        head: chain hash of the latest load. Noted outside, it shows later that no load was cut off.
    """

    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    unsealed_files: int = 0
    head: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was received."""
        return not self.findings

    def add(self, what: str, where: str, problem: str, remedy: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(what, where, problem, remedy))


def verify(
    warehouse: PostgresWarehouse, settings: Settings, progress: Progress, *, expected_head: str | None = None
) -> Verdict:
    """Hash everything that was received again and compare.

    Args:
        warehouse: a warehouse that was deployed.
        settings: where landed files lie.
        progress: told of each step.
        expected_head: head of an earlier verdict, whole or its beginning; the chain must still contain it.
    """
    look = _Look(warehouse, settings.bronze, progress)
    with ended(progress):
        look.landed_files()
        look.blocks()
        look.manifest(expected_head)
        look.set_aside()
        look.snapshots()
    return look.verdict


class _Look:
    """One verification: reads, compares, notes."""

    def __init__(self, warehouse: PostgresWarehouse, bronze: BronzeStore, progress: Progress) -> None:
        self._connection, self._schemas = warehouse.connection, warehouse.schemas
        self._bronze, self._progress = bronze, progress
        self.verdict = Verdict()
        self._files = self._rows(_FILES)
        counts = self._rows(_COUNTS)[0]
        self.verdict.unsealed_files = int(counts.pop("unsealed_files"))
        self.verdict.checked = {name: int(value) for name, value in counts.items()}

    def _rows(self, statement: str, arguments: Any = None) -> list[dict[str, Any]]:
        return rows(self._connection, self._schemas, statement, arguments)

    def landed_files(self) -> None:
        """Every file of the bronze folder is what its name says, and every file of the manifest is there."""
        names: dict[str, list[str]] = {}
        sizes: dict[str, int] = {}
        for file in self._files:
            names.setdefault(file["sha256"], []).append(f"{file['feed']}: {file['name']}")
            sizes[file["sha256"]] = int(file["size_bytes"])
        kept = list(self._bronze.files())
        self._progress.step("landed files", len(kept))
        seen: set[str] = set()
        for path in kept:
            digest, size = _hash_of(path)
            seen.add(path.name)
            shown = f"{path} ({', '.join(names[path.name])})" if path.name in names else str(path)
            if digest != path.name:
                problem = f"its {size:,} bytes (0 to {size:,}) have the SHA-256 {digest[:16]}..., not that of its name"
                self.verdict.add("landed_file", shown, problem, _RESEND)
            elif sizes.get(size_of := path.name, size) != size:
                problem = f"it has {size:,} bytes and the manifest says {sizes[size_of]:,}"
                self.verdict.add("manifest", shown, problem, _RESTORE)
            self._progress.advance()
        for sha256 in sorted(names.keys() - seen):
            where = f"{', '.join(names[sha256])} ({sha256[:16]}...)"
            self.verdict.add("landed_file", where, f"it is missing in {self._bronze.own}", _RESEND)
        self.verdict.checked["landed_files"] = len(kept)
        self._progress.done(f"{len(kept)} hashed")

    def blocks(self) -> None:
        """Every block has its digest, and the blocks of a file are all there."""
        self._progress.step("bytes in bronze", len(self._files))
        count = 0
        for start in range(0, len(self._files), FILES_AT_ONCE):
            group = {file["file_id"]: file for file in self._files[start : start + FILES_AT_ONCE]}
            found: set[int] = set()
            for block in self._rows(_BLOCKS, (list(group),)):
                count += 1
                is_odd = block["size"] != block["byte_end"] - block["byte_start"]
                if block["is_changed"] and (not block["is_unsealed"] or is_odd):
                    found.add(block["file_id"])
                    where = f"{_named(group[block['file_id']])}, block {block['block_no']}, bytes "
                    where += f"{block['byte_start']:,} to {block['byte_end']:,}"
                    self.verdict.add("block", where, "its bytes or places are not those that were loaded", _REBUILD)
            for row in self._rows(_WHOLE_FILES, (list(group),)):
                if row["file_id"] not in found:
                    problem = "its blocks are not those that were sealed: one is missing, added or replaced"
                    self.verdict.add("file", _named(group[row["file_id"]]), problem, _REBUILD)
            self._progress.advance(len(group))
        self.verdict.checked["blocks"] = count
        self._progress.done(f"{count} blocks of {len(self._files)} files")

    def manifest(self, expected_head: str | None) -> None:
        """Every row of the manifest has its seal, and every load its link to the one before."""
        self._progress.step("manifest")
        named: set[int | None] = set()
        for file in self._files:
            if file["seal"] is not None and file["seal"] != file["expected_seal"]:
                named |= {file["known"], file["bytes_known"]}
                problem = "its row (name, size, hash, load, records or bytes) is not what was sealed"
                self.verdict.add("manifest", _named(file), problem, _RESTORE)
        loads = self._rows(_LOADS)
        for load in loads:
            if load["is_unlinked"]:
                problem = "its link to the load before it does not hold: a load was changed, added or taken out"
                self.verdict.add("load", f"load {load['known']}", problem, _RESTORE)
            if load["is_other_content"] and load["known"] not in named:
                problem = f"a file of it was taken out of the manifest, or added; it has now: {load['names'] or 'none'}"
                self.verdict.add("load", f"load {load['known']}", problem, _RESTORE)
        for row in self._rows(_ORPHANS):
            if row["rows"]:
                problem = f"{row['rows']:,} rows are of loads that ops.batch does not have, the first of {row['known']}"
                self.verdict.add("load", row["place"], problem, _RESTORE)
        self.verdict.head = loads[-1]["chain_hash"] if loads else ""
        if expected_head and not any(load["chain_hash"].startswith(expected_head) for load in loads):
            problem = "no load has this chain hash: the chain was cut off or written anew since it was noted"
            self.verdict.add("load", f"head {expected_head[:16]}", problem, _RESTORE)
        self._progress.done(f"{len(self._files)} files, {len(loads)} loads")

    def set_aside(self) -> None:
        """What waits in quarantine has the bytes of its file, and every record lies within its file."""
        self._progress.step("addresses")
        for row in self._rows(_SET_ASIDE):
            problem = "its bytes are in no block of the file" if row["is_nowhere"] else "its bytes are not the file's"
            self.verdict.add("quarantine", _place(row), problem, _RESTORE)
        for row in self._rows(_ADDRESSES):
            problem = f"its address is outside the file (record {row['record_no']} of {row['records']})"
            self.verdict.add("record", _place(row), problem, _REBUILD)
        checked = self.verdict.checked
        self._progress.done(f"{checked['set_aside']:,} set aside, {checked['records']:,} records")

    def snapshots(self) -> None:
        """The chain of snapshots holds, and their rows are the ones that were sealed."""
        self._progress.step("snapshots")
        for row in self._rows(_SNAPSHOTS):
            where = f"{row['kind']} snapshot of {row['business_date']}, version {row['version']}"
            self.verdict.add("snapshot", where, row["problem"], _RESTORE)
        self._progress.done(f"{self.verdict.checked['snapshots']:,}")


def _named(file: dict[str, Any]) -> str:
    return f"{file['feed']}: {file['name']} ({file['sha256'][:16]}...)"


def _place(row: dict[str, Any]) -> str:
    name = f"{row['name']} ({row['sha256'][:16]}...)" if row["name"] else "a file that the manifest does not have"
    return f"{name}, line {row['line_no']}, bytes {row['byte_start']:,} to {row['byte_end']:,}"


def _hash_of(path: Path) -> tuple[str, int]:
    """Return SHA-256 and size of a file; a link or a device instead of it counts as changed."""
    if path.is_symlink() or not path.is_file():
        return "no regular file", 0
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def show_verdict(env: str | None, database_url: str | None, *, as_json: bool, expected_head: str | None) -> bool:
    """Verify and print the outcome; return whether everything is as it was received."""
    progress = make_progress("silent" if as_json else "auto", sys.stderr)
    with deployed_warehouse(env, database_url) as opened:
        opened.deploy()
        verdict = verify(opened.warehouse, opened.settings, progress, expected_head=expected_head)
    if as_json:
        told = asdict(verdict) | {"is_whole": verdict.is_whole, "env": Schemas.of(env).env}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(verdict)) + "\n")
    return verdict.is_whole


def _lines(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.findings[:MOST_SHOWN]:
        yield printable(f"CHANGED  {finding.what}: {finding.where}: {finding.problem}. {finding.remedy}")
    if len(verdict.findings) > MOST_SHOWN:
        yield f"and {len(verdict.findings) - MOST_SHOWN} more; --json shows all"
    if verdict.unsealed_files:
        yield (
            f"{verdict.unsealed_files} files were loaded before seals were kept: of them only the landed bytes were "
            "verified. A rebuild seals them: systock run --full-refresh"
        )
    checked = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in verdict.checked.items())
    yield f"{'whole' if verdict.is_whole else f'{len(verdict.findings)} CHANGED'}: {checked}."
    if verdict.head:
        yield f"head: {verdict.head} (note it elsewhere; --expect HASH shows later whether loads were cut off)"
