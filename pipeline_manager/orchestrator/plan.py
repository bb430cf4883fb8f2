"""What an event asks for: a pure function of the event and of the settings. Nothing here runs anything."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from etl_pipeline.core.errors import UsageError
from pipeline_manager.environments.naming import checked_name, environment_name
from pipeline_manager.orchestrator.asking import NOTHING_ASKED, Asked, asked_in
from pipeline_manager.orchestrator.event import Event, Issue

SECURITY, ELT, OBSERVABILITY, CLEANUP = "security", "elt", "observability", "cleanup"
STAGES = (SECURITY, ELT, OBSERVABILITY)
EVERY_STAGE = (*STAGES, CLEANUP)
RUN_TAGS: Mapping[str, tuple[str, ...]] = {
    "#orchestrate": STAGES,
    "#run_all": STAGES,
    "#run_security": (SECURITY,),
    "#run_elt": (ELT,),
    "#run_obs": (OBSERVABILITY,),
}
"""Words of a commit's message that run stages, and which."""
FEATURE, CLEANUP_LABEL = "feature", "cleanup"
INSIDERS = ("OWNER", "MEMBER", "COLLABORATOR")
_TAG = re.compile(rf"(?<![\w#/.-])(?:{'|'.join(RUN_TAGS)})(?![\w#/-])", re.IGNORECASE)
_BRANCH = "refs/heads/"
_GONE = ("closed", "deleted", "transferred")
_HOW = (
    "no commit of it has a run-tag in its message; write one of "
    + ", ".join(RUN_TAGS)
    + " as a word of its own to run something"
)


