"""Safety stock and what to order, on small stories whose numbers were worked out by hand."""

from decimal import Decimal
from math import sqrt
from statistics import NormalDist
from typing import Any

import pytest

LEVELS = (0.0001, 0.01, 0.0243, 0.3, 0.5, 0.8, 0.9, 0.97574, 0.97576, 0.98, 0.99, 0.999, 0.99999)


def now(warehouse, time: str = "2025-01-11T00:00:00Z") -> None:
    warehouse.file("latest.csv", "pos", logical_time=time)


def sold(warehouse, quantities: list[int], opening: int = 100, product: str = "A") -> None:
    """Opening stock, and what was sold on each of the days that end on 10 January."""
    first = 11 - len(quantities)
    rows = [f"{product} | S1 | 2024-12-20T00:00:00Z | {opening} | receipt"]
    rows += [f"{product} | S1 | 2025-01-{first + n:02}T09:00:00Z | -{q} | sale" for n, q in enumerate(quantities) if q]
    warehouse.tell(
        "movement", "product_code | location_code | event_time | quantity | movement_class\n" + "\n".join(rows)
    )


def received(warehouse, days: list[int], product: str = "A") -> None:
    """Purchase order lines of 1 piece each, ordered on 1 December and received so many days later."""
    head = "product_code | location_code | event_time | quantity | event | order_document\n"
    rows = [f"{product} | S1 | 2024-12-01T00:00:00Z | 1 | order | P{product}{n}" for n, _ in enumerate(days)]
    rows += [f"{product} | S1 | 2024-12-{1 + late:02}T00:00:00Z | 1 | receipt | P{product}{n}"
             for n, late in enumerate(days)]  # fmt: skip
    warehouse.tell("supply", head + "\n".join(rows))


def policy(warehouse, product: str = "A", place: str = "S1", **columns) -> None:
    names = ["product_code", "location_code", *columns]
    cells = [product, place, *(str(cell) for cell in columns.values())]
    warehouse.tell("stock_policy", f"{' | '.join(names)}\n{' | '.join(cells)}")


def offer(warehouse, supplier: str, cost: str, product: str = "A", currency: str = "EUR", **columns) -> None:
    names = ["product_code", "supplier_code", "event_time", "unit_cost", "currency", *columns]
    cells = [product, supplier, "2025-01-01T00:00:00Z", cost, currency, *(str(cell) for cell in columns.values())]
    warehouse.tell("offer", f"{' | '.join(names)}\n{' | '.join(cells)}")


def settled(warehouse, days: int = 10) -> None:
    warehouse.settle()
    warehouse.run("select silver.refresh_demand_rate(%s)", (days,))


def one(warehouse, columns: str, view: str = "safety_stock", product: str = "A") -> Any:
    found = warehouse.rows(f"select {columns} from gold.{view} where product_code = %s", (product,))
    assert len(found) == 1, found
    return found[0]


def test_safety_stock_of_smooth_demand_is_z_times_the_deviation_over_the_lead_time(warehouse):
    """Demand 8 or 12 in turn: mean 10, variance 40/9. Lead time 4 or 6: mean 5, variance 2."""
    now(warehouse)
    sold(warehouse, [8, 12] * 5, opening=115)
    received(warehouse, [4, 6])
    policy(warehouse, safety_stock=20)
    settled(warehouse)
    # 1.644854 * sqrt(5 * 4.444444444 + 10^2 * 2) = 24.52
    required = Decimal(str(round(1.644854 * sqrt(5 * 4.444444444 + 200), 6)))
    assert one(warehouse, "demand_kind, demand_mean, demand_variance, lead_time_mean, lead_time_variance") == (
        "smooth", 10, Decimal("4.444444444"), 5, 2,
    )  # fmt: skip
    assert one(warehouse, "service_level, z, required, lead_time_source, lead_time_lines") == (
        Decimal("0.95"), Decimal("1.644854"), required, "received", 2,
    )  # fmt: skip
    drift, percent, gap = one(warehouse, "drift, drift_percent, gap")
    assert (drift, percent, gap) == (20 - required, round(100 * (20 - required) / required, 2), 5)


