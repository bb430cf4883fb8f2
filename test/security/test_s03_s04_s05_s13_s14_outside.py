"""S3, S4, S5, S13, S14: workflows, exports, messages. What does not exist yet is asked about when it comes."""

import ast
import re

import pytest
import yaml

from test.run_warehouse import REPO

pytestmark = pytest.mark.fast
PACKAGES = ("etl_pipeline", "extract", "load", "data_warehouse", "pipeline_manager")
WORKFLOWS = sorted((REPO / ".github" / "workflows").glob("*.y*ml"))
UNTRUSTED = re.compile(r"\$\{\{[^}]*\b(github\.(event|head_ref|ref_name|actor)|inputs|steps\.[^}]*outputs)\b")
CSV_WRITERS = {
    "extract/bench_master.py": "writes a made-up product master for our own reader",
    "extract/extract_database.py": "writes what a source told for our own reader; people never open it",
    "extract/simulated": "writes files of a made-up retailer for our own reader",
    "load/postgres_serving.py": "writes for COPY, read by the server at once",
    "load/copying.py": "writes for COPY, read by the server at once",
}
"""Who writes CSV, and why no spreadsheet opens it."""


def faults(workflow: str) -> list[str]:
    """What is wrong with a workflow by the rules of S3 and S4."""
    document = yaml.safe_load(workflow)
    found = []
    triggers = document.get("on", document.get(True, {}))
    if "pull_request_target" in str(triggers):
        found.append("pull_request_target gives secrets to forks")
    if "permissions" not in document:
        found.append("no permissions at the top")
    elif document["permissions"] not in ("read-all", {}, {"contents": "read"}):
        found.append("wide permissions at the top")
    for job in document.get("jobs", {}).values():
        for step in job.get("steps", []):
            if UNTRUSTED.search(str(step.get("run", ""))):
                found.append("what a stranger wrote inside run:")
            uses = step.get("uses", "")
            if uses and not uses.startswith("./") and not re.search(r"@[0-9a-f]{40}$", uses):
                found.append(f"{uses} is not pinned")
    return found


def test_s03_s04_no_workflow_runs_what_a_stranger_wrote_and_every_action_is_pinned():
    assert {path.name: faults(path.read_text(encoding="utf-8")) for path in WORKFLOWS if faults(path.read_text())} == {}


@pytest.mark.parametrize(
    "text",
    [
        "on: push\npermissions: {contents: read}\njobs: {a: {steps: [{run: 'echo ${{ github.event.issue.title }}'}]}}",
        "on: push\npermissions: {contents: read}\njobs: {a: {steps: [{run: 'git checkout ${{ github.head_ref }}'}]}}",
        "on: push\npermissions: {contents: read}\njobs: {a: {steps: [{uses: actions/checkout@v4}]}}",
        "on: [pull_request_target]\npermissions: {contents: read}\njobs: {}",
        "on: push\njobs: {}",
        "on: push\npermissions: write-all\njobs: {}",
    ],
)
def test_s03_s04_the_check_of_workflows_finds_each_fault(text):
    assert faults(text)


def test_s05_nothing_writes_csv_that_a_person_opens():
    """A formula can only run in a file that a spreadsheet opens. Reports are text for terminals and JSON."""
    writers = []
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if re.search(r"csv\.(writer|DictWriter)|write_csv|to_csv|to_excel|Workbook\(", text):
                writers.append(path.relative_to(REPO).as_posix())
    assert [name for name in writers if not name.startswith(tuple(CSV_WRITERS))] == []


def test_s13_s14_two_modules_talk_to_the_network_and_no_request_follows_a_redirect():
    """The API extraction, and what sends to Slack: test/etl_pipeline/observe has what data can do in a message."""
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
                name, on = getattr(call.func, "attr", ""), getattr(getattr(call.func, "value", None), "id", "")
                if on in ("requests", "session") and name in ("get", "post", "put", "request"):
                    assert path.name in ("extract_api.py", "slack_sending.py"), (
                        f"{path} talks to the network: give it tests of S13 and S14"
                    )
                    redirects = [word.value for word in call.keywords if word.arg == "allow_redirects"]
                    assert [getattr(value, "value", None) for value in redirects] == [False]
