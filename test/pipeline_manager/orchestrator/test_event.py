"""Payloads are read as GitHub writes them; what is none is refused in one sentence."""

import json

import pytest

from etl_pipeline.core.errors import UsageError
from pipeline_manager.orchestrator import event as event_module
from pipeline_manager.orchestrator.event import parse_event, read_event
from test.pipeline_manager.orchestrator.payloads import issue_payload
from test.run_warehouse import SHARED_DATA

pytestmark = pytest.mark.fast
REAL = sorted((SHARED_DATA / "github_events").glob("*/*.json"))


@pytest.mark.skipif(not REAL, reason="the real data is not here")
def test_every_real_payload_is_read():
    for path in REAL:
        payload = read_event(path, path.parent.name).payload
        assert payload.repository.full_name == "Codertocat/Hello-World" or payload.repository.full_name, path
        assert (payload.issue is not None) == (path.parent.name == "issues"), path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"issue": {"number": "many"}}', "issue.number"),
        (b'{"issue": {"number": ' + b"9" * 5_000 + b"}}", "is no JSON"),
        (b'{"commits": 7}', "commits"),
        (b'{"ref": {"a": 1}}', "ref"),
    ],
)
def test_what_is_no_payload_is_refused_in_a_sentence(content, said):
    with pytest.raises(UsageError, match=said):
        parse_event(content, "issues")


def test_a_huge_file_is_refused_without_being_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(event_module, "MOST_BYTES", 1_000)
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"x": "y" * 2_000}))
    with pytest.raises(UsageError, match="GitHub sends none so large"):
        read_event(path, "push")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_event(tmp_path / "none.json", "push")


@pytest.mark.parametrize("name", ["", "Push", "push;id", "issues\n", "x" * 61])
def test_a_name_that_no_event_has_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="is no name of an event"):
        read_event(tmp_path / "none.json", name)


def test_nulls_unknown_parts_and_halves_of_characters_do_no_harm():
    payload = issue_payload("labeled", label="feature") | {"new": {"x": [1]}, "commits": None, "ref": None}
    payload["issue"] |= {"body": None, "title": "\ud800\x00", "labels": None, "updated_at": "yesterday"}
    read = parse_event(json.dumps(payload).encode(), "issues")
    assert read.payload.issue is not None
    assert read.payload.issue.body == ""
    assert read.payload.issue.title.encode()
    assert "\x00" not in read.payload.issue.title
    assert read.asked_at is None
