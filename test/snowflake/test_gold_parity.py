"""Gold on the stand-in for Snowflake has the rows of gold on PostgreSQL, every view and every column of it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from data_warehouse.dbt_runner import build_on_snowflake
from data_warehouse.gold_project import gold_views
from data_warehouse.shipped import shipped_names
from extract.simulated.retailer import simulate
from load.keeper import Keeper
from load.postgres import connect
from pipeline_manager.shipping import open_target, ship_relations
from test.data_warehouse.conftest import Warehouse
from test.run_warehouse import PROD, RunWarehouse, shared_data
from test.snowflake.gold_on_both import gold_differences
from test.snowflake.stand_in import StandIn

ONLY_IN_THE_STORY = {"oversell", "count_review"}


class Served:
    """Gold on the stand-in: built once, over what was shipped there last."""

    def __init__(self, stand_in: StandIn, database: str, folder: Path) -> None:
        self.stand_in = stand_in
        self.database = database
        self.folder = folder
        self.url = ""

    def ship(self, url: str) -> None:
        """Ship all that gold reads of a warehouse, in place of what was there."""
        if self.url != url:
            with (
                closing(Keeper(connect(url), PROD)) as keeper,
                closing(open_target(self.stand_in.access(self.database), PROD)) as serving,
            ):
                ship_relations(keeper, serving, shipped_names(PROD, self.folder), self.folder / "shipping", full=True)
        self.url = url

    def build(self) -> None:
        """Build gold, and run its data tests there."""
        account = self.stand_in.environ(self.database)
        report = build_on_snowflake(account, PROD, target_dir=self.folder / "dbt", run_tests=True)
        assert {node.status for node in report.nodes} == {"success", "pass"}
        assert {node.name for node in report.nodes if node.kind == "model"} == set(gold_views())

    def differences(self, views: list[str]) -> list[str]:
        """A sentence for each view and column that is not the same."""
        return gold_differences(self.url, self.stand_in.arguments(self.database, network_timeout=60), views)

    def count(self, view: str) -> int:
        with closing(psycopg2.connect(self.url)) as here, here.cursor() as cursor:
            cursor.execute(f'select count(*) from gold."{view}"')
            return int((cursor.fetchone() or (0,))[0])


def lose_on_the_way(inbox: Path) -> None:
    """Take lines out of the ERP's copy of the sales, and one day's file out of a daily feed."""
    for path in sorted(inbox.glob("erp/sales/sales_*.txt"))[:5]:
        head, *lines = path.read_text(encoding="latin-1").splitlines(keepends=True)
        path.write_bytes("".join([head, *(line for at, line in enumerate(lines) if at % 11 != 7)]).encode("latin-1"))
    sorted(inbox.glob("erp/sales/sales_*.txt"))[6].unlink()


@pytest.fixture(scope="module")
def retailer(
    make_warehouse: Callable[[], RunWarehouse], feeds_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    inbox = tmp_path_factory.mktemp("inbox")
    simulate(inbox, days=9, stores=2, products=20)
    lose_on_the_way(inbox)
    warehouse = make_warehouse()
    warehouse.run(feeds_folder / "simulated", inbox)
    return warehouse.url


@pytest.fixture(scope="module")
def served(
    retailer: str, stand_in: StandIn, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Served:
    made = Served(stand_in, new_database(), tmp_path_factory.mktemp("served"))
    made.ship(retailer)
    made.build()
    return made


@pytest.mark.slow
def test_every_view_over_the_simulated_retailer_is_the_same_on_both(served: Served, retailer: str):
    served.ship(retailer)
    assert served.differences(gold_views()) == []
    assert {view for view in gold_views() if not served.count(view)} <= ONLY_IN_THE_STORY


@pytest.mark.slow
def test_a_number_that_is_altered_on_one_of_them_is_seen(served: Served, retailer: str):
    import snowflake.connector

    served.ship(retailer)
    with closing(snowflake.connector.connect(**served.stand_in.arguments(served.database))) as there:
        there.cursor().execute("update silver.fact_count set quantity = quantity + 0.000001")
        found = served.differences(["stock_count", "stock_movement"])
        there.cursor().execute("update silver.fact_count set quantity = quantity - 0.000001")
    assert [each.split(":")[0] for each in found] == ["stock_count", "stock_count.quantity"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feeds", "data"), [("adventureworks", "adventureworks"), ("openbravo_qa", "openbravo_qa_testing")]
)
def test_every_view_over_real_data_is_the_same_on_both(
    served: Served, make_warehouse: Callable[[], RunWarehouse], feeds_folder: Path, feeds: str, data: str
):
    warehouse = make_warehouse()
    warehouse.run(feeds_folder / feeds, shared_data(data))
    served.ship(warehouse.url)
    assert served.differences(gold_views()) == []


SOLD = """
    feed | product_code | location_code | event_time           | quantity | movement_class | order_document
    pos  | A100         | S1            | 2025-01-02T09:00:00Z | -3       | sale           |
    pos  | A100         | S1            | 2025-01-02T12:00:00Z | -3       | sale           |
    wms  | B200         | S1            | 2025-01-02T10:00:00Z | -3       | shipment       | W4
