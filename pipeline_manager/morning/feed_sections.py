"""Feeds: how old the figures are, where sources differ, and what was set aside."""

from collections import Counter

from pipeline_manager.morning.gold_reader import GoldReader, Query
from pipeline_manager.morning.page import Section, Table
from pipeline_manager.morning.plots import BAD, GOOD, MILD, PALE, PLAIN, WARN, stacked_bars

MOST_SERIES, MOST_REASONS = 10_000, 1_000
FRESHNESS = Query(
    """
    select feed, series, location_code, status, watermark_at as complete_up_to, behind_hours as hours_behind,
        missing_windows as files_missing
    from {{ gold }}.feed_freshness
""",
    "array_position(array['empty', 'late', 'gap', 'fresh'], status), hours_behind desc nulls first, feed, series",
)
STATUSES = {"fresh": GOOD, "gap": MILD, "late": WARN, "empty": BAD}
CAUSES = ("missing", "late", "duplicated", "unit", "unmapped_code", "unrecorded", "unexplained")
DRIFT = Query(
    """
    select product_code, location_code, business_date, movement_class, authority_feeds, authority_quantity, shadow_feed,
        shadow_quantity, difference,
        concat_ws(', ', case when missing <> 0 then 'missing' end, case when late <> 0 then 'late' end,
            case when duplicated <> 0 then 'duplicated' end, case when unit <> 0 then 'unit' end,
            case when unmapped_code <> 0 then 'unmapped_code' end, case when unrecorded <> 0 then 'unrecorded' end,
            case when unexplained <> 0 then 'unexplained' end) as causes
    from {{ gold }}.source_drift
""",
    "abs(difference) desc, business_date desc, shadow_feed, product_code, location_code, movement_class",
    listed="difference <> 0",
    totals={
        "compared": "true",
        **{cause: f"difference <> 0 and '{cause}' = any(string_to_array(causes, ', '))" for cause in CAUSES},
    },
)
QUARANTINE = Query(
    """
    select reason, feed, count(*) as records, min(sentence) as sentence,
        min(file_name || ', line ' || line_no) as example
    from {{ gold }}.quarantine
    where not is_dismissed
    group by reason, feed
""",
    "records desc, reason, feed",
)
FILES_ASIDE = Query(
    """
    select feed, file_name, reason, sentence
    from {{ gold }}.feed_file
    where status = 'set_aside' and not is_dismissed
""",
    "feed, file_name",
)


def freshness(gold: GoldReader) -> Section:
    """Say up to when each feed is complete."""
    found = gold.list(FRESHNESS, MOST_SERIES)
    if not found.total:
        return Section(
            "freshness", "Freshness of feeds", "no schedules", True,
            "No contract has a schedule, so no file is owed and none is missed: give the feeds a `schedule`.",
        )  # fmt: skip
    counts = Counter((row["feed"], row["status"]) for row in found.rows)
    behind = sum(row["status"] != "fresh" for row in found.rows)
    feeds = dict.fromkeys(row["feed"] for row in found.rows)
    bars = [(feed, status, float(counts[feed, status])) for feed in feeds for status in STATUSES]
    meaning = (
        f"Of {found.total:,} senders (a feed, or a place of it), {found.total - behind:,} are complete up to now. "
        + ("Nothing to do." if not behind else
           f"{behind:,} are not: ask them for the missing files. Until they come, stock there is older than it looks, "
           "and less of it is promised.")
    )  # fmt: skip
    plot = ("Senders by feed and state", stacked_bars(bars, STATUSES, "senders"))
    return Section(
        "freshness", "Freshness of feeds", f"{behind:,} behind", not behind, meaning, [plot],
        [Table("By feed and place, the furthest behind first", found)],
    )  # fmt: skip


def drift(gold: GoldReader) -> Section:
    """Say where a second source tells otherwise, and why."""
    found = gold.list(DRIFT)
    compared = found.counts["compared"]
    if not compared:
        return Section(
            "drift", "Source drift", "one source", True,
            "No two feeds tell of the same movements, so there is nothing to compare.",
        )  # fmt: skip
    if not found.total:
        meaning = f"Two sources agree on all of {compared:,} days of a product at a place. Nothing to do."
        return Section("drift", "Source drift", "none", True, meaning)
    meaning = (
        f"Of {compared:,} days of a product at a place that two sources tell of, {found.total:,} differ. Stock follows "
        "the authority, so it is not wrong by this; the other source is: mend what the largest cause names."
    )
    bars = sorted(
        ((cause.replace("_", " "), "rows", float(found.counts[cause])) for cause in CAUSES if found.counts[cause]),
        key=lambda bar: (-bar[2], bar[0]),
    )
    plot = ("Differing days by cause (one may have several)", stacked_bars(bars, {"rows": PLAIN}, "days of a product"))
    return Section(
        "drift", "Source drift", f"{found.total:,} differ", False, meaning, [plot],
        [Table("Largest differences", found)],
    )  # fmt: skip


def quarantine(gold: GoldReader) -> Section:
    """Say what waits, and for what."""
    found = gold.list(QUARANTINE, MOST_REASONS)
    files = gold.list(FILES_ASIDE)
    records = sum(row["records"] for row in found.rows)
    if not records and not files.total:
        return Section("quarantine", "Quarantine", "none", True, "Nothing is set aside. Nothing to do.")
    meaning = (
        f"{records:,} records and {files.total:,} whole files could not be read safely and count nowhere. Do what the "
        "sentences say; most come back by themselves when what they lack arrives (systock quarantine list)."
    )
    reasons: Counter[str] = Counter()
    for row in found.rows:
        reasons[row["reason"]] += row["records"]
    bars = [(reason.replace("_", " "), "records", float(count)) for reason, count in reasons.most_common()]
    plots = [("Records by reason", stacked_bars(bars, {"records": PALE}, "records"))] if bars else []
    return Section(
        "quarantine", "Quarantine", f"{records + files.total:,} wait", False, meaning, plots,
        [Table("Records by reason and feed", found), Table("Files set aside whole", files)],
    )  # fmt: skip
