"""Codes and keys of thousands of characters, as broken quotes make them: set aside in a sentence, never a stop."""

from random import Random

import pytest

from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_feeds, write_files

LONG = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
"""Nothing that compression makes short."""
GOOD = "M1,1,1,A,W1,2025-01-05T10:00:00,7,,in,\n"
COLUMNS = dict(enumerate(HEADERS["move"].split(",")))


def with_long(column: str) -> str:
    values = {"doc": "M2", "line": "1", "rev": "1", "sku": "A", "place": "W1", "at": "2025-01-05T11:00:00", "qty": "1",
              "unit": "", "kind": "in", "status": ""}  # fmt: skip
    return ",".join({**values, column: LONG}.values()) + "\n"


@pytest.mark.parametrize("column", HEADERS["move"].split(","))
def test_a_text_of_thousands_of_characters_stops_no_load(warehouse, tmp_path, column):
    feeds = write_feeds(tmp_path / "feeds")
    inbox = write_files(tmp_path / "in", {**MASTERS, "move_2025-01-06.csv": GOOD + with_long(column)})
    warehouse.run(feeds, inbox)
    stock = warehouse.value("select on_hand from gold.stock_on_hand where product_code = 'A'")
    waiting = warehouse.rows("select reason, sentence from gold.quarantine")
    assert stock == (8 if column == "status" else 7) and (len(waiting) == 1 or column == "status"), waiting
    assert warehouse.books() == []
    assert all(len(sentence) < 1_000 for _, sentence in waiting)
