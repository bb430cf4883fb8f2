"""The transform itself: files of a unit become facts. The same code runs wherever the unit is done."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from etl_pipeline.bronze_layer.chunks import NO_NON_DATA, NO_SET_ASIDE
from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.bronze_layer.volume import HeldError, within_usual, within_volume
from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import Addresses, Conformed, Part, RecordChunk
from etl_pipeline.core.errors import SetAsideError
from etl_pipeline.silver_layer.conform import Rules
from etl_pipeline.silver_layer.identity import needed_columns
from pipeline_manager.conforming import Known, conform_with
from pipeline_manager.drift_values import Faults
from pipeline_manager.transforming import units
from pipeline_manager.transforming.units import FileWork, Slice, Transformed, Unit

# Shared, so that a message between processes holds each once.
NO_TEXT = pd.DataFrame()
NOWHERE = Addresses(*(np.empty(0, dtype=np.int64) for _ in range(4)))


@dataclass(frozen=True)
class Transform:
    """Reads and conforms files by the contracts of one retailer.

    Attributes:
        contracts: by feed.
        rules: that they share.
    """

    contracts: Mapping[str, Contract]
    rules: Rules
    _needed: dict[str, frozenset[str]] = field(default_factory=dict)

    def run(self, unit: Unit, known: Known) -> Iterator[Transformed]:
        """Yield what comes of a unit, in the order of its files.

        Raises:
            UsageError: the contract cannot be followed.
        """
        yield from (self._small(unit, known) if unit.is_small else self._large(unit, known))

    def _small(self, unit: Unit, known: Known) -> Iterator[Transformed]:
        """Read files whole and conform them together, as many at once as memory allows."""
        held: list[tuple[int, RecordChunk]] = []
        ended: list[tuple[int, SetAsideError | None]] = []
        rows = 0
        for number, file in enumerate(unit.files):
            if held and rows >= units.GROUP_ROWS:
                yield self._conformed(unit, held, known, ended)
                held, ended, rows = [], [], 0
            try:
                chunks = list(self._chunks(file))
            except SetAsideError as error:
                ended.append((number, error))
                continue
            held += [(number, chunk) for chunk in chunks]
            rows += sum(len(chunk.text) for chunk in chunks)
            ended.append((number, None))
        yield replace(self._conformed(unit, held, known, ended), is_last=True)

    def _large(self, unit: Unit, known: Known) -> Iterator[Transformed]:
        """Conform a file chunk by chunk; that it has to be set aside may come out late."""
        error: SetAsideError | None = None
        try:
            for chunk in self._chunks(unit.files[0]):
                yield self._conformed(unit, [(0, chunk)], known, [])
        except SetAsideError as found:
            error = found
        yield Transformed([], None, [(0, error)], is_last=True)

    def _chunks(self, file: FileWork) -> Iterator[RecordChunk]:
        contract = self.contracts[file.landed.feed]
        if contract.feed not in self._needed:
            self._needed[contract.feed] = needed_columns(contract)
        chunks = read_records(file.landed.path, contract.files, needed=self._needed[contract.feed])
        if file.held is not None:
            raise HeldError("unusual_volume", file.held)
        if not file.has_any_volume:
            chunks = within_usual(within_volume(chunks, contract.files.records), file.bounds)
        for chunk in chunks:
            yield chunk if file.record_nos is None else _only(chunk, file.record_nos)

    def _conformed(
        self, unit: Unit, held: list[tuple[int, RecordChunk]], known: Known,
        ended: list[tuple[int, SetAsideError | None]],
    ) -> Transformed:  # fmt: skip
        if not held:
            return Transformed([], None, ended, is_last=False)
        parts = [Part(unit.files[n].landed, chunk, unit.files[n].accepted) for n, chunk in held]
        conformed = conform_with(known, parts, self.contracts[unit.feed], self.rules)
        faults = {} if unit.files[0].is_again else _faults(parts, conformed)
        slices = [
            _sliced(number, unit.files[number], part, faults.get(at))
            for at, ((number, _), part) in enumerate(zip(held, parts, strict=True))
        ]
        return Transformed(slices, conformed, ended, is_last=False)


def _faults(parts: list[Part], conformed: Conformed) -> dict[int, Faults]:
    found: dict[int, Faults] = {}
    if len(conformed.set_aside):
        for at, aside in conformed.set_aside.groupby("part"):
            number = int(str(at))
            found[number] = Faults()
            found[number].take(parts[number], aside)
    return found


def _sliced(number: int, file: FileWork, part: Part, faults: Faults | None) -> Slice:
    chunk = part.chunk
    kept = RecordChunk(
        text=NO_TEXT,
        addresses=chunk.addresses if file.is_again else NOWHERE,
        set_aside=chunk.set_aside if len(chunk.set_aside) else NO_SET_ASIDE,
        non_data=NO_NON_DATA,
        content=chunk.content,
        content_start=chunk.content_start,
    )
    return Slice(
        file=number,
        part=replace(part, chunk=kept),
        everything=chunk.all_addresses,
        kinds=tuple(chunk.non_data["kind"].tolist()) if len(chunk.non_data) else (),
        columns=tuple(map(str, chunk.text.columns)),
        records=len(chunk.text),
        faults=faults,
    )


def _only(chunk: RecordChunk, record_nos: frozenset[int]) -> RecordChunk:
    """Return a chunk with only some of its records; its bytes stay."""
    wanted = np.isin(chunk.addresses.record_no, list(record_nos))
    set_aside = chunk.set_aside[chunk.set_aside["record_no"].isin(record_nos)]
    return replace(
        chunk,
        text=chunk.text[wanted].reset_index(drop=True),
        addresses=chunk.addresses.take(wanted),
        set_aside=set_aside,
        non_data=chunk.non_data.iloc[:0],
    )
