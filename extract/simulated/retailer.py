"""The simulated retailer: a month of files from five kinds of system, and the truth to check an answer against."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

import pandas as pd

from etl_pipeline.core.progress import Progress, SilentProgress
from extract.simulated import truth
from extract.simulated.answer_key import Judged, Setup, judge, write_answers
from extract.simulated.emitters import erp, pos, shop, store, supplier, wms
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.faults import FAULTS, inject, parse_faults
from extract.simulated.faults.fault import Expected
from extract.simulated.hourly import stock_hourly
from extract.simulated.known import known_world
from extract.simulated.world import World, make_world

EMITTERS = (erp, pos, shop, store, supplier, wms)
_LAYOUT = ("header", "trailer", "preamble")


@dataclass(frozen=True)
class SimulatedMonth:
    """The files of a simulated period, and what is true at its end. Quantities are EA.

    Attributes:
        files: every file written, sorted by path.
        as_of: the instant of the truth: after the last event of the last business day.
        physical: the same columns: what lies there. It differs by the theft that no count has found yet.
        open_reservations: order_document, order_line, product_code, quantity of web orders not shipped or cancelled.
        open_supply: the same columns, of purchase order lines still expected.
        world: everything that happened, for finer questions.
        sheets: the files before they were written, with their deliveries and faults.
        expected: how each fault is to be found.
        faults: rate of each fault that was put in.
        answers: folder of the answer key, where one was written.
    """

    files: tuple[Path, ...]
    as_of: datetime
    physical: pd.DataFrame
    open_reservations: pd.DataFrame
    open_supply: pd.DataFrame
    world: World = field(repr=False)
    sheets: tuple[Sheet, ...] = field(repr=False)
    expected: tuple[Expected, ...] = field(repr=False)
    faults: dict[str, float]
    answers: Path | None = None

    @cached_property
    def stock_hourly(self) -> pd.DataFrame:
        """Knowable and physical stock, hour by hour: see `hourly.stock_hourly`."""
        return stock_hourly(self.world if self._is_all_told else known_world(self.world, self.judged))

    @cached_property
    def judged(self) -> Judged:
        """What must become of every record of every file: see `answer_key.judge`."""
        return judge(self.sheets, [identity for emitter in EMITTERS for identity in emitter.IDENTITIES])

    @cached_property
    def on_hand(self) -> pd.DataFrame:
        """What all feeds together let one know: product_code, location_code, quantity (EA).

        The latest count plus authoritative movements after it. What was lost on the way is not in it.
        """
        return truth.on_hand(self.world.counts, self.world.movements) if self._is_all_told else self.judged.on_hand

    @property
    def expected_set_aside(self) -> pd.DataFrame:
        """What is not accepted, and why: feed, file, fate, reason, records; headers and trailers apart."""
        files = self.judged.files
        is_plain = files["fate"].isin(["accepted", "superseded"]) | files["reason"].isin(list(_LAYOUT))
        is_plain |= files["records"] == 0  # a header sent twice
        return files.loc[~is_plain, ["feed", "file", "fate", "reason", "records"]].reset_index(drop=True)

    @property
    def _is_all_told(self) -> bool:
        return all(FAULTS[name].keeps_truth for name in self.faults)


def simulate(
    out: Path,
    *,
    seed: int = 7,
    days: int = 30,
    stores: int = 4,
    products: int = 60,
    start: date = date(2025, 3, 1),
    faults: str = "usual",
    answers: Path | None = None,
    losses: bool = True,
    progress: Progress | None = None,
) -> SimulatedMonth:
    """Write the files of a simulated retailer into an inbox.

    The default month contains the change to summer time (2025-03-30). The same arguments give the same bytes.

    Args:
        out: inbox folder; made if it is not there. Files of an earlier call are overwritten, others stay.
        seed: of all chance.
        days: number of days, at least 1; masters and the opening stock take are dated on the eve.
        stores: number of stores, at least 1, beside the warehouse WH01.
        products: number of products, at least 1.
        start: first day.
        faults: what goes wrong in the feeds: names with an optional rate (`F3,F5:0.02`), all, usual or none.
        answers: folder to write the answer key into; none is written without it.
        losses: whether there is theft, misplacement and wrong counting: all that no record tells of.
        progress: told of the steps.

    Raises:
        UsageError: a fault has no such name or rate.
    """
    chosen = parse_faults(faults)
    told = progress or SilentProgress()
    told.step("live", days)
    world = make_world(
        seed=seed, days=days, stores=stores, products=products, start=start, losses=losses, progress=told
    )
    sheets, expected = inject(emit(world), world, chosen, seed=seed)
    month = SimulatedMonth(
        files=write(sheets, out, told),
        as_of=datetime.combine(start + timedelta(days=days), time(hour=2), UTC),
        physical=truth.physical(world.catalog, world.physical),
        open_reservations=truth.open_reservations(world.catalog, world.web_orders, world.web_events),
        open_supply=truth.open_supply(world.catalog, world.purchase_orders, world.notices, world.movements),
        world=world,
        sheets=tuple(sheets),
        expected=tuple(expected),
        faults=chosen,
        answers=answers,
    )
    if answers is not None:
        told.step("answer key")
        setup = Setup(seed, days, stores, products, start, chosen, month.as_of)
        frames = {name: getattr(month, name) for name in ("open_reservations", "open_supply", "stock_hourly")}
        write_answers(answers, setup, month.judged, expected=expected, frames=frames, physical=month.physical)
    return month


def emit(world: World) -> list[Sheet]:
    """Return every file of every system, without faults and not yet written."""
    return [sheet for emitter in EMITTERS for sheet in emitter.sheets(world)]


def write(sheets: Sequence[Sheet], out: Path, progress: Progress | None = None) -> tuple[Path, ...]:
    """Write sheets below a folder, one by one, and return their paths, sorted."""
    told = progress or SilentProgress()
    told.step("write", len(sheets))
    paths = []
    for sheet in sheets:
        path = out / sheet.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sheet.content)
        paths.append(path)
        told.advance()
    told.done(f"{len(paths):,} files, {sum(sheet.size for sheet in sheets):,} records")
    return tuple(sorted(paths))
