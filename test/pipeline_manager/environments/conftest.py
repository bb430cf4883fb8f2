"""A small prod to make environments of."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import RunWarehouse

MOVES = """D1,1,1,A,W1,2025-02-01T09:00:00,5,EA,in,
D2,1,1,B,W1,2025-02-01T09:00:00,3,EA,in,
D3,1,1,A,S1,2025-02-01T10:00:00,2,EA,in,
D4,1,1,NO,W1,2025-02-01T09:00:00,5,EA,in,
"""
TICKETS = "T1,A,S1,2025-02-02T09:00:00,1,250\nT1,B,S1,2025-02-02T09:00:00,1,150\n"


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    return write_feeds(tmp_path / "feeds")


@pytest.fixture
def prod(warehouse: RunWarehouse, feeds: Path, tmp_path: Path) -> Iterator[RunWarehouse]:
    """Loaded once; its environments are dropped at the end, since their roles belong to the server."""
    inbox = {"move_2025-02-01.csv": MOVES, "ticket_2025-02-02.csv": TICKETS}
    warehouse.run(feeds, write_files(tmp_path / "first", MASTERS | inbox))
    yield warehouse
    for (role,) in warehouse.rows("select role from ops.environment"):
        warehouse.rows(f"set client_min_messages = error; drop owned by {role} cascade; drop role {role}; select 1")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(name: str, files: dict[str, str]) -> Path:
        return write_files(tmp_path / name, files)

    return written
