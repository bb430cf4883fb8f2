"""The files of the dashboards: whole, without a secret, and offering only what may be asked of stock and money."""

import os
import re
import subprocess
from typing import Any

import psycopg2
import pytest
import yaml

from data_warehouse.bi.chart_query import chart_query
from data_warehouse.bi.datasets import BUNDLE, FOLDER, offered, rendered
from load.server_binaries import find_binaries
from test.run_warehouse import REPO, administer

DASHBOARDS = ("stock-and-promises", "sales")
NUMBERS = {"numeric", "bigint", "integer", "double precision", "real"}
SET_TYPES = {
    "text": "TEXT",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}


def files(folder: str) -> dict[str, dict[str, Any]]:
    found = {path.stem: path for path in sorted((BUNDLE / folder).rglob("*.yaml"))}
    return {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in found.items()}


def source_of(name: str) -> str:
    """What a data set reads, to be asked of in a from clause."""
    told = files("datasets")[name]
    return f"({told['sql']}) as v" if told["sql"] else f"{told['schema']}.{name} as v"


def metric(name: str, of: str) -> str:
    return str(offered()[of]["metrics"][name]["sql"])


@pytest.mark.fast
def test_the_data_sets_are_what_is_offered_in_golds_own_words():
    stale = [path.name for path, text in rendered().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run: python -m data_warehouse.bi.datasets"
    assert {path.name for path in (BUNDLE / "datasets").rglob("*.yaml")} == {path.name for path in rendered()}


@pytest.mark.fast
@pytest.mark.parametrize("name", sorted(files("charts")))
def test_a_chart_asks_for_what_its_data_set_offers(name):
    chart = files("charts")[name]
    of = next(told for told in files("datasets").values() if told["uuid"] == chart["dataset_uuid"])
    [query] = chart_query(chart["params"])["queries"]
    assert set(query["metrics"]) <= {one["metric_name"] for one in of["metrics"]}, "a metric made up in the chart"
    asked = {one if isinstance(one, str) else one["label"] for one in query["columns"]}
    assert asked | {one["col"] for one in query["filters"]} <= {one["column_name"] for one in of["columns"]}
    assert chart["description"].endswith(".")


@pytest.mark.fast
def test_each_chart_is_on_one_dashboard_and_each_dashboard_says_what_it_is_for():
    assert set(files("dashboards")) == set(DASHBOARDS)
    shown: list[str] = []
    for dashboard in files("dashboards").values():
        parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
        own = [part["meta"]["uuid"] for part in parts if part["type"] == "CHART"]
        assert len(own) >= 5
        assert dashboard["description"]
        assert [part for part in parts if part["type"] == "MARKDOWN"]
        shown += own
    assert sorted(shown) == sorted(chart["uuid"] for chart in files("charts").values())


@pytest.mark.fast
def test_no_file_of_the_dashboards_holds_a_secret_or_an_address():
    [database] = files("databases").values()
    assert database["sqlalchemy_uri"] == "postgresql+psycopg2://bi_reader@systock-warehouse/systock"
    for path in [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".txt")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"://[^/\s:'\"]+:[^@\s'\"$]+@", text), path
        assert not re.search(r"(?i)(password|secret(_key)?)['\"]?\s*[:=]\s*['\"][^'\"]+['\"]\s*$", text, re.M), path


@pytest.mark.fast
def test_the_page_on_dashboards_names_every_data_set_and_metric():
    page = (REPO / "docs" / "bi.md").read_text(encoding="utf-8")
    wanted = {f"`{word}`" for name, offer in offered().items() for word in (name, *offer["metrics"])}
    assert sorted(word for word in wanted if word not in page) == []


@pytest.mark.fast
def test_the_container_has_the_packages_that_are_tested_and_is_called_by_their_superset():
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    image = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^COPY requirements.txt", image, re.MULTILINE)
    compose = (FOLDER.parents[1] / "docker-compose.yml").read_text(encoding="utf-8")
    assert re.findall(r"image: systock-bi:(\S+)", compose) == [
        line.removeprefix("apache_superset==") for line in pinned if line.startswith("apache_superset==")
    ]


def test_no_data_set_offers_a_number_as_a_column_and_its_types_are_golds(warehouse):
    for name, told in files("datasets").items():
        warehouse.run("set role bi_reader")
        with warehouse.connection.cursor() as cursor:
            cursor.execute(f"select * from {source_of(name)} limit 0")
            types = {column.name: column.type_code for column in cursor.description}
        names = dict(warehouse.rows("select oid, format_type(oid, null) from pg_type where oid = any(%s)",
                                    (list(types.values()),)))  # fmt: skip
        for column in told["columns"]:
            kind = names[types[column["column_name"]]]
            assert kind not in NUMBERS, f"{name}.{column['column_name']} could be added up by a click"
            assert column["type"] == SET_TYPES[kind], f"{name}.{column['column_name']}"


