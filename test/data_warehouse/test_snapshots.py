"""Snapshots: what a business day held, sealed, chained, restated."""

import random
import time
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pytest

FROM, TO = date(2024, 10, 20), date(2024, 11, 6)  # clocks go back on 27 October in Europe, on 3 November in America
LATE = "2024-12-01T00:00:00Z"


def close_days(warehouse, location="S1"):
    """Tell of an event so late that every day before is over."""
    warehouse.tell(
        "movement",
        f"""
        product_code | location_code | event_time | quantity | movement_class
        CLOCK        | {location}    | {LATE}     | 1        | adjustment
        """,
    )


def fill_at_random(warehouse, seed):
    chance = random.Random(seed)
    places = {
        "S1": ("Europe/Berlin", 0),
        "S2": ("America/New_York", 180),
        "S3": ("Atlantic/Azores", 0),
        "S4": (None, 0),
    }
    for code, (zone, close) in places.items():
        warehouse.master("location", code, zone=zone, day_close_minutes=close)
    records = []
    for load in range(3):
        warehouse.load()
        for _ in range(150):
            # Whole hours, so that counts, movements and day ends often fall on one instant.
            at = datetime(2024, 10, 18, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 20))
            stock_key = {
                "product_code": f"P{chance.randrange(4)}", "location_code": chance.choice(list(places)),
                "state": chance.choice(["sellable", "sellable", "damaged"]), "bin_code": chance.choice(["", "B1"]),
                "role": chance.choice(["authority"] * 5 + ["shadow"]), "event_time": at.isoformat(),
            }  # fmt: skip
            if chance.random() < 0.7:
                kind, own = "movement", {"quantity": str(chance.randint(-5, 9)), "movement_class": "adjustment"}
            else:
                whole = chance.random() < 0.5
                own = {"quantity": str(chance.randint(0, 40)), "scope": "location" if whole else "item"}
                own |= {"absence": chance.choice(["zero", "unknown"]) if whole else "unknown"}
                own |= {"count_document": f"C{chance.randrange(5)}-{stock_key['location_code']}-{at:%d}"}
                if whole and stock_key["location_code"] == "S2" and chance.random() < 0.3:
                    own["count_document"] = f"long-{stock_key['location_code']}"  # its lines lie on many days
                kind = "count"
            row = stock_key | own
            records += warehouse.tell(kind, " | ".join(row) + "\n" + " | ".join(row.values()))
        if load:
            for record in chance.sample(records, 10):
                warehouse.forget(record)
    close_days(warehouse)


def from_ledger(warehouse, known):
    """Ask silver.stock_from_ledger for each place and day."""
    found = set()
    days = warehouse.rows("select location_id, business_date, end_at from silver.location_day(%s, %s)", (FROM, TO))
    for location, day, end in days:
        warehouse.run(
            "drop table if exists pg_temp.touched_key; create temporary table touched_key as "
            "select product_id, location_id from silver.fact_movement where location_id = %s union "
            "select product_id, location_id from silver.fact_count where location_id = %s",
            (location, location),
        )
        found |= set(
            warehouse.rows(
                "select %s, product_id, location_id, state, bin_code, lot_code, quantity, is_anchored "
                "from silver.stock_from_ledger(%s, %s)",
                (day, end - timedelta(microseconds=1), known),
            )
        )
    warehouse.run("drop table pg_temp.touched_key")
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_days_at_once_say_what_the_ledger_says_on_every_key_and_day(warehouse, seed):
    fill_at_random(warehouse, seed)
    for known in (1, 2, warehouse.known):
        at_once = warehouse.rows("select * from silver.stock_at_day_ends(%s, %s, %s)", (FROM, TO, known))
        assert len(at_once) == len(set(at_once)) > 100
        assert set(at_once) == from_ledger(warehouse, known)


def test_the_double_entry_of_a_random_ledger_sums_to_its_positions(warehouse):
    fill_at_random(warehouse, 4)
    warehouse.settle()
    laws = {law: kept for law, kept, _, _ in warehouse.rows("select * from ops.check_laws(%s)", (warehouse.known,))}
    assert laws["5"] and laws["6"]
    assert warehouse.value("select count(*) from silver.account_entry where account = 'shrink'") > 10


