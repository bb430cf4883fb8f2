"""A code changes its meaning: what used it is judged again, also where a later revision had taken its place."""

from itertools import permutations

import pytest

from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_order_independence import assert_same

KILOS = MASTERS | {"product_2025-01-01.csv": "A,Apple,EA,2025-01-01\nB,Bread,KG,2025-01-01\n"}
FILES = {
    "move_2025-01-06.csv": "D,1,1,old,W1,2025-01-05T10:00:00,7,EA,in,\n",
    "move_2025-01-07.csv": "D,1,2,A,W1,2025-01-05T10:00:00,5,EA,in,\n",
    "alias_2025-01-02.csv": "old,A,2025-01-02\n",
    "alias_2025-01-03.csv": "old,B,2025-01-03\n",
}
"""The first revision names a code that comes to mean a product that has no pieces; the second does not name it."""


@pytest.mark.parametrize("order", list(permutations(FILES)))
def test_a_superseded_revision_is_judged_by_what_its_code_means_in_the_end(make_warehouse, tmp_path, order):
    feeds = write_feeds(tmp_path / "feeds")
    late, fresh = make_warehouse(), make_warehouse()
    late.run(feeds, write_files(tmp_path / "masters", KILOS))
    for number, name in enumerate(order):
        late.run(feeds, write_files(tmp_path / str(number), {name: FILES[name]}))
    fresh.run(feeds, write_files(tmp_path / "all", KILOS | FILES))

    assert_same(fresh, late)
    assert late.books() == []
    assert late.rows("select reason, record_no from gold.quarantine") == [("unknown_unit", 2)]
    assert late.value("select on_hand from gold.stock_on_hand where product_code = 'A'") == 5


COPIES = {
    "move_2025-01-06.csv": "D,1,1,old,W1,2025-01-05T10:00:00,7,EA,in,\n",
    "move_2025-01-07.csv": "D,1,1,old,W1,2025-01-05T10:00:00,7,EA,in,\n\n",
    "move_2025-01-08.csv": "D,1,1,old,W1,2025-01-05T10:00:00,7,EA,in,\n\n\n",
}


@pytest.mark.parametrize("order", list(permutations(COPIES)))
def test_a_record_that_is_taken_back_is_set_aside_in_every_file_that_repeats_it(make_warehouse, tmp_path, order):
    feeds = write_feeds(tmp_path / "feeds")
    late, fresh = make_warehouse(), make_warehouse()
    first, last = {"alias_2025-01-02.csv": "old,A,2025-01-02\n"}, {"alias_2025-01-03.csv": "old,B,2025-01-03\n"}
    late.run(feeds, write_files(tmp_path / "masters", KILOS | first))
    for number, names in enumerate([order[:2], order[2:]]):
        late.run(feeds, write_files(tmp_path / str(number), {name: COPIES[name] for name in names}))
    late.run(feeds, write_files(tmp_path / "last", last))
    fresh.run(feeds, write_files(tmp_path / "all", KILOS | first | last | COPIES))

    assert_same(fresh, late)
    assert late.books() == []
    assert late.rows("select file_name from gold.quarantine order by 1") == [(name,) for name in sorted(COPIES)]
