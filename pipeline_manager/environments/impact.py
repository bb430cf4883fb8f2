"""What an environment changes against prod, in terms of the business: by natural keys, in sets, at one instant.

Keys are the codes of product and place. A promise is what may be sold now (`gold.availability` without a channel). A
value is the change of on-hand at the product's standard cost, else at the cost that a movement of it told last.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from psycopg2 import extensions, sql
from psycopg2.extras import RealDictCursor

from etl_pipeline.core.names import Schemas
from load.postgres import connect
from pipeline_manager.environments.registry import environment_to_use
from pipeline_manager.warehouse import OpenWarehouse

MOST_EXAMPLES = 10
_PROD = Schemas.of(None)

_STOCK = """
    create temporary table {side}_stock on commit drop as
    select
        product_code, location_code, s.on_hand, s.sellable, a.available_to_sell as promise
    from {stock} as s
    full join (
        select product_code, location_code, available_to_sell from {availability} where channel_code is null
    ) as a using (product_code, location_code)
    where {is_asked}
"""
_CHANGED = """
    create temporary table changed on commit drop as
    select
        product_code, location_code,
        coalesce(p.on_hand, 0) as on_hand_before, coalesce(e.on_hand, 0) as on_hand_after,
        coalesce(p.promise, 0) as promise_before, coalesce(e.promise, 0) as promise_after,
        p.sellable > 0 and coalesce(e.sellable, 0) <= 0 as is_new_stockout,
        coalesce(p.sellable <= 0 and e.sellable > 0, false) as is_resolved_stockout
    from pg_temp.prod_stock as p
    full join pg_temp.env_stock as e using (product_code, location_code)
    where
        coalesce(p.on_hand, 0) <> coalesce(e.on_hand, 0)
        or coalesce(p.promise, 0) <> coalesce(e.promise, 0)
        or (p.sellable > 0) is distinct from (e.sellable > 0)
"""
_COSTS = """
    create temporary table product_cost on commit drop as
    select
        k.product_code, coalesce(d.standard_cost, m.unit_cost) as unit_cost,
        coalesce(d.currency, m.currency) as currency
    from (select distinct product_code from pg_temp.changed) as k
    left join {product} as d on k.product_code = d.product_code
    left join {product_key} as i on k.product_code = i.product_code
    left join lateral (
        select f.unit_cost, f.currency from {movement} as f
        where f.product_id = i.product_id and f.known_to is null and f.unit_cost >= 0 and d.standard_cost is null
        order by f.event_time desc, f.record_id desc limit 1
    ) as m on true
"""
_VALUED = """
    create temporary table valued on commit drop as
    select
        c.*, c.on_hand_after - c.on_hand_before as units,
        round((c.on_hand_after - c.on_hand_before) * k.unit_cost, 2) as value, k.currency
    from pg_temp.changed as c
    left join pg_temp.product_cost as k on c.product_code = k.product_code
"""
_TOTALS = """
    select
        count(*) filter (where units <> 0) as on_hand_keys,
        count(*) filter (where promise_before <> promise_after) as promise_keys,
        coalesce(sum(units) filter (where units > 0), 0) as units_more,
        coalesce(-sum(units) filter (where units < 0), 0) as units_less,
        coalesce(sum(promise_after - promise_before), 0) as promise_units,
        count(*) filter (where units <> 0 and value is null) as keys_without_cost,
        count(*) filter (where is_new_stockout) as new_stockouts,
        count(*) filter (where is_resolved_stockout) as resolved_stockouts
    from pg_temp.valued
"""
_VALUES = """
    select coalesce(currency, '') as currency, sum(value) as value
    from pg_temp.valued where value is not null and units <> 0 group by 1 order by 1
"""
_EXAMPLES = """
    select
        product_code, location_code, on_hand_before, on_hand_after, promise_before, promise_after, value, currency,
        is_new_stockout, is_resolved_stockout
    from pg_temp.valued
    order by
        is_new_stockout desc, abs(coalesce(value, 0)) desc, abs(units) desc, abs(promise_after - promise_before) desc,
        product_code, location_code
    limit %(most)s
"""
_FEEDS = """
    with feed_before as (
        select
            feed, count(*) as files, sum(records) as records, sum(quarantined) as set_aside,
            count(*) filter (where status = 'set_aside') as files_set_aside
        from {prod_file} where {is_asked} group by feed
    ),
    feed_after as (
        select
            feed, count(*) as files, sum(records) as records, sum(quarantined) as set_aside,
            count(*) filter (where status = 'set_aside') as files_set_aside
        from {env_file} group by feed
    )
    select
        feed,
        coalesce(a.files, 0) - coalesce(b.files, 0) as files,
        coalesce(a.records, 0) - coalesce(b.records, 0) as records,
        coalesce(a.set_aside, 0) - coalesce(b.set_aside, 0) as set_aside,
        coalesce(a.files_set_aside, 0) - coalesce(b.files_set_aside, 0) as files_set_aside
    from feed_before as b full join feed_after as a using (feed)
    order by feed
"""
_CONTRACTS = """
    select
        feed,
        case when p.feed is null then 'added' when e.feed is null then 'removed' else 'changed' end as what
    from (select feed, contract_hash from {prod_feed} where {is_asked}) as p
    full join {env_feed} as e using (feed)
    where p.contract_hash is distinct from e.contract_hash
    order by feed
