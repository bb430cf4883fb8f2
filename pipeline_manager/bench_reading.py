"""Measures reads and a rebuild: a million products at a place, each with two movements, beside a bare read of stock."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import extensions, sql

from etl_pipeline.core.names import FIXED_PATH, Schemas

PRODUCTS, PLACES, MOVEMENTS_OF_A_KEY = 50_000, 20, 2
KEYS = PRODUCTS * PLACES
ASKED, WARM_UP, LISTS, RUNS = 1_000, 100, 5, 2
SCHEMAS = Schemas.of(None)

# The same numbers on every machine. One product at a place in fifty has nothing left, one in two hundred less.
FILL = """
    insert into {{ silver }}.product_key (product_code, known_from)
    select 'R' || n, 1 from generate_series(1, %(products)s) as s (n) on conflict do nothing;
    insert into {{ silver }}.location_key (location_code, known_from)
    select 'K' || n, 1 from generate_series(1, %(places)s) as s (n) on conflict do nothing;

    insert into {{ silver }}.fact_movement (
        record_id, fact_no, known_from, product_id, location_id, state, bin_code, lot_code, event_time, quantity,
        movement_class, role
    )
    select
        -1 - (n * %(products)s + p.product_id) * %(places)s - l.location_id, 1, 1, p.product_id, l.location_id,
        'sellable', '', '', timestamptz '2025-01-01' + mod(p.product_id * 31 + n, 300) * interval '1 day',
        case
            when n = 0 then 40
            when mod(p.product_id * 7 + l.location_id, 200) = 0 then -43
            when mod(p.product_id * 7 + l.location_id, 50) = 0 then -40
            else -mod(p.product_id * 7 + l.location_id * 3, 39)
        end,
        case when n = 0 then 'receipt' else 'sale' end, 'authority'
    from generate_series(0, %(movements)s - 1) as s (n)
    cross join {{ silver }}.product_key as p
    cross join {{ silver }}.location_key as l
    where starts_with(p.product_code, 'R') and starts_with(l.location_code, 'K')
    order by n, p.product_id, l.location_id
"""
READ_STOCK = "select sum(quantity) from {{ silver }}.position"
REBUILD = "select keys_differed, hash_before, hash_after from {{ silver }}.rebuild_stock('bench')"
ONE_PRODUCT = {
    "availability of one product everywhere": "select * from {{ gold }}.availability where product_code = $1",
    "stock on hand of one product everywhere": "select * from {{ gold }}.stock_on_hand where product_code = $1",
}
ONE_PLACE = {
    "stock on hand, a whole place": "select * from {{ gold }}.stock_on_hand where location_code = $1",
    "availability, a whole place": "select * from {{ gold }}.availability where location_code = $1",
    "at risk, a whole place": "select * from {{ gold }}.stock_risk where location_code = $1",
}
WHOLE = {
    "below zero, everywhere": "select * from {{ gold }}.stock_on_hand where is_negative",
    "nothing left, everywhere": "select * from {{ gold }}.stock_risk where what = 'out_of_stock'",
    "all at risk, everywhere": "select * from {{ gold }}.stock_risk",
    "less than a week's supply, everywhere": "select * from {{ gold }}.days_of_supply where days_of_supply < 7",
}


@dataclass(frozen=True)
class MeasuredRead:
    """One question.

    Attributes:
        name: the question.
        rows: of the answer; of the last one where several were asked.
        p50: seconds of the middle answer, server and connection.
        p99: seconds that 99 of 100 answers take at most; the slowest one where few were asked.
        times_reading_stock: p50 by the seconds of summing up all of silver.position.
        server_p99: the same of 99 of 100 answers without the way to the client, by the server's own clock; None where
            that was not asked.
    """

    name: str
    rows: int
    p50: float
    p99: float
    times_reading_stock: float
    server_p99: float | None = None


def _seconds(cursor: extensions.cursor, statement: str, values: tuple[str, ...] = ()) -> tuple[float, int]:
    started = time.perf_counter()
    cursor.execute(statement, values or None)
    found = len(cursor.fetchall())
    return time.perf_counter() - started, found


def _measured(name: str, answers: Sequence[tuple[float, int]], plain: float) -> MeasuredRead:
    seconds = sorted(s for s, _ in answers)
    middle = seconds[len(seconds) // 2]
    return MeasuredRead(name, answers[-1][1], middle, _at_99(seconds), middle / plain)


def _at_99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


def _prepared(cursor: extensions.cursor, name: str, statement: str, codes: Sequence[str], plain: float) -> MeasuredRead:
    """Ask as a service does: prepared once, so the server plans the first few times and then keeps the plan."""
    cursor.execute(sql.SQL("prepare asked (text) as {}").format(sql.SQL(SCHEMAS.render(statement))))
    warm = WARM_UP if len(codes) > WARM_UP else 0
    answers = [_seconds(cursor, "execute asked (%s)", (code,)) for code in codes][warm:]
    server = []
    for code in codes:
        cursor.execute("explain (analyze, timing off, format json) execute asked (%s)", (code,))
        (told,) = cursor.fetchone() or ([{}],)
        server.append(told[0]["Execution Time"] / 1000)
    cursor.execute("deallocate asked")
    return replace(_measured(name, answers, plain), server_p99=_at_99(server))


def measure_reading(url: str, products: int = PRODUCTS, places: int = PLACES) -> list[MeasuredRead]:
    """Fill the ledger of a warehouse that was loaded once, rebuild its stock, and ask what people ask.

    Args:
        url: a warehouse of its own, published: it is filled by hand.
        products: number of products.
        places: number of places.
    """
    connection = psycopg2.connect(url, options=FIXED_PATH)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            values = {"products": products, "places": places, "movements": MOVEMENTS_OF_A_KEY}
            cursor.execute(SCHEMAS.render(FILL), values)
            cursor.execute("vacuum analyze")
            rebuilds = [_seconds(cursor, SCHEMAS.render(REBUILD)) for _ in range(2)]
            cursor.execute("vacuum analyze")
            plain = min(_seconds(cursor, SCHEMAS.render(READ_STOCK)) for _ in range(3))[0]
            return [
                *_reads(cursor, products, places, plain),
                _measured("rebuild from the ledger, no stock before", rebuilds[:1], plain),
                _measured("rebuild from the ledger, nothing differs", rebuilds[1:], plain),
            ]
    finally:
        connection.close()


def _reads(cursor: extensions.cursor, products: int, places: int, plain: float) -> list[MeasuredRead]:
    some = [f"R{n * 7919 % products + 1}" for n in range(ASKED)]
    few = [f"K{n % places + 1}" for n in range(LISTS)]
    found = [_measured("bare sum of all stock", [(plain, 1)], plain)]
    found += [_prepared(cursor, name, query, some, plain) for name, query in ONE_PRODUCT.items()]
    found += [_prepared(cursor, name, query, few, plain) for name, query in ONE_PLACE.items()]
    for name, query in WHOLE.items():
        found.append(_measured(name, [_seconds(cursor, SCHEMAS.render(query)) for _ in range(RUNS)], plain))
    return found
