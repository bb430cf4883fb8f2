"""`systock metrics`: what Prometheus is told is what the warehouse holds, in a file that is never half written."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl_pipeline.observe.prometheus import Figure, exposition, write_whole
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_command_line import BAD, GOOD, Terminal


def values(text: str) -> dict[tuple[str, ...], float]:
    """Name and values of the labels -> value, as Prometheus reads it."""
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "env")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    home = tmp_path / "person"
    home.mkdir()
    return Terminal(home)


def test_the_last_run_feeds_laws_and_incidents_are_told(terminal, warehouse, tmp_path):
    contracts = write_feeds(tmp_path / "contracts")
    warehouse.run(contracts, write_files(tmp_path / "inbox", MASTERS | GOOD | BAD))
    code, out, _ = terminal.systock("metrics", "--database-url", warehouse.url)
    assert code == 0
    found = values(out)
    for name, value in {
        ("systock_last_run_success",): 1, ("systock_last_run_is_running",): 0, ("systock_last_run_files_new",): 5,
        ("systock_runs", "done"): 1, ("systock_feed_records", "move", "accepted"): 2,
        ("systock_feed_records", "move", "set_aside"): 1, ("systock_feed_files", "move"): 2,
        ("systock_open_incidents", "warning"): 1, ("systock_open_incidents", "failure"): 0,
        ("systock_open_incidents_by_kind", "set_aside", "warning"): 1, ("systock_outbox_waiting",): 0,
        ("systock_law_kept", "5"): 1,
    }.items():  # fmt: skip
        assert found[name] == value, name
    began, ended = found["systock_last_run_start_timestamp_seconds",], found["systock_last_run_end_timestamp_seconds",]
    assert 0 < found["systock_last_run_duration_seconds",] == pytest.approx(ended - began, abs=0.01)
    assert found["systock_feed_last_arrival_timestamp_seconds", "move"] > 1.7e9
    assert 'env="prod"' in out


def test_a_failed_run_is_told_and_the_time_of_the_last_good_one_stays(terminal, warehouse, tmp_path):
    contracts = write_feeds(tmp_path / "contracts")
    warehouse.run(contracts, write_files(tmp_path / "inbox", MASTERS | GOOD))
    warehouse.rows(
        "insert into ops.run (run_id, env, outcome, started_at, ended_at) values"
        " ('x', 'prod', 'failed', now() + interval '1 hour', now() + interval '2 hours') returning 1"
    )
    target = tmp_path / "systock.prom"
    target.write_text("of yesterday")
    assert terminal.systock("metrics", "--database-url", warehouse.url, "--out", target)[0] == 0
    found = values(target.read_text())
    assert found["systock_last_run_success",] == 0
    assert found["systock_last_run_duration_seconds",] == 3600
    assert found["systock_last_success_timestamp_seconds",] < found["systock_last_run_start_timestamp_seconds",]
    assert [path.name for path in tmp_path.glob("*.new")] == []
    assert target.stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_is_a_sentence_and_the_old_file_stays(terminal, warehouse, tmp_path):
    warehouse.run(write_feeds(tmp_path / "contracts"), None)
    code, out, err = terminal.systock("metrics", "--database-url", warehouse.url, "--out", tmp_path / "no" / "x.prom")
    assert (code, out) == (1, "")
    assert "could not be written" in err


@pytest.mark.fast
def test_labels_are_escaped_and_what_has_no_value_is_left_out(tmp_path):
    odd = 'a"b\\c\nd'
    text = exposition("prod", [Figure("x", "An x.", {(odd,): 2.0}, ["stage"]), Figure("y", "A y.")])
    assert values(text) == {("systock_x", odd): 2.0}
    write_whole(tmp_path / "x.prom", text)
    assert (tmp_path / "x.prom").read_text() == text
    assert len(list(tmp_path.iterdir())) == 1
