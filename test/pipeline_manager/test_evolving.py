"""`systock feeds evolve`: what it proposes loads, answers what it says, and leaves the rest as it was."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_pipeline.contracts.drifting import Drift, is_answered
from etl_pipeline.contracts.loading import check_text, load_feeds
from etl_pipeline.core.errors import StopRunError, UsageError
from pipeline_manager.evolve_command import evolve
from pipeline_manager.evolving import propose
from test.pipeline_manager.drifting_shop import SALES, Shop
from test.pipeline_manager.small_retailer import RETAILER


@pytest.fixture
def shop(warehouse, tmp_path, monkeypatch):
    monkeypatch.setenv("SYSTOCK_HOME", str(warehouse.home))
    return Shop(warehouse, tmp_path)


def evolved(shop: Shop, capsys: pytest.CaptureFixture[str], *, write: bool = True) -> str:
    evolve("sales", shop.feeds, write=write, env=None, database_url=shop.warehouse.url)
    return capsys.readouterr().out


def test_nothing_is_proposed_for_a_feed_that_has_not_changed(shop, capsys):
    shop.calm()
    before = shop.contract.read_text()
    assert "nothing to change" in evolved(shop, capsys)
    assert shop.contract.read_text() == before


def test_without_write_the_change_is_only_shown(shop, capsys):
    shop.calm()
    shop.put(4, shop.lines(4, discount="0"))
    shop.run()
    before = shop.contract.read_text()
    out = evolved(shop, capsys, write=False)
    assert "+  ignore: [discount]" in out
    assert "Nothing was written. To write it: systock feeds evolve sales" in out
    assert shop.contract.read_text() == before
    assert [path.name for path in shop.feeds.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("changed", "options", "line"),
    [
        ({}, {"rename": {"sku": "sku_code"}}, "+  aliases: {sku: [sku_code]}"),
        ({}, {"rename": {"sku": "ARTIKEL"}}, "+  aliases: {sku: [ARTIKEL]}"),
        (
            {"at": "{day:02}/02/2025 10:0{n}:00"},
            {},
            '+reading: {role: authority, future_tolerance_hours: 9000, formats: [iso, "%d/%m/%Y %H:%M:%S"]}',
        ),
        ({"qty": '"{qty},0"'}, {}, '+reading: {role: authority, future_tolerance_hours: 9000, decimal: ","}'),
    ],
)
def test_what_was_set_aside_is_taken_in_after_write_and_retry_and_raises_no_drift(shop, capsys, changed, options, line):
    shop.calm()
    day = 4
    shop.put(day, shop.lines(day, **{k: v.replace("{day:02}", f"{day:02}") for k, v in changed.items()}), **options)
    assert shop.run().quarantined > 0
    out = evolved(shop, capsys)
    assert line in out
    assert "Written. Take in what was set aside: systock quarantine retry" in out

    report = shop.warehouse.run(shop.feeds, None, retry=True)
    assert report.quarantined == 0
    assert report.drift == []
    assert [row[2] for row in shop.drift()] == ["accepted"]
    sold = "select sum(quantity), count(*) from silver.fact_movement where known_to is null"
    assert shop.warehouse.rows(sold) == [(-40, 16)]
    shop.put(5, shop.lines(5, **{k: v.replace("{day:02}", "05") for k, v in changed.items()}), **options)
    assert (shop.run().drift, shop.run().quarantined) == ([], 0)
    assert "nothing to change" in evolved(shop, capsys)


def test_what_it_is_not_sure_of_is_a_comment_at_its_place_and_said_once(shop, capsys):
    shop.calm()
    shop.put(4, shop.lines(4, kind="X"), drop="shelf")
    shop.run()
    out = evolved(shop, capsys)
    assert "0 answered, 2 marked" in out
    text = shop.contract.read_text()
    assert "      # unsure: 'kind' has new values: X. What do they mean?" in text
    assert text.index("# unsure: 'kind'") < text.index("movement_class:")
    assert "# unsure: 'shelf' is gone; ask the sender." in text
    assert "nothing to change that is not marked" in evolved(shop, capsys)
    assert shop.contract.read_text() == text


def test_two_columns_that_need_the_same_change_get_it_once(shop, capsys):
    shop.calm()
    shop.put(4, shop.lines(4, discount="0", operator="Ann"))
    shop.run()
    evolved(shop, capsys)
    assert "  ignore: [discount, operator]\n" in shop.contract.read_text()


def test_a_contract_changed_meanwhile_is_not_written_over(shop, capsys):
    shop.calm()
    shop.put(4, shop.lines(4, discount="0"))
    made = propose(shop.feeds, "sales", [Drift("sales", "added", "discount", {})])
    shop.contract.write_text(shop.contract.read_text() + "# mine\n")
    with pytest.raises(StopRunError, match="changed in the meantime"):
        made.write()
    assert shop.contract.read_text().endswith("# mine\n")


def test_a_feed_that_is_not_there_is_named(shop):
    with pytest.raises(UsageError, match="no contract of a feed 'sale'"):
        propose(shop.feeds, "sale", [])


WAYS = {
    "flow": 'files: {pattern: "s_*.csv"}  # all of them\n',
    "block": """files:
  # where they lie
  pattern: s_*.csv

  # names of old
  aliases:
    sku: [item]
    # the till's own
    qty:
      - pieces  # old
      - units
  ignore:
  - one

