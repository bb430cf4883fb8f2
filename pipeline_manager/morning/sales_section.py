"""Sales: money by day, each currency for itself."""

from datetime import date, timedelta
from typing import Any

from pipeline_manager.morning.gold_reader import GoldReader, Query
from pipeline_manager.morning.page import Section, Table, cell
from pipeline_manager.morning.plots import columns_by_day
from pipeline_manager.morning.promise_sections import DAYS, days_from

MOST_CURRENCIES, MOST_PLACES = 3, 10_000
LAST_DAY = "select max(business_date) as last_day from {{ gold }}.sales_daily"
LAST_DAY_OF_LATE = LAST_DAY + " where business_date > cast(%(as_of)s as date) - 7"
"""Asked first: where anything was sold lately, the last day of all is among those, and no other has to be read."""
BY_DAY = """
    select currency, business_date, sum(net_amount) as net_amount
    from {{ gold }}.sales_daily where business_date > cast(%(last)s as date) - %(days)s
    group by currency, business_date order by currency, business_date
"""
BY_PLACE = """
    select
        location_code,
        currency,
        sum(quantity) filter (where business_date > date 'LAST' - 7) as pieces,
        sum(net_amount) filter (where business_date > date 'LAST' - 7) as net_amount,
        sum(net_amount) filter (where business_date <= date 'LAST' - 7) as net_week_before,
        round(100 * sum(net_amount) filter (where business_date > date 'LAST' - 7)
            / nullif(sum(net_amount) filter (where business_date <= date 'LAST' - 7), 0) - 100, 1) as change_percent
    from {{ gold }}.sales_daily
    where business_date > date 'LAST' - 14
    group by location_code, currency
"""


def sales(gold: GoldReader) -> Section:
    """Say what was sold in the last week, beside the week before."""
    last = (gold.as_of and gold.value(LAST_DAY_OF_LATE, {"as_of": gold.as_of})) or gold.value(LAST_DAY)
    if last is None:
        return Section("sales", "Sales", "none", True, "No sale is known: no feed yields sales.")
    found = gold.list(
        Query(BY_PLACE.replace("LAST", str(last)), "change_percent nulls last, location_code, currency"), MOST_PLACES
    )
    by_day = gold.rows(BY_DAY, {"last": last, "days": DAYS})
    week: dict[str, Any] = {}
    for row in found.rows:
        week[row["currency"]] = week.get(row["currency"], 0) + (row["net_amount"] or 0)
    told = ", ".join(f"{cell(amount)} {currency or 'of no currency'}" for currency, amount in sorted(
        week.items(), key=lambda pair: str(pair[0])))  # fmt: skip
    fell = sum((row["change_percent"] or 0) < 0 for row in found.rows)
    meaning = (
        f"In the seven days up to {last}, {told} net; currencies are not added. At {fell:,} of {found.total:,} places "
        "it was less than in the week before: look whether their goods or their files are missing. The last day may "
        "not be complete yet."
    )
    return Section(
        "sales", "Sales", f"{fell:,} of {found.total:,} fell", fell == 0, meaning,
        _plots(by_day, last), [Table("Steepest falls: seven days beside the seven before", found)],
    )  # fmt: skip


def _plots(by_day: list[dict[str, Any]], last: str) -> list[tuple[str, str]]:
    """Return a plot for each of the currencies with most days of sales."""
    amounts: dict[str | None, dict[str, float]] = {}
    for row in by_day:
        amounts.setdefault(row["currency"], {})[row["business_date"]] = float(row["net_amount"] or 0)
    most = sorted(amounts, key=lambda currency: (-len(amounts[currency]), str(currency)))[:MOST_CURRENCIES]
    first = date.fromisoformat(last) - timedelta(days=DAYS - 1)
    days = days_from(first.isoformat(), DAYS)
    return [
        (f"Net sales a day, {currency or 'no currency'}", columns_by_day(days, amounts[currency], currency or "net"))
        for currency in most
    ]
