"""The pages that strangers read: rendered pages do not drift, and every snippet is a right contract."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from etl_pipeline.bronze_layer.reading import read_records
from etl_pipeline.contracts.checking import DEFAULT_AUTHORITY, SYSTEMS, CheckedContract, check_contract
from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.contracts.loading import check_folder, validate
from etl_pipeline.contracts.model import Contract, Retailer
from etl_pipeline.contracts.reference_page import _SECTIONS, EXAMPLE, RETAILER_EXAMPLE, meaning_of, rendered
from etl_pipeline.contracts.values import Landed, Part, References
from etl_pipeline.contracts.yaml_lines import Located, Mistake, parse_yaml
from etl_pipeline.silver_layer.authority import effective_rules
from etl_pipeline.silver_layer.conform import Rules, conform

pytestmark = pytest.mark.fast
ROOT = Path(__file__).parents[3]
SNIPPETS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/onboarding.md").read_text(encoding="utf-8"), re.DOTALL)
BASE = next(snippet for snippet in SNIPPETS if "feed: pos_sales" in snippet)


@pytest.mark.parametrize("path", rendered(), ids=str)
def test_a_rendered_page_is_as_committed(path):
    committed = (ROOT / path).read_text(encoding="utf-8")
    assert committed == rendered()[path], "run `python -m etl_pipeline.contracts.reference_page`"


def test_the_page_says_who_is_counted_as_the_silver_layer_counts():
    assert effective_rules(None, set(SYSTEMS)) == list(DEFAULT_AUTHORITY)


def test_the_kinds_of_system_are_those_of_the_model():
    annotation = Contract.model_fields["source_system"].annotation
    assert annotation is not None
    assert annotation.__args__ == SYSTEMS


def test_every_key_of_a_contract_has_a_meaning():
    bare = [f"{m.__name__}.{n}" for _, m in _SECTIONS for n in m.model_fields if not meaning_of(m, n)]
    assert bare == []


def test_every_column_of_every_fact_has_a_meaning():
    assert all(column.meaning for kind in FACT_KINDS.values() for column in kind.columns)


def test_the_example_of_the_reference_page_is_right_and_without_a_warning(tmp_path):
    (tmp_path / "pos_sales.yml").write_text(EXAMPLE)
    (tmp_path / "retailer.yml").write_text(RETAILER_EXAMPLE)
    result = check_folder(tmp_path)
    assert result.feeds is not None
    assert [warning.text for warning in result.warnings if "no feed yields" not in warning.text] == []


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.split("\n")[0][:40])
def test_a_snippet_of_the_onboarding_page_is_right(snippet):
    located = parse_yaml(snippet)
    mistakes: list[Mistake] = []
    if "retailer" in located.value:
        validate(Retailer, located, "retailer.yml", mistakes)
    elif "feed" in located.value:
        _check(located, mistakes)
    else:
        _check(Located({**parse_yaml(BASE).value, **located.value}), mistakes)
    assert [str(mistake) for mistake in mistakes] == []


def _check(located, mistakes):
    contract = validate(Contract, located, "part.yml", mistakes)
    if contract is not None:
        mistakes += check_contract(CheckedContract("part.yml", contract, located))


def test_the_contracts_of_the_onboarding_page_fit_together(tmp_path):
    (tmp_path / "retailer.yml").write_text(next(s for s in SNIPPETS if s.startswith("retailer:") and "authority" in s))
    for number, snippet in enumerate(s for s in SNIPPETS if s.startswith("feed:")):
        (tmp_path / f"{number}.yml").write_text(snippet)
    assert [str(mistake) for mistake in check_folder(tmp_path).mistakes] == []


@pytest.mark.parametrize("folder", sorted(p.parent for p in ROOT.glob("feeds/*/retailer.yml")), ids=lambda p: p.name)
def test_the_contracts_of_this_repository_are_right(folder):
    assert [str(mistake) for mistake in check_folder(folder).mistakes] == []


TYPED = """\
receipt,line,store,sold_at,sku,qty,unit_price,net,type
X1,1,S1,2025-03-01 09:00:00,A100,2,1.50,3.00,S
X1,2,S1,2025-03-01 09:00:00,A100,1,1.50,1.50,R
X1,3,S1,2025-03-01 09:00:00,POST,1,4.00,4.00,P
X1,4,S1,2025-03-01 09:00:00,A100,-1,0,0,
X1,5,S1,2025-03-01 09:00:00,A100,1,0,0,Z
"""


def test_types_and_signs_of_the_onboarding_page_come_out_as_it_says(tmp_path):
    part = parse_yaml(next(snippet for snippet in SNIPPETS if "postage" in snippet)).value
    create = {"reading": {"unknown_product": "create", "unknown_location": "create"}}
    contract = Contract.model_validate({**parse_yaml(BASE).value, **part, **create})
    path = tmp_path / "x.csv"
    path.write_text(TYPED)
    (chunk,) = read_records(path, contract.files)
    landed = Landed("pos_sales", "pos/x.csv", path, "0" * 64, path.stat().st_size)
    done = conform([Part(landed, chunk)], contract, Rules([], "EUR", "UTC"), References())
    moved = done.facts["movement"].to_pandas()
    assert dict(zip(moved["movement_class"], moved["quantity"], strict=True)) == {
        "sale": -2,
        "return": 1,
        "write_off": -1,
    }
    sold = done.facts["sale"].to_pandas()
    assert dict(zip(sold["kind"], sold["net_amount"], strict=True)) == {
        "sale": Decimal(3),
        "return": Decimal("-1.5"),
        "charge": Decimal(4),
    }
    assert done.set_aside["reason"].tolist() == ["no_rule"]
