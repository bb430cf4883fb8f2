"""What a Slack message holds: data is shown and does nothing, and the whole is never more than Slack takes."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_pipeline.core.settings import remember_secrets
from etl_pipeline.observe.incidents import NOTHING, Changes, Incident, Scope, changes_of
from etl_pipeline.observe.slack_message import RunTold, compose, told_again
from etl_pipeline.observe.slack_text import plain, shown
from etl_pipeline.observe.values import Breach

pytestmark = pytest.mark.fast
NOW = datetime(2025, 3, 1, 6, 30, tzinfo=UTC)
PROD = RunTold("prod", "small", True, "3 new files.")
LATE = Breach("no_file", "pos", "No file since Monday.", "Ask the sender.", amount=2, place="ST01")
MENTIONS = ["<!channel>", "<!here|here>", "<@U024BE7LH>", "<!subteam^S1>", "<#C1>", "<https://evil.example|click>",
            "@here", "@channel", "@Everyone", "&lt;!channel&gt;", "https://evil.example/x"]  # fmt: skip


def open_incident(breach: Breach, number: int = 1) -> Incident:
    return Incident(number, breach, breach.amount, breach.severity, NOW)


def texts(message: dict[str, Any]) -> list[str]:
    """Every text that Slack would show, marks read as Slack reads them."""
    found = [message["text"]]
    for block in message["blocks"]:
        found += [block["text"]["text"]] if "text" in block else []
        found += [element["text"] for element in block.get("elements", [])]
    return found


def test_a_message_says_what_how_many_what_to_do_and_where():
    message = compose(PROD, Changes(opened=[LATE]))
    said = "\n".join(texts(message))
    for part in ("SyStock prod: 1 new, 1 open", "pos at ST01", "No file since Monday.", "*What to do:* Ask the sender.",
                 ":large_yellow_circle:", "environment prod", "small"):  # fmt: skip
        assert part in said
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


@pytest.mark.parametrize("mention", MENTIONS)
def test_data_calls_nobody_and_links_nowhere(mention):
    breach = Breach("set_aside", mention, f"file {mention}.csv", mention, "failure", mention, 3)
    run = RunTold(mention, mention, False, mention, [mention])
    message = compose(run, Changes(opened=[breach], resolved=[open_incident(breach)]))
    for block in message["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            continue
        for element in [block["text"]] if "text" in block else block.get("elements", []):
            assert element["verbatim"] is True
            assert not re.search(r"[<>]|@(here|channel|everyone)|://", element["text"], re.IGNORECASE)
    assert not re.search(r"[<>]|@(here|channel|everyone)|://", message["text"], re.IGNORECASE)


def test_data_cannot_look_like_a_line_of_ours_or_like_formatting():
    text = shown("a\n:red_circle: *Fake*\u202e `code` ~x~")
    assert "\n" not in text
    assert not set("*~`\u202e") & set(text)


def test_ampersands_and_brackets_are_shown_as_they_are():
    assert shown("Marks & Spencer <3 > 2") == "Marks &amp; Spencer &lt;3 &gt; 2"


def test_a_cut_never_ends_in_half_an_entity():
    assert shown("&" * 100, 12) == "&amp;&amp;\u2026"
    assert plain("x" * 200) == "x" * 149 + "\u2026"
    assert shown("\U0001f600" * 10, 7) == "\U0001f600" * 3 + "\u2026"


@given(st.text(max_size=50), st.integers(0, 80), st.integers(0, 80), st.integers(1, 400))
def test_whatever_it_is_about_a_message_is_within_what_slack_takes(letters, opened, resolved, times):
    breach = Breach(letters * times, letters * times, letters * times, letters * times, "failure", letters * times, 9)
    run = RunTold(
        letters or "prod", letters * times, False, letters * times, [letters * times] * 9, "https://x/" + letters
    )
    incidents = [open_incident(breach, number) for number in range(resolved)]
    changes = Changes([breach] * opened, [(i, breach) for i in incidents], (), incidents)
    message = told_again(compose(run, changes))
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        most = 150 if block["type"] == "header" else 3000
        for element in [block["text"]] if "text" in block else block.get("elements", []):
            assert 0 < len(element["text"].encode("utf-16-le", "surrogatepass")) // 2 <= most
    json.dumps(message)


def test_after_twelve_troubles_the_others_are_counted_and_failures_come_first():
    many = [Breach("thin_file", f"feed{n}", "thin", "ask", amount=n) for n in range(20)]
    worst = Breach("law_broken", "law 3", "units are lost", "look", "failure")
    sections = [
        b["text"]["text"] for b in compose(PROD, Changes(opened=[*many, worst]))["blocks"] if b["type"] == "section"
    ]
    assert "law 3" in sections[1]
    assert sections[-1].startswith("and 9 more")


def test_a_secret_is_in_no_message():
    remember_secrets("postgresql://u:hush-hush-canary@h/d")
    breach = Breach("run_failed", "run", "hush-hush-canary said no", "mend hush-hush-canary", "failure")
    assert "hush-hush" not in json.dumps(compose(PROD, Changes(opened=[breach])))


def test_only_an_https_address_becomes_the_link_to_the_run():
    def footer(url: str) -> str:
        return texts(compose(RunTold("prod", run_url=url), Changes(opened=[LATE])))[-1]

    assert "<https://ci.example/runs/7|the run>" in footer("https://ci.example/runs/7")
    for wrong in ("javascript:alert(1)", "http://x", "https://x|y>", "https://x <!channel>"):
        assert "the run" not in footer(wrong)


def test_the_same_trouble_is_opened_once_and_resolved_once():
    first = changes_of([], [LATE, LATE])
    assert first.opened == [LATE]
    again = changes_of([open_incident(LATE)], [LATE])
    assert (again.is_news, again.still_open) == (False, 1)
    gone = changes_of([open_incident(LATE)], [])
    assert [one.breach for one in gone.resolved] == [LATE]


def test_what_a_look_could_not_see_is_not_resolved_by_it():
    for scope in (NOTHING, Scope(frozenset({"set_aside"}))):
        changes = changes_of([open_incident(LATE)], [], scope)
        assert (changes.resolved, changes.still_open) == ([], 1)


@pytest.mark.parametrize(
    ("amount", "severity", "is_worse"), [(2, "warning", False), (3, "warning", False), (4, "warning", True),
                                         (2, "failure", True), (0, "warning", False)],
)  # fmt: skip
def test_it_is_told_again_when_it_doubles_or_becomes_a_failure(amount, severity, is_worse):
    now = Breach(LATE.kind, LATE.subject, "still", "ask", severity, LATE.place, amount)
    assert bool(changes_of([open_incident(LATE)], [now]).worse) is is_worse


def test_a_run_that_published_nothing_says_so_first():
    message = compose(RunTold("trial", is_published=False), Changes(opened=[LATE]))
    assert texts(message)[1].startswith("SyStock trial: nothing was published, 1 new")
