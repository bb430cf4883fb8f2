"""The content hash: equal where the warehouse says the same, different where it does not."""

from data_warehouse.content_hash import content_hash
from etl_pipeline.core.names import Schemas

HEAD = "feed|document|product_code|location_code|event_time|quantity|movement_class\n"
ONE = "pos|D1|A100|S1|2025-01-01T09:00:00Z|-1|sale"
TWO = "wms|D2|B200|W1|2025-01-01T10:00:00Z|5.0|receipt"
CHANGED = "wms|D2|B200|W1|2025-01-01T10:00:00Z|6|receipt"


def hashes(warehouse):
    return content_hash(warehouse.connection, Schemas.of(None))


def test_what_was_loaded_first_does_not_matter_and_what_was_said_does(warehouse):
    stories = []
    for story in ([ONE, TWO], [TWO, ONE], [ONE, CHANGED]):
        warehouse.connection.autocommit = False
        for line in story:
            warehouse.load()
            warehouse.tell("movement", HEAD + line)
        warehouse.run("select silver.open_work()")
        warehouse.run("insert into recomputed_key select product_id, location_id from silver.fact_movement")
        warehouse.run("select silver.refresh_position(%s)", (warehouse.known,))
        warehouse.run("update silver.record set record_no = 1, line_no = 1")  # as a real file's would be
        stories.append(hashes(warehouse))
        warehouse.connection.rollback()
        warehouse.known = 0
    first, second, third = stories
    assert first == second
    assert {name for name in first if first[name] != third[name]} == {
        "silver.record", "silver.revision", "silver.fact_movement", "silver.position", "silver.account_entry",
        "gold.stock_movement", "gold.stock_on_hand", "gold.stock_on_hand_detail", "gold.stock_band",
        "gold.availability", "gold.atp", "gold.stock_ageing", "gold.safety_stock", "gold.stock_valuation",
        "gold.count_list", "gold.record_trust", "gold.stock_value_change", "gold.days_of_supply", "total",
    }  # fmt: skip


def test_snapshots_and_work_lists_are_left_out_and_all_else_is_in(warehouse):
    warehouse.connection.autocommit = False
    found = set(hashes(warehouse))
    every = {
        f"{schema}.{name}"
        for schema, name in warehouse.rows(
            "select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid "
            "where n.nspname in ('silver', 'gold') and c.relkind in ('r', 'v')"
        )
    }
    assert every - found == {
        "silver.file_reference", "silver.file_copy", "silver.merge_link", "silver.product_key", "silver.location_key",
        "silver.product_family", "silver.latest_movement", "silver.told_again", "silver.rate_due", "silver.rate_basis",
        "gold.snapshot", "gold.stock_snapshot", "gold.product_snapshot", "gold.sales_snapshot",
        "gold.snapshot_difference",
        "gold.oversell", "gold.feed_health", "silver.value_flow", "silver.fifo_layer",
        "silver.fifo_match", "silver.value_entry", "silver.stock_balance", "silver.position_sum",
    }  # fmt: skip


def test_the_hash_depends_on_no_setting_of_the_session(warehouse):
    warehouse.tell("movement", HEAD + ONE)
    warehouse.connection.autocommit = False
    before = hashes(warehouse)
    warehouse.run("set timezone = 'Asia/Tokyo'; set datestyle = 'German'")
    assert hashes(warehouse) == before
