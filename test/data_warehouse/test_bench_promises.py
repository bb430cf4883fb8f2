"""The measurement of promises asks a warehouse that answers: small here, with the questions of the bench."""

from pipeline_manager.bench_promises import measure_promises


def test_promises_are_measured_on_a_warehouse_filled_by_hand(warehouse):
    warehouse.file("latest.csv", "pos", logical_time="2025-01-10T00:00:00Z")
    measured = measure_promises(warehouse.url, products=40, places=2)

    assert [m.name.partition(",")[0] for m in measured] == [
        "gold.availability", "gold.atp", "gold.can_promise", "gold.can_promise",
    ]  # fmt: skip
    assert all(m.seconds > 0 and m.times_reading_stock > 0 for m in measured)
    assert warehouse.value("select count(*) from gold.availability") == 80
    assert warehouse.value("select count(*) from gold.atp where demand > 0 or supply > 0") > 4
    assert warehouse.value("select count(distinct (product_code, location_code)) from gold.open_demand") == 4
