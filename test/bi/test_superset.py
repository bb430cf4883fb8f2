"""The dashboards in a real Superset over the loaded simulated retailer, without Docker: `make bi-test`.

Pictures go to build/bi.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extract.simulated.retailer import simulate
from test.bi.superset_server import Superset
from test.run_warehouse import REPO, RunWarehouse, administer

COMMANDS = Path(os.environ["SYSTOCK_BI_BIN"])
PICTURES = REPO / "build" / "bi"
DASHBOARDS = ("stock-and-promises", "sales")
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def loaded(make_warehouse: Callable[[], RunWarehouse], feeds_folder: Path, tmp_path_factory) -> RunWarehouse:
    inbox = tmp_path_factory.mktemp("inbox")
    simulate(inbox)
    made = make_warehouse()
    made.run(feeds_folder / "simulated", inbox)
    return made


@pytest.fixture(scope="module")
def superset(postgres_server, loaded, tmp_path_factory) -> Iterator[Superset]:
    login = f"bi_{loaded.name}"
    administer(postgres_server, f"create role {login} login in role bi_reader")
    server = Superset(COMMANDS, tmp_path_factory.mktemp("superset"), postgres_server.url(loaded.name, login))
    try:
        server.start()
        yield server
    finally:
        code = server.stop()
        administer(postgres_server, f"drop role {login}")
    assert code == 0, server.told()[-2000:]


def test_every_chart_of_the_files_is_there_and_answers_with_rows(superset):
    files = list((REPO / "data_warehouse" / "bi" / "bundle" / "charts").glob("*.yaml"))
    rows = superset.as_admin.rows_by_chart()
    assert len(rows) == len(files) >= 10
    print(f"rows by chart: {rows}")  # noqa: T201 - `make bi-test` shows it
    assert {name: count for name, count in rows.items() if not count} == {}


def test_the_figures_in_superset_are_those_of_gold(superset, loaded):
    charts = {chart["slice_name"]: chart["id"] for chart in superset.ask("chart/?q=(page_size:100)")["result"]}

    def shown(name: str) -> list[dict[str, float]]:
        return list(superset.ask(f"chart/{charts[name]}/data/")["result"][0]["data"])

    assert shown("Pieces on hand") == [{"on_hand": loaded.value("select sum(on_hand) from gold.stock_on_hand")}]
    assert shown("Pieces sold, net") == [{"pieces": loaded.value("select sum(quantity) from gold.sales_daily")}]
    ends = {(row["business_date"], row["location_code"]) for row in shown("Stock at the end of each day, by place")}
    days = loaded.value("select count(distinct business_date) from gold.snapshot where kind = 'stock'")
    assert len(ends) == days * loaded.value("select count(*) from gold.location where not is_created")
    money = {row["currency"] for row in shown("Money by day, a line for each currency")}
    assert money == {row[0] for row in loaded.rows("select distinct currency from gold.sales_daily")}


def test_superset_sees_gold_and_nothing_else_and_knows_no_password(superset):
    [database] = superset.ask("database/")["result"]
    assert superset.ask(f"database/{database['id']}/connection")["result"]["sqlalchemy_uri"] == (
        "postgresql+psycopg2://bi_reader@systock-warehouse/systock"
    )
    seen = superset.ask(f"database/{database['id']}/tables/?q=(schema_name:gold)")["result"]
    assert {"availability", "sales_daily"} <= {table["value"] for table in seen}
    assert superset.password not in superset.told()


def test_the_second_start_changes_nothing_and_people_keep_what_they_made(superset):
    def found() -> list[tuple[str, int]]:
        kinds = ("database", "dataset", "chart", "dashboard")
        return [(kind, superset.ask(f"{kind}/")["count"]) for kind in kinds]

    before = found()
    assert superset.stop() == 0
    superset.start()
    assert found() == before


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; apt-get install chromium")
def test_a_browser_draws_every_chart_of_both_dashboards(superset):
    PICTURES.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(COMMANDS / "python"), str(Path(__file__).with_name("photograph.py")), superset.address, str(PICTURES),
         *DASHBOARDS], env=superset.environment | {"SYSTOCK_BI_CHROMIUM": str(CHROMIUM)}, text=True,
        capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert list(seen) == list(DASHBOARDS)
    for slug, dashboard in seen.items():
        assert dashboard["charts"] >= 5, slug
        assert len(dashboard["rows"]) >= dashboard["charts"], f"{slug}: some chart asked nothing"
        assert set(dashboard["status"]) == {200}, slug
        assert min(dashboard["rows"]) > 0, slug
        assert dashboard["errors"] == [], slug
        assert (PICTURES / f"{slug}.png").stat().st_size > 50_000
    print(f"pictures: {PICTURES}")  # noqa: T201 - `make bi-test` shows it