@pytest.mark.parametrize(
    ("zone", "close", "end"),
    [
        ("UTC", 0, "2024-10-28T00:00:00+00:00"),
        ("Europe/Berlin", 0, "2024-10-27T23:00:00+00:00"),
        ("America/New_York", 180, "2024-10-28T07:00:00+00:00"),
        ("Atlantic/Azores", 0, "2024-10-28T01:00:00+00:00"),
    ],
)
def test_a_business_day_ends_by_the_clock_of_its_place(warehouse, zone, close, end):
    found = warehouse.value("select silver.day_end('2024-10-27', %s, %s)", (zone, close))
    assert found == datetime.fromisoformat(end)


def test_where_midnight_exists_twice_the_new_day_starts_at_the_first(warehouse):
    # In the Azores clocks go from 01:00 back to 00:00 on 27 October 2024: 00:00 is 00:00 UTC and again 01:00 UTC.
    found = warehouse.value("select silver.day_end('2024-10-26', 'Atlantic/Azores', 0)")
    assert found == datetime(2024, 10, 27, 0, 0, tzinfo=UTC)


SOLD = """
    product_code | location_code | event_time           | quantity | movement_class
    A100         | S1            | 2024-11-01T09:00:00Z | -3       | sale
    A100         | S1            | 2024-11-02T09:00:00Z | -2       | sale
"""
LATE_SALE = """
    product_code | location_code | event_time           | quantity | movement_class
    A100         | S1            | 2024-11-01T10:00:00Z | -1.50    | sale
    B200         | S1            | 2024-11-01T10:00:00Z | -4       | sale
"""


def seal(warehouse, kind="stock"):
    return warehouse.rows(
        "select business_date, snapshot_id, version, is_new from gold.seal(%s, '2024-11-01', '2024-11-04', null)",
        (kind,),
    )


def test_a_second_call_with_the_same_facts_is_the_same_snapshot_and_writes_nothing(warehouse):
    warehouse.tell("movement", SOLD)
    close_days(warehouse)
    first = seal(warehouse)
    assert [new for *_, new in first] == [True] * 3
    warehouse.load()
    again = seal(warehouse)
    assert [row[:3] for row in again] == [row[:3] for row in first]
    assert [new for *_, new in again] == [False] * 3
    assert warehouse.value("select count(*) from gold.snapshot") == 3
    assert warehouse.value("select gold.snapshot_stock('2024-11-02')") == first[1][1]


def test_late_facts_make_a_restated_version_beside_the_sealed_one_with_its_differences(warehouse):
    warehouse.tell("movement", SOLD)
    close_days(warehouse)
    first = seal(warehouse)
    warehouse.load()
    warehouse.tell("movement", LATE_SALE)
    second = seal(warehouse)
    assert [(version, new) for _, _, version, new in second] == [(2, True)] * 3
    assert warehouse.rows(
        "select s.version, t.product_code, t.quantity from gold.snapshot as s inner join gold.stock_snapshot as t "
        "using (snapshot_id) where s.business_date = '2024-11-01' order by 1, 2"
    ) == [(1, "A100", -3), (2, "A100", -4.5), (2, "B200", -4)]
    assert warehouse.rows(
        "select row_key ->> 'product_code', old_row ->> 'quantity', new_row ->> 'quantity' "
        "from gold.snapshot_difference where snapshot_id = %s order by 1",
        (second[0][1],),
    ) == [("A100", "-3", "-4.5"), ("B200", None, "-4")]
    assert warehouse.value("select restates from gold.snapshot where snapshot_id = %s", (second[0][1],)) == first[0][1]


def test_snapshots_are_chained_by_hash_and_a_tampered_row_is_found(warehouse):
    warehouse.tell("movement", SOLD)
    close_days(warehouse)
    seal(warehouse)
    chain = warehouse.rows("select previous_hash, chain_hash from gold.snapshot order by snapshot_id")
    assert [before for before, _ in chain] == ["", chain[0][1], chain[1][1]]
    assert warehouse.rows("select * from gold.broken_snapshots()") == []
    assert warehouse.rows("select * from gold.altered_snapshots()") == []
    warehouse.run("set session_replication_role = replica")  # an administrator going around the seal
    warehouse.run("update gold.stock_snapshot set quantity = 7 where snapshot_id = 1")
    warehouse.run("update gold.snapshot set content_hash = 'x' where snapshot_id = 2")
    assert [number for number, _ in warehouse.rows("select * from gold.altered_snapshots()")] == [1, 2]
    assert [number for number, _ in warehouse.rows("select * from gold.broken_snapshots()")] == [2]


