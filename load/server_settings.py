"""Settings of the embedded server: by the memory that there is, and for servers that nobody keeps."""

import os
from collections.abc import Mapping
from pathlib import Path

MEGABYTE = 1 << 20
LEAST_SHARED, MOST_SHARED = 128, 4096
SHARE_FOR_PAGES = 6
"""One part in six for the server's own pages: the rest is the system's cache, which holds them too, and the runner."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

FIXED: Mapping[str, str] = {
    "work_mem": "64MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def memory_bytes(limits: tuple[str, ...] = _LIMITS) -> int:
    """Return how much memory this machine, or the container that it is, may use."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in limits:
        try:
            found.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such limit here, or "max"
            continue
    return min(number for number in found if number > 0)


def tuned(memory: int) -> dict[str, str]:
    """Return the settings of a server that is kept, for a machine with so many bytes of memory."""
    megabytes = memory // MEGABYTE
    shared = min(MOST_SHARED, max(LEAST_SHARED, megabytes // SHARE_FOR_PAGES))
    return {
        **FIXED,
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(2 * shared, megabytes // 2)}MB",
        "maintenance_work_mem": f"{min(256, shared)}MB",
    }


THROWAWAY: Mapping[str, str] = {
    **FIXED,
    "shared_buffers": f"{LEAST_SHARED}MB",
    "effective_cache_size": "2GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "1GB",
    "fsync": "off",
    "full_page_writes": "off",
}