@dataclass(frozen=True)
class Plan:
    """What is to be done about an event.

    Attributes:
        event: name of the event, and its action.
        reason: why these stages, or why none: for people.
        stages: what runs, in this order; empty for nothing.
        skipped: stages that do not run, and why.
        repository: where it comes from.
        subject: whose environment it is about: `issue:42`, `branch:try-it`; empty where nothing is.
        environment: the environment to make and load; None for prod, and for a cleanup, which looks it up.
        issue: number of the issue to comment on.
        asked: what the issue asks for.
        asked_at: when it was asked; None where the event does not tell.
        key: hash of what is asked; the same again is done once. Empty: it is asked anew each time.
        refusal: why the first stage refuses it; told in a comment.
    """

    event: str
    reason: str
    stages: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    subject: str = ""
    environment: str | None = None
    issue: int | None = None
    asked: Asked = NOTHING_ASKED
    asked_at: datetime | None = None
    key: str = ""
    refusal: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what other programs may act on; nothing in it is text that somebody wrote, but for the reason."""
        return {
            "event": self.event,
            "stages": list(self.stages),
            "environment": self.environment,
            "issue": self.issue,
            "reason": self.reason,
            "skipped": dict(self.skipped),
            "refusal": self.refusal,
            "key": self.key,
        }


def make_plan(event: Event, *, observed: str | None = None, occasion: str = "") -> Plan:
    """Return what an event asks for.

    Args:
        event: the event.
        observed: environment that observability looks at where the event is about prod; OBSERVABILITY_SCHEMA_PREFIX.
        occasion: address of the run, which tells one press of a button, or one strike of the clock, from another.

    Raises:
        UsageError: the event lacks what every event of its name has, or a setting is no name.
    """
    planner = _PLANNERS.get(event.name)
    if planner is None:
        return _nothing(event, f"nothing is to be done about an event '{event.name}'")
    made = planner(event)
    if event.name in ("workflow_dispatch", "schedule"):
        made = replace(made, key=_hash([made.key, occasion]) if occasion else "")
    if observed and made.stages == (OBSERVABILITY,) and made.environment is None:
        name = checked_name(observed)
        return replace(made, environment=name, reason=f"{made.reason}, in environment {name}")
    return made


def _name(event: Event) -> str:
    action = event.payload.action
    return f"{event.name}.{action}" if re.fullmatch(r"[a-z_]{1,40}", action) else event.name


def _nothing(event: Event, reason: str, **more: Any) -> Plan:
    return Plan(
        _name(event), reason, skipped=dict.fromkeys(STAGES, reason), repository=event.payload.repository.full_name,
        **more,
    )  # fmt: skip


def _planned(event: Event, stages: Iterable[str], reason: str, parts: Iterable[object], **more: Any) -> Plan:
    wanted = tuple(stage for stage in EVERY_STAGE if stage in set(stages))
    repository = event.payload.repository.full_name
    left_out = [stage for stage in STAGES if stage not in wanted and CLEANUP not in wanted]
    skipped = dict.fromkeys(left_out, "was not asked for")
    return Plan(
        _name(event), reason, wanted, skipped,
        repository=repository, key=_hash([event.name, repository, *parts]), **more,
    )  # fmt: skip


def _hash(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, default=str, ensure_ascii=True).encode()).hexdigest()


def run_tags(message: str) -> list[str]:
    """Return the run-tags of a message, each once, in the order of `RUN_TAGS`."""
    found = {match.group().lower() for match in _TAG.finditer(message)}
    return [tag for tag in RUN_TAGS if tag in found]


def _of_push(event: Event) -> Plan:
    payload = event.payload
    if not payload.ref.startswith(_BRANCH):
        return _nothing(event, "a push of a tag runs nothing")
    branch = payload.ref.removeprefix(_BRANCH)
    if payload.deleted:
        return _branch_gone(event, branch)
    # A merge brings commits along that were pushed before; only the last one speaks for the branch then.
    head = payload.head_commit
    new = [each for each in payload.commits if each.distinct or (head is not None and each.id == head.id)]
    if not new:
        return _nothing(event, "the push brings no commit of its own; it runs nothing")
    tags = [tag for tag in RUN_TAGS if any(tag in run_tags(commit.message) for commit in new)]
    if not tags:
        return _nothing(event, f"the push runs nothing: {_HOW}")
    is_main = branch == payload.repository.default_branch
    stages = {stage for tag in tags for stage in RUN_TAGS[tag]}
    how = "a forced push" if payload.forced else "a push of a new branch" if payload.created else "a push"
    return _planned(
        event, stages, f"{how} with {', '.join(tags)}", [payload.ref, payload.after, tags],
        subject=f"branch:{branch}", environment=None if is_main else environment_name(branch, issue=None),
        asked_at=event.asked_at,
    )  # fmt: skip


def _branch_gone(event: Event, branch: str) -> Plan:
    payload = event.payload
    if branch == payload.repository.default_branch:
        return _nothing(event, "prod stays, whatever becomes of its branch")
    return _planned(
        event, [CLEANUP], "the branch was deleted", [branch, payload.before, event.asked_at],
        subject=f"branch:{branch}", asked_at=event.asked_at,
    )  # fmt: skip


def _of_delete(event: Event) -> Plan:
    if event.payload.ref_type != "branch":
        return _nothing(event, "only a deleted branch leaves something to clean up")
    return _branch_gone(event, event.payload.ref.removeprefix(_BRANCH))


def _of_create(event: Event) -> Plan:
    return _nothing(event, "a new branch or tag runs nothing by itself; its push does, with a run-tag")


def _of_issues(event: Event) -> Plan:
    issue, action = event.payload.issue, event.payload.action
    if issue is None:
        raise UsageError("The event is no payload of 'issues': it has no issue.")
    label = event.payload.label.name.strip().lower() if event.payload.label else ""
    if issue.pull_request is not None:
        return _nothing(event, "it is about a pull request; pull requests get no environment")
    if action in _GONE or (action == "labeled" and label == CLEANUP_LABEL):
        why = f"the issue was {action}" if action in _GONE else f"the label '{CLEANUP_LABEL}' was put on the issue"
        return _planned(
            event, [CLEANUP], why, [issue.number, action, label if action == "labeled" else "", event.asked_at],
            subject=f"issue:{issue.number}", issue=issue.number, asked_at=event.asked_at,
        )  # fmt: skip
    if action == "labeled" and label == FEATURE:
        return _of_feature(event, issue)
    if action == "labeled":
        return _nothing(event, f"the label is neither '{FEATURE}' nor '{CLEANUP_LABEL}'")
    return _nothing(event, f"only the label '{FEATURE}' runs an issue; put it on, or take it off and on again")


def _of_feature(event: Event, issue: Issue) -> Plan:
    if issue.state == "closed":
        return _nothing(event, "the issue is closed; open it, then put the label on again")
    if _labelled_by_an_outsider(event, issue):
        return _nothing(
            event, f"a member of the project must put the label '{FEATURE}' on; the form alone runs nothing"
        )
    asked = asked_in(issue.body)
    wished = asked.object_name or asked.feed
    refusal = "" if wished else (
        "The issue does not say what to try. Write a line `Schema/Object Name: inv_supplier_stage` with your own name "
        f"into it, then take the label `{FEATURE}` off and put it on again."
    )  # fmt: skip
    return _planned(
        event, STAGES, f"the label '{FEATURE}' was put on the issue",
        [issue.number, FEATURE, wished, asked.feed, asked.inbox, asked.contract, asked.sample],
        subject=f"issue:{issue.number}", issue=issue.number, asked=asked, asked_at=event.asked_at, refusal=refusal,
        environment=environment_name(wished, issue=issue.number) if wished else None,
    )  # fmt: skip


def _labelled_by_an_outsider(event: Event, issue: Issue) -> bool:
    """A form may bring its labels along, and then anybody's issue has them: only people with rights can label."""
    if not issue.author_association or issue.author_association in INSIDERS:
        return False
    author, sender = issue.user.login if issue.user else "", event.payload.sender
    return sender is None or sender.login == author