SEAL_300 = """
    do $$
    declare
        latest jsonb := '{}';
        one text;
        link text;
    begin
        for n in 1..300 loop
            one := case when n % 3 = 0 then 'sales' else 'stock' end;
            insert into gold.snapshot (kind, business_date, version, known, rows, content_hash, previous_hash,
                chain_hash, sealed_at_known)
            values (one, date '2024-01-01' + n, 1, 1, 0, 'x', coalesce(latest ->> one, ''),
                gold.chain_hash(one, date '2024-01-01' + n, 1, 'x', coalesce(latest ->> one, '')), 1)
            returning chain_hash into link;
            latest := latest || jsonb_build_object(one, link);
        end loop;
    end $$
"""


def test_a_load_asks_the_latest_links_and_each_older_one_when_its_turn_comes(warehouse):
    warehouse.run(SEAL_300)
    broken = "select subject from ops.law_10_snapshots(%s, false)"
    loads = range(1, 120)
    assert [warehouse.rows(broken, (known,)) for known in loads] == [[]] * len(loads)
    warehouse.run("set session_replication_role = replica")  # an administrator going around the seal
    warehouse.run("update gold.snapshot set content_hash = 'y' where snapshot_id in (7, 290)")
    found = [sorted(row[0] for row in warehouse.rows(broken, (known,))) for known in loads]
    told = [f"snapshot {number}: its link to the snapshot before it does not hold" for number in (290, 7)]
    assert all(told[0] in one for one in found), "one of the latest"
    assert 0 < sum(told[1] in one for one in found) < len(loads)
    assert sorted(told) == sorted(r[0] for r in warehouse.rows("select subject from ops.law_10_snapshots(1, true)"))


@pytest.mark.parametrize("statement", ["update gold.stock_snapshot set quantity = 0", "delete from gold.snapshot"])
def test_a_sealed_snapshot_refuses_to_change(warehouse, statement):
    with pytest.raises(psycopg2.Error, match="sealed"):
        warehouse.run(statement)


ODD_TEXTS = ["A100", "", 'Käse "fein"', "back\\slash", "tab\tnew\nline", "\u0001\u2028", '{"a": 1}', "null", "50%"]
ODD_NUMBERS = ["0", "-3", "0.000001", "-1.50", "12345678901234567890.123456789", "1e20", "1e-20", "NaN", "Infinity"]


@pytest.mark.parametrize("kind", ["stock", "sales", "product"])
def test_the_text_of_a_row_that_is_hashed_is_the_row_as_jsonb_prints_it(warehouse, kind):
    """What is sealed was sealed by that text: another one, of whatever row, would break the seal."""
    columns = warehouse.rows(
        "select attname, format_type(atttypid, null) from pg_attribute where attnum > 1 and attrelid = %s::regclass"
        " order by attnum", (f"gold.{kind}_snapshot",),
    )  # fmt: skip
    chance = random.Random(kind)
    values = {"text": ODD_TEXTS, "numeric": ODD_NUMBERS, "boolean": ["true", "false"], "bigint": ["1", "9" * 18]}
    empty = [None] if kind == "product" else []
    line = warehouse.value("select gold.row_text(%s)", (kind,))
    for _ in range(300):
        row = "cast(row(1, {}) as gold.{}_snapshot)".format(", ".join(["%s"] * len(columns)), kind)
        cells = [chance.choice([*values[sql_type], *empty]) for _, sql_type in columns]
        ours, jsonb = warehouse.rows(
            f"select {line}, cast(jsonb_strip_nulls(to_jsonb(t) - 'snapshot_id') as text) "
            f"from (select ({row}).*) as t", cells,
        )[0]  # fmt: skip
        assert ours == jsonb


def test_a_row_that_belongs_to_no_snapshot_is_refused(warehouse):
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="belong to no snapshot"):
        warehouse.run("insert into gold.stock_snapshot values (99, 'A100', 'S1', 'sellable', '', '', 1, true)")


def test_a_day_that_is_not_over_everywhere_is_refused(warehouse):
    warehouse.master("location", "S1", zone="America/New_York")
    warehouse.tell("movement", SOLD)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="not closed"):
        warehouse.run("select gold.snapshot_stock('2024-11-02')")
    assert warehouse.value("select gold.snapshot_stock('2024-11-01')") == 1


