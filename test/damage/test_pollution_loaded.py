"""Dozens of the damaged files through the whole flow into PostgreSQL: what is there is what was judged without it."""

from pathlib import Path

import pytest

from test.damage.canaries import FEEDS, MASTERS, RETAILER, master_contract
from test.damage.judge import Verdict, judge
from test.damage.kinds import corpus

EACH = 17
FACTS = """
    select document, line, product_code, location_code, sold_at, quantity, unit_price, net_amount, customer_code
    from gold.sale_line where file_name = %s
"""


def write_feeds(folder: Path) -> Path:
    folder.mkdir()
    (folder / "retailer.yml").write_text(RETAILER.lstrip(), encoding="utf-8")
    for kind in MASTERS:
        (folder / f"{kind}_master.yml").write_text(master_contract(kind), encoding="utf-8")
    for feed in FEEDS.values():
        (folder / f"{feed.name}.yml").write_text(feed.contract_text(), encoding="utf-8")
    return folder


def write_inbox(inbox: Path, verdicts: list[Verdict]) -> Path:
    for verdict in verdicts:
        path = inbox / verdict.file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(verdict.file.damaged.content)
    for kind, (text, _, _) in MASTERS.items():
        (inbox / f"{kind}.csv").write_text(text, encoding="utf-8")
    return inbox


@pytest.fixture(scope="module")
def loaded(make_warehouse, tmp_path_factory):
    """A warehouse with some damaged files of every feed in it, and what was judged of them."""
    folder = tmp_path_factory.mktemp("pollution")
    verdicts = judge([file for file in corpus() if file.case.number % EACH == 0], folder)
    warehouse = make_warehouse()
    warehouse.run(write_feeds(folder / "feeds"), write_inbox(folder / "inbox", verdicts))
    return warehouse, verdicts


def test_the_facts_of_damaged_files_are_those_of_their_clean_rows(loaded):
    warehouse, verdicts = loaded
    assert len(verdicts) > 50
    for verdict in verdicts:
        assert verdict.faults == []
        found = {tuple(row[:2]): tuple(row[2:]) for row in warehouse.rows(FACTS, (verdict.file.name,))}
        assert found == verdict.facts, str(verdict.file)


def test_what_was_set_aside_waits_with_its_reason_and_its_bytes(loaded):
    warehouse, verdicts = loaded
    for verdict in verdicts:
        status, reason = warehouse.rows("select status, reason from gold.feed_file where file_name = %s",
                                        (verdict.file.name,))[0]  # fmt: skip
        if verdict.file_reason:
            assert (status, reason) == ("set_aside", verdict.file_reason[0]), str(verdict.file)
            continue
        assert status == "loaded", str(verdict.file)
        waiting = warehouse.rows(
            "select q.reason, q.raw from silver.quarantine as q inner join bronze.file as f using (file_id) "
            "where f.name = %s and q.known_to is null",
            (verdict.file.name,),
        )
        assert sorted((reason, bytes(raw)) for reason, raw in waiting) == sorted(
            (reason, raw) for reason, _, raw in verdict.aside
        ), str(verdict.file)


def test_the_records_of_damaged_files_add_up_and_tile_them(loaded):
    warehouse, verdicts = loaded
    assert warehouse.books() == []
    assert warehouse.untiled() == []
    for verdict in verdicts:
        if verdict.file_reason is None and verdict.file.kind != "packed":
            number = warehouse.value("select file_id from bronze.file where name = %s", (verdict.file.name,))
            assert warehouse.bytes_of(number) == verdict.file.damaged.content, str(verdict.file)
