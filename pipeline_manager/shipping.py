"""Brings a serving warehouse up to the keeper: what changed since the last shipment, exactly once.

The manifest is the target's own. A shipment that died left its mark there, open; the next one brings everything that
changed since the last one that was published, so it brings what the dead one should have brought, too.
"""

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from data_warehouse.shipped import ShippedName, shipped_names
from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.failpoints import reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress
from etl_pipeline.core.settings import Settings, remember_secrets
from etl_pipeline.core.snowflake_access import SnowflakeAccess, is_snowflake, snowflake_access
from load.keeper import Keeper
from load.postgres import connect
from load.warehouse import Parcel, Relation, ServingWarehouse, Shipment, Shipped
from pipeline_manager.warehouse import OpenWarehouse

log = logging.getLogger(__name__)
GOLD_NOTE = "gold_version"
"""Of the target: which state of the dbt project its views were built from."""
Target = SnowflakeAccess | str
"""Where to: Snowflake, or the address of another PostgreSQL database."""


@dataclass(frozen=True)
class ShippingReport:
    """What one shipment did.

    Attributes:
        target: its address without secrets.
        known: the last load that the target has now.
        relations: full names of what was brought up to date.
        rows: how many were shipped.
        seconds: how long it took.
    """

    target: str
    known: int
    relations: tuple[str, ...] = ()
    rows: int = 0
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """What it did, for a person."""
        if not self.relations:
            return f"nothing; {self.target} has load {self.known} already"
        return f"{self.rows:,} rows of {len(self.relations)} relations to {self.target}, load {self.known}"


def target_of(to: str | None, settings: Settings) -> Target:
    """Return where a command ships to.

    Raises:
        UsageError: nothing names a target, or a setting of it is missing.
    """
    if to is not None and not is_snowflake(to):
        remember_secrets(to)
        return to
    found = snowflake_access(to, settings.environ) if to else settings.serving
    if found is None:
        raise UsageError(
            "Nothing says where to ship to. Name it with --to, or set SYSTOCK_DATABASE_URL=snowflake://... or the "
            "SNOWFLAKE_ settings."
        )
    return found


def open_target(target: Target, schemas: Schemas) -> ServingWarehouse:
    """Connect to a serving warehouse.

    Raises:
        UsageError: what it needs is not installed, or the settings cannot be used.
        StopRunError: it does not answer.
    """
    if isinstance(target, str):
        if is_snowflake(target) or "://" not in target:
            raise UsageError("The target is no address of PostgreSQL. Write --to postgresql://user@host:5432/database.")
        from load.postgres_serving import PostgresServing

        return PostgresServing(target, schemas)
    from load.snowflake.serving import SnowflakeServing

    return SnowflakeServing(target, schemas)


def ship(opened: OpenWarehouse, target: Target, progress: Progress, *, full: bool = False) -> ShippingReport:
    """Ship what changed on the keeper since the last shipment; harmless to do twice.

    Args:
        opened: the keeper, whose lock the caller holds.
        target: where to.
        progress: told of it.
        full: ship everything anew, and make the target this keeper's if it was another's.

    Raises:
        StopRunError: the target holds what is not this keeper's, or is ahead of it.
    """
    started = time.monotonic()
    progress.step("ship")
    with both_sides(opened, target) as (keeper, serving), _files(opened) as folder:
        shipment, parcels = ship_relations(keeper, serving, names_of(opened), folder, full=full)
        names, rows = tuple(p.relation.full_name for p in parcels), sum(p.rows for p in parcels)
        report = ShippingReport(
            serving.shown, shipment.known if shipment else 0, names, rows, time.monotonic() - started
        )
    progress.done(report.sentence)
    log.info("ship: %d relations, %d rows, %.2f s", len(report.relations), report.rows, report.seconds)
    return report


def ship_relations(
    keeper: Keeper, serving: ServingWarehouse, names: Sequence[ShippedName], folder: Path, *, full: bool = False
) -> tuple[Shipment | None, list[Parcel]]:
    """Ship what changed of some relations; return what it brought the target up to, and what was shipped.

    Args:
        keeper: in a transaction of its own.
        serving: where to.
        names: the relations.
        folder: for files on their way.
        full: ship everything anew.

    Raises:
        StopRunError: the target holds what is not this keeper's, or is ahead of it.
    """
    now = keeper.shipment()
    if now is None:
        return None, []
    serving.prepare()
    done, last = serving.last_shipments()
    if not full:
        refuse_foreign(now, last, serving.shown)
    now = replace(now, number=last.number + 1 if last else 1)
    base = done if done and not full and done.rows_of == now.rows_of else None
    shipping = _Shipping(
        keeper, serving, now, base, shipped=serving.shipped(), folder=folder,
        # Whatever the target says of itself, a full shipment brings everything.
        is_torn=full or (last is not None and not last.is_done),
    )  # fmt: skip
    return now, shipping.publish([keeper.relation(n.schema, n.name, n.source) for n in names])


