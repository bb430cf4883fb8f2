"""The main job with Snowflake: five simulated feeds loaded into the keeper, and all that gold reads shipped."""

from contextlib import closing
from pathlib import Path

import pytest

from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.snowflake_access import snowflake_access
from load.serving_sql import SqlServing
from pipeline_manager.shipping import Target, open_target, ship
from pipeline_manager.shipping_comparing import compare
from pipeline_manager.simulating import write_retailer
from pipeline_manager.warehouse import open_warehouse
from test.run_warehouse import PROD, REPO, RunWarehouse
from test.snowflake.stand_in import StandIn

FEEDS = REPO / "feeds" / "simulated"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sent") / "inbox"
    write_retailer(
        folder, seed=3, days=4, stores=2, products=12, start="2025-03-01", faults="usual", answers=None, losses=True
    )
    return folder


def shipped(warehouse: RunWarehouse, target: Target) -> set[str]:
    with open_warehouse(warehouse.url, warehouse.settings, PROD) as opened:
        return set(ship(opened, target, SilentProgress()).relations)


def differing(warehouse: RunWarehouse, target: Target) -> list[str]:
    with open_warehouse(warehouse.url, warehouse.settings, PROD) as opened:
        return [f"{c.relation}: {c.kept} {c.served}" for c in compare(opened, target) if not c.is_equal]


def test_a_run_ships_what_it_loaded(
    warehouse: RunWarehouse, stand_in: StandIn, snowflake_database: str, inbox: Path, tmp_path: Path
):
    files = sorted(path for path in inbox.rglob("*") if path.is_file())
    first = tmp_path / "inbox"
    for path in files[::2]:
        target = first / path.relative_to(inbox)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    environ = stand_in.environ(snowflake_database)
    access = snowflake_access(None, environ)
    assert access is not None
    assert "relations to snowflake://tester@stand_in" in warehouse.run(FEEDS, first, environ).shipped
    assert "relations to snowflake://tester@stand_in" in warehouse.run(FEEDS, inbox, environ, gold_tests=True).shipped
    asked = "select product_code, location_code, on_hand from gold.stock_on_hand order by product_code, location_code"
    with closing(open_target(access, PROD)) as serving:
        assert isinstance(serving, SqlServing)
        assert serving.run(asked) == warehouse.rows(asked)
    # The run's own row is finished when it has shipped; nothing else is left.
    assert shipped(warehouse, access) <= {"ops.run", "ops.setting", "ops.check", "ops.feed_metric"}
    assert differing(warehouse, access) == []
    assert shipped(warehouse, access) == set()
