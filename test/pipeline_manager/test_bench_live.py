"""The bench of the watch: files arrive, and each is waited for until its load is told of."""

from pipeline_manager import bench_live
from pipeline_manager.bench_live import measure_live


def test_each_file_of_the_bench_is_new_to_the_warehouse_and_told_of(warehouse, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_live, "BATCHES", {1: 3, 20: 2})
    monkeypatch.setattr(bench_live, "LATE", {1: 2})
    one, many, late = measure_live(warehouse.url, 0, tmp_path, lambda _: 1.0)
    assert (one.lines, one.files, many.lines, many.files, late.lines, late.files) == (1, 3, 20, 2, 1, 2)
    assert [row.is_late for row in (one, many, late)] == [False, False, True]
    assert 0 < one.p50 <= one.slowest
    assert one.times_bare_copy == one.p50
    assert warehouse.value("select count(*)::int from gold.sale_line") == 3 * 1 + 2 * 20 + 2 * 1
    assert warehouse.value("select count(*)::int from silver.record where not is_current") == 0
    first_hour = "select count(*)::int from gold.sale_line where sold_at < timestamptz '2025-01-01 01:00Z'"
    assert warehouse.value(first_hour) == 2
