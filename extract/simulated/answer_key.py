"""The answer key: what must become of every record of every file, and what is then known of the stock.

It is an oracle of its own. It reads the records before they are written, and counts by the rules of the design
(semantics, section 2, and docs/decisions/002): nothing of the warehouse's code is used. A record's fate is accepted,
duplicate, superseded, non_data or quarantined; a file may be set aside whole.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from extract.simulated import truth
from extract.simulated.emitters.identity import Identity
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults.fault import FATE, Expected

FILE_COLUMNS = ["feed", "file", "fault", "fate", "reason", "records", "delivery"]
MEANING = {"$product": "product_code", "$location": "location_code", "$at": "at", "$each": "quantity"}
WHOLE = "whole_file_set_aside"
_DAY_IN_NAME = re.compile(r"_(\d{8})[_.]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")


@dataclass(frozen=True)
class Judged:
    """What must become of all records.

    Attributes:
        files: FILE_COLUMNS; one row a file, fate and reason.
        counts: product_code, location_code, at, quantity of the counts that stand.
        movements: likewise, and is_recorded (always true).
    """

    files: pd.DataFrame
    counts: pd.DataFrame
    movements: pd.DataFrame

    @property
    def on_hand(self) -> pd.DataFrame:
        """What the records that stand let one know of the stock: see `truth.on_hand`."""
        return truth.on_hand(self.counts, self.movements)


@dataclass(frozen=True)
class Setup:
    """What the retailer was made with, for `key.json`."""

    seed: int
    days: int
    stores: int
    products: int
    start: date
    faults: dict[str, float]
    as_of: datetime


@dataclass(frozen=True)
class _File:
    """A readable content of a day: its least name, its records, and the day in its names."""

    name: str
    records: pd.DataFrame
    sha256: str
    day: str


def judge(sheets: Sequence[Sheet], identities: Iterable[Identity]) -> Judged:
    """Say what must become of every record.

    Args:
        sheets: every file that is delivered.
        identities: how each feed tells its records apart.
    """
    by_feed = {identity.feed: identity for identity in identities}
    files: list[tuple[object, ...]] = []
    standing = []
    for feed in sorted({sheet.feed for sheet in sheets}):
        rows, facts = _judge_feed([sheet for sheet in sheets if sheet.feed == feed], by_feed[feed])
        files += rows
        standing.append(facts)
    facts = pd.concat(standing, ignore_index=True)
    frame = pd.DataFrame(files, columns=FILE_COLUMNS).sort_values(FILE_COLUMNS[:5], ignore_index=True)
    return Judged(frame, _of_kind(facts, "count"), _of_kind(facts, "movement").assign(is_recorded=True))


def _of_kind(facts: pd.DataFrame, kind: str) -> pd.DataFrame:
    found = facts.loc[facts["$kind"] == kind, list(MEANING)].rename(columns=MEANING)
    return found.astype({"at": "int64", "quantity": "int64"}).reset_index(drop=True)


def _judge_feed(sheets: list[Sheet], identity: Identity) -> tuple[list[tuple[object, ...]], pd.DataFrame]:
    """Return the rows of `files` of one feed, and the current records with their meaning."""
    # Equal bytes under two names are one file, unless the names are of two days: then each speaks of its own.
    by_content: dict[tuple[str, str], list[Sheet]] = {}
    for sheet in sorted(sheets, key=lambda sheet: sheet.name):
        by_content.setdefault((hashlib.sha256(sheet.content).hexdigest(), _day(sheet)), []).append(sheet)
    rows: list[tuple[object, ...]] = []
    parts = []
    for (sha256, day), same in by_content.items():
        first = same[0]
        rows += [_row(other, WHOLE, other.aside, other.size) for other in same if first.aside]
        if first.aside:
            continue
        rows += [_row(other, "duplicate", "same_file", other.size) for other in same[1:]]
        rows += _beside_records(first, identity)
        parts.append(_File(first.name, first.records, sha256, day))
    if not any(len(part.records) for part in parts):
        return rows, pd.DataFrame({name: [] for name in (*MEANING, "$kind")})
    whole = _with_fates(_identified(parts, identity))
    names = {sheet.name: sheet for sheet in sheets}
    counted = Counter(zip(whole["file"], whole["fate"], whole["reason"], strict=True))
    rows += [_row(names[file], fate, reason, count) for (file, fate, reason), count in counted.items()]
    stands = (whole["fate"] == "accepted") & ~whole["is_void"]
    return rows, whole.loc[stands, [*MEANING, "$kind"]]


def _row(sheet: Sheet, fate: str, reason: str, records: int) -> tuple[object, ...]:
    return (sheet.feed, sheet.name, "+".join(sheet.faults), fate, reason, records, sheet.delivery)


def _day(sheet: Sheet) -> str:
    """The file's own time: the first day in its name."""
    found = _DAY_IN_NAME.search(sheet.name)
    if found is None:
        raise ValueError(f"{sheet.name} has no day in its name")
    return found.group(1)


def _beside_records(sheet: Sheet, identity: Identity) -> list[tuple[object, ...]]:
    """Return the rows for headers, trailers and what was put in after rendering."""
    kinds = pd.Series([*identity.head, *identity.tail], dtype=object).value_counts().sort_index()
    rows = [_row(sheet, "non_data", str(kind), int(count)) for kind, count in kinds.items()]
    return rows + [_row(sheet, fate, reason, 1) for fate, reason in sheet.extra]


