"""What an environment changes is told in units, money and stock-outs, by codes of product and place."""

import json
import re
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from etl_pipeline.core.names import Schemas
from pipeline_manager.commands import app
from pipeline_manager.environments.impact import Impact, impact
from pipeline_manager.environments.impact_page import code, markdown, text
from pipeline_manager.warehouse import open_warehouse
from test.security.payloads import PAYLOADS

MORE = {
    "move_2025-02-03.csv": "E1,1,1,A,W1,2025-02-03T09:00:00,7,EA,in,\nE2,1,1,B,W1,2025-02-03T09:00:00,-3,EA,out,\n"
    "E3,1,1,NEVER,W1,2025-02-03T09:00:00,1,EA,in,\n"
}


def impact_of(prod, name: str) -> Impact:
    with open_warehouse(prod.url, prod.settings, Schemas.of(name)) as opened:
        return impact(opened)


def test_an_environment_that_never_wrote_changes_nothing(prod):
    prod.environment("lab", "prod")
    found = impact_of(prod, "lab")
    assert found.is_nothing
    assert found.as_text() == "Environment 'lab' against prod: nothing changed."


def test_a_file_more_is_told_in_units_stockouts_and_records_set_aside(prod, feeds, write):
    prod.environment("lab", "prod")
    prod.run(feeds, write("second", MORE), env="lab")
    found = impact_of(prod, "lab")

    assert (found.on_hand_keys, int(found.units_more), int(found.units_less)) == (2, 7, 3)
    assert (found.new_stockouts, found.resolved_stockouts, found.keys_without_cost) == (1, 0, 2)
    by_key = {(one["product_code"], one["location_code"]): one for one in found.examples}
    assert by_key["A", "W1"]["on_hand_after"] - by_key["A", "W1"]["on_hand_before"] == 7
    assert by_key["B", "W1"]["is_new_stockout"]
    assert [(f["feed"], f["files"], f["set_aside"]) for f in found.feeds] == [("move", 1, 1)]
    assert found.contracts == {}
    assert "1 new stock-outs" in found.as_text()
    # Prod takes the same file: nothing differs any more, however the numbers inside were given out.
    prod.run(feeds, write("second", MORE))
    assert impact_of(prod, "lab").is_nothing


def test_a_changed_and_a_new_contract_are_named_and_money_is_told_at_standard_cost(prod, feeds, write):
    product = feeds / "product.yml"
    product.write_text(product.read_text().replace("base_unit: unit}", "base_unit: unit, standard_cost: {const: 2.5}}"))
    other = (feeds / "move.yml").read_text().replace("feed: move", "feed: move_b").replace("move_*.csv", "other_*.csv")
    (feeds / "move_b.yml").write_text(other)
    prod.environment("lab", "prod")
    new_master = {"product_2025-01-02.csv": "A,Apple,EA,2025-01-02\nB,Bread,EA,2025-01-02\n"}
    prod.run(feeds, write("second", MORE | new_master), env="lab")
    found = impact_of(prod, "lab")
    assert found.contracts == {"product": "changed", "move_b": "added"}
    assert list(found.values.values()) == [Decimal("10.00")]


def test_an_empty_environment_is_told_against_nothing(prod, feeds, write):
    prod.environment("lab", "empty")
    prod.run(feeds, write("second", MORE), env="lab")
    found = impact_of(prod, "lab")
    assert (found.against, found.on_hand_keys) == ("nothing", 0)  # no masters: all of it waits
    assert [(f["feed"], f["set_aside"]) for f in found.feeds] == [("move", 3)]


def test_the_commands_create_list_compare_and_drop(prod, feeds, write, tmp_path, monkeypatch):
    monkeypatch.setenv("SYSTOCK_HOME", str(prod.home))
    monkeypatch.setenv("SYSTOCK_DATABASE_URL", prod.url)

    def systock(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.output

    assert systock("env", "list") == (0, "There are no environments beside prod. Create one: systock env create NAME\n")
    code_, said = systock("env", "create", "lab", "--days", "2")
    assert (code_, "shows prod as of load" in said) == (0, True)
    assert "is there already" in systock("env", "create", "lab")[1]
    assert systock("env", "create", "Robert'); drop")[0] == 2
    prod.run(feeds, write("second", MORE), env="lab")
    (listed,) = json.loads(systock("env", "list", "--json")[1])
    assert (listed["name"], listed["has_own_tables"], listed["size_bytes"] > 1e6) == ("lab", True, True)
    assert "MB of its own, last load" in systock("env", "list")[1]
    assert json.loads(systock("env", "diff", "lab", "--format", "json")[1])["new_stockouts"] == 1
    assert systock("env", "diff", "lab", "--format", "markdown", "--out", str(tmp_path / "c.md")) == (0, "")
    assert "| `B` | `W1` |" in (tmp_path / "c.md").read_text()
    assert "shows prod" in systock("env", "refresh", "lab")[1]
    assert systock("env", "gc")[1] == "Nothing is expired or half made.\n"
    assert "is gone" in systock("env", "drop", "lab")[1]
    assert systock("env", "drop", "lab") == (0, "There is no environment 'lab'; nothing was done.\n")
    assert systock("env", "diff", "lab")[0] == 2


def hostile(payload: str) -> Impact:
    example = {
        "product_code": payload, "location_code": payload, "on_hand_before": Decimal(1), "on_hand_after": Decimal(2),
        "promise_before": Decimal(0), "promise_after": Decimal(1), "value": Decimal("1.50"), "currency": payload,
        "is_new_stockout": True, "is_resolved_stockout": False,
    }  # fmt: skip
    feed = {"feed": payload, "files": 1, "records": 2, "set_aside": 1, "files_set_aside": 0}
    return Impact(
        "lab", on_hand_keys=1, values={payload: Decimal(1)}, examples=(example,), feeds=(feed,),
        contracts={payload: "changed"},
    )  # fmt: skip


CALLS = ["@everyone", "`@a`", "``` @a", "a|b|@c", "[x](http://x)", "![x](y)", "<img src=x>", "#12", "x\\", "<!-- -->"]


@pytest.mark.fast
def test_nothing_from_data_leaves_its_cell_or_calls_anybody():
    plain = markdown(hostile("A")).splitlines()
    for payload in [*PAYLOADS, *CALLS, "", " ", "\n\n# Title\n"]:
        lines = markdown(hostile(payload)).splitlines()
        assert len(lines) == len(plain), payload
        for line, usual in zip(lines, plain, strict=True):
            assert line.count("|") == usual.count("|"), payload
            outside = re.sub(r"`[^`]*`", "", line)
            assert not re.search(r"[@\[\]<>`\\]|http|www", outside.replace("->", "")), payload
        assert len(text(hostile(payload)).splitlines()) == len(text(hostile("A")).splitlines()), payload
    assert code("`") == "`\u02cb`"
