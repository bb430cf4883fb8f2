"""GitHub's events as its webhooks and workflows write them. All text in them is untrusted and stays text."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.log import printable

MOST_BYTES = 25_000_000
MOST_SHOWN = 5
NOTHING_SHA = "0" * 40
UNDERSTOOD = ("push", "issues", "pull_request", "workflow_dispatch", "schedule", "create", "delete")
"""Events whose payloads are read; of others only the name counts, whatever they hold."""
_EVENT_NAME = re.compile(r"[a-z_]{1,60}")


def _unless_null(value: Any) -> Any:
    """GitHub writes null for what is empty."""
    return "" if value is None else value


def _list_unless_null(value: Any) -> Any:
    return [] if value is None else value


def _object_unless_null(value: Any) -> Any:
    return {} if value is None else value


Item = TypeVar("Item")
Text = Annotated[str, BeforeValidator(_unless_null)]
Many = Annotated[list[Item], BeforeValidator(_list_unless_null)]
Number = Annotated[int, Field(ge=1, lt=1 << 53)]


def _moment_if_any(value: Any, read: ValidatorFunctionWrapHandler) -> datetime | None:
    try:
        at: datetime | None = read(value)
    except ValidationError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


Moment = Annotated[datetime | None, WrapValidator(_moment_if_any)]
"""GitHub writes instants as text or as seconds; what is neither counts as not told."""


class Tolerant(BaseModel):
    """A part of a payload: what is not read here is let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Named(Tolerant):
    """A label."""

    name: Text = ""


class User(Tolerant):
    """A person or a bot."""

    login: Text = ""


class Repository(Tolerant):
    """Where the event comes from."""

    full_name: Text = ""
    default_branch: Text = ""
    pushed_at: Moment = None


class Commit(Tolerant):
    """One commit of a push; `distinct` is false for one that was pushed before, to another branch."""

    id: Text = ""
    message: Text = ""
    distinct: bool = True


class Issue(Tolerant):
    """An issue, or a pull request where it is told as one."""

    number: Number
    title: Text = ""
    body: Text = ""
    state: Text = ""
    labels: Many[Named] = []
    user: User | None = None
    author_association: Text = ""
    updated_at: Moment = None
    pull_request: Any = None


class Head(Tolerant):
    """One end of a pull request; the repository is null when the fork was deleted."""

    ref: Text = ""
    sha: Text = ""
    repo: Repository | None = None


class PullRequest(Tolerant):
    """A pull request."""

    number: Number
    head: Head
    base: Head


class Payload(Tolerant):
    """The parts of all events that a plan is made from."""

    action: Text = ""
    repository: Annotated[Repository, BeforeValidator(_object_unless_null)] = Repository()
    sender: User | None = None
    issue: Issue | None = None
    label: Named | None = None
    pull_request: PullRequest | None = None
    ref: Text = ""
    ref_type: Text = ""
    before: Text = ""
    after: Text = ""
    created: bool = False
    deleted: bool = False
    forced: bool = False
    commits: Many[Commit] = []
    head_commit: Commit | None = None
    inputs: dict[str, Any] | None = None


@dataclass(frozen=True)
class Event:
    """An event.

    Attributes:
        name: GitHub's name of it: push, issues...
        payload: what it says.
    """

    name: str
    payload: Payload

    @property
    def asked_at(self) -> datetime | None:
        """When the issue, or else the repository, got into the state that the event tells; UTC."""
        issue = self.payload.issue
        return issue.updated_at if issue else self.payload.repository.pushed_at


def read_event(path: Path, name: str) -> Event:
    """Read an event from the file that GitHub wrote it to.

    Raises:
        UsageError: there is no such file, it is too large, or it is no payload of such an event.
    """
    if not _EVENT_NAME.fullmatch(name):
        raise UsageError(f"--event-name {name[:60]!a} is no name of an event. Give GITHUB_EVENT_NAME, such as issues.")
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"The event {printable(str(path))} cannot be read: {error.strerror}. Give GITHUB_EVENT_PATH."
        ) from error
    return parse_event(content, name, path.name)


def parse_event(content: bytes, name: str, file: str = "payload") -> Event:
    """Return the event of a payload's bytes; see `read_event`."""
    shown = printable(file)
    if len(content) > MOST_BYTES:
        raise UsageError(f"The event {shown} has over {MOST_BYTES // 1_000_000} MB; GitHub sends none so large.")
    try:
        document = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        what = str(error)[:200] if isinstance(error, ValueError) else "it is nested too deeply"
        raise UsageError(f"The event {shown} is no JSON: {what}. Give the payload as GitHub wrote it.") from error
    if not isinstance(document, dict):
        raise UsageError(f"The event {shown} is no JSON object. Give the payload as GitHub wrote it.")
    if name not in UNDERSTOOD:
        return Event(name, Payload())
    try:
        return Event(name, Payload.model_validate(_without_halves(document)))
    except (ValidationError, RecursionError) as error:
        raise UsageError(f"The event {shown} is no payload of '{name}': {_complaints(error)}.") from error


def _without_halves(value: Any) -> Any:
    """Replace halves of surrogate pairs, which JSON can hold and no encoding can write, and NUL."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_without_halves(each) for each in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(each) for key, each in value.items()}
    return value


def _complaints(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found[:MOST_SHOWN]]
    return printable("; ".join(told))[:600]
