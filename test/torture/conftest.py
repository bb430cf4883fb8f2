"""The small retailer's feeds, for the torture."""

from pathlib import Path

import pytest

from test.pipeline_manager.small_retailer import write_feeds


@pytest.fixture(scope="session")
def small_feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("small_feeds"))
