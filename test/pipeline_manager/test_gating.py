"""A file far from what its weekday usually brings is held, gold stays as it was, and a person lets it in."""

from contextlib import closing
from datetime import date, timedelta

import psycopg2
import pytest

from etl_pipeline.core.names import Schemas
from load.postgres import PostgresWarehouse
from pipeline_manager.quarantine_commands import decide
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move

FIRST = date(2025, 2, 1)


def file_of(week, count):
    day = FIRST + timedelta(days=7 * week)
    body = "".join(move(f"D{week}-{n}", f"{day}T09:00:00", 1) for n in range(count))
    return {f"move_{day}.csv": body}


@pytest.fixture
def loaded(warehouse, tmp_path):
    """Six Saturdays of twenty records, loaded, of a feed with a gate of a fifth."""
    feeds = write_feeds(tmp_path / "feeds")
    contract = feeds / "move.yml"
    contract.write_text(contract.read_text() + "schedule: {gate: 0.2}\n")
    files = MASTERS | {name: body for week in range(6) for name, body in file_of(week, 20).items()}
    warehouse.run(feeds, write_files(tmp_path / "inbox", files))
    return warehouse, feeds, tmp_path / "inbox"


def stock(warehouse):
    return warehouse.value("select sum(on_hand) from gold.stock_on_hand")


def aside(warehouse):
    return warehouse.rows("select file_name, reason from gold.feed_file where status = 'set_aside'")


@pytest.mark.parametrize("count", [3, 101])
def test_a_file_far_from_the_usual_is_held_and_gold_stays(loaded, count):
    warehouse, feeds, inbox = loaded
    warehouse.run(feeds, write_files(inbox, file_of(6, count)))
    assert stock(warehouse) == 120
    assert aside(warehouse) == [("move_2025-03-15.csv", "unusual_volume")]
    assert "where about 20 are usual" in warehouse.value("select sentence from bronze.file where status = 'set_aside'")


@pytest.mark.parametrize("count", [4, 100])
def test_a_file_within_the_gate_is_loaded(loaded, count):
    warehouse, feeds, inbox = loaded
    warehouse.run(feeds, write_files(inbox, file_of(6, count)))
    assert stock(warehouse) == 120 + count
    assert aside(warehouse) == []


def test_a_held_file_is_held_again_when_everything_is_rebuilt(loaded):
    warehouse, feeds, inbox = loaded
    warehouse.run(feeds, write_files(inbox, file_of(6, 3)))
    before = warehouse.total
    warehouse.run(feeds, inbox, full_refresh=True)
    assert aside(warehouse) == [("move_2025-03-15.csv", "unusual_volume")]
    assert warehouse.total == before


def test_a_person_lets_a_held_file_in(loaded):
    warehouse, feeds, inbox = loaded
    warehouse.run(feeds, write_files(inbox, file_of(6, 3)))
    with closing(psycopg2.connect(warehouse.url)) as connection:
        held = PostgresWarehouse(connection, Schemas.of(None))
        decide(held, "accept", "move_2025-03-15.csv", None, reason="the shop was being rebuilt", by="test")
    warehouse.run(feeds, inbox)
    assert (stock(warehouse), aside(warehouse)) == (123, [])
    warehouse.run(feeds, inbox, full_refresh=True)
    assert (stock(warehouse), aside(warehouse)) == (123, [])
