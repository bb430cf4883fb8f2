"""The steps of the security workflow, run by hand in order with a push's payload, give what the workflow would."""

import json

import pytest

from test.run_warehouse import SHARED_DATA
from test.workflow_steps import FAILURE, SKIPPED, SUCCESS, ByHand

pytestmark = pytest.mark.slow
EVENTS = SHARED_DATA / "github_events"


def push(runner, *, before, after, message):
    """A real payload, about the commits of this workspace."""
    payload = json.loads((EVENTS / "push" / "1.payload.json").read_text(encoding="utf-8"))
    commit = {"id": after, "tree_id": after, "distinct": True, "message": message, "added": [], "removed": [],
              "modified": [], "timestamp": "2025-03-01T10:00:00Z", "url": "https://example.com",
              "author": {"name": "A"}, "committer": {"name": "A"}}  # fmt: skip
    return {**payload, "before": before, "after": after, "commits": [commit], "head_commit": commit,
            "ref": "refs/heads/try-it", "created": False, "deleted": False, "forced": False}  # fmt: skip


@pytest.fixture
def runner():
    with ByHand() as runner:
        yield runner


def test_a_push_that_breaks_a_contract_is_annotated_and_nothing_comes_after_it(runner):
    before = runner.commit()
    contract = runner.workspace / "feeds/uci/till.yml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("feed: till", "feed: till\nfeeed: 1"), encoding="utf-8")
    line = text.splitlines().index("feed: till") + 2
    message = "Mend the till ::error::fake $(touch stolen) `touch stolen` #run_all"
    jobs = runner.run("orchestrator.yml", "push", push(runner, before=before, after=runner.commit(), message=message))
    assert jobs["plan"].result == SUCCESS, jobs["plan"].output
    gates = jobs["security"].jobs["gates"]
    assert f"::error file=feeds/uci/till.yml,line={line},title=contracts contract::" in gates.output
    assert [step.code for step in gates.steps] == [1, 0, 1]
    assert {name: job.result for name, job in jobs.items()} == {
        "plan": SUCCESS, "security": FAILURE, "elt": SKIPPED, "observability": SKIPPED, "cleanup": SKIPPED,
        "comment": SKIPPED,
    }  # fmt: skip
    assert not list(runner.home.rglob("stolen"))


def test_a_push_with_a_tag_for_security_runs_it_alone_and_it_passes(runner):
    before = runner.commit()
    (runner.workspace / "feeds/uci/note.txt").write_text("nothing to judge\n", encoding="utf-8")
    payload = push(runner, before=before, after=runner.commit(), message="Look at it #run_security")
    jobs = runner.run("orchestrator.yml", "push", payload)
    assert jobs["security"].result == SUCCESS, jobs["security"].output
    assert [step.name for step in jobs["security"].jobs["gates"].steps] == [
        "Look at what changed", "Look at the workflows", "Look at what the event asks for",
    ]  # fmt: skip
    assert {name for name, job in jobs.items() if job.result == SKIPPED} == {
        "elt", "observability", "cleanup", "comment",
    }  # fmt: skip


def test_a_push_without_a_tag_plans_nothing(runner):
    head = runner.commit()
    jobs = runner.run("orchestrator.yml", "push", push(runner, before=head, after=head, message="Mend a word"))
    assert {name for name, job in jobs.items() if job.result != SKIPPED} == {"plan"}
    assert "run-tag" in jobs["plan"].output
