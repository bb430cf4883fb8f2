"""The same asked again is done once; what a process left behind is taken up; and each environment has one owner."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from etl_pipeline.core.errors import RetryStepError, UsageError
from pipeline_manager.orchestrator.claims import Claims, prepare
from pipeline_manager.orchestrator.plan import Plan, make_plan
from test.pipeline_manager.orchestrator.payloads import event, issue_payload, push_payload
from test.run_warehouse import REPO, RunWarehouse

NAMED = "Schema/Object Name: inv_supplier_stage"
Claim = Callable[..., Claims]
_clock_starts = datetime(2025, 3, 5, 10, tzinfo=UTC)


def labelled(**more: Any) -> Plan:
    return make_plan(event("issues", issue_payload("labeled", label="feature", **({"body": NAMED} | more))))


def closed(**more: Any) -> Plan:
    return make_plan(event("issues", issue_payload("closed", **more)))


@pytest.fixture
def claim(warehouse: RunWarehouse) -> Iterator[Claim]:
    """Claims of a plan, each on a connection of its own, with a clock that ticks."""
    ticks = iter(range(100_000))
    with ExitStack() as stack:

        def make(plan: Plan) -> Claims:
            connection = stack.enter_context(closing(psycopg2.connect(warehouse.url)))
            prepare(connection)
            return Claims(connection, plan, "", lambda: _clock_starts + timedelta(seconds=next(ticks)))

        yield make


def did(claims: Claims, stage: str, outcome: str) -> None:
    claims.begin(stage)
    claims.end(stage, outcome, "so it was", 1.5)


@pytest.mark.parametrize(("outcome", "is_settled"), [("success", True), ("refused", True), ("failed", False)])
def test_what_came_to_an_end_is_remembered_and_only_a_failure_is_tried_again(claim, outcome, is_settled):
    did(claim(labelled()), "elt", outcome)
    again = claim(labelled(body=f"{NAMED}\nedited")).earlier("elt")
    assert again is not None
    assert (again.outcome, again.is_settled) == (outcome, is_settled)
    assert claim(labelled(number=43)).earlier("elt") is None


def test_of_two_deliveries_at_once_one_works(claim):
    first, second = claim(labelled()), claim(labelled())
    with first.held() as is_held, second.held() as is_held_too:
        assert is_held
        assert not is_held_too
    with second.held() as is_held:
        assert is_held


def test_another_event_of_the_same_issue_waits_and_one_of_another_issue_does_not(claim):
    with claim(labelled()).held() as is_held:
        assert is_held
        with pytest.raises(RetryStepError, match="same issue or branch"), claim(closed()).held(longest_wait=0.2):
            pass
        with claim(closed(number=43)).held(longest_wait=0.2) as is_other_held:
            assert is_other_held


HOLD_AND_HANG = """
import sys, time, psycopg2
from datetime import UTC, datetime
from pipeline_manager.orchestrator.claims import Claims
from pipeline_manager.orchestrator.plan import Plan
plan = Plan("issues.labeled", "a test", ("elt",), repository="shop/stock", subject="issue:42", key=sys.argv[2])
claims = Claims(psycopg2.connect(sys.argv[1]), plan, "", lambda: datetime.now(UTC))
with claims.held() as is_held:
    claims.begin("elt")
    print(is_held, flush=True)
    time.sleep(60)
"""


def test_the_claim_of_a_process_that_was_killed_can_be_taken_again(claim, warehouse):
    mine = claim(labelled())
    command = [sys.executable, "-c", HOLD_AND_HANG, warehouse.url, mine.key]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with mine.held() as is_held:
            assert not is_held
        other.kill()
    end = time.monotonic() + 10
    is_held = False
    while not is_held and time.monotonic() < end:
        with mine.held() as is_held:
            assert mine.earlier("elt") is None
            if is_held:
                did(mine, "elt", "success")
    assert warehouse.rows("select attempts, outcome from ops.event") == [(2, "success")]


def test_a_cleanup_finds_the_environment_by_number_whatever_the_issue_says_now(claim):
    claim(labelled()).take_environment("inv_supplier_stage_issue_42", is_there=False)
    claim(labelled(number=7)).take_environment("inv_supplier_stage_issue_7", is_there=False)
    edited = closed(body="Schema/Object Name: inv_supplier_stage_issue_7")
    assert claim(edited).environments() == ["inv_supplier_stage_issue_42"]
    claim(edited).give_back("inv_supplier_stage_issue_7")
    assert claim(closed(number=7)).environments() == ["inv_supplier_stage_issue_7"]
    claim(edited).give_back("inv_supplier_stage_issue_42")
    assert claim(edited).environments() == []


def test_an_environment_that_somebody_else_made_is_not_taken(claim):
    with pytest.raises(UsageError, match="was not made for this issue"):
        claim(labelled()).take_environment("made_by_hand", is_there=True)
    claim(labelled()).take_environment("ours", is_there=False)
    claim(labelled()).take_environment("ours", is_there=True)
    with pytest.raises(UsageError, match="was not made for this issue"):
        claim(labelled(number=43)).take_environment("ours", is_there=False)
    assert claim(closed(number=43)).environments() == []


def test_two_branches_of_one_name_after_repair_do_not_share_an_environment(claim):
    first = make_plan(event("push", push_payload("x #run_elt", ref="refs/heads/a-b")))
    second = make_plan(event("push", push_payload("x #run_elt", ref="refs/heads/a_b")))
    assert first.environment == second.environment == "a_b"
    claim(first).take_environment("a_b", is_there=False)
    with pytest.raises(UsageError):
        claim(second).take_environment("a_b", is_there=True)


def test_an_old_event_does_not_bring_back_what_was_cleaned_up_and_a_new_one_does(claim):
    did(claim(labelled()), "elt", "success")
    did(claim(closed(updated_at="2025-03-05T12:00:00Z")), "cleanup", "success")
    assert claim(labelled()).is_stale()
    again = claim(labelled(updated_at="2025-03-06T09:00:00Z"))
    assert not again.is_stale()
    assert again.earlier("elt") is None
    did(again, "elt", "success")
    assert claim(labelled(updated_at="2025-03-06T09:00:00Z")).earlier("elt") is not None


def test_an_old_cleanup_leaves_what_was_made_after_it(claim):
    claim(labelled(updated_at="2025-03-06T09:00:00Z")).take_environment("newer", is_there=False)
    assert claim(closed(updated_at="2025-03-05T12:00:00Z")).environments() == []
    assert claim(closed(updated_at="2025-03-06T12:00:00Z")).environments() == ["newer"]


def test_a_warehouse_of_earlier_code_gets_the_tables_and_nothing_else(claim, warehouse):
    warehouse.rows("drop table ops.event, ops.event_environment; select 1")
    version = warehouse.value("select value from ops.setting where name = 'schema_version'")
    claim(labelled())
    assert warehouse.value("select count(*) from ops.event") == 0
    assert warehouse.value("select value from ops.setting where name = 'schema_version'") == version
