"""Slack down, slow, busy or gone: every call ends in time, with what to do next, and without the address."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from etl_pipeline.observe.slack_sending import Attempt, send
from test.slack_server import PATH, SlackServer, slack_server

NOW = datetime(2025, 3, 1, 6, 30, tzinfo=UTC)
MESSAGE = {"text": "x", "blocks": []}


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


def test_a_message_arrives_as_it_was_written(slack):
    assert send(slack.url, MESSAGE) == Attempt("sent")
    assert slack.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "wait"),
    [
        (429, {"Retry-After": "7"}, "later", 7.0),
        (429, {"Retry-After": "99999999"}, "later", 3600.0),
        (429, {"Retry-After": "Sat, 01 Mar 2025 06:31:30 GMT"}, "later", 90.0),
        (429, {"Retry-After": "-5"}, "later", 1.0),
        (429, {"Retry-After": "soon"}, "later", None),
        (429, {"Retry-After": "nan"}, "later", None),
        (429, {}, "later", None),
        (500, {}, "later", None),
        (503, {"Retry-After": "30"}, "later", 30.0),
        (400, {}, "never", None),
        (403, {}, "never", None),
        (404, {}, "never", None),
        (410, {}, "never", None),
        (302, {"Location": "http://127.0.0.1:1/"}, "never", None),
    ],
)  # fmt: skip
def test_an_answer_says_whether_and_when_to_try_again(slack, status, headers, outcome, wait):
    slack.answers.append((status, headers, b"no_service"))
    attempt = send(slack.url, MESSAGE, now=NOW)
    assert (attempt.outcome, attempt.wait_seconds) == (outcome, wait)
    assert str(status) in attempt.reason
    assert len(slack.messages) == 1


def test_a_slow_server_holds_nobody_up(slack):
    slack.wait = 5.0
    began = time.monotonic()
    assert send(slack.url, MESSAGE, timeout=0.5).outcome == "unknown"
    assert time.monotonic() - began < 2


def test_a_server_that_answers_a_byte_at_a_time_holds_nobody_up(slack):
    slack.drip = True
    began = time.monotonic()
    assert send(slack.url, MESSAGE, timeout=0.5).outcome in ("unknown", "sent")
    assert time.monotonic() - began < 2


def test_nobody_there_is_for_later_and_garbage_is_in_doubt():
    assert send(f"http://127.0.0.1:1/{PATH}", MESSAGE).outcome == "later"
    assert send(f"http://no-such-host.invalid/{PATH}", MESSAGE).outcome == "later"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            client.recv(100_000)
            client.sendall(b"\x00\xffnot http at all\r\n\r\n")
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        assert send(f"http://127.0.0.1:{server.getsockname()[1]}/{PATH}", MESSAGE).outcome == "unknown"


@pytest.mark.parametrize(
    "url", ["", "hooks.slack.com/services/x", "ftp://x/y", "http://", "https://[half", "http://a b/"]
)
def test_what_is_no_address_is_given_up_at_once(url):
    assert send(url, MESSAGE).outcome in ("never", "later")


def test_the_address_is_in_no_reason_and_in_no_log(slack, caplog):
    caplog.set_level(logging.INFO)
    slack.answers += [(404, {}, slack.url.encode()), (500, {}, slack.url.encode())]
    attempts = [send(slack.url, MESSAGE), send(slack.url, MESSAGE), send(f"http://127.0.0.1:1/{PATH}", MESSAGE),
                send(f"http://[bad/{PATH}", MESSAGE)]  # fmt: skip
    assert "CANARY0" not in repr(attempts) + caplog.text
