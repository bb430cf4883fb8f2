"""`systock ship`, and what keeps a serving warehouse up with a watch."""

import sys

import pytest
from typer.testing import CliRunner

from pipeline_manager.commands import app
from pipeline_manager.shipping_watch import Shipper
from pipeline_manager.warehouse import open_warehouse
from test.run_warehouse import PROD, RunWarehouse
from test.snowflake.little_keeper import tell

LOADED = (
    "insert into ops.batch (run_id) values ('a run')",
    "insert into silver.product_key (product_code, known_from) values ('A', 1)",
)


@pytest.fixture
def replica(database_url: str) -> str:
    return database_url


@pytest.fixture
def keeper(warehouse: RunWarehouse, monkeypatch: pytest.MonkeyPatch) -> RunWarehouse:
    tell(warehouse.url, *LOADED)
    monkeypatch.chdir(warehouse.home)
    monkeypatch.setenv("SYSTOCK_DATABASE_URL", warehouse.url)
    monkeypatch.setenv("SYSTOCK_HOME", str(warehouse.home))
    return warehouse


def systock(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_the_command_ships_and_tells_what_differs(keeper: RunWarehouse, replica: str):
    code, told = systock("ship", "--to", replica)
    assert code == 0
    assert "relations to postgresql://" in told
    assert "load 1" in told
    code, told = systock("ship", "--to", replica, "--check")
    assert code == 0
    assert "equal      silver.product_key: 1 rows kept, 1 served" in told

    tell(replica, "delete from silver.product_key")
    code, told = systock("ship", "--to", replica, "--check")
    assert code == 1
    assert "DIFFERENT  silver.product_key: 1 rows kept, 0 served" in told

    assert systock("ship", "--to", replica, "--full")[0] == 0
    assert systock("ship", "--to", replica, "--check")[0] == 0
    assert "already" in systock("ship", "--to", replica)[1]


def test_what_a_target_lacks_is_named(keeper: RunWarehouse, monkeypatch: pytest.MonkeyPatch):
    code, told = systock("ship")
    assert code == 2
    assert "Nothing says where to ship to" in told
    code, told = systock("ship", "--to", "snowflake://me@account/stock")
    assert code == 2
    assert "SNOWFLAKE_PASSWORD" in told
    monkeypatch.setitem(sys.modules, "snowflake", None)
    code, told = systock("ship", "--to", "snowflake://me:made-up-word@account/stock")
    assert code == 2
    assert "pip install 'systock[snowflake]'" in told
    assert "made-up-word" not in told


def test_a_watch_ships_what_it_loaded_when_it_is_time_and_goes_on_where_it_cannot(keeper: RunWarehouse, replica: str):
    now = 0.0
    with open_warehouse(keeper.url, keeper.settings, PROD) as opened:
        shipper = Shipper(opened, replica, 60, lambda: now)
        shipper.note()
        assert shipper.ship_when_due() is None
        now = 61.0
        shipped = shipper.ship_when_due()
        assert shipped is not None
        assert shipped.known == 1
        now = 10_000.0
        assert shipper.ship_when_due() is None  # nothing was loaded since
        nowhere = Shipper(opened, "postgresql://127.0.0.1:1/nothing", 60, lambda: now)
        nowhere.note()
        now += 61
        assert nowhere.ship_when_due() is None
