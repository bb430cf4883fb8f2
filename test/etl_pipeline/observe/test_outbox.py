"""The outbox and incidents on a real server: each message is sent by one, in order, whoever dies or is down."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from etl_pipeline.observe.incidents import EVERYTHING, Changes, Scope, keep_incidents
from etl_pipeline.observe.outbox import Sent, put, send_waiting
from etl_pipeline.observe.slack_message import RunTold, compose
from etl_pipeline.observe.slack_sending import Attempt, send
from etl_pipeline.observe.values import Breach
from test.run_warehouse import PROD, REPO, RunWarehouse
from test.slack_server import SlackServer, slack_server

NOW = datetime(2025, 3, 1, 6, 30, tzinfo=UTC)
LATE = Breach("no_file", "pos", "No file.", "Ask.", amount=2, place="ST01")


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


def write(warehouse: RunWarehouse, *titles: str) -> None:
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        for title in titles:
            breach = Breach("no_file", title, title, "Ask.")
            put(cursor, PROD, compose(RunTold(title), _opened(breach)), NOW)


def _opened(breach: Breach) -> Changes:
    return Changes(opened=[breach])


def send_now(
    warehouse: RunWarehouse, slack: SlackServer | Callable[[dict[str, Any]], Attempt], at: datetime = NOW
) -> Sent:
    call = slack if callable(slack) else lambda message: send(slack.url, message, timeout=2, now=at)
    with closing(psycopg2.connect(warehouse.url)) as connection:
        return send_waiting(connection, PROD, call, lambda: at, until=at + timedelta(seconds=60))


def see(warehouse: RunWarehouse, *seen: Breach, at: datetime = NOW, scope: Scope = EVERYTHING) -> Changes:
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        return keep_incidents(cursor, PROD, seen, at, scope)


def names(slack: SlackServer) -> list[str]:
    return [title.partition(":")[0].removeprefix("SyStock ") for title in slack.titles]


def test_messages_are_sent_once_and_in_their_order(warehouse, slack):
    write(warehouse, "a", "b", "c")
    assert send_now(warehouse, slack) == Sent(sent=3)
    assert send_now(warehouse, slack) == Sent()
    assert names(slack) == ["a", "b", "c"]


def test_while_slack_is_down_they_wait_longer_each_time_and_none_overtakes(warehouse, slack):
    write(warehouse, "a", "b")
    slack.answers += [(500, {}, b"")] * 2
    assert (send_now(warehouse, slack).waiting, len(slack.messages)) == (2, 1)
    assert (send_now(warehouse, slack, NOW + timedelta(seconds=29)).sent, len(slack.messages)) == (0, 1)
    assert (send_now(warehouse, slack, NOW + timedelta(seconds=30)).sent, len(slack.messages)) == (0, 2)
    assert (send_now(warehouse, slack, NOW + timedelta(seconds=89)).sent, len(slack.messages)) == (0, 2)
    assert send_now(warehouse, slack, NOW + timedelta(seconds=90)).sent == 2
    assert names(slack) == ["a", "a", "a", "b"]


def test_a_retry_after_is_honoured(warehouse, slack):
    write(warehouse, "a")
    slack.answers.append((429, {"Retry-After": "120"}, b"rate_limited"))
    assert "429" in send_now(warehouse, slack).reason
    send_now(warehouse, slack, NOW + timedelta(seconds=119))
    assert len(slack.messages) == 1
    assert send_now(warehouse, slack, NOW + timedelta(seconds=120)).sent == 1


def test_what_never_will_work_is_given_up_with_its_reason_and_holds_up_no_other(warehouse, slack):
    write(warehouse, "a", "b")
    slack.answers.append((404, {}, b"no_service"))
    done = send_now(warehouse, slack)
    assert (done.sent, done.given_up, done.waiting) == (1, 1, 0)
    found = warehouse.rows(
        "select given_up_at is not null, sent_at is not null, reason from ops.outbox order by 1 desc"
    )
    assert found[0][:2] == (True, False)
    assert "There is no such webhook" in found[0][2]


def test_after_three_days_a_message_is_given_up(warehouse, slack):
    write(warehouse, "a")
    slack.answers.append((500, {}, b""))
    assert send_now(warehouse, slack, NOW + timedelta(days=3, seconds=1)).given_up == 1


def test_what_was_sent_a_month_ago_is_tidied_away(warehouse, slack):
    write(warehouse, "a")
    send_now(warehouse, slack)
    send_now(warehouse, slack, NOW + timedelta(days=31))
    assert warehouse.value("select count(*) from ops.outbox") == 0


def test_of_many_senders_at_once_each_message_is_sent_by_one(warehouse, slack):
    write(warehouse, *(f"m{n:02}" for n in range(20)))
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: send_now(warehouse, slack), range(12)))
    while warehouse.value("select count(*) from ops.outbox where sent_at is null"):
        done.append(send_now(warehouse, slack))
    assert names(slack) == [f"m{n:02}" for n in range(20)]
    assert sum(one.sent for one in done) == 20


DIES_AFTER_THE_CALL = """
import os, sys
from datetime import datetime, timedelta
import psycopg2
from etl_pipeline.core.names import Schemas
from etl_pipeline.observe.outbox import send_waiting
from etl_pipeline.observe.slack_sending import send

