"""From an empty machine to an answer and back: an issue's events, by the commands that the workflows call, in order."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from load.embedded_postgres import EmbeddedServer
from test.pipeline_manager.orchestrator.payloads import real, write_event
from test.run_warehouse import REPO

pytestmark = pytest.mark.slow
BODY = """### Schema/Object Name

inv_supplier_stage

### Feed name

supplier_stage

### Kind of file

CSV

### Inbox path

supplier_stage

### Contract (YAML)

```yaml
feed: supplier_stage
describes: Goods that the supplier stages in store ST01 at night.
source_system: supplier
files:
  pattern: supplier_stage/*.csv
key: {document: DOC, line: LINE}
reading: {zone: UTC, role: authority}
yields:
  - fact: movement
    columns:
      product_code: SKU
      location_code: LOC
      event_time: AT
      quantity: QTY
      movement_class: {const: receipt}
```

### Sample records

_No response_
"""
NAME = "inv_supplier_stage_issue_1"


@dataclass
class Machine:
    """A machine with nothing on it: a home, an inbox, and a place where Slack would be."""

    folder: Path
    slack: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def systock(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SYSTOCK_", "GITHUB_", "SLACK_", "PG"))}
        told = {"SYSTOCK_HOME": str(self.home), "SLACK_WEBHOOK_URL": self.slack, "COLUMNS": "200", **environ}
        return subprocess.run(
            [sys.executable, "-m", "pipeline_manager.commands", *arguments], cwd=REPO, env=kept | told,
            capture_output=True, text=True, check=False, timeout=500,
        )  # fmt: skip

    def orchestrate(self, event: Path, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.systock("orchestrate", "--event", str(event), "--event-name", "issues", *more, **environ)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        url = EmbeddedServer.start(self.home / "postgres").url()
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def files(self) -> set[str]:
        """All of its own, but for the server's and what was logged."""
        found = (path.relative_to(self.home) for path in self.home.rglob("*") if path.is_file())
        return {path.as_posix() for path in found if path.parts[0] not in ("postgres", "logs")}


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine(Path(tempfile.mkdtemp(prefix="o-", dir="/tmp")))

    class Slack(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slack) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.slack = f"http://127.0.0.1:{server.server_address[1]}/services/T/B/x"
        yield made
        made.systock("stop")
        server.shutdown()
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def inbox(machine: Machine) -> Path:
    """A few days of a small retailer, and two files of a feed that nobody knows yet: one line of it cannot be read."""
    folder = machine.folder / "inbox"
    done = machine.systock(
        "simulate",
        "--out",
        str(folder),
        "--days",
        "3",
        "--stores",
        "1",
        "--products",
        "8",
        "--faults",
        "none",
        "--no-key",
    )
    assert done.returncode == 0, done.stderr
    (folder / "supplier_stage").mkdir()
    lines = ["DOC,LINE,SKU,LOC,AT,QTY", "D1,1,A-1001,ST01,2025-03-02T22:00:00Z,40", "D1,2,A-1001,ST01,then,1"]
    (folder / "supplier_stage" / "d1.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def labelled(machine: Machine, body: str = BODY) -> Path:
    payload = real("issues/labeled")
    payload["label"]["name"], payload["issue"]["body"] = "feature", body
    return write_event(machine.folder / "feature.json", payload)


def closed(machine: Machine) -> Path:
    payload = real("issues/labeled")
    payload |= {"action": "closed"}
    payload["issue"] |= {"state": "closed", "body": "Schema/Object Name: prod", "updated_at": "2025-06-01T00:00:00Z"}
    return write_event(machine.folder / "closed.json", payload)


def test_a_labelled_issue_is_answered_with_the_impact_and_closing_it_leaves_nothing(machine, inbox):
    event, comment = labelled(machine), machine.folder / "comment.md"
    outputs, summary = machine.folder / "outputs", machine.folder / "summary.md"
    runner = {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary)}
    address = "https://github.com/shop/stock/actions/runs/7"

    plan = machine.orchestrate(event, "--plan", **runner)
    assert json.loads(plan.stdout)["environment"] == NAME
    assert "run_elt<<" in outputs.read_text()
    security = machine.orchestrate(event, "--only", "security", "--changed-since", "HEAD", **runner)
    assert security.returncode == 0, security.stdout + security.stderr
    given = ("--inbox", str(inbox), "--run-url", address)
    elt = machine.orchestrate(event, "--only", "elt", "--comment", str(comment), *given, **runner)
    assert elt.returncode == 0, elt.stdout + elt.stderr
    told = comment.read_text(encoding="utf-8")
    assert f"### Loaded in environment `{NAME}`" in told
    assert "Feed `supplier_stage` (prod has no feed of this name): 1 new file, 2 records," in told, told
    assert "1 set aside" in told, told
    assert f"### Environment `{NAME}` against" in told, told
    assert "stock-outs" in told
    assert address in told
    looked = machine.orchestrate(event, "--only", "observability", *given, **runner)
    assert looked.returncode in (0, 4), looked.stdout + looked.stderr
    assert "elt" in summary.read_text()
    heard = json.dumps(machine.heard)
    assert NAME in heard
    assert "supplier_stage" in heard
    assert machine.rows(f"select count(*) from {NAME}_silver.fact_movement")[0][0] > 1
    assert sum(name.startswith(f"env/{NAME}/bronze/") for name in machine.files()) > 1

    comment.unlink()
    messages = len(machine.heard)
    again = machine.orchestrate(labelled(machine, f"Please!\n{BODY}"), "--comment", str(comment), *given)
    assert "done before" in again.stdout
    assert not comment.exists()
    assert len(machine.heard) == messages

    gone = machine.orchestrate(closed(machine), "--comment", str(comment))
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert f"Dropped `{NAME}`" in comment.read_text(encoding="utf-8")
    assert machine.rows("select count(*) from pg_namespace where nspname like 'inv%'") == [(0,)]
    assert machine.rows("select count(*) from pg_roles where rolname like 'env%'") == [(0,)]
    assert machine.rows("select count(*) from ops.environment") == [(0,)]
    assert not {name for name in machine.files() if NAME in name or name.startswith(("env/", "bronze/"))}
    late = machine.orchestrate(event, "--only", "elt", *given)
    assert "cleaned up since" in late.stdout
    assert machine.rows("select count(*) from pg_namespace where nspname like 'inv%'") == [(0,)]


def test_a_wrong_contract_is_answered_with_its_mistakes_and_makes_nothing(machine):
    event, comment = labelled(machine, BODY.replace("receipt", "receive")), machine.folder / "comment.md"
    done = machine.orchestrate(event, "--only", "security", "--comment", str(comment), "--changed-since", "HEAD")
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert "1 mistake in the contract" in comment.read_text(encoding="utf-8")
    assert not (machine.home / "postgres").exists()
