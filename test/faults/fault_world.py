"""A small retailer with faults in its files: loaded, and compared with its answer key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from extract.simulated.emitters.sheet import Sheet
from extract.simulated.retailer import SimulatedMonth, simulate, write
from test.run_warehouse import RunWarehouse

START = date(2025, 3, 2)
ORDERS_SEED = 31
"""Of a small world in which an order is cancelled and a delivery can be booked in twice."""
BOOKS = {"silver.record", "silver.revision", "gold.feed_file", "gold.feed_non_data", "gold.feed_column", "total"}
"""What tells of files, and not of what is true: more files of the same facts make other books."""
STOCK = "select product_code, location_code, on_hand from gold.stock_on_hand"


@dataclass(frozen=True)
class Loaded:
    """A warehouse that has been given the files of a month."""

    month: SimulatedMonth
    warehouse: RunWarehouse
    inbox: Path

    def files_of(self, fault: str) -> pd.DataFrame:
        """The answer key's lines on files with a fault."""
        files = self.month.judged.files
        return files.loc[files["fault"].str.split("+").map(lambda names: fault in names)]

    def told(self, fault: str, fate: str, reason: str = "") -> int:
        """How many records of such files have this fate, by the answer key, which the warehouse was compared with."""
        files = self.files_of(fault)
        is_so = (files["fate"] == fate) & ((files["reason"] == reason) if reason else True)
        return int(files.loc[is_so, "records"].sum())

    def waiting(self, reason: str) -> int:
        """How many records wait in quarantine for this reason."""
        return int(self.warehouse.value("select count(*) from gold.quarantine where reason = %s", (reason,)))

    def set_aside(self) -> set[str]:
        """Reasons for which files were set aside whole."""
        return {row[0] for row in self.warehouse.rows("select reason from gold.feed_file where status = 'set_aside'")}

    def detections(self, fault: str) -> set[str]:
        """How the answer key says that a fault is found."""
        return {line.detection for line in self.month.expected if line.fault == fault}


def make_month(out: Path, faults: str, **world: object) -> SimulatedMonth:
    """A retailer of two stores and eight products that lives for four days, from a Sunday on."""
    size: dict[str, object] = {"days": 4, "stores": 2, "products": 8, "start": START} | world
    return simulate(out, faults=faults, **size)  # type: ignore[arg-type]


def load_in_deliveries(
    make: Callable[[], RunWarehouse], feeds: Path, month: SimulatedMonth, folder: Path, *, backwards: bool = False
) -> Loaded:
    """Load delivery by delivery into a fresh warehouse; backwards, the last one comes first."""
    warehouse = make()
    numbers = sorted({sheet.delivery for sheet in month.sheets}, reverse=backwards)
    for number in numbers:
        inbox = folder / f"delivery_{number}_{backwards}"
        write([sheet for sheet in month.sheets if sheet.delivery == number], inbox)
        warehouse.run(feeds / "simulated", inbox)
    return Loaded(month, warehouse, folder)


def check(loaded: Loaded) -> None:
    """Stock, the books of every file, and the laws are as the answer key has them."""
    check_stock(loaded)
    check_files(loaded)
    warehouse = loaded.warehouse
    assert warehouse.books() == []
    assert warehouse.rows("select law, sentence from ops.law where not is_kept") == []


def check_stock(loaded: Loaded) -> None:
    """On-hand is the knowable truth, key by key; what is not in the key is nowhere."""
    found = {row[:2]: int(row[2]) for row in loaded.warehouse.rows(STOCK)}
    known = loaded.month.on_hand
    told = dict(
        zip(
            zip(known["product_code"], known["location_code"], strict=True),
            (int(quantity) for quantity in known["quantity"]),
            strict=True,
        )
    )
    pairs = {key: (told.get(key, 0), found.get(key, 0)) for key in told | found}
    differ = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    assert not differ, f"(told, found): {differ}"