""",
    "windows": "files:\r\n  pattern: s_*.csv # here\r\n  ignore: [a, b ]\r\n",
    "empty": "files: {pattern: s_*.csv, ignore: [], aliases: {}}\n",
    "long": "files: {\n  pattern: s_*.csv, # so\n  # and so\n  ignore: [\n    a,\n    b # last\n  ]\n}\n",
}
REST = SALES.format(ending="csv", format="delimited", more="").split("files:")[0].lstrip()
TAIL = "reading:" + SALES.format(ending="csv", format="delimited", more="").split("reading:")[1]
NAME = st.one_of(
    st.sampled_from(
        ["item code", "a: b", "#1", "- x", "null", "007", "{a}", "[b]", "'q'", '"', "é€", "*x", "&y", "no", "!!t"]
    ),
    st.text(min_size=1, max_size=12).map(str.strip).filter(bool),
)
DRIFTS = st.lists(
    st.one_of(
        st.builds(lambda name: Drift("sales", "added", name, {"samples": ["1"]}), NAME),
        st.builds(lambda name: Drift("sales", "lost", name, {"is_used": False}), NAME),
        st.builds(
            lambda old, new, sure: Drift("sales", "renamed", old, {"to": new, "likeness": sure}),
            st.sampled_from(["sku", "qty", "shelf"]), NAME, st.sampled_from([0.7, 0.9]),
        ),
        st.builds(lambda value: Drift("sales", "new_value", "kind", {"values": [value], "by": "map"}), NAME),
        st.just(Drift("sales", "retyped", "at", {"is_sure": True, "reads_as": {"format": "%d.%m.%Y"}})),
        st.just(Drift("sales", "retyped", "qty", {"is_sure": True, "reads_as": {"decimal": ",", "thousands": "."}})),
        st.just(Drift("sales", "retyped", "sku", {"is_sure": True, "reads_as": {"clean": "strip_decimal_zero"}})),
        st.builds(lambda text: Drift("sales", "retyped", "qty", {"samples": [text]}), NAME),
    ),
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize("way", sorted(WAYS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drifts=DRIFTS)
def test_what_is_proposed_loads_answers_what_it_says_and_keeps_every_line(tmp_path, way, drifts):
    end = "\r\n" if way == "windows" else "\n"
    text = REST.replace("\n", end) + WAYS[way] + TAIL.replace("\n", end)
    folder = tmp_path / "feeds"
    folder.mkdir(exist_ok=True)
    (folder / "retailer.yml").write_text(RETAILER.lstrip(), encoding="utf-8")
    (folder / "sales.yml").write_bytes(text.encode())
    made = propose(folder, "sales", drifts)
    made.path.write_bytes(made.after.encode())
    contract = load_feeds(folder).contracts["sales"]
    assert all(is_answered(contract, drift) for drift in made.sure)
    again = propose(folder, "sales", drifts)
    assert again.sure == []
    if not any(drift.kind == "retyped" for drift in drifts):
        before, _, _ = check_text(text)
        assert before is not None
        assert contract.model_copy(update={"files": before.files}) == before
        kept = [part for part in made.after.splitlines() if part in text.splitlines()]
        assert len(kept) >= len(text.splitlines()) - 3
