"""Measures the FIFO valuation of a million movements: the warehouse's views beside a plain loop over the same rows."""

import os
import time
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

from data_warehouse.deploy import deploy
from etl_pipeline.core.names import FIXED_PATH, Schemas

MOVEMENTS, PRODUCTS, PLACES = 1_000_001, 15_002, 3
SCHEMAS = Schemas.of("bench")
RUNS = 3

# The same numbers on every machine. One movement in five is a receipt, and many a key begins with an issue: some stock
# is below zero for a while, and some for good.
MAKE_FLOW = """
    create table {{ silver }}.bench_flow as
    select
        cast(mod(n * 245489, %(products)s) as integer) as product_id,
        cast(mod(n / %(products)s, %(places)s) as integer) as location_id,
        n as seq,
        timestamptz '2025-01-01' + n * interval '31 seconds' as event_time,
        cast('supplier' as text) as account,
        cast(
            case
                when mod(mod(n * 48271, 2147483647), 5) = 0 then mod(mod(n * 16807, 2147483647), 60) + 1
                else -1 - mod(mod(n * 69621, 2147483647), 9)
            end as numeric
        ) as quantity,
        cast(null as numeric) as standard_cost,
        cast('EUR' as text) as currency,
        cast(cast((mod(mod(n * 40692, 2147483399), 9999) + 1) / 100.0 as numeric(10, 2)) as numeric) as unit_cost,
        cast('movement' as text) as cost_source
    from generate_series(cast(1 as bigint), %(movements)s) as s (n)
    order by n
"""
PUT_IN_PLACE = "create or replace view {{ silver }}.value_flow as select * from {{ silver }}.bench_flow"
ONE_CORE = "set max_parallel_workers_per_gather = 0; set jit = off; set work_mem = '256MB'"
LAYERS = """
    create temporary table valued on commit drop as
    select product_id, location_id, sum(value) as value
    from {{ silver }}.fifo_layer group by product_id, location_id
"""
EVERY_ISSUE = """
    create temporary table valued on commit drop as
    select
        product_id, location_id, issue_seq, sum(value) as cost,
        sum(case when issue_seq is null then value when receipt_seq is null then -provisional_value else 0 end) as value
    from {{ silver }}.fifo_match group by product_id, location_id, issue_seq
"""
READ = "select product_id, location_id, sum(value) from pg_temp.valued group by product_id, location_id"


@dataclass(frozen=True)
class MeasuredValuation:
    """One way of valuing the movements.

    Attributes:
        name: the way.
        seconds: the best of its runs.
        cpu_seconds: what that run took of one core, where the system tells: other work adds little to it.
        rows_per_second: movements valued in a second.
        times_plain_loop: seconds by those of the plain loop; under 1 is quicker.
        differences: product-locations whose value is not that of the plain loop, to the last digit.
    """

    name: str
    seconds: float
    cpu_seconds: float | None
    rows_per_second: int
    times_plain_loop: float
    differences: int


def plain_fifo(rows: list[tuple[Any, ...]]) -> dict[tuple[int, int], Decimal]:
    """Return the value of what is left of (product, place, quantity, unit cost) in order: the reference, and the rival.

    What was issued and has not come in yet is worth the unit cost of its issue, below zero.
    """
    layers: dict[tuple[int, int], deque[list[Decimal]]] = {}
    for product, place, quantity, cost in rows:
        queue = layers.setdefault((product, place), deque())
        rest = quantity
        while rest and queue and (queue[0][0] > 0) != (rest > 0):
            first = queue[0]
            if abs(first[0]) > abs(rest):
                first[0] += rest
                rest = Decimal(0)
            else:
                rest += first[0]
                queue.popleft()
        if rest:
            queue.append([rest, cost])
    return {key: sum((q * c for q, c in queue), Decimal(0)) for key, queue in layers.items() if queue}


def _prepared(connection: extensions.connection, movements: int) -> None:
    deploy(connection, SCHEMAS)
    with connection, connection.cursor() as cursor:
        cursor.execute(SCHEMAS.render(MAKE_FLOW), {"movements": movements, "products": PRODUCTS, "places": PLACES})
        cursor.execute(SCHEMAS.render(PUT_IN_PLACE))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS.render("vacuum analyze {{ silver }}.bench_flow"))
    connection.autocommit = False


def _cpu_seconds(process: int) -> float | None:
    """Return what a process has taken of the processors so far."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(connection: extensions.connection, statement: str) -> tuple[float, float | None, dict[Any, Any]]:
    """Return the seconds of a statement on one core, by the clock and of the core, and what is read of its result."""
    with connection, connection.cursor() as cursor:
        cursor.execute(ONE_CORE)
        begun = _cpu_seconds(connection.info.backend_pid)
        started = time.monotonic()
        cursor.execute(SCHEMAS.render(statement))
        seconds = time.monotonic() - started
        ended = _cpu_seconds(connection.info.backend_pid)
        cursor.execute(READ)
        found = {row[:2]: row[2] for row in cursor.fetchall()}
    return seconds, None if begun is None or ended is None else round(ended - begun, 2), found


def _all_rows(connection: extensions.connection) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            SCHEMAS.render(
                "select product_id, location_id, quantity, unit_cost from {{ silver }}.value_flow order by seq"
            )
        )
        return list(cursor.fetchall())


def _differences(one: dict[Any, Any], other: dict[Any, Any]) -> int:
    return sum(one.get(key, 0) != other.get(key, 0) for key in one.keys() | other.keys())


def measure_valuation(url: str, movements: int = MOVEMENTS) -> list[MeasuredValuation]:
    """Value the same movements by a loop and by the warehouse's views, on one core; compare the value of every key."""
    connection = psycopg2.connect(url, options=FIXED_PATH)
    try:
        _prepared(connection, movements)
        rows = _all_rows(connection)
        started, begun = time.monotonic(), time.process_time()
        expected = plain_fifo(rows)
        plain, plain_cpu = time.monotonic() - started, round(time.process_time() - begun, 2)
        measured = [
            MeasuredValuation("plain Python loop, rows in memory", plain, plain_cpu, int(movements / plain), 1.0, 0)
        ]
        for name, statement in (
            ("silver.fifo_layer: what is left, in SQL", LAYERS),
            ("silver.fifo_match: the cost of every issue, in SQL", EVERY_ISSUE),
        ):
            runs = [_timed(connection, statement) for _ in range(RUNS)]
            seconds, cpu, _ = min(runs, key=lambda run: run[0])
            wrong = max(_differences(run[2], expected) for run in runs)
            measured.append(MeasuredValuation(name, seconds, cpu, int(movements / seconds), seconds / plain, wrong))
    finally:
        connection.close()
    return measured
