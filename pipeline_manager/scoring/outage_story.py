"""Stores whose lines are down for days: what was promised each morning, beside what was there and what was wanted.

The simulated retailer lives; some stores' files are held back and come together when the line is back. The evening's
files are loaded, gold is asked what may be sold, and the next day's customers come.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg2
from psycopg2 import extensions

from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import Progress, SilentProgress
from etl_pipeline.core.settings import Settings
from extract.simulated.retailer import SimulatedMonth, simulate
from pipeline_manager.demo import FEEDS
from pipeline_manager.flow import Options, run_flow

OUTAGE_CHANCE = 0.12
OUTAGE_DAYS = (2, 3, 4, 5, 6)
CLOSED_HOUR = 4
"""Of UTC: every store has closed and none has opened."""
STORE_FILE = re.compile(r"(?:pos|store)/([^/]+)/.*_(\d{8})\.")
DATED_FILE = re.compile(r"_(\d{8})\.")
PROMISED = """
    select
        a.product_code, a.location_code, a.on_hand, a.available, a.staleness_reserve,
        a.oldest_feed_age_hours as late_hours, coalesce(r.mean_daily, 0) as mean_daily,
        coalesce(r.variance_daily, 0) as variance_daily
    from {{ gold }}.availability as a
    left join {{ silver }}.demand_rate as r on a.product_code = r.product_code and a.location_code = r.location_code
    where a.channel_code is null
    order by a.location_code, a.product_code
"""


@dataclass(frozen=True)
class Story:
    """What is played.

    Attributes:
        seed: of all chance.
        days: of the retailer's life.
        stores: number of stores.
        products: number of products.
        calm_days: days at the start on which every file comes; nothing is asked on them.
    """

    seed: int = 11
    days: int = 40
    stores: int = 5
    products: int = 40
    calm_days: int = 10


def arrivals(names: list[str], story: Story, first: pd.Timestamp) -> dict[int, list[str]]:
    """Return which files come on the evening of which day (from 0); calm days' files all come on their last evening."""
    rng = np.random.default_rng(story.seed)
    stores = sorted({found[1] for name in names if (found := STORE_FILE.search(name))})
    back_on: dict[tuple[str, int], int] = {}
    for store in stores:
        day = story.calm_days
        while day < story.days:
            if rng.random() < OUTAGE_CHANCE:
                length = int(rng.choice(OUTAGE_DAYS))
                back_on |= {(store, day + n): day + length for n in range(length)}
                day += length
            day += 1
    coming: dict[int, list[str]] = {}
    for name in names:
        found = DATED_FILE.search(name)
        day = (pd.Timestamp(found[1]) - first).days if found else 0
        of_store = STORE_FILE.search(name)
        evening = back_on.get((of_store[1], day), day) if of_store else day
        coming.setdefault(max(story.calm_days - 1, evening), []).append(name)
    return coming


def live(story: Story, folder: Path, url: str, progress: Progress | None = None) -> pd.DataFrame:
    """Play the story against an empty database and return every morning's promises.

    Args:
        story: what is played.
        folder: for its files.
        url: of the database.
        progress: told of each evening.

    Returns:
        One row a day, store and product after the calm days: day, product_code, location_code, on_hand, available,
        staleness_reserve, late_hours, mean_daily, variance_daily, wanted (units that customers come for that day),
        physical (units that lie there when it begins).
    """
    told = progress or SilentProgress()
    month = simulate(
        folder / "all", seed=story.seed, days=story.days, stores=story.stores, products=story.products, faults="none",
        progress=told,
    )  # fmt: skip
    names = [sheet.name for sheet in month.sheets]
    coming = arrivals(names, story, pd.Timestamp(month.world.start))
    settings = Settings(home=folder / "home")
    mornings = []
    told.step("evenings", story.days - story.calm_days)
    connection = psycopg2.connect(url)
    try:
        for evening in range(story.calm_days - 1, story.days - 1):
            inbox = _delivered(folder, coming.get(evening, []))
            options = Options(FEEDS / "simulated", inbox, database_url=url, gold_tests=False)
            run_flow(options, settings, SilentProgress())
            mornings.append(_promised(connection).assign(day=evening + 1))
            told.advance()
    finally:
        connection.close()
    told.done()
    return _beside_the_truth(pd.concat(mornings, ignore_index=True), month)


def _delivered(folder: Path, names: list[str]) -> Path:
    inbox = folder / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    inbox.mkdir()
    for name in names:
        target = inbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "all" / name, target)
    return inbox


def _promised(connection: extensions.connection) -> pd.DataFrame:
    with connection, connection.cursor() as cursor:
        cursor.execute(Schemas.of(None).render(PROMISED))
        names = [column.name for column in cursor.description or ()]
        frame = pd.DataFrame(cursor.fetchall(), columns=names)
    return frame.astype(dict.fromkeys(names[2:], float))


def _beside_the_truth(mornings: pd.DataFrame, month: SimulatedMonth) -> pd.DataFrame:
    """Add what is wanted and what lies there, for the stores; days begin when the last store has closed."""
    opening = pd.Timestamp(month.world.start, tz="UTC") + timedelta(hours=CLOSED_HOUR)
    frame = mornings[mornings["location_code"].isin(month.world.catalog.stores["location_code"])].copy()
    frame["at"] = (opening + pd.to_timedelta(frame["day"], unit="D")).astype("datetime64[s, UTC]")
    hourly = month.stock_hourly[["product_code", "location_code", "at", "physical"]].sort_values("at")
    key = ["product_code", "location_code"]
    frame = pd.merge_asof(frame.sort_values("at"), hourly, on="at", by=key)
    frame["physical"] = frame["physical"].fillna(0)
    wanted = _wanted(month, opening)
    frame["wanted"] = wanted.reindex(pd.MultiIndex.from_frame(frame[[*key, "day"]])).fillna(0).to_numpy()
    return frame.drop(columns="at").sort_values(["day", "location_code", "product_code"], ignore_index=True)


def _wanted(month: SimulatedMonth, opening: pd.Timestamp) -> pd.Series:
    """Return units that customers came for by product, store and day: bought, or missed on an empty shelf."""
    world = month.world
    sales = world.movements.loc[world.movements["movement_class"] == "sale"]
    day = (pd.to_datetime(sales["at"], unit="s", utc=True) - opening) // timedelta(days=1)
    bought = -sales.assign(day=day).groupby(["product_code", "location_code", "day"])["quantity"].sum()
    axes = {
        "day": range(story_days := world.lost_sales.shape[0]),
        "location_code": world.catalog.stores["location_code"],
        "product_code": world.catalog.products["product_code"],
    }
    index = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    missed = pd.Series(world.lost_sales.reshape(story_days, -1).ravel(), index).reorder_levels([2, 1, 0])
    return bought.add(missed, fill_value=0)
