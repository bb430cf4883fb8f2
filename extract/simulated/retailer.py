"""The simulated retailer: a month of files from five kinds of system, and the truth to check an answer against."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from extract.simulated import truth
from extract.simulated.dirt import usual_dirt
from extract.simulated.emitters import erp, pos, shop, store, supplier, wms
from extract.simulated.emitters.sheet import Sheet
from extract.simulated.world import World, make_world

EMITTERS = (erp, pos, shop, store, supplier, wms)


@dataclass(frozen=True)
class SimulatedMonth:
    """The files of a simulated period, and what is true at its end. Quantities are EA.

    Attributes:
        files: every file written, sorted by path.
        as_of: the instant of the truth: after the last event of the last business day.
        on_hand: product_code, location_code, quantity: what all feeds together let one know (the latest count plus
            authoritative movements after it).
        physical: the same columns: what lies there. It differs by the theft that no count has found yet.
        open_reservations: order_document, order_line, product_code, quantity of web orders not shipped or cancelled.
        open_supply: the same columns, of purchase order lines still expected.
        expected_set_aside: feed, file, fate, reason, records: see `dirt.Expected`.
        world: everything that happened, for finer questions.
    """

    files: tuple[Path, ...]
    as_of: datetime
    on_hand: pd.DataFrame
    physical: pd.DataFrame
    open_reservations: pd.DataFrame
    open_supply: pd.DataFrame
    expected_set_aside: pd.DataFrame
    world: World = field(repr=False)


def simulate(
    out: Path,
    *,
    seed: int = 7,
    days: int = 30,
    stores: int = 4,
    products: int = 60,
    start: date = date(2025, 3, 1),
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
    """
    world = make_world(seed=seed, days=days, stores=stores, products=products, start=start)
    sheets, expected = usual_dirt(emit(world), world)
    return SimulatedMonth(
        files=write(sheets, out),
        as_of=datetime.combine(start + timedelta(days=days), time(hour=2), UTC),
        on_hand=truth.on_hand(world.counts, world.movements),
        physical=truth.physical(world.catalog, world.physical),
        open_reservations=truth.open_reservations(world.catalog, world.web_orders, world.web_events),
        open_supply=truth.open_supply(world.catalog, world.purchase_orders, world.notices, world.movements),
        expected_set_aside=pd.DataFrame([asdict(line) for line in expected]),
        world=world,
    )


def emit(world: World) -> list[Sheet]:
    """Return every file of every system, without dirt and not yet written."""
    return [sheet for emitter in EMITTERS for sheet in emitter.sheets(world)]


def write(sheets: list[Sheet], out: Path) -> tuple[Path, ...]:
    """Write sheets below a folder and return their paths, sorted."""
    paths = []
    for sheet in sheets:
        path = out / sheet.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sheet.content)
        paths.append(path)
    return tuple(sorted(paths))
