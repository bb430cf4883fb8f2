"""What has to be judged again: quarantined records whose reference came, files whose codes changed meaning."""

from collections.abc import Iterable

from etl_pipeline.bronze_layer.landing import landed_again
from etl_pipeline.contracts.loading import Feeds
from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.silver_layer.gtin import gtin_forms
from load.postgres import PostgresWarehouse
from load.references import ReferenceReader
from pipeline_manager.ingest import Task


def _found(warehouse: PostgresWarehouse, reader: ReferenceReader, name: str, keys: list[str]) -> set[str]:
    """Return which of the wanted keys the warehouse knows by now, by the rules of the transforms."""
    forms = {key: [key, *(gtin_forms(key) if name == "product" else [])] for key in keys}
    wanted = {name: [form for ways in forms.values() for form in ways]}
    if name == "product":
        wanted["alias"] = wanted[name]
    with warehouse.connection.cursor() as cursor:
        reader.complete(lambda: cursor, wanted)
    warehouse.connection.rollback()
    sets = reader.references.sets
    known: set[str] = set()
    for place in wanted:
        if place in sets:
            known |= {str(key) for key in sets[place].index}
    if name == "unit":
        return {key for key in keys if any(k.endswith(f"|{key}") for k in known)}
    return {key for key, ways in forms.items() if known.intersection(ways)}


def waiting_records(warehouse: PostgresWarehouse, reader: ReferenceReader) -> dict[int, set[int]]:
    """Return file -> records in quarantine whose reference has come."""
    waiting = warehouse.waiting()
    by_set: dict[str, list[str]] = {}
    for name, key, _ in waiting:
        by_set.setdefault(name, []).append(key)
    found = {name: _found(warehouse, reader, name, keys) for name, keys in by_set.items()}
    ready: dict[int, set[int]] = {}
    for name, key, addresses in waiting:
        if key in found[name]:
            for file_id, record_no in addresses:
                ready.setdefault(file_id, set()).add(record_no)
    return ready


def tasks_again(
    warehouse: PostgresWarehouse, reader: ReferenceReader, feeds: Feeds, bronze: BronzeStore, changed: Iterable[int],
    *, everything: bool,
) -> list[Task]:  # fmt: skip
    """Return the reading tasks of everything that is to be judged again.

    Args:
        warehouse: the warehouse.
        reader: references, as they are after the last load.
        feeds: the contracts.
        bronze: where landed files lie.
        changed: files to judge again as a whole.
        everything: all that is set aside, whatever it waits for.
    """
    ready = waiting_records(warehouse, reader)
    for file_id, record_no in warehouse.set_aside_records(by_old_contract_only=not everything):
        ready.setdefault(file_id, set()).add(record_no)
    for file_id, record_no in warehouse.let_in_records():
        ready.setdefault(file_id, set()).add(record_no)
    wanted = sorted(set(ready) | set(changed))
    manifest = {f.file_id: f for f in warehouse.manifest_files(wanted) if f.feed in feeds.contracts}
    tasks = []
    for file_id in wanted:
        if file_id not in manifest:
            continue
        file = manifest[file_id]
        landed = landed_again(bronze, file.feed, file.name, file.sha256, file.named_time)
        records = None if file_id in set(changed) else frozenset(ready[file_id])
        tasks.append(Task(landed, file_id, records))
    return tasks
