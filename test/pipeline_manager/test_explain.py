"""`systock explain`: a figure taken apart, down to file and line, and what was left out and why."""

import json
import re
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipeline_manager.commands import app
from pipeline_manager.explain import render
from pipeline_manager.explaining import Explanation, Part
from test.pipeline_manager import small_retailer as small

MOVES = {
    "move_2025-03-01.csv": (
        "R1,1,1,A,W1,2025-03-01T08:00:00Z,50,,in,\n"
        "S1,1,1,A,W1,2025-03-03T10:00:00Z,-5,,out,\n"
        "S2,1,1,A,W1,2025-03-03T11:00:00Z,-4,,out,\n"
        "S3,1,1,A,W1,2025-03-03T12:00:00Z,-1,,out,\n"
        "S4,1,1,APL,W1,2025-03-04T12:00:00Z,-2,,out,\n"
        "S5,1,1,A,W1,2025-03-09T12:00:00Z,-6,,out,\n"
        "X1,1,1,A,W1,2025-03-04T12:00:00Z,many,,out,\n"
    ),
    "count_2025-03-02.csv": "C1,1,A,W1,2025-03-02T12:00:00Z,48,item,unknown,\n",
    "alias_2025-01-01.csv": "APL,A,2025-01-01\nOLD\x1b[31mAPPLE,A,2025-01-01\n",
}
LATER = {
    "move_2025-03-05.csv": "S1,1,2,A,W1,2025-03-03T10:00:00Z,-3,,out,\nS2,1,2,A,W1,2025-03-03T11:00:00Z,-4,,out,void\n",
}
COPY = "doc,sku,place,at,qty,net\nF1,A,W1,2025-03-03T11:30:00Z,3,9\n"


@pytest.fixture(scope="module")
def loaded(make_warehouse, tmp_path_factory):
    """Two loads: movements and a count; then a correction and a void. A second feed copies the tills as shadow."""
    folder = tmp_path_factory.mktemp("small")
    feeds = small.write_feeds(folder / "feeds")
    copy = small.TICKET.replace("feed: ticket", "feed: copy").replace("ticket_", "copy_")
    (feeds / "copy.yml").write_text(copy.replace("role: authority", "role: shadow"), encoding="utf-8")
    inbox = small.write_files(folder / "inbox", small.MASTERS | MOVES)
    (inbox / "copy_2025-03-03.csv").write_text(COPY, encoding="utf-8")
    warehouse = make_warehouse()
    warehouse.run(feeds, inbox)
    warehouse.first = warehouse.value("select max(known) from ops.batch")
    small.write_files(inbox, LATER)
    warehouse.run(feeds, inbox)
    return warehouse


def explain(warehouse, *arguments, product="A", location="W1"):
    command = ["explain", "--product", product, "--location", location, "--database-url", warehouse.url, *arguments]
    return CliRunner().invoke(app, command, env={"COLUMNS": "160", "SYSTOCK_HOME": str(warehouse.home)})


def test_the_count_the_movements_and_the_balance_are_shown_with_file_and_line(loaded):
    shown = explain(loaded).output
    lines = [re.split(r"  +", line.strip()) for line in shown.splitlines() if re.match(r"  2025", line)]
    assert lines == [
        ["2025-03-02 12:00:00Z", "count C1", "48", "48", "count", "count_2025-03-02.csv", "2"],
        ["2025-03-03 10:00:00Z", "shipment", "-3", "45", "move", "move_2025-03-05.csv", "2"],
        ["2025-03-03 12:00:00Z", "shipment", "-1", "44", "move", "move_2025-03-01.csv", "5"],
        ["2025-03-04 12:00:00Z", "shipment", "-2", "42", "move", "move_2025-03-01.csv", "6"],
        ["2025-03-09 12:00:00Z", "shipment", "-6", "36", "move", "move_2025-03-01.csv", "7"],
    ]
    assert "On hand: 36  (counted 48, moved since -12)" in shown
    assert loaded.value("select on_hand from gold.stock_on_hand where product_code = 'A'") == 36


