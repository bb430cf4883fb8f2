"""What each event asks for."""

from typing import Any

import pytest

from etl_pipeline.core.errors import UsageError
from pipeline_manager.environments.naming import is_environment_name
from pipeline_manager.orchestrator.event import parse_event
from pipeline_manager.orchestrator.plan import RUN_TAGS, STAGES, Plan, make_plan, run_tags
from test.pipeline_manager.orchestrator.payloads import event, issue_payload, push_payload, real
from test.run_warehouse import SHARED_DATA
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
REAL = sorted((SHARED_DATA / "github_events").glob("*/*.json"))
NAMED = "Schema/Object Name: inv_supplier_stage"


def plan_of(name: str, payload: dict[str, Any]) -> Plan:
    return make_plan(event(name, payload))


@pytest.mark.skipif(not REAL, reason="the real data is not here")
def test_the_real_payloads_as_they_are_run_nothing_but_a_cleanup():
    for path in REAL:
        plan = make_plan(parse_event(path.read_bytes(), path.parent.name))
        is_gone = path.name.startswith(("deleted", "transferred"))
        assert plan.stages == (("cleanup",) if is_gone else ()), path
        assert plan.reason


def test_a_push_of_a_tag_with_no_commits_runs_nothing():
    assert plan_of("push", real("push/1")).reason == "a push of a tag runs nothing"


def test_a_push_without_a_run_tag_says_which_there_are():
    plan = plan_of("push", real("push/with-new-branch"))
    assert plan.stages == ()
    assert all(tag in plan.reason for tag in RUN_TAGS)
    assert set(plan.skipped) == set(STAGES)


def test_a_new_branch_with_a_run_tag_runs():
    payload = real("push/with-new-branch")
    payload["commits"][0]["message"] = payload["head_commit"]["message"] = "Initial commit #orchestrate"
    plan = plan_of("push", payload)
    assert plan.stages == STAGES
    assert plan.environment is None  # it is the default branch
    assert "new branch" in plan.reason


@pytest.mark.parametrize(
    ("message", "tags"),
    [
        ("Mend it #run_elt", ["#run_elt"]),
        ("#RUN_ELT, then #run_obs.", ["#run_elt", "#run_obs"]),
        ("Body below\n\n#orchestrate\n", ["#orchestrate"]),
        ("(#run_all)", ["#run_all"]),
        ("run_elt", []),
        ("#run_elt2 ##run_elt x#run_elt /#run_elt #run_elt-not", []),
        ("#run_ elt #orchestrated", []),
    ],
)
def test_run_tags_are_whole_words(message, tags):
    assert run_tags(message) == tags


@pytest.mark.parametrize(
    ("tag", "stages"),
    [
        ("#orchestrate", STAGES),
        ("#run_all", STAGES),
        ("#run_security", ("security",)),
        ("#run_elt", ("elt",)),
        ("#run_obs", ("observability",)),
    ],
)
def test_each_run_tag_runs_its_stages(tag, stages):
    assert plan_of("push", push_payload(f"x {tag}")).stages == stages


def test_run_tags_of_all_new_commits_count_and_of_commits_pushed_before_do_not():
    assert plan_of("push", push_payload("x #run_obs", "y #run_security")).stages == ("security", "observability")
    payload = push_payload("old #run_elt", "merge")
    payload["commits"][0]["distinct"] = False
    assert plan_of("push", payload).stages == ()


def test_a_merge_that_only_moves_the_branch_on_counts_by_its_last_commit():
    payload = push_payload("x #run_obs", "y #run_elt", ref="refs/heads/main")
    for commit in payload["commits"]:
        commit["distinct"] = False
    assert plan_of("push", payload).stages == ("elt",)


def test_a_new_branch_with_no_commit_of_its_own_runs_nothing():
    payload = push_payload(created=True, head_commit={"id": "1" * 40, "message": "old #run_all"})
    assert plan_of("push", payload).stages == ()


def test_a_forced_push_is_told_and_runs():
    plan = plan_of("push", push_payload("again #run_elt", forced=True))
    assert plan.stages == ("elt",)
    assert "forced" in plan.reason


def test_the_default_branch_loads_prod_and_every_other_an_environment_of_its_own():
    assert plan_of("push", push_payload("x #run_elt", ref="refs/heads/main")).environment is None
    assert plan_of("push", push_payload("x #run_elt", ref="refs/heads/try-it")).environment == "try_it"


def test_a_deleted_branch_is_cleaned_up_and_the_default_one_never():
    gone: dict[str, Any] = {"deleted": True, "after": "0" * 40}
    assert plan_of("push", push_payload(**gone)).stages == ("cleanup",)
    assert plan_of("push", push_payload(ref="refs/heads/main", **gone)).stages == ()
    deleted = {"ref": "try-it", "ref_type": "branch", "repository": {"full_name": "a/b", "default_branch": "main"}}
    assert plan_of("delete", deleted).subject == "branch:try-it"
    assert plan_of("delete", deleted | {"ref_type": "tag"}).stages == ()


