"""Masters that come whole every day, without a time of change: what was said last holds, in any order of arrival."""

from itertools import permutations

import pytest

from test.pipeline_manager.small_retailer import PRODUCT, write_feeds, write_files

UNDATED = PRODUCT.replace("revision: {updated_at: updated}\n", "")
DAYS = {"product_2025-01-01.csv": "Ann", "product_2025-01-02.csv": "Bob", "product_2025-01-03.csv": "Ann"}
"""The name goes and comes back: the third file holds the very record of the first."""


@pytest.fixture
def undated(tmp_path):
    feeds = write_feeds(tmp_path / "feeds")
    (feeds / "product.yml").write_text(UNDATED.lstrip(), encoding="utf-8")
    return feeds


@pytest.mark.parametrize("order", list(permutations(DAYS)))
def test_a_product_that_is_described_as_before_once_more_is_so_again(make_warehouse, undated, tmp_path, order):
    warehouse = make_warehouse()
    for number, name in enumerate(order):
        inbox = write_files(tmp_path / str(number), {name: f"A,{DAYS[name]},EA,x\n"})
        warehouse.run(undated, inbox)
    assert warehouse.rows("select product_name from gold.product") == [("Ann",)]
    history = warehouse.rows(
        "select product_name, valid_from::date::text from gold.product_history order by valid_from"
    )
    assert [name for name, _ in history] == ["Ann", "Bob", "Ann"]