"""


@dataclass(frozen=True)
class Impact:
    """What an environment changes.

    Attributes:
        env: its name.
        against: `prod`, or `nothing` where it began empty or prod has no gold.
        on_hand_keys: product-locations whose on-hand differs.
        promise_keys: product-locations whose promise differs.
        units_more: units on hand that there are more, in base units.
        units_less: units on hand that there are less.
        promise_units: by how much all that may be sold now differs.
        values: change of the value of stock at cost, by currency.
        keys_without_cost: product-locations whose on-hand differs and that have no cost.
        new_stockouts: product-locations that had something to sell in prod and have nothing here.
        resolved_stockouts: the other way round.
        examples: the worst of what differs.
        feeds: by feed, what was received and set aside more (or less) than in prod.
        contracts: feeds whose contract was added, changed or removed.
    """

    env: str
    against: str = "prod"
    on_hand_keys: int = 0
    promise_keys: int = 0
    units_more: Decimal = Decimal(0)
    units_less: Decimal = Decimal(0)
    promise_units: Decimal = Decimal(0)
    values: Mapping[str, Decimal] = field(default_factory=dict)
    keys_without_cost: int = 0
    new_stockouts: int = 0
    resolved_stockouts: int = 0
    examples: tuple[Mapping[str, Any], ...] = ()
    feeds: tuple[Mapping[str, Any], ...] = ()
    contracts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        """Whether it is as prod is."""
        return not (self.on_hand_keys or self.promise_keys or self.examples or self.feeds or self.contracts)

    @property
    def records_set_aside(self) -> int:
        """Records that are set aside here and not in prod."""
        return sum(int(feed["set_aside"]) for feed in self.feeds)

    def as_json(self) -> dict[str, Any]:
        """Return it for machines; numbers are numbers."""
        whole: dict[str, Any] = _plain(asdict(self))
        return whole | {"is_nothing": self.is_nothing, "records_set_aside": self.records_set_aside}

    def as_text(self) -> str:
        """Return it for a terminal."""
        from pipeline_manager.environments.impact_page import text

        return text(self)

    def as_markdown(self) -> str:
        """Return it as a comment of an issue or a pull request."""
        from pipeline_manager.environments.impact_page import markdown

        return markdown(self)


def impact(opened: OpenWarehouse) -> Impact:
    """Compare an environment with prod as both are at one instant; nothing is written.

    Args:
        opened: the environment, opened with `open_warehouse`; prod itself changes nothing.
    """
    env = opened.warehouse.schemas.env
    if opened.environment is None:
        return Impact(env)
    # The owner's connection: an environment that began empty may not read prod.
    with closing(connect(opened.url)) as connection:
        found = environment_to_use(connection, env)
        if found.detached_at is None:
            return Impact(env)
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute("set transaction isolation level repeatable read; set local client_min_messages = warning")
            if not _has_gold(cursor, found.schemas):
                return Impact(env, "nothing")
            against = "prod" if found.origin == "prod" and _has_gold(cursor, _PROD) else "nothing"
            made = _compared(cursor, found.schemas, against)
        connection.rollback()
    return made


def _has_gold(cursor: extensions.cursor, schemas: Schemas) -> bool:
    names = [f"{schemas.gold}.{view}" for view in ("stock_on_hand", "availability", "feed_file", "product")]
    cursor.execute("select bool_and(to_regclass(n) is not null) as is_there from unnest(%s) as n", (names,))
    return bool((cursor.fetchone() or {"is_there": False})["is_there"])  # type: ignore[call-overload]


def _compared(cursor: extensions.cursor, schemas: Schemas, against: str) -> Impact:
    is_asked = sql.SQL("true" if against == "prod" else "false")
    # Without prod there is nothing to read there, but the views have to exist for the statement.
    prod = _PROD if against == "prod" else schemas
    for side, of, wanted in (("prod", prod, is_asked), ("env", schemas, sql.SQL("true"))):
        cursor.execute(
            sql.SQL(_STOCK).format(
                side=sql.SQL(side),
                stock=sql.Identifier(of.gold, "stock_on_hand"),
                availability=sql.Identifier(of.gold, "availability"),
                is_asked=wanted,
            )
        )
    cursor.execute(_CHANGED)
    cursor.execute("analyze pg_temp.changed")
    cursor.execute(
        sql.SQL(_COSTS).format(
            product=sql.Identifier(schemas.gold, "product"),
            product_key=sql.Identifier(schemas.silver, "product_key"),
            movement=sql.Identifier(schemas.silver, "fact_movement"),
        )
    )
    cursor.execute(_VALUED)
    cursor.execute(_TOTALS)
    totals = dict(cursor.fetchone() or {})
    cursor.execute(_VALUES)
    values = {row["currency"]: row["value"] for row in _rows(cursor)}
    cursor.execute(_EXAMPLES, {"most": MOST_EXAMPLES})
    examples = tuple(_rows(cursor))
    cursor.execute(
        sql.SQL(_FEEDS).format(
            prod_file=sql.Identifier(prod.gold, "feed_file"),
            env_file=sql.Identifier(schemas.gold, "feed_file"),
            is_asked=is_asked,
        )
    )
    feeds = tuple(row for row in _rows(cursor) if any(row[name] for name in row if name != "feed"))
    cursor.execute(
        sql.SQL(_CONTRACTS).format(
            prod_feed=sql.Identifier(prod.ops, "feed"), env_feed=sql.Identifier(schemas.ops, "feed"), is_asked=is_asked
        )
    )
    contracts = {row["feed"]: row["what"] for row in _rows(cursor)}
    return Impact(
        schemas.env, against, values=values, examples=examples, feeds=feeds, contracts=contracts, **totals
    )  # fmt: skip


def _rows(cursor: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in cursor.fetchall()]


def _plain(value: Any) -> Any:
    """Return a value with its decimals as numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
