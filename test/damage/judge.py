"""What became of a damaged file, against what its clean rows tell: the real reading and conforming, no database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Landed, Part, RecordChunk
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.core.reasons import FILE_REASONS, RECORD_REASONS
from etl_pipeline.silver_layer.conform import Rules, conform
from etl_pipeline.silver_layer.identity import needed_columns
from test.damage.canaries import FEEDS, Fact, Key, references, truth
from test.damage.polluter import FILE, RECORDS, SAME, Polluted

RULES = Rules([], "EUR", "UTC")


@dataclass
class Verdict:
    """What became of a file."""

    file: Polluted
    facts: dict[Key, Fact] = field(default_factory=dict)
    aside: list[tuple[str, str, bytes]] = field(default_factory=list)
    file_reason: tuple[str, str] | None = None
    records: int = 0
    faults: list[str] = field(default_factory=list)
    lost: int = 0
    shifted: int = 0

    @property
    def fate(self) -> str:
        """One of SAME, RECORDS and FILE."""
        if self.file_reason is not None:
            return FILE
        return RECORDS if self.rows_aside or (self.aside and not self.facts) else SAME

    @property
    def rows_aside(self) -> set[int]:
        """The rows whose marks are in the bytes of a record that was set aside."""
        held = "\n".join(plain(raw, self.file.damaged.encoding) for _, _, raw in self.aside)
        return {n for n, row in enumerate(self.file.damaged.rows) if row["receipt"] in held}

    @property
    def reasons(self) -> set[str]:
        """Every reason that something was set aside for."""
        return {self.file_reason[0]} if self.file_reason else {reason for reason, _, _ in self.aside}


def plain(raw: bytes, encoding: str) -> str:
    """Bytes that were set aside as text in which marks can be looked for, whatever else is wrong with them."""
    texts = [raw.replace(b"\x00", b"").decode("latin-1")]
    for name in {encoding, "utf-8", "utf-16-le", "utf-16-be"}:
        texts += [raw.decode(name, "ignore"), raw[1:].decode(name, "ignore")]
    return "\n".join(texts)


def check_tiling(chunks: list[RecordChunk], content: bytes | None) -> Iterable[str]:
    """Law 1: the records of a file, laid end to end, are its bytes."""
    whole = b"".join(chunk.content for chunk in chunks)
    if content is not None and whole != content:
        yield "the chunks are not the file's bytes"
    position = number = 0
    for chunk in chunks:
        places = chunk.all_addresses
        for record_no, start, end in zip(places.record_no, places.byte_start, places.byte_end, strict=True):
            if (int(record_no), int(start)) != (number + 1, position) or end <= start:
                yield f"record {record_no} lies at {start}, not at {position}"
            number, position = int(record_no), int(end)
        for row in chunk.set_aside.to_dict("records"):
            if row["raw"] != whole[row["byte_start"] : row["byte_end"]]:
                yield f"record {row['record_no']} was set aside with other bytes than it has"
            if row["reason"] not in RECORD_REASONS:
                yield f"{row['reason']} is no reason"
            if not row["sentence"]:
                yield "a record was set aside without a sentence"
    if position != len(whole):
        yield f"the records end at {position}, the file at {len(whole)}"


def read(file: Polluted, folder: Path, contract: Contract, chunk_bytes: int) -> tuple[Verdict, list[RecordChunk]]:
    """Read a file by the one door to the formats."""
    verdict, path = Verdict(file), folder / file.name.replace("/", "_")
    path.write_bytes(file.damaged.content)
    try:
        chunks = list(read_records(path, contract.files, needed=needed_columns(contract), chunk_bytes=chunk_bytes))
    except SetAsideError as error:
        verdict.file_reason = error.reason, error.sentence
        if error.reason not in FILE_REASONS:
            verdict.faults.append(f"{error.reason} is no reason")
        return verdict, []
    finally:
        path.unlink()
    is_packed = file.kind == "packed"
    verdict.faults += check_tiling(chunks, None if is_packed else file.damaged.content)
    for chunk in chunks:
        verdict.records += len(chunk.all_addresses)
        verdict.aside += [(row["reason"], row["sentence"], row["raw"]) for row in chunk.set_aside.to_dict("records")]
    return verdict, chunks


def conformed(verdicts: list[tuple[Verdict, list[RecordChunk]]], contract: Contract) -> None:
    """Conform the chunks of many files of one feed together, as the flow does with small files."""
    owners = [(verdict, chunk) for verdict, chunks in verdicts for chunk in chunks]
    parts = [Part(Landed(contract.feed, v.file.name, Path(v.file.name), "0" * 64, 0), chunk) for v, chunk in owners]
    if not parts:
        return
    made = conform(parts, contract, RULES, references())
    for fact in made.facts["sale"].to_pylist() if "sale" in made.facts else []:
        verdict = owners[fact["part"]][0]
        key = fact["order_document"], fact["order_line"]
        if key in verdict.facts:
            verdict.faults.append(f"{key} was loaded twice")
        verdict.facts[key] = fact_of(fact)
    whole = {id(v): b"".join(c.content for c in chunks) for v, chunks in verdicts}
    for row in made.set_aside.to_dict("records"):
        verdict = owners[row["part"]][0]
        raw = whole[id(verdict)][row["byte_start"] : row["byte_end"]]
        verdict.aside.append((row["reason"], row["sentence"], raw))


def fact_of(fact: dict[str, Any]) -> Fact:
    return (
        fact["product_code"], fact["location_code"], fact["event_time"], fact["quantity"],
        fact["unit_price"], fact["net_amount"], fact["customer_code"],
    )  # fmt: skip


def judged(verdict: Verdict) -> Verdict:
    """Hold what became of a file against its clean rows."""
    file, faults = verdict.file, verdict.faults
    damaged, case = file.damaged, file.case
    rows = {n: row for n, row in enumerate(damaged.rows) if n not in damaged.absent}
    want = truth(case.feed, list(rows.values()))
    keys = {(row["receipt"], row["line"]): n for n, row in rows.items()}
    if verdict.fate not in damaged.fates:
        faults.append(f"{verdict.fate}, not {' or '.join(sorted(damaged.fates))}: {sorted(verdict.reasons)}")
    if verdict.file_reason is not None:
        if verdict.file_reason[0] not in damaged.reasons:
            faults.append(f"the file was set aside for {verdict.file_reason}")
        return verdict
    aside = verdict.rows_aside
    for key, fact in verdict.facts.items():
        if want.get(key) != fact:
            verdict.shifted += 1
            faults.append(f"shift: {key} became {fact}, and is {want.get(key)}")
    for key, number in keys.items():
        if key not in verdict.facts and number not in aside:
            verdict.lost += 1
            faults.append(f"loss: row {number} {key} is nowhere")
        if key not in verdict.facts and number not in damaged.touched:
            faults.append(f"row {number} was not touched and is not loaded")
        if key in verdict.facts and number in damaged.touched:
            faults.append(f"row {number} was damaged and is loaded")
    allowed = damaged.reasons | damaged.junk
    faults.extend(
        f"set aside for {reason}: {sentence}" for reason, sentence, _ in verdict.aside if reason not in allowed
    )
    return verdict


def judge(files: Iterable[Polluted], folder: Path, chunk_bytes: int = 1 << 20) -> list[Verdict]:
    """Read, conform and judge files, in the order of their feeds."""
    by_feed: dict[str, list[Polluted]] = {}
    for file in files:
        by_feed.setdefault(file.feed.name, []).append(file)
    found = []
    for name, own in by_feed.items():
        contract = FEEDS[name].contract()
        read_ones = [read(file, folder, contract, chunk_bytes) for file in own]
        conformed(read_ones, contract)
        found += [judged(verdict) for verdict, _ in read_ones]
    return found
