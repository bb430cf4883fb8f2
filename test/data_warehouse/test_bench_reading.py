"""The measurement of reads asks a warehouse that answers: small here, with the questions of the bench."""

from pipeline_manager.bench_reading import ONE_PLACE, ONE_PRODUCT, WHOLE, measure_reading


def test_reads_are_measured_on_a_ledger_filled_by_hand_and_rebuilt(warehouse):
    warehouse.load()
    warehouse.file("latest.csv", "pos", logical_time="2025-12-10T00:00:00Z")
    measured = measure_reading(warehouse.url, products=100, places=2)
    rows = {read.name: read.rows for read in measured}

    assert list(rows) == [
        "bare sum of all stock", *ONE_PRODUCT, *ONE_PLACE, *WHOLE,
        "rebuild from the ledger, no stock before", "rebuild from the ledger, nothing differs",
    ]  # fmt: skip
    assert all(0 < read.p50 <= read.p99 for read in measured)
    assert rows["availability of one product everywhere"] == 2
    assert rows["availability, a whole place"] == rows["stock on hand, a whole place"] == 100
    assert warehouse.value("select count(*) from gold.stock_on_hand") == 200
    assert rows["below zero, everywhere"] > 0
    assert rows["all at risk, everywhere"] == rows["below zero, everywhere"] + rows["nothing left, everywhere"]
    assert warehouse.rows("select stock_keys, keys_differed from ops.rebuild order by rebuild_id") == [
        (200, 200), (200, 0),
    ]  # fmt: skip
