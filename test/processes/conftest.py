"""The process faults P1-P16 by name: the same stage as the torture has, and a small retailer upon it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.torture.stage import Stage, Tortured

GOOD = {
    "move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5) + move("D2", "2025-02-01T10:00:00", -2),
    "count_2025-02-02.csv": "C1,1,A,W1,2025-02-02T08:00:00,7,item,unknown,\n",
}


@pytest.fixture(scope="session")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("small_feeds"))


@pytest.fixture
def inbox(stage: Stage) -> Path:
    return write_files(stage.room("inbox"), MASTERS | GOOD)


@pytest.fixture
def tortured(stage: Stage) -> Iterator[Tortured]:
    made = stage.make()
    yield made
    made.drop()


@pytest.fixture(scope="session")
def clean(stage: Stage, feeds: Path) -> Iterator[Tortured]:
    made = stage.make()
    made.finish(feeds, write_files(stage.room("inbox"), MASTERS | GOOD))
    yield made
    made.drop()
