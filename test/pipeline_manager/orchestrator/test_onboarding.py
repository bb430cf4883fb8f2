"""A contract in an issue is a stranger's text: it is checked, kept in one folder, and refused in words."""

from pathlib import Path

import pytest

from etl_pipeline.contracts.loading import load_feeds
from pipeline_manager.orchestrator.asking import Asked
from pipeline_manager.orchestrator.onboarding import RefusedError, check_asked, lay_over
from test.run_warehouse import REPO
from test.security.payloads import PAYLOADS

pytestmark = pytest.mark.fast
PROD_FEEDS = REPO / "feeds" / "simulated"
CONTRACT = """\
feed: supplier_stage
describes: Movements that a supplier stages in our warehouse.
source_system: supplier
files:
  pattern: supplier/*.csv
key: {document: DOC, line: LINE}
reading: {zone: UTC}
yields:
  - fact: movement
    columns:
      product_code: SKU
      location_code: LOC
      event_time: AT
      quantity: QTY
      movement_class: {const: receipt}
"""


def asked(contract: str = CONTRACT, **more: str) -> Asked:
    return Asked(object_name="x", contract=contract, **more)


def test_a_right_contract_is_laid_over_prod_s(tmp_path):
    overlay = lay_over(asked(feed="supplier_stage", inbox="supplier"), PROD_FEEDS, tmp_path / "feeds")
    assert (overlay.feed, overlay.replaces) == ("supplier_stage", False)
    assert set(load_feeds(tmp_path / "feeds").contracts) == {*load_feeds(PROD_FEEDS).contracts, "supplier_stage"}
    assert "every_hours" in overlay.notes


def test_a_contract_of_a_feed_that_prod_has_replaces_it_in_the_environment_alone(tmp_path):
    before = {path.name: path.read_bytes() for path in PROD_FEEDS.iterdir()}
    mine = (PROD_FEEDS / "pos_sales.yml").read_text(encoding="utf-8").replace("most: 2000", "most: 3000")
    overlay = lay_over(asked(mine), PROD_FEEDS, tmp_path / "feeds")
    assert overlay.replaces
    plausible = load_feeds(overlay.folder).contracts["pos_sales"].reading.plausible
    assert plausible is not None
    assert plausible.most == 3000
    assert {path.name: path.read_bytes() for path in PROD_FEEDS.iterdir()} == before


def test_mistakes_are_told_with_their_lines():
    with pytest.raises(RefusedError) as refused:
        check_asked(asked(CONTRACT.replace("source_system: supplier", "source_system: elsewhere")), PROD_FEEDS)
    assert "line 3" in refused.value.markdown
    assert "The contract, with its lines" in refused.value.markdown


@pytest.mark.parametrize(
    "pattern", ["/etc/*.csv", "../other/*.csv", "supplier/../../x.csv", "~/x.csv", "supplier\\\\x.csv", "a/**/../b.csv"]
)
def test_a_pattern_that_leaves_the_inbox_is_refused(pattern):
    with pytest.raises(RefusedError):
        check_asked(asked(CONTRACT.replace("supplier/*.csv", f'"{pattern}"')), PROD_FEEDS)


def test_a_pattern_outside_the_folder_that_the_form_names_is_refused():
    with pytest.raises(RefusedError, match="begin its pattern so"):
        check_asked(asked(inbox="other"), PROD_FEEDS)


@pytest.mark.parametrize("inbox", ["/etc", "..", "a/../b", "~root", "a\\b", ".ssh", "a//b"])
def test_an_inbox_that_is_no_folder_below_it_is_refused(inbox):
    with pytest.raises(RefusedError, match="folder below the inbox"):
        check_asked(asked(inbox=inbox), PROD_FEEDS)


def test_a_contract_that_fetches_is_refused():
    fetching = "extract: {kind: database, url_env: SYSTOCK_DATABASE_URL, query: select 1}\n"
    with pytest.raises(RefusedError):
        check_asked(asked(CONTRACT + fetching), PROD_FEEDS)


def test_another_name_in_the_form_than_in_the_contract_is_refused():
    with pytest.raises(RefusedError, match="the form names another"):
        check_asked(asked(feed="other"), PROD_FEEDS)


def test_a_huge_contract_is_refused():
    with pytest.raises(RefusedError, match="over 64 kB"):
        check_asked(asked(CONTRACT + "#" * 70_000), PROD_FEEDS)


def test_a_sample_is_answered_with_a_draft():
    rows = "sku,store,qty,at\n" + "".join(f"A{n},ST01,{n},2025-03-0{n}T10:00:00Z\n" for n in range(1, 9))
    with pytest.raises(RefusedError, match="a draft of one is proposed") as refused:
        check_asked(Asked(object_name="x", feed="supplier_stage", kind="CSV", sample=rows), PROD_FEEDS)
    assert "```yaml\n" in refused.value.markdown


def test_no_hostile_contract_or_sample_does_more_than_be_refused(tmp_path: Path):
    for number, hostile in enumerate(PAYLOADS[::7]):
        text = hostile.encode("utf-8", "replace").decode()  # as an event is read
        for mine in (asked(text + "\n"), asked(CONTRACT.replace("supplier_stage", text)), asked(inbox=text)):
            folder = tmp_path / str(number) / "feeds"
            try:
                overlay = lay_over(mine, PROD_FEEDS, folder)
            except RefusedError:
                continue
            assert load_feeds(overlay.folder)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {
        *(path.name for path in PROD_FEEDS.iterdir()),
        "from_the_issue.yml",
    }
