"""The main job with Snowflake: five simulated feeds loaded into the keeper, shipped, and gold over what was shipped."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data_warehouse.gold_project import gold_views
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import SilentProgress
from pipeline_manager.shipping import ship
from pipeline_manager.shipping_comparing import compare
from pipeline_manager.simulating import write_retailer
from pipeline_manager.warehouse import open_warehouse
from test.run_warehouse import PROD, REPO, RunWarehouse
from test.snowflake.gold_on_both import gold_differences
from test.snowflake.stand_in import StandIn

FEEDS = REPO / "feeds" / "simulated"
IN_EVERY_RUN = {"stock_on_hand", "stock_movement", "atp", "open_demand", "sale_line", "quarantine"}


class Served:
    """A keeper, the database on the stand-in that it ships to, and what its senders have sent in three parts."""

    def __init__(self, keeper: RunWarehouse, stand_in: StandIn, database: str, sent: Path) -> None:
        self.keeper = keeper
        self.environ = stand_in.environ(database)
        self.access = stand_in.access(database)
        self.account = stand_in.arguments(database, network_timeout=60)
        self._sent = sent
        self.inbox = sent.with_name("inbox")

    def receive(self, part: int) -> None:
        """Put a third of the files into the inbox."""
        for path in sorted(path for path in self._sent.rglob("*") if path.is_file())[part::3]:
            received = self.inbox / path.relative_to(self._sent)
            received.parent.mkdir(parents=True, exist_ok=True)
            received.write_bytes(path.read_bytes())

    def main_job(self, *words: str, ends_with: int = 0, first_path: Path = REPO) -> str:
        """Run it as a process, with the settings that docs/snowflake.md names and no others."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYSTOCK_", "SNOWFLAKE_"))}
        own = {"SYSTOCK_HOME": str(self.keeper.home), "SYSTOCK_KEEPER_URL": self.keeper.url}
        own["PYTHONPATH"] = f"{first_path}{os.pathsep}{REPO}"
        command = ("-m", "pipeline_manager.pipeline_flow", "--feeds", str(FEEDS), "--inbox", str(self.inbox), *words)
        done = subprocess.run(
            [sys.executable, *command], cwd=self.keeper.home, env=kept | own | self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == ends_with, done.stdout
        return done.stdout

    def differing(self, gold: str = "gold") -> list[str]:
        return gold_differences(self.keeper.url, self.account, gold_views(), gold)

    def shipped(self, env: str | None = None) -> set[str]:
        with open_warehouse(self.keeper.url, self.keeper.settings, Schemas.of(env)) as opened:
            return set(ship(opened, self.access, SilentProgress()).relations)

    def not_equal(self) -> list[str]:
        with open_warehouse(self.keeper.url, self.keeper.settings, PROD) as opened:
            return [f"{c.relation}: {c.kept} {c.served}" for c in compare(opened, self.access) if not c.is_equal]


@pytest.fixture(scope="module")
def served(
    make_warehouse: Callable[[], RunWarehouse], stand_in: StandIn, new_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Served:  # fmt: skip
    sent = tmp_path_factory.mktemp("senders") / "sent"
    write_retailer(
        sent, seed=3, days=4, stores=2, products=12, start="2025-03-01", faults="usual", answers=None, losses=True
    )
    return Served(make_warehouse(), stand_in, new_database(), sent)


def test_the_main_job_ships_what_it_loaded_and_gold_there_is_gold_here(served: Served):
    served.receive(0)
    assert "relations to snowflake://tester@stand_in" in served.main_job("--no-gold-tests")
    served.receive(1)
    assert "relations to snowflake://tester@stand_in" in served.main_job()
    # The run's own row is finished when it has shipped; nothing else is left.
    assert served.shipped() <= {"ops.run", "ops.setting", "ops.check", "ops.feed_metric"}
    assert served.differing() == []
    assert served.not_equal() == []
    assert served.shipped() == set()
    empty = {view for view in IN_EVERY_RUN if not served.keeper.value(f"select count(*) from gold.{view}")}
    assert empty == set()


def test_where_the_extra_is_not_installed_the_main_job_says_so_before_it_loads_anything(served: Served, tmp_path: Path):
    (tmp_path / "snowflake.py").write_text("raise ImportError('not in this environment')\n")
    before = served.keeper.value("select count(*) from ops.batch")
    served.receive(0)
    told = served.main_job(ends_with=2, first_path=tmp_path)
    assert "pip install 'systock[snowflake]'" in told
    assert "Traceback" not in told
    assert served.keeper.value("select count(*) from ops.batch") == before


def test_an_environment_is_served_from_schemas_beside_prods(served: Served):
    if not served.keeper.value("select count(*) from ops.batch"):
        served.receive(0)
        served.main_job("--no-gold-tests")
    before = served.keeper.value("select sum(on_hand) from gold.stock_on_hand")
    served.keeper.environment("exp1", origin="prod")
    served.receive(2)
    assert "relations to snowflake://tester@stand_in" in served.main_job("--env", "exp1", "--no-gold-tests")
    served.shipped("exp1")  # the run's own row again
    assert served.differing("exp1_gold") == []
    assert served.keeper.value("select sum(on_hand) from exp1_gold.stock_on_hand") != before
    served.shipped()
    assert served.differing() == []
