"""What the summary says of all stock: asked when something has changed, and only then."""

from contextlib import closing
from decimal import Decimal

import psycopg2

from extract.bench_lines import write_lines


def told_instead(warehouse, place: str) -> None:
    """Put another place into what is kept: whoever says it has not asked gold."""
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "update ops.setting set value = replace(value, %s, 'ELSEWHERE') where name = 'summary'", (place,)
        )


def test_a_run_that_loads_nothing_says_what_the_last_one_said_and_a_load_is_asked_about(
    warehouse, feeds_folder, tmp_path
):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    write_lines(inbox / "one.csv", 200)
    first = warehouse.run(feeds_folder / "bench", inbox)
    assert first.stock
    assert first.risks
    assert all(isinstance(row["on_hand"], Decimal) for row in first.stock)

    again = warehouse.run(feeds_folder / "bench", inbox)
    assert (again.stock, again.risks) == (first.stock, first.risks)
    assert isinstance(again.stock[0]["on_hand"], Decimal)

    told_instead(warehouse, first.stock[0]["location_code"])
    assert warehouse.run(feeds_folder / "bench", inbox).stock[0]["location_code"] == "ELSEWHERE"

    write_lines(inbox / "two.csv", 200, seed=3, begin=400, total=1_000)
    after = warehouse.run(feeds_folder / "bench", inbox)
    assert sum(row["on_hand"] for row in after.stock) < sum(row["on_hand"] for row in first.stock)
    assert after.stock[0]["location_code"] == first.stock[0]["location_code"]
