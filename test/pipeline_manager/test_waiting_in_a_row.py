"""Records that wait for one thing after the other: what comes in the same batch as they are judged is heard too."""

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files

MOVE = {"move_2025-01-06.csv": "M1,1,1,old-A,W1,2025-01-05T10:00:00,7,,in,\n"}
ALIAS = {"alias_2025-01-05.csv": "old-A,A,2025-01-05\n"}


def test_a_movement_and_the_alias_it_needs_are_both_let_in_by_the_master_that_both_wait_for(warehouse, tmp_path):
    feeds = write_feeds(tmp_path / "feeds")
    warehouse.run(feeds, write_files(tmp_path / "early", {**MOVE, **ALIAS}))
    reasons = warehouse.rows("select reason, wants_key from gold.quarantine order by 1")
    assert reasons == [("unknown_product", "A"), ("unknown_reference", "in")]

    warehouse.run(feeds, write_files(tmp_path / "masters", MASTERS))
    assert warehouse.rows("select product_code, on_hand from gold.stock_on_hand") == [("A", 7)]
    assert warehouse.value("select count(*) from gold.quarantine") == 0
