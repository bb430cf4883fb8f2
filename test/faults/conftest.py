"""Loads that several tests of faults share: a fault's tests say what is theirs, the loads are made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from test.faults.fault_world import Loaded, check, load_in_deliveries, make_month
from test.run_warehouse import RunWarehouse

Load = Callable[..., Loaded]


@pytest.fixture(scope="session")
def load_faults(
    make_warehouse: Callable[[], RunWarehouse], feeds_unsnapped: Path, tmp_path_factory: pytest.TempPathFactory
) -> Load:
    """Load a small retailer with these faults, delivery by delivery, and compare it with its answer key."""
    made: dict[object, Loaded] = {}

    def load(faults: str, *, backwards: bool = False, **world: object) -> Loaded:
        key = (faults, backwards, *sorted(world.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("faults")
            month = make_month(folder / "inbox", faults, **world)
            found = load_in_deliveries(make_warehouse, feeds_unsnapped, month, folder, backwards=backwards)
            check(found)
            made[key] = found
        return made[key]

    return load
