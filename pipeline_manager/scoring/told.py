"""What the files of an inbox tell, record by record, in the order of their arrival: the raw material of shortcuts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from etl_pipeline.bronze_layer.landing import land, matching_files
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Conformed, Landed, Part
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import RetryStepError, SetAsideError
from etl_pipeline.silver_layer.identity import needed_columns
from pipeline_manager.conforming import conform_with, rules_of
from pipeline_manager.transforming.desk import Desk
from pipeline_manager.transforming.units import GROUP_ROWS
from pipeline_manager.warehouse import OpenWarehouse

RECORD = ["part", "record_no", "epoch", "document", "line", "revision_no", "is_void"]
FACT = ["part", "record_no", "fact_no", "product_code", "location_code", "event_time", "quantity"]
KINDS = ("movement", "count")


@dataclass(frozen=True)
class Told:
    """Every movement and count that any record of any file tells, doubled ones, corrected ones and shadows too.

    Attributes:
        movements: feed, file_no (in order of arrival), record_no, fact_no, epoch, document, line, revision_no, is_void,
            product_code, location_code, event_time, quantity (base units).
        counts: the same columns.
    """

    movements: pd.DataFrame
    counts: pd.DataFrame


def read_told(opened: OpenWarehouse, feeds: Feeds, inbox: Path) -> Told:
    """Read every file of an inbox that tells of stock, with what codes mean taken from the loaded warehouse.

    A record that cannot be read is left out, as a shortcut would do after its author mended the crash.
    """
    rules, reader = rules_of(feeds), opened.warehouse.reader(feeds.retailer.units)
    frames: dict[str, list[pd.DataFrame]] = {kind: [] for kind in KINDS}
    arrivals = _arrivals(feeds, inbox, opened.settings.bronze)
    with opened.warehouse.connection.cursor() as cursor:
        desk = Desk(reader, lambda: cursor)
        for feed in sorted({landed.feed for landed in arrivals}):
            numbered = [(number, landed) for number, landed in enumerate(arrivals) if landed.feed == feed]
            for numbers, parts in _pieces(numbered, feeds.contracts[feed]):
                conformed = conform_with(desk, parts, feeds.contracts[feed], rules)
                for kind, found in _facts(conformed).items():
                    frames[kind].append(found.assign(feed=feed, file_no=np.array(numbers)[found["part"]]))
    opened.warehouse.connection.rollback()
    return Told(*(_joined(frames[kind]) for kind in KINDS))


def _arrivals(feeds: Feeds, inbox: Path, bronze: BronzeStore) -> list[Landed]:
    """Return the files that tell of stock in the order of their own time and name: as they would come in."""
    landed = []
    for name, contract in sorted(feeds.contracts.items()):
        if not any(rule.fact in KINDS for rule in contract.yields):
            continue
        for path in matching_files(inbox, contract.files):
            try:
                landed.append(land(path, inbox=inbox, bronze=bronze, feed=name, files=contract.files))
            except (SetAsideError, RetryStepError):
                continue
    return sorted(landed, key=lambda file: (str(file.logical_time or ""), file.name))


def _pieces(numbered: list[tuple[int, Landed]], contract: Contract) -> Iterator[tuple[list[int], list[Part]]]:
    """Yield the chunks of a feed's files, small files together, with the numbers of their files."""
    numbers: list[int] = []
    parts: list[Part] = []
    for number, landed in numbered:
        try:
            for chunk in read_records(landed.path, contract.files, needed=needed_columns(contract)):
                numbers.append(number)
                parts.append(Part(landed, chunk))
        except SetAsideError:
            continue
        if sum(len(part.chunk.text) for part in parts) > GROUP_ROWS:
            yield numbers, parts
            numbers, parts = [], []
    if parts:
        yield numbers, parts


def _facts(conformed: Conformed) -> dict[str, pd.DataFrame]:
    """Return the movements and counts with the keys of their records."""
    records = conformed.records.select(RECORD).to_pandas()
    found = {}
    for kind in KINDS:
        if kind in conformed.facts and conformed.facts[kind].num_rows:
            facts: pd.DataFrame = conformed.facts[kind].select(FACT).to_pandas()
            facts["quantity"] = pd.to_numeric(facts["quantity"])
            found[kind] = facts.merge(records, on=["part", "record_no"])
    return found


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=["feed", "file_no", *RECORD, *FACT[2:]])
    return pd.concat(frames, ignore_index=True).sort_values(["file_no", "record_no", "fact_no"], ignore_index=True)
