"""The bench: what it is asked for, what it makes of what it measured, and what it says without its peer."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.progress import SilentProgress
from extract.bench_lines import write_lines
from pipeline_manager import bench_loads
from pipeline_manager.bench import PARTS, parsed_parts, parsed_sizes, run_bench
from pipeline_manager.bench_feeds import copied_bytes_per_second, stores_for
from pipeline_manager.bench_found import Bench, write_results
from pipeline_manager.bench_loads import (
    BARE,
    NO_PEER,
    OURS,
    PEER,
    Measured,
    MeasuredBatch,
    load_bare,
    stages_of,
    write_batches,
)
from pipeline_manager.bench_peer.peer_job import COLUMNS, PROJECT, settle_environment
from pipeline_manager.bench_show import show

REQUIREMENTS = Path(bench_loads.PEER_JOB).with_name("requirements.txt")
LOADS = [
    Measured(BARE, 1_000, 0.5, 2_000, 1.0, server_wrote_mb=3),
    Measured(PEER, 1_000, 4.0, 250, 8.0, 200, 5, 9, 0.0, [("dlt load", 3.0), ("dbt sale_line", 0.99), ("x", 0.01)]),
    Measured(OURS, 1_000, 2.0, 500, 4.0, 100, 2, 7, 1.5, [("gold", 1.5), ("load", 0.5)]),
]


@pytest.mark.fast
def test_sizes_are_numbers_with_commas_between_and_0_is_none():
    assert parsed_sizes("5_000_000, 100000,") == [100_000, 5_000_000]
    assert parsed_sizes("0") == parsed_sizes("") == []


@pytest.mark.fast
@pytest.mark.parametrize("text", ["many", "1e6", "-5"])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="write it as 100000,1000000"):
        parsed_sizes(text)


@pytest.mark.fast
def test_parts_are_measured_in_their_order_and_all_without_a_choice():
    assert parsed_parts("live,loads") == ["loads", "live"]
    assert parsed_parts("") == list(PARTS)
    with pytest.raises(UsageError, match="no part 'speed'; it has loads"):
        parsed_parts("speed")


@pytest.mark.fast
def test_the_stages_of_a_run_add_up_to_its_process_and_all_loads_are_one():
    report = {
        "seconds": 9.0,
        "stages": [
            {"name": "load sales, stock", "seconds": 4.0, "within": ""},
            {"name": "place_records", "seconds": 3.0, "within": "load sales, stock"},
            {"name": "load orders", "seconds": 2.0, "within": ""},
            {"name": "place_records", "seconds": 1.0, "within": "load orders"},
            {"name": "gold", "seconds": 2.0, "within": ""},
        ],
    }
    stages = stages_of(report, 10.0)
    assert stages == [
        ("start and end of Python", 1.0),
        ("load: place_records", 4.0),
        ("load: the rest", 2.0),
        ("gold", 2.0),
        ("between the steps", 1.0),
    ]
    assert sum(seconds for _, seconds in stages) == 10.0


@pytest.mark.fast
def test_a_report_without_stages_is_told_as_a_whole():
    assert stages_of({"seconds": 3.0}, 4.0) == [("start and end of Python", 1.0), ("between the steps", 3.0)]


@pytest.mark.fast
def test_stores_come_near_the_records_asked_for():
    assert [stores_for(records) for records in (1, 100_000, 1_000_000)] == [1, 5, 45]


@pytest.mark.fast
def test_the_pace_of_a_bare_copy_is_that_of_the_largest_file():
    larger = Measured(BARE, 9_000, 2.0, 4_500, 1.0)
    assert copied_bytes_per_second([*LOADS, larger], {1_000: 100, 9_000: 900}) == 450.0
    assert copied_bytes_per_second([], {}) is None


@pytest.mark.fast
def test_results_are_written_with_both_ratios_and_a_plot_of_them(tmp_path):
    found = Bench({"cores": 2}, LOADS, [MeasuredBatch(PEER, 1_000, 10, 3, 2.0, 1.0, 1.5, 30.0)])
    figures, picture = write_results(found, tmp_path)
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert [(load["times_bare_copy"], load["times_peer"]) for load in told["loads"]] == [(1, 0.125), (8, 1), (4, 0.5)]
    assert told["machine"] == {"cores": 2}
    svg = picture.read_text(encoding="utf-8")
    assert svg.startswith("<svg") and all(way in svg for way in (BARE, PEER, OURS))


@pytest.mark.fast
def test_nothing_loaded_is_no_plot(tmp_path):
    assert [path.name for path in write_results(Bench({}), tmp_path)] == ["bench.json"]


@pytest.mark.fast
def test_tables_show_the_ratios_and_put_small_stages_together():
    seen = io.StringIO()
    show(Bench({}, LOADS), Console(file=seen, width=60, highlight=False))
    text = seen.getvalue()
    assert re.search(r"^systock +2\.00 +1\.50 +500 +4\.00 +0\.50 +100 +2 +7$", text, re.MULTILINE)
    assert re.search(r"^1 smaller ones +0\.01 +0%$", text, re.MULTILINE)
    assert "Files that come" not in text


@pytest.mark.fast
def test_two_that_did_not_do_the_same_work_are_told_apart():
    seen = io.StringIO()
    show(Bench({}, [replace(load, totals=load.way) for load in LOADS[1:]]), Console(file=seen, width=200))
    assert "They do NOT hold the same: dlt + dbt: dlt + dbt; systock: systock." in seen.getvalue()


def test_a_bare_copy_is_its_own_measure_and_leaves_nothing(postgres_server, tmp_path):
    file = tmp_path / "lines.csv"
    write_lines(file, 20_000)
    bare = load_bare(postgres_server, file, 20_000)
    assert (bare.way, bare.lines, bare.times_bare_copy) == (BARE, 20_000, 1.0)
    assert bare.seconds > 0
    assert bare.server_wrote_mb >= file.stat().st_size >> 20
    assert load_bare(postgres_server, file, 20_000).lines == 20_000


@pytest.mark.fast
def test_batches_bring_lines_that_nobody_has_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_loads, "BATCH_LINES", 40)
    write_lines(tmp_path / "lines.csv", 100)
    files = [tmp_path / "lines.csv", *write_batches(tmp_path, 100)]
    keys = [
        (row["store_id"], row["register_id"], row["ticket_no"], row["line_no"])
        for file in files
        for row in csv.DictReader(file.open(encoding="utf-8"))
    ]
    assert len(set(keys)) == len(keys) == 100 + bench_loads.BATCHES * 40


def test_without_its_peer_the_bench_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_loads, "PEER_PYTHON", tmp_path / "no" / "python")
    run_bench("0", "0", "loads", tmp_path / "out", SilentProgress())
    assert capsys.readouterr().err == NO_PEER + "\n"
    assert NO_PEER.count("\n") == 0 and "`make bench`" in NO_PEER
    assert json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["loads"] == []


@pytest.mark.fast
def test_the_peer_knows_every_column_of_the_lines_in_their_order(tmp_path):
    write_lines(tmp_path / "lines.csv", 4)
    with (tmp_path / "lines.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == list(COLUMNS)


@pytest.mark.fast
def test_the_peer_gets_its_own_pins_and_systock_none_of_them():
    pins = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert any(pin.startswith("dlt==") for pin in pins)
    project = (REQUIREMENTS.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r'^\s*"dlt\b', project, re.MULTILINE)


@pytest.mark.fast
def test_every_model_of_the_peer_says_its_grain_and_what_a_second_run_does():
    described = (PROJECT / "models" / "sources.yml").read_text(encoding="utf-8")
    for model in sorted(PROJECT.glob("models/*.sql")):
        head = model.read_text(encoding="utf-8")
        assert head.startswith(f"-- {model.stem}: ") and "\n-- Grain: one row per" in head
        assert "\n-- Again:" in head or "materialized='view'" in head
        assert f"- name: {model.stem}\n" in described


@pytest.mark.fast
def test_the_peer_reaches_a_server_by_its_socket_without_a_password(monkeypatch):
    environ: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environ)
    settle_environment("fast", "postgresql://postgres@/lines?host=%2Ftmp%2Frun&port=5432")
    assert (environ["PEER_HOST"], environ["PEER_PORT"], environ["PEER_DATABASE"]) == ("/tmp/run", "5432", "lines")
    assert "host=%2Ftmp%2Frun" in environ["DESTINATION__POSTGRES__CREDENTIALS"]
    assert environ["RUNTIME__DLTHUB_TELEMETRY"] == "false" and environ["LOAD__WORKERS"] == "2"
