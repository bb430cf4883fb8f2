"""A full refresh drops the manifest; what it held is written beside the bronze files first, and read back after."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from etl_pipeline.contracts.values import Landed
from pipeline_manager.ingest import landed_again


class Rebuild:
    """The list of files that a full refresh has still to load; a killed one is taken up by the next run."""

    def __init__(self, home: Path, env: str) -> None:
        """Keep the list of an environment in the home folder."""
        self._path = home / f"rebuild_{env}.json"

    def remember(self, files: Iterable[Landed]) -> None:
        """Add files to the list, before their manifest is dropped."""
        # The same bytes stand here once for every name under which they came.
        rows = {(r["feed"], r["sha256"], r["name"]): r for r in self._rows()}
        for file in files:
            time = file.logical_time.isoformat() if file.logical_time else ""
            rows[file.feed, file.sha256, file.name] = {
                "feed": file.feed, "name": file.name, "sha256": file.sha256, "logical_time": time,
            }  # fmt: skip
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(list(rows.values())), encoding="utf-8")
        part.replace(self._path)

    def _rows(self) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else []
        return rows

    def files(self, bronze_dir: Path) -> list[Landed]:
        """Return the files of the list; none when no full refresh is under way."""
        return [
            landed_again(
                bronze_dir, row["feed"], row["name"], row["sha256"],
                datetime.fromisoformat(row["logical_time"]) if row["logical_time"] else None,
            )
            for row in self._rows()
        ]  # fmt: skip

    def forget(self) -> None:
        """Everything of the list is loaded."""
        self._path.unlink(missing_ok=True)
