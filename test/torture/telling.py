"""What the torture tells: progress, how to play a failure again, figures for docs/reliability.md."""

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from test.run_warehouse import RunWarehouse

REPORT = "SYSTOCK_TORTURE_REPORT"
ARRIVAL = "{known,known_from,known_to,since_known,contract_hash,record_id,file_id}"
_calm: dict[str, dict[str, str]] = {}  # hashes of warehouses that nothing is loaded into any more


def differences(expected: RunWarehouse, found: RunWarehouse) -> dict[str, Any]:
    """Every relation of silver and gold that differs, with some of its rows."""
    if expected.name not in _calm:
        _calm[expected.name] = expected.hashes()
    left, right = _calm[expected.name], found.hashes()
    shown: dict[str, Any] = {}
    for name in sorted(left):
        if left[name] == right[name] or name == "total":
            continue
        query = f"select (to_jsonb(t) - '{ARRIVAL}'::text[])::text from {name} as t order by 1"
        one, other = {r[0] for r in expected.rows(query)}, {r[0] for r in found.rows(query)}
        shown[name] = {"calm": sorted(one - other)[:4], "tortured": sorted(other - one)[:4]}
    return shown


def assert_same(expected: RunWarehouse, found: RunWarehouse) -> None:
    """Fail with the rows that differ."""
    shown = differences(expected, found)
    if shown:
        raise AssertionError(f"not the same as in a calm life: {json.dumps(shown, indent=1)}")


@contextlib.contextmanager
def replay(file: str, seed: int, **environ: object) -> Iterator[None]:
    """Add to a failure how it is played again."""
    try:
        yield
    except BaseException as error:
        values = " ".join(f"{name}={value}" for name, value in {"SYSTOCK_TORTURE_SEED": seed, **environ}.items())
        error.add_note(f"seed {seed}; play it again with: {values} .venv/bin/python -m pytest test/torture/{file} -x")
        raise


class Tally:
    """Counts what was done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()

    def add(self, what: str, number: int = 1) -> None:
        self.counts[what] += number

    def progress(self, capsys: Any, where: str, seconds: float) -> None:
        """Print a line when a large run is watched."""
        if os.environ.get(REPORT):
            with capsys.disabled():
                sys.stdout.write(f"{self.name}: {where}, {seconds:.0f} s, {dict(self.counts)}\n")
                sys.stdout.flush()

    def write(self, **more: object) -> None:
        """Add the figures to the file that SYSTOCK_TORTURE_REPORT names."""
        target = os.environ.get(REPORT)
        if not target:
            return
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        told[self.name] = {**self.counts, **more}
        path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
