"""Looking at a warehouse: what was counted, judged, printed, and told by the exit code."""

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pytest
from typer.testing import CliRunner

from etl_pipeline.contracts.loading import load_feeds
from extract.simulated.retailer import simulate
from pipeline_manager.commands import app
from pipeline_manager.observing import look_closely, own_time
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.run_warehouse import PROD
from test.slack_server import slack_server

DUE = "schedule: {every_hours: 24, grace_hours: 6}\n"


@pytest.fixture
def feeds(tmp_path):
    folder = write_feeds(tmp_path / "feeds")
    contract = folder / "move.yml"
    contract.write_text(contract.read_text() + DUE)
    return folder


def days_of_moves(count, first=date(2025, 2, 1)):
    days = (first + timedelta(days=n) for n in range(count))
    return {f"move_{day}.csv": move(f"D{day:%d%m}", f"{day}T09:00:00", 5) for day in days}


def looked(warehouse, feeds, now):
    with closing(psycopg2.connect(warehouse.url)) as connection:
        return look_closely(connection, PROD, load_feeds(feeds), now)


def test_a_file_that_is_due_and_not_there_is_found_and_told_in_a_sentence(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | days_of_moves(3)))
    on_time = looked(warehouse, feeds, datetime(2025, 2, 4, 12, tzinfo=UTC))
    assert on_time.breaches == []
    late = looked(warehouse, feeds, datetime(2025, 2, 6, 12, tzinfo=UTC))
    assert [(b.kind, b.subject, b.amount) for b in late.breaches] == [("no_file", "move", 2)]
    assert late.breaches[0].sentence == ("move: no file for 2025-02-04, 2025-02-05; it was due by 2025-02-05 06:00.")
    assert {line.feed: line.status for line in late.feeds}["move"] == "no_file"


def test_a_file_that_repeats_is_found_by_what_it_loaded(warehouse, feeds, tmp_path):
    files = days_of_moves(2)
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | files))
    warehouse.run(feeds, write_files(tmp_path / "inbox", {"move_2025-02-03.csv": files["move_2025-02-02.csv"]}))
    found = looked(warehouse, feeds, datetime(2025, 2, 4, 12, tzinfo=UTC))
    assert [(b.kind, b.subject) for b in found.breaches] == [("no_new_events", "move")]


def test_a_feed_that_owes_a_file_every_hour_is_judged_by_the_hour(warehouse, feeds, tmp_path):
    contract = feeds / "move.yml"
    contract.write_text(contract.read_text().replace(DUE, "schedule: {every_hours: 6, grace_hours: 1}\n"))
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | days_of_moves(1)))
    found = looked(warehouse, feeds, datetime(2025, 2, 1, 21, tzinfo=UTC))
    assert [(b.kind, b.subject, b.amount) for b in found.breaches] == [("no_file", "move", 2)]


def run_command(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_the_command_exits_with_4_where_something_is_wrong(warehouse, feeds, tmp_path):
    inbox = write_files(tmp_path / "inbox", MASTERS | days_of_moves(3))
    warehouse.run(feeds, inbox)
    told = run_command("observe", "--feeds", str(feeds), "--database-url", warehouse.url)
    assert told.exit_code == 4, told.output
    assert "move: no file for" in told.output
    assert "Ask the sender for the file." in told.output
    as_json = run_command("observe", "--feeds", str(feeds), "--database-url", warehouse.url, "--json")
    assert as_json.exit_code == 4
    assert [breach["kind"] for breach in json.loads(as_json.output)["breaches"]] == ["no_file"]


def test_a_look_from_a_timer_tells_once_what_is_late_and_leaves_open_what_only_a_run_sees(
    warehouse, feeds, tmp_path, monkeypatch
):
    unknown = {"move_2025-02-02.csv": "D9,1,1,NO,W1,2025-02-01T09:00:00,5,EA,in,\n"}
    inbox = write_files(tmp_path / "inbox", MASTERS | unknown | days_of_moves(1))
    warehouse.run(feeds, inbox, clock=lambda: datetime(2025, 2, 3, 5, tzinfo=UTC))
    open_now = "select kind from ops.incident where resolved_at is null order by kind"
    assert warehouse.rows(open_now) == [("set_aside",)]
    with slack_server() as slack:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", slack.url)
        look = ("observe", "--feeds", str(feeds), "--database-url", warehouse.url)
        assert run_command(*look).exit_code == 4
        assert slack.titles == []
        for _ in range(2):
            assert run_command(*look, "--tell").exit_code == 4
        assert slack.titles == ["SyStock prod: 1 new, 2 open"]
    assert "A look at the deliveries" in str(slack.messages)
    assert warehouse.rows(open_now) == [("no_file",), ("set_aside",)]


def test_the_simulated_retailer_is_judged_in_its_own_time(warehouse, feeds_unsnapped, tmp_path):
    simulate(tmp_path / "inbox", days=10)
    folder = feeds_unsnapped / "simulated"
    warehouse.run(folder, tmp_path / "inbox")
    feeds = load_feeds(folder)
    with closing(psycopg2.connect(warehouse.url)) as connection:
        now = own_time(connection, PROD, feeds, datetime(2031, 1, 1, tzinfo=UTC))
        assert (now.year, now.month) == (2025, 3)
        assert look_closely(connection, PROD, feeds, now).breaches == []


def test_a_store_whose_file_is_missing_is_told_by_its_name(warehouse, feeds_unsnapped, tmp_path):
    simulate(tmp_path / "inbox", days=10)
    for path in (tmp_path / "inbox" / "pos" / "ST02").glob("*20250308*"):
        path.unlink()
    folder = feeds_unsnapped / "simulated"
    warehouse.run(folder, tmp_path / "inbox")
    found = looked(warehouse, folder, datetime(2025, 3, 11, tzinfo=UTC))
    assert ("no_file", "pos_sales/ST02", "ST02") in [(b.kind, b.subject, b.place) for b in found.breaches]


def test_what_a_run_found_stands_in_its_checks(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | days_of_moves(3)))
    assert warehouse.rows('select "check", subject, is_kept from ops.check where "check" = \'no_file\'') == [
        ("no_file", "move", False)
    ]