def call(message):
    send(sys.argv[2], message)
    os._exit(9)

now = datetime.fromisoformat(sys.argv[3])
send_waiting(psycopg2.connect(sys.argv[1]), Schemas.of(None), call, lambda: now, until=now + timedelta(seconds=60))
"""


def test_who_dies_between_sending_and_saying_so_leaves_it_to_be_sent_again_with_a_note(warehouse, slack):
    write(warehouse, "a", "b")
    command = [sys.executable, "-c", DIES_AFTER_THE_CALL, warehouse.url, slack.url, NOW.isoformat()]
    assert subprocess.run(command, cwd=REPO, check=False, timeout=60).returncode == 9
    assert send_now(warehouse, slack, NOW + timedelta(seconds=59)).sent == 0  # its lease still runs
    assert send_now(warehouse, slack, NOW + timedelta(seconds=60)).sent == 2
    assert names(slack) == ["a", "a", "b"]
    again = ["Sent again" in str(message) for message in slack.messages]
    assert again == [False, True, False]


def test_a_sender_whose_lease_ran_out_may_not_say_what_came_of_it(warehouse, slack):
    write(warehouse, "a")

    def too_late(message: dict[str, Any]) -> Attempt:
        assert send_now(warehouse, slack, NOW + timedelta(minutes=2)).sent == 1
        return Attempt("never", "no")

    send_now(warehouse, too_late)
    assert warehouse.rows("select sent_at is not null, given_up_at from ops.outbox") == [(True, None)]


def test_an_incident_is_opened_once_updated_and_resolved_once(warehouse):
    worse = Breach("no_file", "pos", "No file for days.", "Ask.", "failure", "ST01", 9)
    steps = [[LATE], [LATE], [worse], [worse], [], [], [LATE]]
    told = []
    for hour, seen in enumerate(steps):
        changes = see(warehouse, *seen, at=NOW + timedelta(hours=hour))
        told.append((len(changes.opened), len(changes.worse), len(changes.resolved)))
    assert told == [(1, 0, 0), (0, 0, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1), (0, 0, 0), (1, 0, 0)]
    assert warehouse.rows(
        "select severity, amount, times_seen, opened_at, last_seen_at, resolved_at from ops.incident order by 4"
    ) == [
        ("failure", 9, 4, NOW, NOW + timedelta(hours=3), NOW + timedelta(hours=4)),
        ("warning", 2, 1, NOW + timedelta(hours=6), NOW + timedelta(hours=6), None),
    ]


def test_of_many_looks_at_once_one_opens_and_one_resolves(warehouse):
    with ThreadPoolExecutor(6) as pool:
        opened = [len(changes.opened) for changes in pool.map(lambda _: see(warehouse, LATE), range(12))]
        resolved = [len(changes.resolved) for changes in pool.map(lambda _: see(warehouse), range(12))]
    assert (sum(opened), sum(resolved)) == (1, 1)


def test_places_of_one_feed_are_incidents_of_their_own(warehouse):
    other = Breach("no_file", "pos", "No file.", "Ask.", place="ST02")
    assert len(see(warehouse, LATE, other).opened) == 2
    assert [one.breach.place for one in see(warehouse, LATE).resolved] == ["ST02"]


def test_whatever_a_breach_holds_it_can_be_kept(warehouse):
    odd = Breach("k" * 9_999, "\x00'; drop table ops.incident; --", "\ud800%s{{ ops }}", "\u202e", amount=2**80)
    see(warehouse, odd)
    assert see(warehouse, odd).opened == []
    assert warehouse.value("select count(*) from ops.incident") == 1
