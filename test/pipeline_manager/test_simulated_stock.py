"""The warehouse against the simulated retailer's truth: every stock figure, every open line."""

from datetime import date
from pathlib import Path

import pytest

from extract.simulated.retailer import SimulatedMonth, simulate
from extract.simulated.truth import STOCK_KEY

BIG_ENOUGH = {"days": 9, "stores": 2, "products": 16}


def gold_stock(warehouse) -> dict[tuple[str, str], int]:
    rows = warehouse.rows("select product_code, location_code, on_hand from gold.stock_on_hand")
    return {(product, location): int(on_hand) for product, location, on_hand in rows}


def as_dict(frame) -> dict[tuple[str, str], int]:
    return dict(zip(zip(frame["product_code"], frame["location_code"], strict=True), frame["quantity"], strict=True))


def open_lines(frame) -> set[tuple[str, str, str, int]]:
    columns = (frame[name].astype(str) for name in ("order_document", "order_line", "product_code"))
    return set(zip(*columns, frame["quantity"].tolist(), strict=True))


def loaded(warehouse, feeds: Path, inbox: Path, **options) -> SimulatedMonth:
    month = simulate(inbox, **{**BIG_ENOUGH, **options})
    warehouse.run(feeds / "simulated", inbox)
    return month


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 11, "start": date(2025, 10, 22)}, {"seed": 12, "days": 3, "stores": 5, "products": 9}],
    ids=["the usual", "over the end of summer time", "few days, more stores"],
)
def test_stock_is_the_knowable_stock_on_every_key(warehouse, feeds_unsnapped, tmp_path, options):
    month = loaded(warehouse, feeds_unsnapped, tmp_path, **options)
    assert gold_stock(warehouse) == as_dict(month.on_hand)
    supply = warehouse.rows(
        "select order_document, order_line, product_code, open_quantity from gold.purchase_order_line "
        "where open_quantity > 0"
    )
    assert {(d, str(line), p, int(q)) for d, line, p, q in supply} == open_lines(month.open_supply)
    reserved = warehouse.rows(
        "select order_document, order_line, product_code, open from gold.open_reservation "
        "where not is_soft and open > 0"
    )
    assert {(d, str(line), p, int(q)) for d, line, p, q in reserved} == open_lines(month.open_reservations)


def test_without_losses_stock_is_what_lies_there(warehouse, feeds_unsnapped, tmp_path):
    month = loaded(warehouse, feeds_unsnapped, tmp_path, losses=False)
    assert gold_stock(warehouse) == as_dict(month.physical)
    assert len(month.physical) == len(month.world.catalog.products) * len(month.world.catalog.locations)
    assert set(month.physical.columns) >= set(STOCK_KEY)
