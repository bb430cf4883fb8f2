"""The embedded server takes its share of the memory that there is, and no more."""

from pathlib import Path

import pytest

from load.server_settings import MEGABYTE, memory_bytes, tuned

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("gigabytes", "shared"), [(0.25, "128MB"), (1, "170MB"), (6, "1024MB"), (24, "4096MB"), (256, "4096MB")]
)
def test_a_sixth_of_the_memory_holds_pages_within_bounds(gigabytes: float, shared: str):
    assert tuned(int(gigabytes * 1024 * MEGABYTE))["shared_buffers"] == shared


def test_a_container_counts_its_own_limit_and_not_the_machines_memory(tmp_path: Path):
    limit, unlimited = tmp_path / "memory.max", tmp_path / "unlimited"
    limit.write_text(f"{512 * MEGABYTE}\n")
    unlimited.write_text("max\n")
    assert memory_bytes((str(limit),)) == 512 * MEGABYTE
    assert memory_bytes((str(unlimited), str(tmp_path / "absent"))) > 512 * MEGABYTE