def test_the_factor_of_every_service_level_is_the_quantile_of_the_normal_distribution(warehouse):
    now(warehouse)
    for number, level in enumerate(LEVELS):
        policy(warehouse, product=f"P{number}", service_level=f"{level:.7f}")
    settled(warehouse)
    found = dict(warehouse.rows("select service_level, z from gold.safety_stock"))
    assert len(found) == len(LEVELS)
    for level, z in found.items():
        assert abs(float(z) - NormalDist().inv_cdf(float(level))) <= 1e-6, level


def test_a_service_level_that_is_none_leaves_the_usual_one(warehouse):
    now(warehouse)
    warehouse.run("insert into ops.setting (name, value) values ('service_level', '0.9')")
    policy(warehouse, product="A", service_level="95")
    policy(warehouse, product="B", safety_stock="1")
    settled(warehouse)
    assert (
        warehouse.rows("select service_level, z from gold.safety_stock") == [(Decimal("0.9"), Decimal("1.281552"))] * 2
    )


def test_intermittent_demand_is_apart_and_covers_its_skew(warehouse):
    """3 pieces on every fifth day: mean 0.6, variance 1.6, lead time 5 days: mean 3, variance 8 over it."""
    now(warehouse)
    sold(warehouse, [0, 0, 3, 0, 0, 0, 0, 3, 0, 0])
    offer(warehouse, "V1", "1", lead_time_days=5)
    settled(warehouse)
    mean, spread = 3, 8
    level = mean * (1 - spread / (9 * mean**2) + 1.644854 * sqrt(spread) / (3 * mean)) ** 3
    found = one(
        warehouse, "demand_kind, demand_interval, size_variation, lead_time_source, demand_mean, demand_variance"
    )
    assert found == ("intermittent", 5, 0, "offered", Decimal("0.6"), Decimal("1.6"))
    assert float(one(warehouse, "required")[0]) == pytest.approx(level - mean, abs=2e-6)
    assert level - mean > 1.644854 * sqrt(spread), "more than a normal distribution would ask for"


@pytest.mark.parametrize(
    ("quantities", "kind"),
    [([5] * 10, "smooth"), ([1, 9] * 5, "erratic"), ([0, 5] * 5, "intermittent"), ([0, 1, 0, 20, 0] * 2, "lumpy")],
)
def test_the_kind_of_demand_is_by_how_often_and_how_evenly_it_comes(warehouse, quantities, kind):
    now(warehouse)
    sold(warehouse, quantities)
    settled(warehouse)
    assert one(warehouse, "demand_kind, required") == (kind, None), "and without a lead time nothing is required"


def test_without_demand_nothing_is_required_and_the_level_is_all_drift(warehouse):
    now(warehouse)
    sold(warehouse, [])
    policy(warehouse, safety_stock=7)
    settled(warehouse)
    assert one(warehouse, "demand_kind, required, drift, drift_percent, gap") == ("none", 0, 7, None, 0)


def test_a_level_for_the_place_wins_and_a_place_that_never_had_any_is_short_of_all_of_it(warehouse):
    now(warehouse)
    warehouse.master("product", "A", safety_stock=3)
    sold(warehouse, [1])
    policy(warehouse, place="S2", safety_stock=5)
    settled(warehouse)
    found = warehouse.rows(
        "select location_code, configured, configured_by, available, gap from gold.safety_stock order by 1"
    )
    assert found == [("S1", 3, "product", 99, 0), ("S2", 5, "place", 0, 5)]


def test_what_is_not_stocked_or_not_bought_any_more_is_left_out(warehouse):
    now(warehouse)
    warehouse.master("product", "A", is_discontinued=True, safety_stock=500)
    warehouse.master("product", "B", is_stocked=False, safety_stock=500)
    sold(warehouse, [1])
    sold(warehouse, [1], product="B")
    settled(warehouse)
    assert warehouse.rows("select 1 from gold.safety_stock union all select 1 from gold.reorder_proposal") == []