@pytest.mark.parametrize(
    "sentence",
    [
        "1 x before the count: the count has seen it, +50 in all",
        "2025-03-03 10:00:00Z shipment -5: move, move_2025-03-01.csv line 3 (by move_2025-03-05.csv line 2)",
        "2025-03-03 11:00:00Z shipment -4: move, move_2025-03-01.csv line 4 (by move_2025-03-05.csv line 3)",
        "1 x shadow: another feed is the authority, -3 in all",
        "2025-03-03 11:30:00Z sale -3: copy, copy_2025-03-03.csv line 2",
        "1 x voided by a later revision",
        "1 x superseded by another revision",
        "move, move_2025-03-01.csv line 8: not_a_number: ",
    ],
)
def test_what_was_not_counted_is_listed_with_its_reason(loaded, sentence):
    assert sentence in explain(loaded).output


def test_an_earlier_load_and_instant_give_what_was_known_then(loaded):
    shown = explain(loaded, "--known", str(loaded.first), "--at", "2025-03-03T13:00:00+01:00").output
    assert "On hand: 38  (counted 48, moved since -10)" in shown
    assert "2 x after the instant asked for, -8 in all" in shown
    assert "1 x told by a later load than asked for, -3 in all\n    2025-03-03 10:00:00Z shipment -3" in shown


def test_the_raw_text_of_each_record_is_shown_on_demand(loaded):
    assert "\n      S1,1,2,A,W1,2025-03-03T10:00:00Z,-3,,out,\n" in explain(loaded, "--bytes").output
    assert "S1,1,2,A" not in explain(loaded).output


def test_everything_is_in_the_json_too_and_adds_up(loaded):
    told = json.loads(explain(loaded, "--json", "--bytes").output)
    part = told["parts"][0]
    assert (told["total"], told["at"], part["product_code"]) == ("36", "infinity", "A")
    assert sum(int(fact["quantity"]) for fact in part["counted"]) == 36
    assert [fact["balance"] for fact in part["counted"]] == ["48", "45", "44", "42", "36"]
    assert part["counted"][1]["content"] == "S1,1,2,A,W1,2025-03-03T10:00:00Z,-3,,out,"
    reasons = {fact["reason"] for fact in part["not_counted"]}
    assert reasons == {"before_count", "shadow", "voided", "superseded", "quarantined"}


def test_another_code_of_a_product_is_resolved_and_said(loaded):
    shown = explain(loaded, product="APL").output
    assert shown.startswith("'APL' is another code of A.\n") and "On hand: 36" in shown


def test_characters_that_move_a_terminal_are_spelled_out(loaded):
    code = loaded.value("select alias_code from silver.alias where alias_code like 'OLD%%'")
    shown = explain(loaded, product=code).output
    assert "\x1b" not in shown and r"'OLD\x1b[31mAPPLE' is another code of A" in shown


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ({"product": "APPL"}, [], "Unknown product 'APPL'. Did you mean APL"),
        ({"product": "zzz"}, [], "Unknown product 'zzz'. Nothing in the warehouse looks like it."),
        ({"location": "w2"}, [], "Unknown location 'w2'. Did you mean W1?"),
        ({}, ["--known", "999"], "--known 999 is not a load of this warehouse: the latest is"),
        ({}, ["--at", "yesterday"], "--at 'yesterday' is not an instant with a zone."),
        ({}, ["--at", "2025-03-03T12:00:00"], "is not an instant with a zone."),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(loaded, arguments, options, sentence):
    ended = explain(loaded, *options, **arguments)
    assert ended.exit_code == 2 and sentence in ended.output


def test_a_long_history_is_cut_in_the_middle_and_its_sum_kept(loaded):
    fact = {
        "is_counted": True, "reason": None, "kind": "movement", "state": "sellable", "bin_code": "", "lot_code": "",
        "event_time": None, "class": "sale", "feed": "pos", "file_name": "f", "line_no": 1, "sentence": None,
    }  # fmt: skip
    facts = [fact | {"quantity": Decimal(-1), "balance": Decimal(-n)} for n in range(1, 101)]
    found = Explanation(
        "A", "itself", "A", "S1", "infinity", 1, parts=[Part("A", [{"quantity": Decimal(-100)}], facts)]
    )
    for everything, lines in ((False, 20), (True, 100)):
        console = Console(width=120, record=True, file=StringIO())
        render(found, console, everything=everything)
        shown = console.export_text()
        assert shown.count("  sale") == lines and "On hand: -100" in shown
        assert (re.search(r"80 movements more \(--all lists them\) +-80 +-90", shown) is None) is everything
