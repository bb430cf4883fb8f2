"""Events for tests: GitHub's own payloads, changed where a test needs it, or small ones in the same form."""

import json
from pathlib import Path
from typing import Any

from pipeline_manager.orchestrator.event import Event, parse_event
from test.run_warehouse import shared_data


def real(name: str) -> dict[str, Any]:
    """A payload that GitHub sent, such as `issues/labeled`; a skip in one line where the real data is not."""
    found: dict[str, Any] = json.loads((shared_data("github_events") / f"{name}.payload.json").read_bytes())
    return found


def issue_payload(
    action: str, number: int = 42, label: str | None = None, body: str = "", **more: Any
) -> dict[str, Any]:
    issue = {
        "number": number,
        "title": "A new feed",
        "body": body,
        "state": "closed" if action == "closed" else "open",
        "labels": [{"name": label}] if label else [],
        "user": {"login": "ana"},
        "author_association": "MEMBER",
        "updated_at": "2025-03-05T09:00:00Z",
    }
    told = {
        "action": action,
        "issue": issue | more,
        "repository": {"full_name": "shop/stock", "default_branch": "main"},
        "sender": {"login": "ana"},
    }
    return told | ({"label": {"name": label}} if label else {})


def push_payload(*messages: str, ref: str = "refs/heads/try-it", **more: Any) -> dict[str, Any]:
    commits = [{"id": f"{number:040x}", "message": text, "distinct": True} for number, text in enumerate(messages, 1)]
    return {
        "ref": ref,
        "before": "a" * 40,
        "after": commits[-1]["id"] if commits else "b" * 40,
        "created": False,
        "deleted": False,
        "forced": False,
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "repository": {"full_name": "shop/stock", "default_branch": "main", "pushed_at": 1741165200},
        "sender": {"login": "ana"},
    } | more


def event(name: str, payload: dict[str, Any]) -> Event:
    return parse_event(json.dumps(payload).encode(), name)


def write_event(path: Path, payload: dict[str, Any]) -> Path:
    path.write_text(json.dumps(payload), encoding="utf-8")
    return path