def _of_pull_request(event: Event) -> Plan:
    pull = event.payload.pull_request
    if pull is None:
        raise UsageError("The event is no payload of 'pull_request': it has no pull request.")
    if event.payload.action not in ("opened", "synchronize", "reopened", "ready_for_review"):
        return _nothing(event, "the pull request's code did not change")
    is_fork = pull.head.repo is None or pull.head.repo.full_name != event.payload.repository.full_name
    why = "a pull request from a fork" if is_fork else "a pull request"
    return _planned(
        event, [SECURITY], f"{why}: its code is looked at, and loads nothing", [pull.number, pull.head.sha]
    )  # fmt: skip


def _of_dispatch(event: Event) -> Plan:
    inputs = event.payload.inputs or {}
    asked = str(inputs.get("run") or "all").strip().lower()
    tag = "#orchestrate" if asked == "orchestrate" else f"#run_{'obs' if asked == OBSERVABILITY else asked}"
    if tag not in RUN_TAGS:
        raise UsageError("The input `run` is none of all, security, elt, obs. Start the workflow again with one.")
    branch = event.payload.ref.removeprefix(_BRANCH)
    is_main = branch in ("", event.payload.repository.default_branch)
    return _planned(
        event, RUN_TAGS[tag], f"asked for by hand: {asked}", [branch, asked], subject=f"branch:{branch}",
        environment=None if is_main else environment_name(branch, issue=None),
    )  # fmt: skip


def _of_schedule(event: Event) -> Plan:
    return _planned(event, [OBSERVABILITY], "the clock: what is late is told even when nobody pushes", [])


_PLANNERS = {
    "push": _of_push,
    "issues": _of_issues,
    "pull_request": _of_pull_request,
    "workflow_dispatch": _of_dispatch,
    "schedule": _of_schedule,
    "create": _of_create,
    "delete": _of_delete,
}
