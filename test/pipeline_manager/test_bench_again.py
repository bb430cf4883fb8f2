"""What is known already: the same file again, and a full extract of which a hundredth has changed."""

from extract.bench_lines import write_lines
from extract.bench_master import write_master
from pipeline_manager.bench_again import measure_again
from pipeline_manager.bench_loads import OURS, stages_of, totals_of, whole_run


def test_the_second_run_of_a_file_loads_nothing_and_is_measured_beside_hashing_it(warehouse, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    file = inbox / "lines.csv"
    write_lines(file, 1_000)
    first, report = whole_run(warehouse.url, inbox, tmp_path / "home")
    again = measure_again(
        "the same lines", warehouse.url, inbox, tmp_path / "home", file=file, records=1_000,
        first=(first.seconds, stages_of(report, first.seconds)),
    )  # fmt: skip
    assert (report["feeds"]["pos_lines"]["accepted"], report["batches"]) == (1_000, 1)
    assert {"land", "load pos_lines", "gold"} <= {stage["name"] for stage in report["stages"]}
    assert first.peak_memory_mb > 50
    assert again.times_first == again.again / first.seconds
    assert 0 < again.times_first_loading < 1
    assert again.times_hashing == again.again / again.hashing > 1
    assert "load" not in {name.partition(":")[0] for name, _ in again.stages}
    assert warehouse.value("select count(*)::int from gold.sale_line") == 1_000
    assert totals_of(warehouse.url, OURS).startswith("1000 lines, ")


def test_of_a_full_extract_only_the_changed_hundredth_is_new(warehouse, feeds_folder, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    assert write_master(inbox / "products_20250301.csv", 500) == 0
    warehouse.run(feeds_folder / "bench_master", inbox)
    assert write_master(inbox / "products_20250302.csv", 500, changed=0.01) == 5
    line = warehouse.run(feeds_folder / "bench_master", inbox).feeds["products"]
    assert (line.files_again, line.accepted, line.superseded) == (1, 500, 5)
    assert (line.duplicate, line.quarantined) == (495, 0)
