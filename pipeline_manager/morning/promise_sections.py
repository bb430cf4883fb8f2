"""Promises: what customers were promised and will not be there, and orders that are not as they should be."""

from collections import Counter
from datetime import date, timedelta

from pipeline_manager.morning.gold_reader import GoldReader, Query
from pipeline_manager.morning.page import Section, Table, sentence_of
from pipeline_manager.morning.plots import BAD, PLAIN, WARN, columns_by_day, stacked_bars

DAYS, MOST_SHORT = 28, 100_000
# Both ask first whether there is anything of the kind at all: where there is not, nobody reads all that is promised.
SHORTAGES = Query(
    """
    select product_code, location_code, min(day) filter (where shortage > 0) as short_from,
        max(shortage) as most_short, sum(demand) as demand, sum(supply) as supply
    from {{ gold }}.atp
    where
        exists (select 1 from {{ gold }}.open_demand where open > 0)
        and (product_code, location_code) in (
            select product_code, location_code from {{ gold }}.availability
            where reserved_hard + reserved_soft + transfer_reserved > 0
        )
    group by product_code, location_code
""",
    "short_from, most_short desc, product_code, location_code",
    listed="most_short > 0 and demand > 0",
    totals={"with_demand": "demand > 0"},
)
OVER_ALLOCATED = Query(
    """
    select product_code, location_code, available, sum(unconsumed_allocation) as set_apart,
        sum(unconsumed_allocation) - available as too_much
    from {{ gold }}.availability
    where
        is_over_allocated and channel_code is not null
        and exists (select 1 from {{ gold }}.stock_policy where channel_code is not null)
    group by product_code, location_code, available
""",
    "too_much desc, product_code, location_code",
)
_FOUND = """
    select order_document, order_line, product_code, location_code, finding, due_at, expected as open, 'supply' as side,
        sentence
    from {{ gold }}.open_supply
    where finding is not null
    union all
    select order_document, order_line, product_code, location_code, finding, due_at, open, 'demand', sentence
    from {{ gold }}.open_demand
    where finding is not null and not is_soft
"""
FINDINGS = Query(
    """
    select order_document, order_line, product_code, location_code, finding, due_at, open, side
    from (FOUND) as found
""".replace("FOUND", _FOUND),
    "due_at, side, order_document, order_line, product_code, location_code",
    totals={"supply": "side = 'supply'", "demand": "side = 'demand'"},
)
KINDS = Query(
    """
    select finding, side, count(*) as lines, min(sentence) as sentence
    from (FOUND) as found
    group by finding, side
""".replace("FOUND", _FOUND),
    "lines desc, side, finding",
)
SIDES = {"from suppliers": PLAIN, "to customers": WARN}


def promises_at_risk(gold: GoldReader) -> Section:
    """Say which promises cannot be kept, from when on."""
    short = gold.list(SHORTAGES, MOST_SHORT)
    apart = gold.list(OVER_ALLOCATED)
    demand = short.counts["with_demand"]
    if not short.total and not apart.total:
        meaning = (
            f"All that is promised will be there when it is due, for each of {demand:,} products at a place with open "
            "orders. Nothing to do."
            if demand
            else "Nothing is promised to anybody: no open order is known, so no promise is at risk."
        )
        return Section("promises", "Promises at risk", "none", True, meaning)
    meaning = sentence_of(
        {
            "{} products with open orders, counted once a place": demand,
            "{} of them will lack goods that were promised: hurry the supply, move stock there, or tell the customer "
            "in time": short.total,
            "for {} more is set apart for channels than there is: lower an allocation": apart.total,
        }
    )
    plots = []
    if short.total:
        first = min(row["short_from"] for row in short.rows)
        begins = Counter(row["short_from"] for row in short.rows)
        days = days_from(first, DAYS)
        plots = [
            (f"Products that begin to lack promised goods, by day from {first} on",
             columns_by_day(days, {day: float(count) for day, count in begins.items()}, "products", BAD)),
        ]  # fmt: skip
    tables = [Table("Short soonest", short), Table("More set apart for channels than there is", apart)]
    told = f"{short.total:,} short" if short.total else f"{apart.total:,} set apart"
    return Section("promises", "Promises at risk", told, False, meaning, plots, tables)


def open_orders(gold: GoldReader) -> Section:
    """List order lines that are late, orphaned or over-delivered."""
    found = gold.list(FINDINGS)
    title = "Orders to look into"
    if not found.total:
        return Section(
            "orders", title, "none", True, "No open line is late, and nothing came or left that nobody ordered."
        )
    supply, demand = found.counts["supply"], found.counts["demand"]
    meaning = (
        f"{supply:,} order lines from suppliers and {demand:,} to customers are late, or not as agreed; the first "
        "table says what to do about each kind. What is overdue too long is no longer promised from."
    )
    sides = dict(zip(("supply", "demand"), SIDES, strict=True))
    kinds = gold.list(KINDS)
    bars = [(row["finding"].replace("_", " "), sides[row["side"]], float(row["lines"])) for row in kinds.rows]
    plot = ("Order lines by what is the matter", stacked_bars(bars, SIDES, "order lines"))
    tables = [Table("What is the matter, and what to do", kinds), Table("The longest due first", found)]
    return Section("orders", title, f"{found.total:,} lines", False, meaning, [plot], tables)


def days_from(first: str, number: int) -> list[str]:
    """Return as many days, from the first one on."""
    start = date.fromisoformat(first)
    return [(start + timedelta(days=n)).isoformat() for n in range(number)]
