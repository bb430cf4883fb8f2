"""Runs tell people what came of them, and end the same whether Slack is there, down or was never set up."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.observe.values import Breach
from pipeline_manager.report import RunReport
from pipeline_manager.telling import breaches_after, failed_run, tell_of_look
from pipeline_manager.warehouse import open_warehouse
from pipeline_manager.watch_telling import tell_of_now
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_command_line import BAD, GOOD, Terminal
from test.pipeline_manager.test_named_cases import move
from test.run_warehouse import PROD, RunWarehouse
from test.slack_server import PATH, SlackServer, slack_server

DOWN = f"http://127.0.0.1:1/{PATH}"
BREAK = """
create function ops.canary() returns trigger language plpgsql as $$ begin raise 'canary <!channel>'; end $$;
create trigger canary before insert on ops.batch for each row execute function ops.canary();
grant execute on function ops.canary() to public;
"""
PRODUCT_X = {"product_2025-02-03.csv": "X,Xylophone,EA,2025-02-03\n"}


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return write_feeds(tmp_path / "contracts")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return write_files(tmp_path / "inbox", MASTERS | GOOD | BAD)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    home = tmp_path / "person"
    home.mkdir()
    return Terminal(home)


def _execute(warehouse: RunWarehouse, statement: str) -> None:
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def at(time: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: time


def outbox(warehouse: RunWarehouse) -> int:
    return int(warehouse.value("select count(*) from ops.outbox"))


def test_a_run_tells_what_was_set_aside_once_and_once_that_it_came_in(warehouse, contracts, inbox, slack):
    environ = {"SLACK_WEBHOOK_URL": slack.url}
    for _ in range(3):
        warehouse.run(contracts, inbox, environ)
    assert slack.titles == ["SyStock prod: 1 new, 1 open"]
    said = str(slack.messages[0])
    for part in ("move/unknown_product", "systock quarantine list", "What to do", "small"):
        assert part in said

    write_files(inbox, PRODUCT_X)
    for _ in range(2):
        warehouse.run(contracts, inbox, environ)
    assert slack.titles[1:] == ["SyStock prod: 1 resolved"]


def test_a_run_with_nothing_to_tell_says_nothing_unless_every_run_is_asked_for(warehouse, contracts, tmp_path, slack):
    inbox = write_files(tmp_path / "good", MASTERS | GOOD)
    warehouse.run(contracts, inbox, {"SLACK_WEBHOOK_URL": slack.url})
    assert slack.titles == []
    warehouse.run(contracts, inbox, {"SLACK_WEBHOOK_URL": slack.url, "SLACK_EVERY_RUN": "1"})
    assert slack.titles == ["SyStock prod: all is well"]


def test_a_look_is_no_run_and_says_nothing_where_every_run_is_asked_for(warehouse, contracts, tmp_path, slack):
    environ = {"SLACK_WEBHOOK_URL": slack.url, "SLACK_EVERY_RUN": "1"}
    warehouse.run(contracts, write_files(tmp_path / "good", MASTERS | GOOD), environ)
    with open_warehouse(warehouse.url, warehouse.settings_with(environ), PROD) as opened:
        now = datetime(2025, 2, 3, tzinfo=UTC)
        tell_of_look(opened, "small", [], now)
        tell_of_now(opened, load_feeds(contracts), {}, now)
    assert slack.titles == ["SyStock prod: all is well"]


def test_without_a_webhook_incidents_are_kept_and_nothing_waits(warehouse, contracts, inbox):
    warehouse.run(contracts, inbox)
    assert warehouse.rows("select kind, subject, amount from ops.incident") == [
        ("set_aside", "move/unknown_product", 1)
    ]
    assert outbox(warehouse) == 0


def test_environments_tell_for_themselves(warehouse, contracts, inbox, slack):
    environ = {"SLACK_WEBHOOK_URL": slack.url}
    warehouse.run(contracts, inbox, environ)
    warehouse.environment("trial")
    warehouse.run(contracts, inbox, environ, env="trial")
    assert slack.titles == ["SyStock prod: 1 new, 1 open", "SyStock trial: 1 new, 1 open"]
    assert "--env trial" in str(slack.messages[1])


def test_a_run_is_the_same_with_slack_down_and_what_waits_is_sent_by_a_later_one(
    make_warehouse, contracts, inbox, slack
):
    without, down = make_warehouse(), make_warehouse()
    first = without.run(contracts, inbox)
    second = down.run(contracts, inbox, {"SLACK_WEBHOOK_URL": DOWN})
    assert (second.feeds, second.set_aside) == (first.feeds, first.set_aside)
    assert down.total == without.total
    assert outbox(down) == 1
    later = datetime.now(UTC) + timedelta(hours=1)
    down.run(contracts, inbox, {"SLACK_WEBHOOK_URL": slack.url}, clock=lambda: later)
    assert slack.titles == ["SyStock prod: 1 new, 1 open"]


def test_a_slow_slack_delays_a_run_by_seconds_at_most(warehouse, contracts, inbox, slack):
    slack.wait = 60
    began = time.monotonic()
    warehouse.run(contracts, inbox, {"SLACK_WEBHOOK_URL": slack.url})
    assert time.monotonic() - began < 40
    assert warehouse.rows("select is_in_doubt, sent_at from ops.outbox") == [(True, None)]


def test_a_run_that_fails_tells_that_nothing_was_published_and_the_next_good_one_resolves_it(
    warehouse, contracts, inbox, slack
):
    environ = {"SLACK_WEBHOOK_URL": slack.url}
    warehouse.run(contracts, inbox, environ)
    _execute(warehouse, BREAK)
    write_files(inbox, {"move_2025-02-05.csv": move("D9", "2025-02-05T09:00:00", 1)})
    for _ in range(2):
        with pytest.raises(Exception, match="canary"):
            warehouse.run(contracts, inbox, environ)
    assert slack.titles[1:] == ["SyStock prod: nothing was published, 1 new, 2 open"]
    assert "<!channel>" not in str(slack.messages[1])

    _execute(warehouse, "drop trigger canary on ops.batch")
    warehouse.run(contracts, inbox, environ)
    assert slack.titles[2:] == ["SyStock prod: 1 resolved, 1 open"]


def test_a_run_ends_well_where_nobody_can_be_told(warehouse, contracts, inbox, slack):
    warehouse.run(contracts, inbox)
    _execute(warehouse, "drop table ops.incident, ops.outbox")
    assert warehouse.run(contracts, inbox, {"SLACK_WEBHOOK_URL": slack.url}).quarantined == 1


def test_a_warehouse_that_is_away_is_told_once_an_hour_and_without_its_password(contracts, tmp_path, slack):
    url = "postgresql://u:hush-hush-canary@127.0.0.1:1/x?connect_timeout=2"
    away = RunWarehouse("x", url, tmp_path / "home")
    noon = datetime(2025, 3, 1, 12, tzinfo=UTC)
    for minutes in (0, 5, 59, 61):
        with pytest.raises(StopRunError, match="does not answer"):
            away.run(contracts, None, {"SLACK_WEBHOOK_URL": slack.url}, at(noon + timedelta(minutes=minutes)))
    with pytest.raises(StopRunError, match="does not answer"):
        away.run(contracts, None, {"SLACK_WEBHOOK_URL": DOWN}, at(noon + timedelta(days=1)))
    assert slack.titles == ["SyStock prod: nothing was published, 1 new, 1 open"] * 2
    assert "does not answer" in str(slack.messages)
    assert "canary" not in str(slack.messages)


def test_notify_sends_what_waits_and_says_what_came_of_it(terminal, warehouse, contracts, inbox, slack):
    arguments = ("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)
    terminal.environ["SLACK_WEBHOOK_URL"] = DOWN
    code, out, err = terminal.flow(*arguments)
    assert code == 0
    assert "1 waiting" in err
    assert "CANARY0" not in out + err

    code, out, err = terminal.systock("notify", "--database-url", warehouse.url)
    assert (code, "1 waiting" in out) == (1, True)
    _execute(warehouse, "update ops.outbox set next_attempt_at = now() - interval '1 second'")
    terminal.environ["SLACK_WEBHOOK_URL"] = slack.url
    assert terminal.systock("notify", "--database-url", warehouse.url)[:2] == (0, "Messages: 1 sent.\n")
    assert terminal.systock("notify", "--database-url", warehouse.url)[:2] == (0, "Messages: 0 sent.\n")
    assert len(slack.messages) == 1


def test_notify_without_a_webhook_ends_with_2_and_says_what_to_do(terminal, warehouse):
    code, _, err = terminal.systock("notify", "--database-url", warehouse.url)
    assert code == 2
    assert "SLACK_WEBHOOK_URL is not set" in err
    terminal.environ["SLACK_WEBHOOK_URL"] = "s3cr3t-canary"
    assert terminal.systock("notify", "--database-url", warehouse.url)[0] == 2


@pytest.mark.fast
def test_troubles_of_a_run_and_of_a_look_are_told_once_each():
    report = RunReport("trial", "small")
    report.refused["a.csv"] = "It is no CSV."
    report.laws = [{"law": "3", "is_kept": False, "sentence": "units are lost", "violations": 4}]
    report.set_aside = [{"feed": "pos", "reason": "bad_time", "sentence": "No time.", "records": 3, "example": "a:1"}]
    looked = Breach("no_file", "pos", "No file.", "Ask.")
    found = breaches_after(report, [looked, looked])
    assert [one.kind for one in found] == ["law_broken", "set_aside", "refused_file", "no_file"]
    assert found[0].severity == "failure"
    assert failed_run(StopRunError("postgresql://u:hush@h/d is away")).sentence.endswith(
        "postgresql://u:***@h/d is away"
    )
