"""Measures promises for 200,000 products and places, one in twenty with open lines, beside a read of the stock."""

import time
from dataclasses import dataclass

import psycopg2
from psycopg2 import extensions

from etl_pipeline.core.names import FIXED_PATH, Schemas

PRODUCTS, PLACES = 20_000, 10
ASKED, WARM_UP = 600, 100
SCHEMAS = Schemas.of(None)

# The same numbers on every machine; orders are spread over some weeks from the latest instant known.
FILL = """
    insert into {{ silver }}.product_key (product_code, known_from)
    select 'P' || n, 1 from generate_series(1, %(products)s) as s (n) on conflict do nothing;
    insert into {{ silver }}.location_key (location_code, known_from)
    select 'L' || n, 1 from generate_series(1, %(places)s) as s (n) on conflict do nothing;

    create temporary table asked_key as
    select p.product_id, l.location_id, mod(p.product_id * 13 + l.location_id * 7, 20) = 0 as has_lines, x.as_of
    from {{ silver }}.product_key as p
    cross join {{ silver }}.location_key as l
    cross join (
        select
            coalesce(
                (select max(logical_time) from {{ bronze }}.file where status = 'loaded'),
                (select max(event_time) from {{ silver }}.fact_movement)
            ) as as_of
    ) as x
    where starts_with(p.product_code, 'P') and starts_with(l.location_code, 'L');

    insert into {{ silver }}.position (
        product_id, location_id, state, bin_code, lot_code, quantity, is_anchored, known
    )
    select k.product_id, k.location_id, 'sellable', '', '', mod(k.product_id * 7 + k.location_id * 3, 50), true, 1
    from pg_temp.asked_key as k;
    select count(*) from {{ silver }}.mend_stock_balance();

    insert into {{ silver }}.demand_line (
        order_document, order_line, product_id, location_id, due_at, is_soft, reserved, cancelled, shipped,
        open_quantity, known
    )
    select
        'W' || k.product_id || '-' || n, '1', k.product_id, k.location_id,
        k.as_of + n * mod(k.product_id, 20) * interval '1 day', false, 2, 0, 0, 2, 1
    from pg_temp.asked_key as k cross join generate_series(1, 3) as s (n)
    where k.has_lines;

    insert into {{ silver }}.supply_line (
        order_document, order_line, product_id, location_id, received, rejected, status, due_at, feed_id,
        open_quantity, known
    )
    select
        'S' || k.product_id || '-' || n, '1', k.product_id, k.location_id, 0, 0, 'open',
        k.as_of + n * mod(k.product_id, 25) * interval '1 day', f.feed_id, 10, 1
    from pg_temp.asked_key as k
    cross join generate_series(1, 2) as s (n)
    cross join (select min(feed_id) as feed_id from {{ ops }}.feed) as f
    where k.has_lines;
    drop table pg_temp.asked_key
"""
READ_STOCK = "select sum(quantity) from {{ silver }}.position"
VIEWS = {
    "gold.availability, every key": "select sum(available_to_sell) from {{ gold }}.availability",
    "gold.atp, every key and day": "select sum(atp) from {{ gold }}.atp",
}
ASK = "select * from {{ gold }}.can_promise(%s, %s, 5)"


@dataclass(frozen=True)
class MeasuredPromise:
    """One question about promises.

    Attributes:
        name: the question.
        seconds: of the whole answer; of one answer in a hundred at most where it is asked for single keys.
        times_reading_stock: seconds by those of summing up the stock of all keys.
    """

    name: str
    seconds: float
    times_reading_stock: float


def _seconds(connection: extensions.connection, statement: str, values: tuple[str, ...] = ()) -> float:
    with connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(SCHEMAS.render(statement), values or None)
        cursor.fetchall()
        return time.perf_counter() - started


def measure_promises(url: str, products: int = PRODUCTS, places: int = PLACES) -> list[MeasuredPromise]:
    """Fill a warehouse that was loaded once with stock and orders, and ask what may be promised.

    Args:
        url: a warehouse of its own, published: it is filled by hand.
        products: number of products.
        places: number of places.
    """
    connection = psycopg2.connect(url, options=FIXED_PATH)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(SCHEMAS.render(FILL), {"products": products, "places": places})
            cursor.execute("vacuum analyze")
        plain = min(_seconds(connection, READ_STOCK) for _ in range(3))
        whole = [(name, min(_seconds(connection, query) for _ in range(2))) for name, query in VIEWS.items()]
        keys = [(f"P{n % products + 1}", f"L{n % places + 1}") for n in range(ASKED)]
        single = sorted([_seconds(connection, ASK, key) for key in keys][WARM_UP:])
    finally:
        connection.close()
    whole += [
        ("gold.can_promise, one key, median", single[len(single) // 2]),
        ("gold.can_promise, one key, 99 of 100", single[len(single) * 99 // 100]),
    ]
    return [MeasuredPromise(name, seconds, seconds / plain) for name, seconds in whole]
