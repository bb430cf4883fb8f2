"""F34 to F38: orders, notices, transfers, reservations and numbers that start again; and everything at once."""

from extract.simulated.faults import FAULTS, parse_faults
from extract.simulated.retailer import SimulatedMonth
from test.faults.fault_world import Loaded, check, load_in_deliveries, make_month

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
    found = loaded.warehouse.rows(
        "select order_document, order_line, product_code, open from gold.open_reservation "
        "where open <> 0 and not is_soft"
    )
    assert {(d, str(line), p): int(quantity) for d, line, p, quantity in found} == dict_of(
        loaded.month.open_reservations
    )


def dict_of(frame) -> dict[tuple[str, str, str], int]:
    rows = frame[[*KEY, "quantity"]].itertuples(index=False)
    return {(document, str(line), product): int(quantity) for document, line, product, quantity in rows}


def test_f34_receipts_before_their_orders_leave_the_same_supply_open_in_any_order_and_never_less_than_none(load_faults):
    first, last = load_faults(TIMES), load_faults(TIMES, backwards=True)

    expected_supply(first)
    assert first.warehouse.hashes() == last.warehouse.hashes()


def test_f35_a_notice_replaces_what_an_order_expects_and_never_adds_to_it(load_faults):
    loaded = load_faults(ORDERS, days=6)

    assert loaded.told("F35", "duplicate") > 0
    expected_supply(loaded)


def test_f36_a_transfer_that_never_arrived_stands_on_the_ageing_list_and_one_booked_twice_counts_once(load_faults):
    loaded = load_faults(ORDERS, days=6)

    lost = [line for line in loaded.month.expected if line.fault == "F36" and line.detection == "in_transit"]
    waiting = loaded.warehouse.value("select count(*) from gold.in_transit where status = 'in_transit'")
    assert lost
    assert waiting >= len(lost)
    assert loaded.warehouse.value("select count(*) from gold.in_transit where status = 'received_twice'") == 0


def test_f37_cancelled_and_shipped_before_reserved_leaves_the_same_open_in_any_order(load_faults):
    first, last = load_faults(ORDERS, days=6), load_faults(ORDERS, backwards=True, days=6)

    open_reservations(first)
    assert first.warehouse.hashes() == last.warehouse.hashes()


def test_f38_numbers_that_start_again_name_other_events(load_faults):
    loaded = load_faults(ORDERS, days=6)

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
