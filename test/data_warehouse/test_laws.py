"""The laws: kept on a sound warehouse, and each broken one is noticed."""

import pytest

from etl_pipeline.contracts.facts import MOVEMENT_CLASSES

TOLD = """
    product_code | location_code | event_time           | quantity | movement_class | order_document | order_line
    A100         | S1            | 2025-01-01T09:00:00Z | 10       | receipt        | P1             | 1
    A100         | S1            | 2025-01-02T09:00:00Z | -3       | sale           |                |
"""


@pytest.fixture
def sound(warehouse):
    """A sound warehouse: a file of two records, tiled by two blocks."""
    warehouse.load()
    warehouse.file("pos.csv", "pos", records=4, non_data=1, content_bytes=8)
    for number, start in enumerate((0, 3)):
        warehouse.run(
            "insert into bronze.block values (1, %s, %s, %s, 1, 1, '{0}', null, %s)",
            (number, start, (3, 8)[number], b"x" * (3, 5)[number]),
        )
    warehouse.tell("movement", TOLD)
    warehouse.settle()
    return warehouse


def broken(warehouse):
    found = warehouse.rows("select * from ops.check_laws(%s)", (warehouse.known,))
    assert [law for law, *_ in found] == ["1", "5", "6", "7", "8", "9", "10", "11", "13"]
    assert found == warehouse.rows(
        "select law, is_kept, violations, sentence from ops.law where known = %s order by cast(law as integer)",
        (warehouse.known,),
    )
    assert all(kept == (violations == 0) for _, kept, violations, _ in found)
    return {law: sentence for law, kept, _, sentence in found if not kept}


def test_a_sound_warehouse_keeps_every_law(sound):
    assert broken(sound) == {}


@pytest.mark.parametrize(
    ("harm", "laws"),
    [
        ("update bronze.file set records = 2", {"1"}),
        ("update bronze.block set byte_start = 4 where block_no = 1", {"1"}),
        ("update bronze.file set content_bytes = 9", {"1"}),
        ("delete from bronze.block", {"1"}),
        ("update silver.position set quantity = 8", {"5", "6", "9"}),
        ("delete from silver.position", {"5", "6"}),
        ("update silver.stock_balance set sellable = 8", {"5"}),
        ("update silver.stock_balance set is_out_now = true", {"5"}),
        ("delete from silver.stock_balance", {"5"}),
        ("update silver.stock_balance set location_id = 2", {"5"}),
        ("update silver.record set is_current = false where record_id = 1", {"8"}),
        (
            "insert into silver.quarantine select 1, 9, 9, 0, 1, '', 'no_rule', 's', null, null, 'c', k, null "
            "from generate_series(1, 2) as k",
            {"1", "13"},
        ),
        (
            "insert into silver.quarantine values (1, 9, 9, 0, 1, '', 'no_rule', 's', null, null, 'c', 1, 99)",
            {"13"},
        ),
    ],
)
def test_what_breaks_a_law_is_noticed(sound, harm, laws):
    sound.run(harm)
    assert set(broken(sound)) == laws


@pytest.mark.parametrize("others", [0, 100], ids=["most of what is there is asked", "a small part is asked"])
def test_a_key_with_two_current_revisions_is_noticed_however_much_else_is_there(sound, others):
    columns = "feed_id, epoch, document, line, content_hash, is_void, is_current, file_id, record_no, line_no"
    columns += ", byte_start, byte_end, known_from"
    sound.file("more.csv", "pos", records=others)
    for document, times, file_id in (
        ("(select document from silver.record where record_id = 1)", 1, 1),
        ("n", others, 2),
    ):
        sound.run(
            f"insert into silver.record ({columns}) select feed_id, epoch, cast({document} as text), line, "
            f"gen_random_uuid(), is_void, true, {file_id}, n + 9, line_no, 0, 1, known_from "
            f"from silver.record, generate_series(1, {times}) as n where record_id = 1"
        )
    found = sound.rows("select * from ops.law_8_one_revision(array[1]::bigint[], %s, false)", (sound.known,))
    document, line = sound.rows("select document, line from silver.record where record_id = 1")[0]
    assert found == [(f"pos {document} {line} has 2",)]


def test_a_movement_that_two_feeds_are_counted_for_is_noticed_by_name(sound):
    sound.tell("movement", "feed|" + TOLD.strip().splitlines()[0] + "\nerp|A100|S1|2025-01-01|10|receipt|P1|1")
    sound.settle()
    assert "A100, receipt of order P1 line 1 is told by erp and pos" in broken(sound)["7"]


def test_a_broken_chain_of_snapshots_is_noticed(sound):
    sound.run("select gold.snapshot_stock('2025-01-01')")
    assert broken(sound) == {}
    sound.run("set session_replication_role = replica")
    sound.run("update gold.snapshot set rows = 0, content_hash = 'x'")
    assert set(broken(sound)) == {"10"}


def test_the_laws_can_be_checked_within_the_transaction_of_a_load(sound):
    sound.connection.autocommit = False
    sound.run("create temporary table touched_key (product_id integer, location_id integer) on commit drop")
    sound.run("insert into touched_key values (1, 1)")
    assert broken(sound) == {}
    assert sound.rows("select * from pg_temp.touched_key") == [(1, 1)]
    sound.connection.rollback()


def test_every_movement_class_has_a_counter_account(sound):
    assert {name for (name,) in sound.rows("select movement_class from silver.movement_account")} == set(
        MOVEMENT_CLASSES
    )
