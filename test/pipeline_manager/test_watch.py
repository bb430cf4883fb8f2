"""The watch: what arrives is in gold with its own COMMIT, which is told; a stop leaves nothing half done."""

import json
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as datetime_time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.alive import look_for_life
from pipeline_manager.flow import Options, utc_now
from pipeline_manager.watching import Loaded, Pace, Totals, watch_flow
from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move
from test.pipeline_manager.test_telling import BREAK
from test.run_warehouse import PROD, RunWarehouse
from test.slack_server import slack_server

PATIENCE = 60.0
ON_HAND = "select on_hand::int from gold.stock_on_hand where product_code = 'A' and location_code = 'W1'"


@dataclass
class Watched:
    """A watch at work in a thread."""

    inbox: Path
    rounds: list[Loaded]
    totals: list[Totals]
    listener: psycopg2.extensions.connection
    warehouse: RunWarehouse

    def arrive(self, name: str, text: str) -> None:
        """Put a file there as a careful sender does: whole, under its last name."""
        hidden = self.inbox / f"{name}.part"
        hidden.write_text(f"{HEADERS[name.partition('_')[0]]}\n{text}", encoding="utf-8")
        hidden.rename(self.inbox / name)

    def told(self) -> dict[str, Any]:
        """Wait for the next word on the channel."""
        end = time.monotonic() + PATIENCE
        while not self.listener.notifies and time.monotonic() < end:
            if select.select([self.listener], [], [], 0.5)[0]:
                self.listener.poll()
        assert self.listener.notifies, "no load was told of"
        return dict(json.loads(self.listener.notifies.pop(0).payload))

    def until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < end, self.rounds
            time.sleep(0.02)


@pytest.fixture(scope="module")
def feeds(tmp_path_factory) -> Path:
    return write_feeds(tmp_path_factory.mktemp("feeds"))


@contextmanager
def watching(
    warehouse: RunWarehouse, feeds: Path, inbox: Path, environ: Mapping[str, str] | None = None, **pace: Any
) -> Iterator[Watched]:
    stop, failed, clock = threading.Event(), list[BaseException](), pace.pop("clock", utc_now)
    rounds, totals = list[Loaded](), list[Totals]()
    settings = Settings(home=warehouse.home, database_url=warehouse.url, environ=environ or {})
    options = Options(feeds, inbox, gold_tests=False)

    def work() -> None:
        try:
            paced = Pace(**{"list_seconds": 3600.0} | pace)
            totals.append(
                watch_flow(
                    options, paced, settings, make_progress("silent"), stop=stop, told=rounds.append, clock=clock
                )
            )
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    with closing(psycopg2.connect(warehouse.url)) as listener:
        listener.autocommit = True
        listener.cursor().execute("listen systock_gold")
        thread.start()
        watched = Watched(inbox, rounds, totals, listener, warehouse)
        try:
            watched.until(lambda: bool(failed or warehouse.rows("select 1 from ops.heartbeat")))
            listener.poll()
            listener.notifies.clear()
            yield watched
        finally:
            stop.set()
            thread.join(timeout=PATIENCE)
    assert not failed, failed
    assert not thread.is_alive()


@pytest.fixture
def inbox(tmp_path) -> Path:
    return write_files(tmp_path / "inbox", MASTERS)


def test_a_file_that_arrives_is_in_gold_when_its_load_is_told_of(warehouse, feeds, inbox):
    with watching(warehouse, feeds, inbox) as watched:
        watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5))
        told = watched.told()
        assert warehouse.value(ON_HAND) == 5
        assert (told["env"], told["files"], told["records"], told["touched_keys"]) == ("prod", 1, 1, 1)
        watched.arrive("move_2025-02-02.csv", move("D2", "2025-02-02T09:00:00", -2))
        assert watched.told()["known"] > told["known"]
        assert warehouse.value(ON_HAND) == 3
        watched.until(lambda: len(watched.rounds) == 2)
    assert [(r.files, r.records) for r in watched.rounds] == [
        (("move_2025-02-01.csv",), 1), (("move_2025-02-02.csv",), 1),
    ]  # fmt: skip
    (totals,) = watched.totals
    assert (totals.rounds, totals.files, totals.records) == (2, 2, 2)


