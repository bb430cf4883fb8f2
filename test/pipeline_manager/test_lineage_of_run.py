"""OpenLineage hears of a run's beginning and end; a collector that is down, slow or wrong changes nothing."""

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_pipeline.core.errors import UsageError
from pipeline_manager.lineage_of_run import lineage_emitter
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_command_line import GOOD
from test.slack_server import SlackServer, slack_server

pytest.importorskip("openlineage.client")
KEY = "k3y-canary-of-the-collector"


@pytest.fixture
def collector() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return write_feeds(tmp_path / "contracts")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return write_files(tmp_path / "inbox", MASTERS | GOOD)


def test_a_run_is_told_with_what_it_read_and_wrote(warehouse, contracts, inbox, collector):
    warehouse.run(
        contracts, inbox, {"OPENLINEAGE_URL": f"http://127.0.0.1:{collector.port}", "OPENLINEAGE_API_KEY": KEY}
    )
    assert [event["eventType"] for event in collector.messages] == ["START", "COMPLETE"]
    begun, done = collector.messages
    assert begun["run"]["runId"] == done["run"]["runId"]
    assert begun["run"]["runId"].replace("-", "") == warehouse.value("select run_id from ops.run")
    assert (done["job"]["namespace"], done["job"]["name"]) == ("systock.prod", "small.run")
    files = {one["name"]: one["inputFacets"]["dataQualityMetrics"]["fileCount"] for one in done["inputs"]
             if one["inputFacets"]}  # fmt: skip
    assert files["move"] == 1
    written = [one["name"].removeprefix(f"{warehouse.name}.") for one in done["outputs"]]
    assert {"silver.fact_movement", "gold.stock_on_hand"} <= set(written)
    assert KEY not in json.dumps(collector.messages)
    for schema, name in (table.split(".") for table in written):
        assert warehouse.value("select to_regclass(%s) is not null", (f"{schema}.{name}",)), name


def test_a_run_that_fails_is_told_with_its_reason_and_without_secrets(warehouse, contracts, inbox, tmp_path):
    target = tmp_path / "events.jsonl"
    environ = {"SYSTOCK_OPENLINEAGE_URL": f"file://{target}"}
    warehouse.run(contracts, None, environ)
    (contracts / "retailer.yml").write_text((contracts / "retailer.yml").read_text().replace("small", "other", 1))
    with pytest.raises(UsageError):
        warehouse.run(contracts, inbox, environ)
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE", "START", "FAIL"]
    assert "holds the retailer" in events[-1]["run"]["facets"]["errorMessage"]["message"]
    assert events[-1]["outputs"] == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "file:///no/such/folder/x.jsonl", "http://no-such-host.invalid"]
)
def test_a_collector_that_is_away_changes_nothing(warehouse, contracts, inbox, caplog, address):
    assert warehouse.run(contracts, inbox, {"SYSTOCK_OPENLINEAGE_URL": address}).batches > 0
    assert "OpenLineage: START could not be sent" in caplog.text


def test_a_slow_or_redirecting_collector_delays_a_run_by_seconds_at_most(warehouse, contracts, collector, caplog):
    environ = {"SYSTOCK_OPENLINEAGE_URL": f"http://127.0.0.1:{collector.port}"}
    collector.answers += [(307, {"Location": f"http://127.0.0.1:{collector.port}/elsewhere"}, b"")] * 2
    warehouse.run(contracts, None, environ)
    assert len(collector.messages) == 2
    collector.wait = 30
    began = time.monotonic()
    warehouse.run(contracts, None, environ)
    assert time.monotonic() - began < 20


@pytest.mark.fast
def test_a_missing_package_is_named_only_where_we_were_asked_by_name(monkeypatch, caplog):
    assert lineage_emitter({}) is None
    with pytest.raises(UsageError, match="SYSTOCK_OPENLINEAGE_URL is set, but is no address"):
        lineage_emitter({"SYSTOCK_OPENLINEAGE_URL": "collector"})
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openlineage" else found(name))
    with pytest.raises(UsageError, match="openlineage-python is missing"):
        lineage_emitter({"SYSTOCK_OPENLINEAGE_URL": "http://collector"})
    assert lineage_emitter({"OPENLINEAGE_URL": "http://collector"}) is None
    assert "openlineage-python is missing" in caplog.text