"""
COUNTED = """
    product_code | location_code | event_time           | quantity
    A100         | S1            | 2025-01-01T08:00:00Z | 5
    B200         | S1            | 2025-01-01T08:00:00Z | 10.5
"""
PROMISED = """
    product_code | location_code | event_time           | quantity | event   | order_document | expires_at
    A100         | S1            | 2025-01-02T10:00:00Z | 4        | reserve | W1             |
    B200         | S1            | 2025-01-02T09:00:00Z | 3        | reserve | W4             |
    B200         | S1            | 2025-01-02T09:00:00Z | 9        | cart    | C1             | 2025-01-02T09:30:00Z
    B200         | S1            | 2025-01-02T09:10:00Z | 4        | reserve | W2             |
    B200         | S1            | 2025-01-02T09:20:00Z | 4        | cancel  | W2             |
    B200         | S1            | 2025-01-02T11:00:00Z | 8        | reserve | W3             |
"""
COUNTED_AGAIN = """
    product_code | location_code | event_time           | quantity
    A100         | S1            | 2025-01-03T08:00:00Z | 9.25
"""
ODD_BYTES = (b"plain, 1\n", "Stra\u00dfe \u2603".encode(), b"latin \xe9 \\ back\x00null\xff\x80\x7f")


def tell_a_story(told: Warehouse) -> None:
    """Promises that were not covered, then or by what came to be known, a count far off, and records of odd bytes."""
    for product in ("A100", "B200"):
        told.master("product", product, list_price="2.5", currency="EUR")
    told.master("location", "S1", zone="Europe/Madrid", day_close_minutes=120)
    told.tell("count", COUNTED)
    told.tell("demand", PROMISED)
    told.settle()
    told.load()
    told.tell("movement", SOLD)
    told.tell("count", COUNTED_AGAIN)
    told.settle()
    told.run("update ops.feed set most_variance = 0")
    file_id = told.file("odd.csv", "pos")
    for number, raw in enumerate(ODD_BYTES, start=1):
        told.run(
            "insert into silver.quarantine values (%s, %s, %s, 0, 1, %s, 'unknown_unit', 'What unit?', null, null, "
            "'c', %s)",
            (file_id, number, number, raw, told.known),
        )


@pytest.mark.slow
def test_broken_promises_counts_and_odd_bytes_are_told_alike(
    served: Served, make_warehouse: Callable[[], RunWarehouse]
):
    told = Warehouse(make_warehouse().url)
    tell_a_story(told)
    told.connection.close()
    served.ship(told.url)
    assert {view for view in (*ONLY_IN_THE_STORY, "alert", "quarantine") if not served.count(view)} == set()
    assert served.differences(gold_views()) == []
