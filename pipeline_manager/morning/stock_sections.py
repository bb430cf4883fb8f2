"""Stock: what is there, what is at risk, and what should be kept in reserve."""

from pipeline_manager.morning.gold_reader import GoldReader, Query
from pipeline_manager.morning.page import Section, Table, sentence_of
from pipeline_manager.morning.plots import BAD, GOOD, MILD, PALE, WARN, stacked_bars

MOST_PLACES = 1_000
PLACES = Query(
    """
    select
        location_code,
        count(*) as products,
        count(*) filter (where available_to_sell > 0) as can_be_sold,
        count(*) filter (where sellable > 0 and available_to_sell <= 0) as all_held_back,
        count(*) filter (where sellable = 0) as nothing_there,
        count(*) filter (where sellable < 0) as below_zero,
        sum(sellable) as sellable,
        sum(available_to_sell) as to_sell,
        max(oldest_feed_age_hours) as feed_hours_late
    from {{ gold }}.availability
    where channel_code is null
    group by location_code
""",
    "below_zero desc, nothing_there + all_held_back desc, location_code",
)
PLACE_KINDS = {"can be sold": GOOD, "all held back": MILD, "nothing there": PALE, "below zero": BAD}
RISKS = Query(
    """
    select r.product_code, p.product_name, r.location_code, r.what, r.on_hand, r.sellable, r.safety_stock,
        r.reorder_point
    from {{ gold }}.stock_risk as r
    left join {{ gold }}.product as p on r.product_code = p.product_code
""",
    "array_position(array['negative', 'out_of_stock', 'below_safety_stock', 'below_reorder_point'], what),\n"
    "    sellable - coalesce(reorder_point, safety_stock, 0), product_code, location_code",
    totals={
        "negative": "what = 'negative'",
        "out_of_stock": "what = 'out_of_stock'",
        "below_safety_stock": "what = 'below_safety_stock'",
    },
    beside="""
        select location_code, what, count(*) as products, sum(count(*)) over (partition by location_code) as of_place
        from worst group by location_code, what order by of_place desc, location_code, what
    """,
)
RISK_KINDS = {
    "negative": ("below zero", BAD),
    "out_of_stock": ("nothing there", WARN),
    "below_safety_stock": ("below safety stock", MILD),
    "below_reorder_point": ("below reorder point", PALE),
}
SAFETY = Query(
    """
    select product_code, location_code, available, configured, gap, round(required, 1) as required,
        round(drift, 1) as drift, days_in_breach
    from {{ gold }}.safety_stock
""",
    "gap desc nulls last, drift, product_code, location_code",
    listed="gap > 0 or drift < 0",
    totals={
        "short": "gap > 0",
        "too_low": "drift < 0",
        "high_enough": "drift >= 0",
        "no_level": "configured is null",
    },
)


def stock_today(gold: GoldReader) -> Section:
    """Say at which places how many products can be sold."""
    found = gold.list(PLACES, MOST_PLACES)
    if not found.rows:
        return Section("stock", "Stock today", "none", False, "No stock is known: no count and no movement has come.")
    bars = [
        (place["location_code"], kind, float(place[kind.replace(" ", "_")]))
        for place in found.rows
        for kind in PLACE_KINDS
    ]
    below = sum(place["below_zero"] for place in found.rows)
    held, none = (sum(place[name] for place in found.rows) for name in ("all_held_back", "nothing_there"))
    can = sum(place["can_be_sold"] for place in found.rows)
    others = {
        "{} are all reserved or kept back: look at what waits": held,
        "{} have nothing there: see what is at risk": none,
        "{} stand below zero, so a record is missing: find it, or count there first": below,
    }
    meaning = (
        f"Of {can + held + none + below:,} products at {found.total:,} places, counted once a place, {can:,} can be "
        f"sold now. {sentence_of(others)}"
    )
    plot = ("Products by place and what can be sold of them", stacked_bars(bars, PLACE_KINDS, "products"))
    table = Table("Places, the most missing first", found)
    return Section("stock", "Stock today", f"{can:,} to sell", below == 0, meaning, [plot], [table])


def stock_at_risk(gold: GoldReader) -> Section:
    """Say what is gone or lower than wanted."""
    found = gold.list(RISKS)
    if not found.total:
        return Section(
            "risk", "Stock at risk", "none", True, "Nothing is below zero, gone, or lower than wanted. Nothing to do."
        )
    bars = [(row["location_code"], RISK_KINDS[row["what"]][0], float(row["products"])) for row in found.beside]
    counts = found.counts
    kinds = {
        "{} are below zero: find the missing record, or count": counts["negative"],
        "{} have nothing to sell: bring some": counts["out_of_stock"],
        "{} are into their safety stock: hurry what is on order": counts["below_safety_stock"],
        "{} are below their reorder point: order": found.total - sum(counts.values()),
    }
    meaning = f"{found.total:,} products, counted once a place, are lower than wanted. {sentence_of(kinds)}"
    plot = ("Products at risk by place", stacked_bars(bars, dict(RISK_KINDS.values()), "products at risk"))
    table = Table("Most urgent", found)
    return Section("risk", "Stock at risk", f"{found.total:,} at risk", False, meaning, [plot], [table])


def safety_stock(gold: GoldReader) -> Section:
    """Say whether levels are right and kept."""
    found = gold.list(SAFETY)
    counts = found.counts
    if not any(counts.values()):
        return Section(
            "safety", "Safety stock", "no levels", True,
            "No level of safety stock is known and no demand to derive one from: send a stock policy, or levels in the "
            "product master.",
        )  # fmt: skip
    meaning = "Is enough kept in reserve? " + sentence_of(
        {
            "{} products, counted once a place, have less than their level (gap): reorder": counts["short"],
            "{} levels are lower than demand and lead time require (drift below 0): raise them": counts["too_low"],
            "{} levels are high enough": counts["high_enough"],
            "{} have no level": counts["no_level"],
        }
    )
    kinds = {"less there than the level": BAD, "level too low": WARN, "level high enough": GOOD, "no level": PALE}
    bars = [(kind, kind, float(count)) for kind, count in zip(kinds, counts.values(), strict=True)]
    plot = ("Products at a place: is the level right, is it kept?", stacked_bars(bars, kinds, "products at a place"))
    return Section(
        "safety", "Safety stock", f"{counts['short']:,} short", not found.total, meaning, [plot],
        [Table("Largest gaps, then levels furthest too low", found)],
    )  # fmt: skip