def test_many_days_leave_out_the_last_where_it_is_not_over_at_every_place(warehouse):
    warehouse.master("location", "S1", day_close_minutes=180)
    at = "2024-11-03T01:00:00Z"  # still the second of November at S1, whose day ends at three
    warehouse.tell("movement", f"product_code|location_code|event_time|quantity|movement_class\nA100|S1|{at}|1|receipt")
    days = "select distinct business_date::text from gold.snapshot_days(%s, %s) order by 1"
    assert warehouse.rows(days, ("2024-11-01", "2024-11-02")) == [("2024-11-01",)]
    assert warehouse.rows(days, ("2024-11-02", "2024-11-02")) == []
    for query in ("select gold.snapshot_stock('2024-11-02')", "select gold.snapshot_days('2024-11-01', '2024-11-03')"):
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="not closed"):
            warehouse.run(query)


def test_a_warehouse_without_events_has_nothing_to_seal(warehouse):
    warehouse.load()
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="no event is known"):
        warehouse.run("select gold.snapshot_sales('2024-11-02')")


def test_a_sales_snapshot_says_what_sales_daily_says(warehouse):
    warehouse.tell(
        "sale",
        """
        product_code | location_code | event_time           | business_date | kind   | quantity | net_amount | currency
        A100         | S1            | 2024-11-01T09:00:00Z | 2024-11-01    | sale   | 3        | 29.970     | EUR
        A100         | S1            | 2024-11-01T10:00:00Z | 2024-11-01    | return | -1       | -9.99      | EUR
                     | S1            | 2024-11-01T10:00:00Z | 2024-11-01    | charge | 1        | 4.90       | EUR
        """,
    )
    close_days(warehouse)
    number = warehouse.value("select gold.snapshot_sales('2024-11-01')")
    columns = "quantity_sold, quantity_returned, quantity, net_amount, line_count"
    sealed = warehouse.rows(
        f"select product_code, {columns} from gold.sales_snapshot where snapshot_id = %s order by 1", (number,)
    )
    assert sealed == warehouse.rows(f"select coalesce(product_code, ''), {columns} from gold.sales_daily order by 1")
    assert [str(cell) for cell in sealed[1]] == ["A100", "3", "1", "2", "19.98", "2"]


def test_a_product_snapshot_holds_the_version_valid_at_the_end_of_the_day(warehouse):
    warehouse.master("product", "A100", valid_to="2024-11-02T00:00:00Z", list_price="9.990")
    warehouse.master("product", "A100", valid_from="2024-11-02T00:00:00Z", list_price="12")
    close_days(warehouse)
    seal(warehouse, "product")
    found = warehouse.rows(
        "select s.business_date, p.list_price from gold.snapshot as s inner join gold.product_snapshot as p "
        "using (snapshot_id) where p.product_code = 'A100' order by 1"
    )
    assert [str(price) for _, price in found] == ["9.99", "12", "12"]


def test_products_cannot_be_frozen_as_of_a_load_that_later_ones_have_overtaken(warehouse):
    close_days(warehouse)
    before = warehouse.known
    warehouse.load()
    warehouse.tell("product", "product_code | product_name\nA100 | Mug")
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match="products have changed"):
        warehouse.run("select gold.snapshot_product('2024-11-01', %s)", (before,))


def test_all_three_kinds_of_many_days_are_frozen_by_one_call(warehouse):
    warehouse.tell("movement", SOLD)
    close_days(warehouse)
    made = warehouse.rows("select kind, business_date, is_new from gold.snapshot_days('2024-11-01', '2024-11-02')")
    assert [kind for kind, *_ in made] == ["stock", "stock", "product", "product", "sales", "sales"]
    assert all(new for *_, new in made)


@pytest.mark.slow
def test_35_days_of_600_keys_are_frozen_in_seconds(warehouse):
    close_days(warehouse)
    for number in range(600):
        warehouse.key("product", f"P{number}")
    warehouse.run(
        "insert into silver.fact_movement (record_id, fact_no, known_from, product_id, location_id, state, bin_code, "
        "lot_code, event_time, quantity, movement_class, role) "
        "select 1, 1, 1, k.product_id, 1, 'sellable', '', '', "
        "timestamptz '2024-10-01T08:00:00Z' + n * interval '1 hour', -1, 'sale', 'authority' "
        "from silver.product_key as k cross join generate_series(1, 800, 8) as n"
    )
    started = time.monotonic()
    warehouse.run("select * from gold.snapshot_days('2024-10-01', '2024-11-04')")
    assert warehouse.value("select count(*) from gold.stock_snapshot") >= 35 * 600 - 600
    assert time.monotonic() - started < 20