def test_a_labelled_issue_runs_everything_in_an_environment_named_after_both():
    payload = real("issues/labeled")
    payload["label"]["name"], payload["issue"]["body"] = "feature", NAMED
    plan = plan_of("issues", payload)
    assert plan.stages == STAGES
    assert plan.environment == "inv_supplier_stage_issue_1"
    assert (plan.issue, plan.subject) == (1, "issue:1")


def test_an_issue_that_names_nothing_is_refused_with_what_to_write():
    plan = plan_of("issues", issue_payload("labeled", label="feature"))
    assert plan.environment is None
    assert "Schema/Object Name:" in plan.refusal


@pytest.mark.parametrize("action", ["opened", "edited", "assigned", "locked", "pinned", "unlabeled", "reopened"])
def test_what_else_happens_to_an_issue_with_the_label_runs_nothing(action):
    assert plan_of("issues", issue_payload(action, label="feature", body=NAMED)).stages == ()


@pytest.mark.parametrize(
    ("action", "label"), [("closed", None), ("deleted", None), ("transferred", None), ("labeled", "cleanup")]
)
def test_an_issue_that_is_over_is_cleaned_up_by_its_number(action, label):
    plan = plan_of("issues", issue_payload(action, label=label, body="Schema/Object Name: somebody_elses"))
    assert plan.stages == ("cleanup",)
    assert plan.environment is None
    assert plan.subject == "issue:42"


def test_a_form_that_brings_the_label_along_runs_nothing_for_an_outsider():
    payload = issue_payload("labeled", label="feature", body=NAMED, author_association="NONE")
    assert plan_of("issues", payload).stages == ()
    payload["sender"] = {"login": "a_member"}
    assert plan_of("issues", payload).stages == STAGES


def test_the_label_on_a_pull_request_or_a_closed_issue_runs_nothing():
    assert plan_of("issues", issue_payload("labeled", label="feature", body=NAMED, pull_request={})).stages == ()
    assert plan_of("issues", issue_payload("labeled", label="feature", body=NAMED, state="closed")).stages == ()


@pytest.mark.parametrize("repo", [{"full_name": "shop/stock"}, {"full_name": "stranger/stock"}, None])
def test_a_pull_request_is_looked_at_and_loads_nothing(repo):
    pull = {"number": 7, "head": {"ref": "x", "sha": "1" * 40, "repo": repo}, "base": {"ref": "main"}}
    payload = {"action": "synchronize", "pull_request": pull, "repository": {"full_name": "shop/stock"}}
    plan = plan_of("pull_request", payload)
    assert plan.stages == ("security",)
    assert ("fork" in plan.reason) == (repo != {"full_name": "shop/stock"})
    assert plan_of("pull_request", payload | {"action": "labeled"}).stages == ()


def test_a_workflow_started_by_hand_runs_what_it_asks_for_each_time():
    payload = {"inputs": {"run": "elt"}, "ref": "refs/heads/main", "repository": {"default_branch": "main"}}
    pressed = event("workflow_dispatch", payload)
    assert make_plan(pressed).stages == ("elt",)
    assert make_plan(pressed, occasion="https://x.y/1").key != make_plan(pressed, occasion="https://x.y/2").key
    with pytest.raises(UsageError, match="none of all"):
        plan_of("workflow_dispatch", payload | {"inputs": {"run": "rm -rf"}})


@pytest.mark.parametrize("name", ["ping", "star", "issue_comment", "create", "check_run", "something_new"])
def test_other_events_run_nothing(name):
    assert plan_of(name, {"zen": "x", "repository": None} if name == "ping" else {}).stages == ()


def test_what_observability_looks_at_by_itself_can_be_set():
    by_clock = event("schedule", {})
    assert make_plan(by_clock).environment is None
    assert make_plan(by_clock, observed="inv_demo").environment == "inv_demo"
    with pytest.raises(UsageError, match="cannot be the name"):
        make_plan(by_clock, observed="x; drop schema gold")


def test_the_same_asked_again_has_the_same_key_and_another_wish_has_another():
    labelled = issue_payload("labeled", label="feature", body=NAMED)
    key = plan_of("issues", labelled).key
    same = issue_payload(
        "labeled", label="feature", body=f"Now in other words.\n{NAMED}", updated_at="2025-03-06T09:00:00Z"
    )
    other = issue_payload("labeled", label="feature", body=f"{NAMED}\n```yaml\nfeed: x\n```")
    assert plan_of("issues", same).key == key
    assert plan_of("issues", other).key != key
    assert plan_of("issues", issue_payload("labeled", number=43, label="feature", body=NAMED)).key != key


def test_hostile_text_becomes_a_safe_name_or_none_and_runs_what_it_would_anyway():
    for text in PAYLOADS:
        plan = plan_of("issues", issue_payload("labeled", label="feature", body=f"Schema/Object Name: {text}"))
        assert plan.stages == STAGES
        assert plan.environment is None or is_environment_name(plan.environment)
        assert plan_of("issues", issue_payload("labeled", label=text, body=NAMED)).stages == ()
        assert plan_of("issues", issue_payload("labeled", body=NAMED, label="x", title=text)).stages == ()
        pushed = plan_of("push", push_payload("x #run_elt", ref=f"refs/heads/{text}"))
        assert pushed.environment is not None
        assert is_environment_name(pushed.environment)
        assert plan_of("push", push_payload(text)).stages == ()
