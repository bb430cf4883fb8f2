"""F34 to F38: orders, notices, transfers, reservations and numbers that start again; and everything at once."""

from dataclasses import replace

import pandas as pd

from extract.simulated.emitters import shop
from extract.simulated.faults import FAULTS, parse_faults
from extract.simulated.retailer import SimulatedMonth, write
from test.faults.fault_world import ORDERS_SEED, Loaded, check, load_in_deliveries, make_month
from test.run_warehouse import RunWarehouse

TIMES = "F1,F2,F26,F27,F28,F29,F30,F31,F32,F33,F34"
ORDERS = "F35,F36,F37,F38,F39,F40"
KEY = ["order_document", "order_line", "product_code"]


def expected_supply(loaded: Loaded) -> None:
    told = dict_of(loaded.month.open_supply)
    found = loaded.warehouse.rows(
        "select order_document, order_line, product_code, open_quantity from gold.purchase_order_line "
        "where open_quantity <> 0"
    )
    assert {(d, str(line), p): int(quantity) for d, line, p, quantity in found} == told


def open_reservations(loaded: Loaded) -> None:
    assert reserved(loaded.warehouse) == dict_of(loaded.month.open_reservations)


def reserved(warehouse: RunWarehouse) -> dict[tuple[str, str, str], int]:
    """What is reserved by order, line and product; carts apart."""
    found = warehouse.rows(
        "select order_document, order_line, product_code, open from gold.open_reservation "
        "where open <> 0 and not is_soft"
    )
    return {(document, str(line), product): int(quantity) for document, line, product, quantity in found}


def dict_of(frame) -> dict[tuple[str, str, str], int]:
    rows = frame[[*KEY, "quantity"]].itertuples(index=False)
    return {(document, str(line), product): int(quantity) for document, line, product, quantity in rows}


def test_f34_receipts_before_their_orders_leave_the_same_supply_open_in_any_order_and_never_less_than_none(load_faults):
    first, last = load_faults(TIMES), load_faults(TIMES, backwards=True)

    expected_supply(first)
    assert first.warehouse.hashes() == last.warehouse.hashes()


def test_f35_a_notice_replaces_what_an_order_expects_and_never_adds_to_it(load_faults):
    loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED)

    assert loaded.told("F35", "duplicate") > 0
    assert loaded.detections("F35") == {"same_records", "superseded", "none_needed"}
    expected_supply(loaded)


def test_f35_a_notice_for_a_cancelled_order_expects_nothing_whichever_comes_first(load_faults):
    (notice,) = [
        line.file for line in load_faults(ORDERS, days=6, seed=ORDERS_SEED).month.expected
        if line.fault == "F35" and "cancelled" in line.file
    ]  # fmt: skip
    for is_backwards in (False, True):
        loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED, backwards=is_backwards)
        lines = (
            "select p.ordered > 0, p.noticed > 0, p.status, p.open_quantity from gold.purchase_order_line p"
            " where (order_document, order_line) in (select s.order_document, s.order_line from silver.fact_supply s"
            " inner join silver.record r using (record_id) inner join bronze.file f on r.file_id = f.file_id"
            " where s.event = 'notice' and f.name = %s) order by 1"
        )
        # The line's own product, and another one that the notice names without anybody having ordered it.
        assert loaded.warehouse.rows(lines, (notice,)) == [(True, True, "cancelled", 0), (None, True, "cancelled", 0)]


def test_f36_a_transfer_that_never_arrived_stands_on_the_ageing_list_and_one_booked_twice_counts_once(load_faults):
    loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED)

    (lost,) = [line for line in loaded.month.expected if line.fault == "F36" and line.detection == "in_transit"]
    store = lost.file.split("/")[1]
    waiting = loaded.warehouse.rows(
        "select to_location_code, open_quantity > 0 from gold.in_transit"
        " where status = 'in_transit' and to_location_code = %s and as_of - shipped_at > interval '1 day'",
        (store,),
    )
    assert waiting == [(store, True)]
    assert loaded.warehouse.value("select count(*) from gold.in_transit where status = 'received_twice'") == 0


def test_f37_cancelled_and_shipped_before_reserved_leaves_the_same_open_in_any_order(load_faults):
    first, last = (
        load_faults(ORDERS, days=6, seed=ORDERS_SEED),
        load_faults(ORDERS, backwards=True, days=6, seed=ORDERS_SEED),
    )

    open_reservations(first)
    assert first.warehouse.hashes() == last.warehouse.hashes()


def test_f37_a_reservation_that_is_never_cancelled_stays_open_and_a_cart_lapses_at_its_own_time(
    make_warehouse, feeds_unsnapped, tmp_path
):
    month = make_month(tmp_path / "month", "none", days=6, seed=ORDERS_SEED)
    lost = [sheet.records for sheet in month.sheets if sheet.feed == shop.EVENTS]
    lost = [records.loc[records["type"] == "line_cancelled"] for records in lost]
    still = {(r.order_id, str(r.line_no), str(r.sku).upper()): r.quantity for f in lost for r in f.itertuples()}
    assert still
    kept = [replace(s, source=s.records.loc[s.records["type"] != "line_cancelled"])
            if s.feed == shop.EVENTS else s for s in month.sheets]  # fmt: skip
    write(kept, tmp_path / "inbox")
    warehouse = make_warehouse()
    warehouse.run(feeds_unsnapped / "simulated", tmp_path / "inbox")
    assert reserved(warehouse) == dict_of(month.open_reservations) | still

    carts = pd.concat([sheet.records for sheet in month.sheets if sheet.feed == shop.CARTS])
    now = warehouse.value("select max(logical_time) from bronze.file where status = 'loaded'")
    ends = pd.to_datetime(carts["../expires_at"], utc=True)
    told = {(c, str(n)): 0 if end <= now else int(quantity) for c, n, quantity, end in
            zip(carts["../cart_id"], carts["item_no"], carts["quantity"], ends, strict=True)}  # fmt: skip
    assert 0 < list(told.values()).count(0) < len(told)
    soft = "select order_document, order_line, open from gold.open_reservation where is_soft"
    assert {(cart, line): quantity for cart, line, quantity in warehouse.rows(soft)} == told


def test_f38_numbers_that_start_again_name_other_events(load_faults):
    loaded = load_faults(ORDERS, days=6, seed=ORDERS_SEED)

    # Without the day in the key, the second E000001 would be a revision of the first.
    assert loaded.told("F38", "superseded") == 0
    assert loaded.told("F38", "accepted") > 0


def test_every_fault_of_the_design_can_be_asked_for_and_says_how_it_is_found(tmp_path):
    month = make_month(tmp_path / "inbox", "all", days=9, products=20)

    assert list(FAULTS) == [f"F{number}" for number in range(1, 41)]
    assert {line.fault for line in month.expected} == set(FAULTS)


def test_a_fault_beside_others_draws_what_it_draws_alone(tmp_path):
    def copies(month: SimulatedMonth) -> set[str]:
        return {sheet.name for sheet in month.sheets if sheet.faults == ("F9",)}

    alone, together = make_month(tmp_path / "alone", "F9"), make_month(tmp_path / "together", "F9,F3,F4,F40")
    assert copies(alone) == copies(together)


def test_a_month_with_every_fault_at_its_own_rate_is_known_to_the_last_piece(make_warehouse, feeds_unsnapped, tmp_path):
    month = make_month(tmp_path / "inbox", "all", days=30, stores=2, products=12)
    loaded = load_in_deliveries(make_warehouse, feeds_unsnapped, month, tmp_path)

    check(loaded)
    assert set(parse_faults("all")) == {line.fault for line in month.expected}