def test_days_in_breach_are_the_sealed_days_that_ended_below_the_level(warehouse):
    now(warehouse)
    sold(warehouse, [5, 5, 5], opening=20)  # 15 and 10 at the end of the 8th and 9th; the 10th is not sealed
    policy(warehouse, safety_stock=12)
    settled(warehouse)
    warehouse.run("select * from gold.snapshot_days('2025-01-07', '2025-01-09', %s)", (warehouse.known,))
    assert one(warehouse, "sealed_days, days_in_breach, gap") == (3, 1, 7)


def test_an_order_brings_the_position_back_to_the_reorder_point_in_whole_packs_of_the_cheapest(warehouse):
    """Reorder point 10 * 5 + 20 = 70; available 15, on order 12: 43 lack; at least 30, in packs of 8: 48."""
    now(warehouse)
    warehouse.master("product", "A", currency="EUR")
    sold(warehouse, [8, 12] * 5, opening=115)
    received(warehouse, [4, 6])
    policy(warehouse, safety_stock=20, reorder_point=33)
    warehouse.tell(
        "supply",
        """
        product_code | location_code | event_time           | quantity | event | order_document | due_at
        A            | S1            | 2025-01-09T00:00:00Z | 12       | order | P9             | 2025-01-14T00:00:00Z
        A            | S1            | 2024-01-09T00:00:00Z | 99       | order | P8             | 2024-02-01T00:00:00Z
        """,
    )
    offer(warehouse, "V1", "2.50", minimum_quantity=30, pack_quantity=8)
    offer(warehouse, "V2", "2.60", minimum_quantity=1)
    offer(warehouse, "V3", "0.10", currency="USD", minimum_quantity=1)
    settled(warehouse)
    columns = "reorder_point, reorder_point_source, configured_reorder_point, reorder_position, shortfall"
    assert one(warehouse, columns, "reorder_proposal") == (70, "demand", 33, 27, 43)
    columns = "supplier_code, unit_cost, order_quantity"
    assert one(warehouse, columns, "reorder_proposal") == ("V1", Decimal("2.5"), 48)


def test_the_minimum_is_ordered_when_less_lacks_and_a_configured_point_holds_without_demand(warehouse):
    now(warehouse)
    sold(warehouse, [], opening=4)
    policy(warehouse, reorder_point=6)
    offer(warehouse, "V1", "1", minimum_quantity=25)
    settled(warehouse)
    columns = "reorder_point, reorder_point_source, shortfall, order_quantity"
    assert one(warehouse, columns, "reorder_proposal") == (6, "configured", 2, 25)


def test_without_an_offer_whole_pieces_are_proposed_to_nobody(warehouse):
    now(warehouse)
    sold(warehouse, [], opening=4)
    policy(warehouse, reorder_point="6.5")
    settled(warehouse)
    assert one(warehouse, "supplier_code, order_quantity", "reorder_proposal") == (None, 3)


def test_at_its_reorder_point_nothing_is_ordered(warehouse):
    now(warehouse)
    sold(warehouse, [], opening=6)
    policy(warehouse, reorder_point=6)
    settled(warehouse)
    assert warehouse.rows("select 1 from gold.reorder_proposal") == []


def test_days_of_supply_are_what_is_available_over_the_net_pace_of_days_with_stock(warehouse):
    """Sold 20 and taken back 2 over 10 days: 1.8 a day; 82 are left."""
    now(warehouse)
    sold(warehouse, [2] * 10)
    warehouse.tell(
        "movement",
        "product_code | location_code | event_time | quantity | movement_class\n"
        "A | S1 | 2025-01-05T12:00:00Z | 2 | return\n"
        "B | S1 | 2025-01-05T12:00:00Z | 2 | receipt",
    )
    settled(warehouse)
    columns = "available, net_daily, days_of_supply, has_demand"
    assert one(warehouse, columns, "days_of_supply") == (82, Decimal("1.8"), Decimal("45.555556"), True)
    assert one(warehouse, columns, "days_of_supply", "B") == (2, None, None, False)