def refuse_foreign(now: Shipment, last: Shipment | None, shown: str) -> None:
    """Refuse a target that holds another keeper's facts, or facts that this keeper does not know.

    Raises:
        StopRunError: it does; the text says what to do.
    """
    if last is None:
        return
    if last.ledger != now.ledger:
        raise StopRunError(
            f"{shown} holds what another keeper shipped: its first load was another one. Nothing was shipped. Use "
            "another database or environment; or, where this keeper is to take its place: systock ship --full"
        )
    if last.known > now.known:
        raise StopRunError(
            f"{shown} is ahead of this keeper: it holds load {last.known}, and the keeper's last one is {now.known}. "
            "Was the keeper restored from an older backup, or the environment refreshed? Nothing was shipped. To go "
            "back with it: systock ship --full"
        )


class _Shipping:
    """One shipment: what is read on the keeper, laid beside the target's relations, and published."""

    def __init__(
        self, keeper: Keeper, serving: ServingWarehouse, shipment: Shipment, base: Shipment | None, *,
        shipped: dict[str, Shipped], folder: Path, is_torn: bool,
    ) -> None:  # fmt: skip
        """Begin nothing yet; `is_torn` tells that the last one died, perhaps with a relation half replaced."""
        self._keeper = keeper
        self._serving = serving
        self._shipment = shipment
        self._base = base
        self._shipped = shipped
        self._folder = folder
        self._is_torn = is_torn
        self._is_begun = False
        self._has_new_tables = False
        self._keyed: set[str] = set()

    def publish(self, relations: list[Relation]) -> list[Parcel]:
        """Ship what changed of some relations."""
        parcels = [parcel for parcel in map(self._staged, relations) if parcel is not None]
        reached("ship.all_staged")
        if parcels:
            self._serving.publish(self._shipment, parcels, self._keyed)
            reached("ship.published")
        reached("ship.done")
        return parcels

    def _begin(self) -> None:
        """Leave a mark before anything of the target is touched."""
        if not self._is_begun:
            self._serving.begin(self._shipment)
            self._is_begun = True
            reached("ship.begun")

    def _staged(self, relation: Relation) -> Parcel | None:
        """Lay beside the target's relation what it lacks; None where it lacks nothing."""
        found = self._shipped.get(relation.full_name)
        folder = self._folder / relation.full_name
        is_known = found is not None and found.signature == relation.signature
        if found is not None and is_known and self._base is not None and relation.is_table and relation.key:
            parcel = self._changes(relation, found, self._base, folder)
            if parcel is None or not parcel.is_whole:
                return parcel
        else:
            parcel = self._keeper.whole(relation, folder)
            is_same = is_known and not self._is_torn and found is not None and found.content == parcel.content
            if is_same and parcel.content is not None:
                self._throw_away(parcel)
                return None
        self._begin()
        if not is_known and not self._has_new_tables:
            self._has_new_tables = True
            self._serving.write_note(GOLD_NOTE, "")  # views over another table are built anew
        return self._sent(replace(parcel, is_first=not is_known))

    def _changes(self, relation: Relation, found: Shipped, base: Shipment, folder: Path) -> Parcel | None:
        """Stage the rows that were written since; all of them where the target has not what it should have."""
        changed, total = self._keeper.changed(relation, base.horizon)
        if not changed and total == found.rows and not self._is_torn:
            return None
        self._begin()
        if not total:
            return self._keeper.whole(relation, folder)
        parcel = self._sent(self._keeper.since(relation, base.horizon, total, folder))
        after = self._serving.rows_after(parcel)
        if after < total:
            log.warning("%s: the target lacks rows that were shipped; it gets all of them", relation.full_name)
            return self._keeper.whole(relation, folder)
        if after > total:
            keys = self._keeper.whole(relation.only(relation.key), folder / "keys")
            self._serving.stage_keys(self._shipment, keys)
            self._keyed.add(relation.full_name)
        return parcel

    def _sent(self, parcel: Parcel) -> Parcel:
        reached("ship.read")
        self._serving.stage(self._shipment, parcel)
        self._throw_away(parcel)
        return parcel

    @staticmethod
    def _throw_away(parcel: Parcel) -> None:
        """Make room: files that were loaded are of no use any more."""
        for file in parcel.files:
            file.unlink()


@contextmanager
def both_sides(opened: OpenWarehouse, target: Target) -> Iterator[tuple[Keeper, ServingWarehouse]]:
    """Connect to the target, and to the keeper by a transaction of its own."""
    schemas = opened.warehouse.schemas
    with (
        closing(open_target(target, schemas)) as serving,
        closing(Keeper(connect(opened.url, schemas.options), schemas)) as keeper,
    ):
        yield keeper, serving


@contextmanager
def _files(opened: OpenWarehouse) -> Iterator[Path]:
    """A folder for a shipment's files; what a dead one left there goes first."""
    folder = opened.settings.work_dir / "shipping"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def names_of(opened: OpenWarehouse) -> list[ShippedName]:
    """Return what is shipped of a warehouse."""
    return shipped_names(opened.warehouse.schemas, opened.settings.work_dir / "dbt")