def test_a_reader_of_gold_gets_every_metric(warehouse):
    warehouse.run("set role bi_reader")
    for name, told in files("datasets").items():
        for one in told["metrics"]:
            assert len(warehouse.rows(f"select {one['expression']} from {source_of(name)}")) == 1


def test_stock_of_several_days_is_their_mean_and_of_one_day_itself(warehouse):
    warehouse.file("latest.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    warehouse.tell(
        "movement",
        """
        product_code | location_code | event_time           | quantity | movement_class
        A            | S1            | 2025-01-01T09:00:00Z | 10       | receipt
        A            | S2            | 2025-01-01T09:00:00Z | 2        | receipt
        A            | S1            | 2025-01-02T09:00:00Z | -4       | sale
        A            | S1            | 2025-01-03T09:00:00Z | 50       | receipt
        """,
    )
    warehouse.rows("select gold.snapshot_days('2025-01-01', '2025-01-02')")
    mean = metric("on_hand_mean", "stock_by_day")
    days = f"select business_date::text, {mean} from {source_of('stock_by_day')} group by 1 order by 1"
    assert warehouse.rows(days) == [("2025-01-01", 12), ("2025-01-02", 8)]
    assert warehouse.value(f"select {mean} from {source_of('stock_by_day')}") == 10


def test_a_promise_of_several_days_is_their_mean_and_a_day_without_a_row_is_as_the_one_before(warehouse):
    warehouse.file("latest.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    warehouse.tell("count", "product_code | location_code | event_time | quantity\nA | S1 | 2025-01-04T09:00:00Z | 6")
    warehouse.tell(
        "supply",
        "product_code | location_code | event_time | quantity | event | order_document | order_line | due_at\n"
        "A | S1 | 2025-01-01T00:00:00Z | 8 | order | P1 | 1 | 2025-01-08T12:00:00Z",
    )
    warehouse.settle()
    mean = metric("atp_mean", "atp_by_day")
    days = warehouse.rows(f"select day::text, {mean} from {source_of('atp_by_day')} group by 1 order by 1")
    assert len(days) == 28
    assert [atp for day, atp in days if "2025-01-05" <= day <= "2025-01-07"] == [6, 6, 6]
    told = warehouse.rows("select day::text, atp from gold.atp where product_code = 'A' order by day")
    assert dict(days) | dict(told) == dict(days)
    assert days[-1][1] == told[-1][1] == 14


def test_money_of_two_currencies_is_no_figure(warehouse):
    sold = "product_code | location_code | event_time | business_date | kind | quantity | net_amount | currency"
    for currency, money in (("EUR", "10.5"), ("GBP", "3")):
        warehouse.tell("sale", f"{sold}\nA | S1 | 2025-01-02T09:00:00Z | 2025-01-02 | sale | 1 | {money} | {currency}")
    money, source = metric("net_amount", "sales_daily"), source_of("sales_daily")
    assert warehouse.value(f"select {money} from {source}") is None
    assert [row[0] for row in warehouse.rows(f"select {money} from {source} group by currency order by 1")] == [
        3, pytest.approx(10.5),
    ]  # fmt: skip


def test_rows_of_single_channels_are_not_added_to_the_place(warehouse):
    warehouse.file("latest.csv", "pos", logical_time="2025-01-05T00:00:00Z")
    warehouse.tell("count", "product_code | location_code | event_time | quantity\nA | S1 | 2025-01-04T09:00:00Z | 6")
    head = "product_code | location_code | channel_code | allocated_quantity | may_use_pool"
    warehouse.tell("stock_policy", f"{head}\nA | S1 | web | 2 | false")
    warehouse.settle()
    assert warehouse.value("select count(*) from gold.availability") == 2
    assert warehouse.value(f"select {metric('on_hand', 'availability')} from {source_of('availability')}") == 6


def test_a_login_for_bi_tools_is_made_once_or_again_and_reads_gold_alone(postgres_server, warehouse):
    def make_login(password: str | None) -> int:
        environment = {"PATH": os.environ["PATH"]} | ({"SYSTOCK_BI_PASSWORD": password} if password else {})
        psql = [
            str(find_binaries() / "psql"),
            "--quiet",
            "--no-psqlrc",
            "--file",
            str(FOLDER / "login.psql"),
            warehouse.url,
        ]
        return subprocess.run(psql, env=environment, capture_output=True, check=False).returncode

    try:
        assert [make_login(password) for password in (None, "o'ne", "another")] == [3, 0, 0]
        told = "select rolcanlogin, rolsuper, pg_has_role('systock_bi', 'bi_reader', 'usage') from pg_roles"
        assert warehouse.rows(f"{told} where rolname = 'systock_bi'") == [(True, False, True)]
        warehouse.run("set session authorization systock_bi")
        assert warehouse.rows("select * from gold.availability") == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            warehouse.rows("select * from silver.position")
    finally:
        administer(postgres_server, "drop role if exists systock_bi")