def check_files(loaded: Loaded) -> None:
    """What became of the records of each file, by reason, is exactly what was told."""
    told, found = told_books(loaded.month), found_books(loaded.warehouse)
    differ = {file: (told.get(file), found.get(file)) for file in told | found if told.get(file) != found.get(file)}
    assert not differ, f"(told, found): {differ}"


def told_books(month: SimulatedMonth) -> dict[tuple[str, str], dict[str, int]]:
    """Records by fate and reason of each file, by the answer key; a file sent twice is told of under one name."""
    books: dict[tuple[str, str], dict[str, int]] = {}
    rows: Any = month.judged.files.itertuples(index=False)
    for row in rows:
        if (row.fate, row.reason) == ("duplicate", "same_file"):
            continue
        if row.fate == "whole_file_set_aside":
            books[row.feed, row.file] = {f"set_aside {row.reason}": 1}
            continue
        reason = row.reason if row.fate in ("non_data", "quarantined") else ""
        book = books.setdefault((row.feed, row.file), {})
        book[f"{row.fate} {reason}".strip()] = book.get(f"{row.fate} {reason}".strip(), 0) + row.records
    empty = _names_of_equal_bytes(month)
    return {key: book for key, book in books.items() if key not in empty}


def day_of(sheet: Sheet) -> str:
    return next(part[:8] for part in sheet.name.split("_") if part[:8].isdigit())


def _names_of_equal_bytes(month: SimulatedMonth) -> set[tuple[str, str]]:
    """Files set aside whole of which another one with a lesser name has the same bytes."""
    first: dict[tuple[str, str, bytes], str] = {}
    others = set()
    for sheet in sorted(month.sheets, key=lambda sheet: sheet.name):
        if sheet.aside and first.setdefault((sheet.feed, day_of(sheet), sheet.content), sheet.name) != sheet.name:
            others.add((sheet.feed, sheet.name))
    return others


def found_books(warehouse: RunWarehouse) -> dict[tuple[str, str], dict[str, int]]:
    """Records by fate and reason of each file, by the warehouse."""
    books: dict[tuple[str, str], dict[str, int]] = {}
    for feed, name, status, reason, accepted, duplicate, superseded in warehouse.rows(
        "select feed, file_name, status, reason, accepted, duplicate, superseded from gold.feed_file"
    ):
        counts = {"accepted": accepted, "duplicate": duplicate, "superseded": superseded}
        book = {fate: int(records) for fate, records in counts.items() if records}
        books[feed, name] = book if status == "loaded" else {f"set_aside {reason}": 1}
    for feed, name, kind, records in warehouse.rows("select feed, file_name, kind, records from gold.feed_non_data"):
        if not any(fate.startswith("set_aside") for fate in books[feed, name]):
            books[feed, name][f"non_data {kind.removeprefix('excluded: ')}"] = int(records)
    for feed, name, reason, records in warehouse.rows(
        "select feed, file_name, reason, count(*) from gold.quarantine group by feed, file_name, reason"
    ):
        books[feed, name][f"quarantined {reason}"] = int(records)
    return books


def differing_facts(one: Loaded | RunWarehouse, other: Loaded | RunWarehouse) -> set[str]:
    """Tables and views of silver and gold that say something else in two warehouses; those on files apart."""
    hashes, others = ((w.warehouse if isinstance(w, Loaded) else w).hashes() for w in (one, other))
    return {name for name in hashes.keys() | others.keys() if hashes.get(name) != others.get(name)} - BOOKS


def assert_waits(loaded: Loaded, fault: str, *reasons: str) -> None:
    """Records of the fault wait for these reasons, each at least once, and just as many as were told."""
    for reason in reasons:
        told = loaded.told(fault, "quarantined", reason)
        assert told > 0, f"{fault} has no record that is set aside for {reason}"
        assert loaded.waiting(reason) >= told
