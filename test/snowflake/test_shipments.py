"""The contract of a serving warehouse, held by each engine behind it: what is shipped is there once, whatever dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from etl_pipeline.core.errors import StopRunError, UsageError
from etl_pipeline.core.failpoints import NAMES_OF_SHIPPING
from etl_pipeline.core.names import Schemas
from load.embedded_postgres import EmbeddedServer
from load.serving_sql import SqlServing
from pipeline_manager.environments.lifecycle import drop
from pipeline_manager.shipping import Target, open_target
from test.run_warehouse import PROD, RunWarehouse, administer
from test.snowflake.little_keeper import LATER, TABLES, differing, ship_little, tell
from test.snowflake.stand_in import StandIn

SCRIPT = Path(__file__).with_name("little_keeper.py")


@pytest.fixture(params=["snowflake", "postgres"])
def target(
    request: pytest.FixtureRequest, stand_in: StandIn, snowflake_database: str, postgres_server: EmbeddedServer
) -> Iterator[Target]:
    if request.param == "snowflake":
        yield stand_in.access(snowflake_database)
        return
    name = f"served_{os.getpid()}_{snowflake_database.lower()}"
    administer(postgres_server, f"create database {name}")
    yield postgres_server.url(name)
    administer(postgres_server, f"drop database {name} with (force)")


@pytest.fixture
def keeper(database_url: str) -> str:
    tell(database_url, TABLES)
    return database_url


def shipped_rows(keeper: str, target: Target) -> dict[str, int]:
    return {parcel.relation.full_name: parcel.rows for parcel in ship_little(keeper, target)}


def run_there(target: Target, statement: str) -> None:
    with closing(open_target(target, PROD)) as serving:
        assert isinstance(serving, SqlServing)
        serving.run(statement)


def test_every_kind_of_value_arrives_as_it_is_and_a_second_shipment_has_nothing_to_bring(keeper: str, target: Target):
    first = shipped_rows(keeper, target)
    assert first == {"silver.thing": 3, "silver.fact_line": 40, "silver.place": 3, "gold.told": 1}
    assert differing(keeper, target) == []
    assert shipped_rows(keeper, target) == {}


def test_only_what_was_written_since_is_shipped_and_what_went_away_goes(keeper: str, target: Target):
    ship_little(keeper, target)
    tell(keeper, *LATER)
    assert shipped_rows(keeper, target) == {
        "silver.thing": 2, "silver.fact_line": 6, "silver.place": 3, "gold.told": 2
    }  # fmt: skip
    assert differing(keeper, target) == []


def test_what_a_running_transaction_had_written_comes_with_the_next_shipment(keeper: str, target: Target):
    with closing(psycopg2.connect(keeper)) as slow:
        slow.cursor().execute("update silver.thing set name = 'late' where id = 3")
        tell(keeper, "update silver.thing set name = 'soon' where id = 2")
        ship_little(keeper, target)
        slow.commit()
    assert "silver.thing" in shipped_rows(keeper, target)
    assert differing(keeper, target) == []


def test_a_target_that_lost_rows_gets_all_of_them(keeper: str, target: Target):
    ship_little(keeper, target)
    run_there(target, "delete from silver.fact_line where record_id > 20")
    tell(keeper, *LATER)
    assert shipped_rows(keeper, target)["silver.fact_line"] == 43
    assert differing(keeper, target) == []


def test_another_column_makes_another_table(keeper: str, target: Target):
    ship_little(keeper, target)
    tell(keeper, "alter table silver.thing add column colour text default 'red'")
    assert shipped_rows(keeper, target) == {"silver.thing": 3}
    assert differing(keeper, target) == []


def test_a_target_of_another_keeper_is_refused_until_it_is_taken_over(keeper: str, target: Target):
    ship_little(keeper, target)
    tell(keeper, "update ops.batch set run_id = 'of another ledger'")
    with pytest.raises(StopRunError, match=r"another keeper shipped.*systock ship --full"):
        ship_little(keeper, target)
    ship_little(keeper, target, full=True)
    assert differing(keeper, target) == []


def test_a_target_that_is_ahead_is_refused(keeper: str, target: Target):
    tell(keeper, "insert into ops.batch values (2, 'b', '2026-01-02')")
    ship_little(keeper, target)
    tell(keeper, "delete from ops.batch where known = 2")
    with pytest.raises(StopRunError, match="holds load 2, and the keeper's last one is 1"):
        ship_little(keeper, target)


def test_a_warehouse_is_not_overwritten_by_a_shipment(keeper: str):
    tell(keeper, "create table ops.law (known bigint)")
    with pytest.raises(UsageError, match="is a warehouse of its own"):
        ship_little(keeper, keeper)


def test_environments_are_schemas_beside_prod_and_go_alone(keeper: str, target: Target):
    ship_little(keeper, target)
    tell(keeper, "create schema exp1_ops; create table exp1_ops.batch as select * from ops.batch")
    environment = Schemas.of("exp1")
    ship_little(keeper, target, schemas=environment)
    with closing(open_target(target, environment)) as serving:
        assert serving.last_shipments()[0] is not None
        serving.drop_environment()
    assert differing(keeper, target) == []


def test_a_shipment_that_is_delivered_twice_changes_nothing(keeper: str, target: Target):
    ship_little(keeper, target)
    tell(keeper, *LATER)
    ship_little(keeper, target)
    run_there(target, "delete from ops.shipment where number = 2")
    assert set(shipped_rows(keeper, target)) == {"silver.thing", "silver.fact_line"}
    assert differing(keeper, target) == []


def test_an_environment_that_is_dropped_is_dropped_on_snowflake_too(
    warehouse: RunWarehouse, stand_in: StandIn, snowflake_database: str
):
    access = stand_in.access(snowflake_database)
    run_there(access, "create schema exp1_silver")
    warehouse.environment("exp1")
    settings = replace(warehouse.settings, environ=stand_in.environ(snowflake_database))
    assert drop(None, settings, "exp1")
    run_there(access, "create schema exp1_silver")  # refused where one of that name is still there


class Shippers:
    """Processes that ship, and die where they are told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def told(self, line: str) -> tuple[str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        number, ended = self._process.stdout.readline().split()
        return number, ended

    def die(self, point: str, keeper: str, target: Target) -> None:
        assert self.told(f"ship {point} {keeper} {address(target)}")[1] == str(-signal.SIGKILL), point


def address(target: Target) -> str:
    return target if isinstance(target, str) else StandIn(target.port or 0).url(target.database)


@pytest.fixture(scope="module")
def shippers() -> Iterator[Shippers]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Shippers(process)
        process.kill()  # it has nothing to end, and what it imported has threads that would


def test_a_first_shipment_that_is_killed_again_and_again_is_made_up_for(
    keeper: str, target: Target, shippers: Shippers
):
    for point in ("ship.begun", "ship.staged:2", "ship.all_staged", "ship.merged:3", "ship.before_commit"):
        shippers.die(point, keeper, target)
    ship_little(keeper, target)
    assert differing(keeper, target) == []
    assert shipped_rows(keeper, target) == {}


def test_a_shipment_that_is_killed_at_any_step_is_made_up_for_by_the_next_one(
    keeper: str, target: Target, shippers: Shippers
):
    ship_little(keeper, target)
    for number, point in enumerate(NAMES_OF_SHIPPING):
        if point == "ship.put" and isinstance(target, str):
            continue  # PostgreSQL has no stage to put files on
        tell(
            keeper,
            f"insert into ops.batch values ({number + 2}, 'later', '2026-01-02')",
            f"update silver.thing set name = '{point}', flag = true where id = 1",
            f"delete from silver.fact_line where record_id = {number + 10}",
            f"update silver.fact_line set known_to = {number + 2} where record_id = {number + 20}",
            f"insert into silver.fact_line values ({number + 100}, 0, {number + 2}, null, 1.5)",
        )
        shippers.die(f"{point}:2" if point in ("ship.merged", "ship.staged") else point, keeper, target)
        ship_little(keeper, target)
        assert differing(keeper, target) == [], point
    assert shipped_rows(keeper, target) == {}


def test_a_shipment_that_slept_while_another_one_came_publishes_nothing(
    keeper: str, target: Target, shippers: Shippers
):
    ship_little(keeper, target)
    tell(keeper, "update silver.thing set name = 'early' where id = 1")
    number, state = shippers.told(f"ship ship.all_staged=stop {keeper} {address(target)}")
    assert state == "stopped"
    tell(keeper, "update silver.thing set name = 'newer' where id = 1")
    ship_little(keeper, target)
    assert shippers.told(f"go {number}") == (number, "1")
    assert differing(keeper, target) == []
