"""The peer of the bench: dlt, and dbt over it. It runs in an environment of its own and knows nothing of SyStock.

Called as `python peer_job.py MODE URL STATE OUT FILE...`; MODE is one of MODES. What it took is written to OUT as JSON.
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STARTED = time.monotonic()
PROJECT = Path(__file__).parent / "project"
MODES = ("fast", "defaults")
"""How dlt loads: the file handed to COPY as it is, the fastest way that it documents; its defaults, rows as INSERTs."""
MONEY = {"data_type": "decimal", "precision": 12, "scale": 2}
COLUMNS: dict[str, dict[str, Any]] = {
    "store_id": {"data_type": "text"},
    "register_id": {"data_type": "bigint"},
    "ticket_no": {"data_type": "bigint"},
    "line_no": {"data_type": "bigint"},
    "sku": {"data_type": "text"},
    "qty": {"data_type": "bigint"},
    "unit_price": MONEY,
    "discount": MONEY,
    "tax": MONEY,
    "currency": {"data_type": "text"},
    "sold_at": {"data_type": "timestamp"},
    "cashier": {"data_type": "text"},
}
# What dlt's page on performance names: more workers, and files that are not compressed on the way.
FAST = {
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "2",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "EXTRACT__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
}


def settle_environment(mode: str, url: str) -> None:
    """Say to dlt and dbt, before they are imported, where the server is and how to work."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    user, port = unquote(parts.username or "postgres"), asked.get("port", [str(parts.port or 5432)])[0]
    os.environ.update(
        # dlt insists on a host and a password; the socket's folder in the query wins over the one, nobody asks for the
        # other.
        DESTINATION__POSTGRES__CREDENTIALS=f"postgresql://{user}:none@localhost:{port}{parts.path}?{parts.query}",
        RUNTIME__DLTHUB_TELEMETRY="false",
        RUNTIME__LOG_LEVEL="ERROR",
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        PEER_HOST=asked.get("host", [parts.hostname or ""])[0],
        PEER_PORT=port,
        PEER_USER=user,
        PEER_DATABASE=unquote(parts.path.lstrip("/")),
    )
    os.environ.update({} if mode == "defaults" else FAST)


def resource(mode: str, file: Path) -> Any:
    """Return what dlt loads: the lines of the file, in place of those of the file before."""
    import dlt

    if mode == "defaults":
        from dlt.sources.filesystem import filesystem, read_csv

        files = filesystem(bucket_url=file.parent.as_uri(), file_glob=file.name)
        found = (files | read_csv()).with_name("till_line")
        found.apply_hints(write_disposition="replace")
        return found
    columns = [{"name": name, **hint} for name, hint in COLUMNS.items()]
    whole_file = [dlt.mark.with_file_import(str(file), "csv", 1)]
    return dlt.resource(whole_file, name="till_line", write_disposition="replace", columns=columns)


def load(mode: str, file: Path, state: Path) -> dict[str, float]:
    """Load a file with dlt; return the seconds of its steps."""
    import dlt

    pipeline = dlt.pipeline("peer", destination="postgres", dataset_name="peer_raw", pipelines_dir=str(state / "dlt"))
    pipeline.run(resource(mode, file))
    steps = pipeline.last_trace.steps
    return {
        f"dlt {step.step}": (step.finished_at - step.started_at).total_seconds() for step in steps if step.step != "run"
    }


class Models:
    """The dbt project, parsed once in this process and run in it again and again."""

    def __init__(self, state: Path) -> None:
        """Name the project and the folder for what dbt writes; nothing is read yet."""
        self._where = ["--quiet", "--project-dir", PROJECT, "--profiles-dir", PROJECT]
        self._where += ["--target-path", state / "target", "--log-path", state / "logs"]
        self._manifest: Any = None

    def _invoke(self, command: str) -> Any:
        from dbt.cli.main import dbtRunner

        done = dbtRunner(manifest=self._manifest).invoke([command, *(str(argument) for argument in self._where)])
        if not done.success:
            bad = [r for r in getattr(done.result, "results", []) if r.status not in ("success", "skipped")]
            told = "; ".join(f"{result.node.name}: {result.message}" for result in bad)
            raise RuntimeError(f"dbt {command} failed: {done.exception or told}")
        return done.result

    def run(self) -> dict[str, float]:
        """Run every model; return the seconds of each, and of the rest.

        Raises:
            RuntimeError: a model failed.
        """
        started = time.monotonic()
        if self._manifest is None:
            self._manifest = self._invoke("parse")
        parsed = time.monotonic()
        results = self._invoke("run").results
        seconds = {f"dbt {result.node.name}": result.execution_time for result in results}
        rest = time.monotonic() - parsed - sum(seconds.values())
        return {"dbt parse": parsed - started, **seconds, "dbt rest": max(0.0, rest)}


def work(mode: str, url: str, state: Path, files: list[Path]) -> dict[str, Any]:
    """Load and transform file after file; return the seconds of each, by stage."""
    settle_environment(mode, url)
    import dbt.cli.main
    import dlt

    start = time.monotonic() - STARTED
    models, runs = Models(state), []
    for file in files:
        began = time.monotonic()
        stages = load(mode, file, state) | models.run()
        runs.append({"seconds": time.monotonic() - began, "stages": stages})
    return {"dlt": dlt.__version__, "dbt": dbt.version.__version__, "start": start, "runs": runs}


def main(mode: str, url: str, state: str, out: str, *files: str) -> None:
    """Do the work; what dlt and dbt print goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        told = work(mode, url, Path(state), [Path(file) for file in files])
    Path(out).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