def test_what_a_watch_loaded_is_what_one_run_would_have_loaded(warehouse, make_warehouse, feeds, inbox, tmp_path):
    story = {f"move_2025-02-{n:02}.csv": move(f"D{n}", f"2025-02-{n:02}T09:00:00", n) for n in range(1, 9)}
    story["move_2025-02-09.csv"] = move("D1", "2025-02-01T09:00:00", 4, rev=2)
    with watching(warehouse, feeds, inbox, most_files=2) as watched:
        for name, text in reversed(story.items()):
            watched.arrive(name, text)
        watched.until(lambda: sum(len(r.files) for r in watched.rounds) == len(story))
    assert len(watched.rounds) > 1
    warehouse.run(feeds, inbox)
    at_once = make_warehouse()
    at_once.run(feeds, write_files(tmp_path / "other", MASTERS | story))
    assert warehouse.hashes() == at_once.hashes()


def test_a_file_that_somebody_still_writes_is_loaded_once_and_whole(warehouse, feeds, inbox):
    with watching(warehouse, feeds, inbox) as watched:
        with (inbox / "move_2025-02-01.csv").open("w", encoding="utf-8") as growing:
            growing.write(HEADERS["move"] + "\n" + move("D1", "2025-02-01T09:00:00", 5))
            growing.flush()
            time.sleep(0.3)
            growing.write(move("D2", "2025-02-01T10:00:00", 7))
        assert watched.told()["records"] == 2
        assert warehouse.value(ON_HAND) == 12
    assert warehouse.value("select count(*)::int from bronze.file where name like 'move%%'") == 1


def test_a_record_that_waited_is_released_by_the_master_that_arrives(warehouse, feeds, inbox):
    with watching(warehouse, feeds, inbox) as watched:
        watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5, sku="C"))
        watched.told()
        assert warehouse.value("select count(*)::int from gold.quarantine") == 1
        watched.arrive("product_2025-02-02.csv", "C,Cheese,EA,2025-02-02\n")
        watched.until(lambda: warehouse.value("select count(*)::int from gold.quarantine") == 0)
        assert warehouse.rows("select on_hand::int from gold.stock_on_hand where product_code = 'C'") == [(5,)]


def test_another_run_may_work_between_two_rounds_and_what_arrived_meanwhile_waits(warehouse, feeds, inbox):
    with watching(warehouse, feeds, inbox) as watched:
        other = PostgresWarehouse(connect(warehouse.url), PROD)
        with closing(other.connection), other.run_lock():
            other.take_over("another")
            watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5))
            time.sleep(1.0)
            assert warehouse.rows(ON_HAND) == []
        watched.told()
        assert warehouse.value(ON_HAND) == 5


def test_a_watch_that_begins_while_another_run_works_waits_for_its_end(warehouse, feeds, inbox):
    other = PostgresWarehouse(connect(warehouse.url), PROD)
    with closing(other.connection):
        holding = other.run_lock()
        holding.__enter__()
        release = threading.Timer(1.5, lambda: holding.__exit__(None, None, None))
        release.start()
        with watching(warehouse, feeds, inbox) as watched:
            release.join()
            watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5))
            watched.told()
            assert warehouse.value(ON_HAND) == 5


def test_what_nobody_told_of_is_found_by_the_listing(warehouse, feeds, inbox, tmp_path):
    (tmp_path / "moved").mkdir()
    write_files(tmp_path / "moved", {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5)})
    with watching(warehouse, feeds, inbox, list_seconds=0.2) as watched:
        kept = inbox / "move_2025-02-01.csv"
        kept.hardlink_to(tmp_path / "moved" / "move_2025-02-01.csv")
        watched.told()
        assert warehouse.value(ON_HAND) == 5


