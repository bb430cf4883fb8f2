"""A full refresh drops the manifest; what it held is written beside the bronze files first, and read back after."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from etl_pipeline.bronze_layer.landing import landed_again
from etl_pipeline.contracts.values import Landed
from etl_pipeline.core.bronze_store import BronzeStore


class Rebuild:
    """The list of files that a full refresh has still to load; a killed one is taken up by the next run."""

    def __init__(self, home: Path, env: str) -> None:
        """Keep the list of an environment in the home folder."""
        self._path = home / f"rebuild_{env}.json"
        self._decided = home / f"rebuild_{env}_decisions.json"

    def remember(self, files: Iterable[Landed]) -> None:
        """Add files to the list, before their manifest is dropped."""
        # The same bytes stand here once for every name under which they came.
        rows = {(r["feed"], r["sha256"], r["name"]): r for r in self._rows()}
        for file in files:
            time = file.logical_time.isoformat() if file.logical_time else ""
            rows[file.feed, file.sha256, file.name] = {
                "feed": file.feed, "name": file.name, "sha256": file.sha256, "logical_time": time,
            }  # fmt: skip
        self._write(self._path, list(rows.values()))

    def remember_decisions(self, decisions: Iterable[dict[str, Any]]) -> None:
        """Keep what people decided about what was set aside, before it is dropped with the manifest."""
        kept = {(d["feed"], d["sha256"], d["record_no"]): d for d in (*self.decisions(), *decisions)}
        self._write(self._decided, list(kept.values()))

    def decisions(self) -> list[dict[str, Any]]:
        """Return the decisions to write down again; none when no full refresh is under way."""
        found: list[dict[str, Any]] = (
            json.loads(self._decided.read_text(encoding="utf-8")) if self._decided.exists() else []
        )
        return found

    def _write(self, path: Path, rows: list[dict[str, Any]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(rows), encoding="utf-8")
        part.replace(path)

    def _rows(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else []
        return rows

    def files(self, bronze: BronzeStore) -> list[Landed]:
        """Return the files of the list; none when no full refresh is under way."""
        return [
            landed_again(
                bronze, row["feed"], row["name"], row["sha256"],
                datetime.fromisoformat(row["logical_time"]) if row["logical_time"] else None,
            )
            for row in self._rows()
        ]  # fmt: skip

    def forget(self) -> None:
        """Everything of the list is loaded."""
        self._path.unlink(missing_ok=True)
        self._decided.unlink(missing_ok=True)