def _identified(files: list[_File], identity: Identity) -> pd.DataFrame:
    """Return what decides the fate of a feed's records: who they are, which version, and what they mean."""
    numbers = np.repeat(np.arange(len(files)), [len(file.records) for file in files])
    records = pd.concat([file.records for file in files], ignore_index=True)
    texts = {str(name): _plain(records[name]) for name in records if name not in (*MEANING, "$kind", "$raw")}
    told = [name for name in texts if not name.startswith("$") and name not in identity.unread]
    out = pd.DataFrame(
        {
            "file": np.array([file.name for file in files], dtype=object)[numbers],
            "sha256": np.array([file.sha256 for file in files], dtype=object)[numbers],
            "day": np.array([file.day for file in files], dtype=object)[numbers],
            "number": np.arange(len(records)),
            "key": _joined(texts, list(identity.key), len(records)),
            "content": _joined(texts, sorted(told), len(records)),
            "given": texts.get(FATE, pd.Series("", index=records.index, dtype=object)),
            "left_out": "",
            "revision": pd.to_numeric(texts[identity.revision]) if identity.revision else 0,
            "updated_at": pd.to_datetime(texts[identity.updated_at], utc=True) if identity.updated_at else pd.NaT,
            "is_void": texts[identity.void[0]] == identity.void[1] if identity.void[0] else False,
        }
    )  # fmt: skip
    for column, value, reason in identity.left_out:
        out.loc[(texts[column] == value) & (out["left_out"] == ""), "left_out"] = reason
    for name in (*MEANING, "$kind"):
        out[name] = records.get(name, "")
    return out


def _joined(texts: dict[str, "pd.Series[str]"], names: list[str], rows: int) -> "pd.Series[str]":
    """Return columns as one text a row, as a number of its own for each distinct text."""
    cells = zip(*(texts[name].tolist() for name in names), strict=True)
    joined = ["\x1f".join(row) for row in cells]
    return pd.Series(pd.factorize(np.array(joined, dtype=object))[0] if rows else [], dtype="int64")


def _plain(values: "pd.Series[str]") -> "pd.Series[str]":
    """Return values as texts: trimmed, in one Unicode form, without invisible characters, empty where missing."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    texts = np.array([*(_folded(str(value)) for value in distinct), ""], dtype=object)
    return pd.Series(texts[codes], dtype=object)


def _folded(text: str) -> str:
    if text.isascii():
        return text.strip()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()


def _with_fates(whole: pd.DataFrame) -> pd.DataFrame:
    """Return the records with `fate` and `reason`.

    A record's home is the earliest file that has it, by the file's own time and then by its content; elsewhere it is a
    duplicate. Of several versions of a key the greatest stands, by number, time, and the last file that told it.
    """
    given = whole["given"].astype(str).str.partition(":")
    fate, reason = given[0].astype(object), given[2].astype(object)
    is_out = (fate == "") & (whole["left_out"] != "")
    whole = whole.assign(fate=fate.mask(is_out, "non_data"), reason=reason.mask(is_out, whole["left_out"]))
    live = whole.loc[whole["fate"] == ""]
    same = ["key", "content"]
    last_told = live.groupby(same, sort=False)["day"].transform("max")
    home = live.assign(last_told=last_told).sort_values(["day", "sha256", "number"]).drop_duplicates(same)
    whole.loc[live.index, ["fate", "reason"]] = ["duplicate", "same_records"]
    order = ["revision", "updated_at", "last_told"]
    current = home.sort_values(order, kind="stable", na_position="first").drop_duplicates("key", keep="last")
    whole.loc[home.index, ["fate", "reason"]] = ["superseded", ""]
    whole.loc[current.index, ["fate", "reason"]] = ["accepted", ""]
    return whole


def write_answers(
    folder: Path,
    setup: Setup,
    judged: Judged,
    *,
    expected: Sequence[Expected],
    frames: dict[str, pd.DataFrame],
    physical: pd.DataFrame,
) -> None:
    """Write the answer key into a folder.

    Args:
        folder: made if it is not there.
        setup: what the retailer was made with.
        judged: from `judge`.
        expected: how each fault is to be found.
        frames: further tables by name: `open_supply` becomes open_supply.csv, `stock_hourly` stock_hourly.parquet.
        physical: product_code, location_code, quantity (EA) at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = asdict(setup) | {"start": setup.start.isoformat(), "as_of": setup.as_of.isoformat()}
    (folder / "key.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    known = judged.on_hand.rename(columns={"quantity": "knowable"})
    both = physical.rename(columns={"quantity": "physical"}).merge(known, on=truth.STOCK_KEY, how="outer")
    on_hand = both.fillna({"knowable": 0, "physical": 0}).astype({"knowable": "int64", "physical": "int64"})
    tables = {
        "files": judged.files,
        "faults": pd.DataFrame([asdict(line) for line in expected], columns=list(Expected.__dataclass_fields__)),
        "on_hand": on_hand[[*truth.STOCK_KEY, "knowable", "physical"]],
    }
    for name, frame in (tables | frames).items():
        if name == "stock_hourly":
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