def test_a_watch_tells_once_what_is_set_aside_or_not_taken_and_once_that_it_is_gone(warehouse, feeds, inbox, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("x\n")
    with slack_server() as slack, watching(
        warehouse, feeds, inbox, {"SLACK_WEBHOOK_URL": slack.url}, tell_seconds=0.2, list_seconds=0.2
    ) as watched:  # fmt: skip
        watched.arrive("move_2025-02-01.csv", "D1,1,1,X,W1,2025-02-01T09:00:00,5,EA,in,\n")
        (inbox / "move_2025-02-09.csv").symlink_to(outside)
        watched.until(lambda: incidents(warehouse) == ["refused_file", "set_aside"])
        watched.until(lambda: sum("new" in title for title in slack.titles) in (1, 2))
        (inbox / "move_2025-02-09.csv").unlink()
        watched.arrive("product_2025-02-03.csv", "X,Xylophone,EA,2025-02-03\n")
        watched.until(lambda: incidents(warehouse) == [])
        watched.until(lambda: "resolved" in str(slack.titles))
        time.sleep(0.6)
    said = str(slack.titles)
    assert said.count("new") <= 2
    assert said.count("resolved") <= 2
    assert warehouse.rows("select count(*) from ops.incident") == [(2,)]


def incidents(warehouse: RunWarehouse) -> list[str]:
    return [kind for (kind,) in warehouse.rows("select kind from ops.incident where resolved_at is null order by kind")]


def test_a_watch_that_ends_by_a_broken_law_or_a_refusing_server_tells_of_it(warehouse, feeds, inbox):
    with slack_server() as slack:
        with pytest.raises(AssertionError, match="canary"), watching(
            warehouse, feeds, inbox, {"SLACK_WEBHOOK_URL": slack.url}
        ) as watched:  # fmt: skip
            with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
                cursor.execute(BREAK)
            watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5))
            watched.until(lambda: bool(slack.titles))
        assert slack.titles == ["SyStock prod: nothing was published, 1 new, 1 open"]


def test_once_a_day_it_publishes_everything_and_goes_on(warehouse, feeds, inbox):
    now = [datetime(2025, 3, 1, 23, tzinfo=UTC)]
    with watching(warehouse, feeds, inbox, clock=lambda: now[0], daily_at=datetime_time(3)) as watched:
        assert not (warehouse.home / "report.html").exists()
        now[0] += timedelta(hours=5)
        watched.until((warehouse.home / "report.html").exists)
        watched.arrive("move_2025-02-01.csv", move("D1", "2025-02-01T09:00:00", 5))
        watched.until(lambda: len(watched.rounds) == 1)
    assert warehouse.rows("select outcome, count(*) from ops.run group by outcome") == [("done", 2)]
    assert warehouse.value(ON_HAND) == 5


def test_a_health_check_finds_a_watch_that_beats_a_run_at_work_and_silence(warehouse, feeds, inbox):
    assert look_for_life(None, warehouse.url, 60) == (
        "Nobody has ever watched for files of 'prod': systock watch",
        False,
    )
    assert look_for_life("lab", warehouse.url, 60) == ("Nothing has been loaded into 'lab' yet.", False)
    with watching(warehouse, feeds, inbox):
        assert look_for_life(None, warehouse.url, 60)[1] is True
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("update ops.heartbeat set beaten_at = beaten_at - interval '2 minutes'")
    told, is_alive = look_for_life(None, warehouse.url, 60)
    assert (re.fullmatch(r"The watch of 'prod' beat 12\d s ago.", told) is not None, is_alive) == (True, False)
    with closing(connect(warehouse.url)) as connection:
        holder = PostgresWarehouse(connection, PROD)
        with holder.run_lock():
            assert look_for_life(None, warehouse.url, 60) == ("A run or a load works on 'prod'.", True)
