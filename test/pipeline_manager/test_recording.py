"""What a run did is written down, also when it fails, and writing it down never fails a run."""

import logging
from contextlib import closing

import psycopg2
import pytest

from etl_pipeline.contracts.loading import load_feeds
from etl_pipeline.core.errors import UsageError
from etl_pipeline.observe.values import Breach
from pipeline_manager.measuring import measure
from pipeline_manager.recording import record_breaches
from test.pipeline_manager.small_retailer import MASTERS, RETAILER, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.run_warehouse import PROD

DAY_1 = {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5) + move("D2", "2025-02-01T10:00:00", -2)}
DAY_2 = {"move_2025-02-02.csv": move("D3", "2025-02-02T09:00:00", 1) + move("D4", "2025-02-02T09:00:00", 1, sku="X")}
METRICS = (
    "select place, day::text, files, records, set_aside, loaded, fresh, event_days from ops.feed_metric "
    "where feed = 'move' order by day, place"
)


@pytest.fixture
def feeds(tmp_path):
    return write_feeds(tmp_path / "feeds")


def test_a_run_is_recorded_with_its_stages_and_the_laws(warehouse, feeds, tmp_path):
    report = warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | DAY_1))
    assert warehouse.rows("select env, retailer, outcome, sentence, known, files_new from ops.run") == [
        ("prod", "small", "done", "", report.known, 4)
    ]
    assert warehouse.value("select ended_at >= started_at from ops.run")
    stages = [row[0] for row in warehouse.rows("select stage from ops.stage where within = '' order by position")]
    assert stages[:2] == ["warehouse", "land"]
    assert "gold" in stages
    assert warehouse.rows("select count(*), bool_and(is_kept) from ops.check where \"check\" = 'law'") == [(9, True)]


def test_what_came_is_counted_by_day_and_by_the_place_that_records_name(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | DAY_1 | DAY_2))
    assert warehouse.rows(METRICS) == [
        ("", "2025-02-01", 1, 2, 0, 2, 2, 1),
        ("W1", "2025-02-01", 1, 2, 0, 2, 2, 1),
        ("", "2025-02-02", 1, 2, 1, 1, 1, 1),
        ("W1", "2025-02-02", 1, 1, 0, 1, 1, 1),
    ]


def test_a_load_is_counted_once_however_often_it_is_asked(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | DAY_1))
    before = warehouse.rows(METRICS)
    warehouse.run(feeds, tmp_path / "inbox")
    with closing(psycopg2.connect(warehouse.url)) as connection:
        measure(connection, PROD, load_feeds(feeds))
    assert warehouse.rows(METRICS) == before
    assert warehouse.value("select count(*) from ops.run where outcome = 'done'") == 2


def test_a_file_that_repeats_what_is_known_loads_nothing(warehouse, feeds, tmp_path):
    again = {"move_2025-02-02.csv": DAY_1["move_2025-02-01.csv"]}
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | DAY_1))
    warehouse.run(feeds, write_files(tmp_path / "inbox", again))
    assert warehouse.rows(METRICS)[-1] == ("", "2025-02-02", 1, 2, 0, 0, 0, 0)


def test_a_backfill_loads_records_of_which_none_is_fresh(warehouse, feeds, tmp_path):
    late = {"move_2025-02-03.csv": move("D9", "2025-02-01T09:00:00", 5)}
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | late))
    assert warehouse.rows(METRICS)[0] == ("", "2025-02-03", 1, 1, 0, 1, 0, 1)


def test_a_failed_run_is_recorded_with_the_sentence_that_a_person_got(warehouse, feeds, tmp_path):
    inbox = write_files(tmp_path / "inbox", MASTERS | DAY_1)
    warehouse.run(feeds, inbox)
    (feeds / "retailer.yml").write_text(RETAILER.replace("retailer: small", "retailer: other").lstrip())
    with pytest.raises(UsageError, match="holds the retailer 'small'"):
        warehouse.run(feeds, inbox)
    found = warehouse.rows("select outcome, sentence from ops.run order by started_at")
    assert [outcome for outcome, _ in found] == ["done", "failed"]
    assert "holds the retailer 'small', not 'other'" in found[1][1]


def test_a_run_that_died_is_told_as_lost_by_the_next(warehouse, feeds, tmp_path):
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("insert into ops.run (run_id, env, outcome) values ('dead', 'prod', 'running')")
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS))
    assert warehouse.rows("select run_id, outcome from ops.run where run_id = 'dead'") == [("dead", "lost")]


def test_a_warehouse_that_takes_no_record_fails_no_run(warehouse, feeds, tmp_path, caplog):
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("alter table ops.stage rename to another; alter table ops.run rename to others")
    with caplog.at_level(logging.WARNING):
        report = warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS | DAY_1))
    assert report.known
    assert "could not be recorded" in caplog.text


def test_what_was_found_about_deliveries_stands_beside_the_laws(warehouse, feeds, tmp_path):
    warehouse.run(feeds, write_files(tmp_path / "inbox", MASTERS))
    run_id = warehouse.value("select run_id from ops.run")
    breach = Breach("no_file", "move", "No file of move came.", "Ask the sender.", amount=2)
    with closing(psycopg2.connect(warehouse.url)) as connection:
        record_breaches(connection, PROD, run_id, [breach, breach])
    assert warehouse.rows('select "check", subject, is_kept, amount from ops.check where not is_kept') == [
        ("no_file", "move", False, 2)
    ]
