"""The simulated retailer's contracts: they validate, and every column that they name is in the files."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import load_workbook

from etl_pipeline.contracts.model import Contract, Retailer, Value
from extract.simulated.retailer import SimulatedMonth, simulate

FEEDS = Path(__file__).parents[2] / "feeds" / "simulated"
CONTRACTS = sorted(path for path in FEEDS.glob("*.yml") if path.name != "retailer.yml")

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> Path:
    out: Path = tmp_path_factory.mktemp("inbox")
    month(out)
    return out


def month(out: Path) -> SimulatedMonth:
    return simulate(out, days=9, stores=2, products=15)


def contract(path: Path) -> Contract:
    return Contract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def files_of(feed: Contract, inbox: Path) -> list[Path]:
    return sorted({path for pattern in feed.files.patterns for path in inbox.glob(pattern)})


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.stem)
def test_each_contract_validates_and_is_named_like_its_file(path):
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../contract.schema.json"
    assert contract(path).feed == path.stem


def test_the_retailer_validates():
    raw = yaml.safe_load((FEEDS / "retailer.yml").read_text(encoding="utf-8"))
    assert Retailer.model_validate(raw).retailer == "simulated"


def test_every_file_belongs_to_exactly_one_feed(inbox):
    claimed = [path for c in CONTRACTS for path in files_of(contract(c), inbox)]
    assert sorted(claimed) == sorted(path for path in inbox.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.stem)
def test_every_column_that_a_contract_names_is_in_its_files(path, inbox):
    feed = contract(path)
    files = files_of(feed, inbox)
    assert files
    named = columns_named(feed)
    assert named - set().union(*(columns_of(feed, file) for file in files)) == set()
    if feed.files.format in {"delimited", "xlsx"}:  # there, each file has all columns
        assert [file.name for file in files if named - columns_of(feed, file)] == []


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda p: p.stem)
def test_every_file_tells_its_logical_time(path, inbox):
    feed = contract(path)
    assert feed.files.logical_time is not None
    pattern = feed.files.logical_time.path
    assert pattern is not None
    assert all(re.search(pattern, file.name) for file in files_of(feed, inbox))


def test_every_lookup_set_is_given_by_some_feed():
    feeds = [contract(path) for path in CONTRACTS]
    given = {y.set for feed in feeds for y in feed.yields if y.fact == "reference"}
    looked_up = {
        value.lookup.split(".")[0]
        for feed in feeds
        for y in feed.yields
        for value in y.columns.values()
        if isinstance(value, Value) and isinstance(value.lookup, str)
    }
    assert looked_up == given == {"gtin", "supplier_item"}


def columns_named(feed: Contract) -> set[str]:
    """Every source column of a contract: key, revision, conditions, yields."""
    named: list[Any] = [feed.key.document, feed.key.line, feed.key.epoch, feed.revision.number]
    named.append(feed.revision.updated_at)
    conditions = [feed.void, *(e.when for e in feed.exclude), *(y.when for y in feed.yields)]
    named += [list(condition) for condition in conditions if isinstance(condition, dict)]
    for fact in feed.yields:
        for value in fact.columns.values():
            named.append([value.from_, value.join] if isinstance(value, Value) else value)
    named += [value.from_ for value in feed.derive.values() if isinstance(value, Value)]
    return {name for name in flat(named) if not name.startswith("$")} - set(feed.derive)


def flat(names: Any) -> list[str]:
    if isinstance(names, list):
        return [name for part in names for name in flat(part)]
    return [] if names is None else [str(names)]


def columns_of(feed: Contract, file: Path) -> set[str]:
    """Read the columns of a file with nothing but the standard library and openpyxl."""
    kind = feed.files.format
    if kind == "delimited":
        text = file.read_bytes().decode(feed.files.encoding)
        return set(next(csv.reader(io.StringIO(text), delimiter=feed.files.delimited.delimiter)))
    if kind == "jsonl":
        return set().union(*(json_names(json.loads(line)) for line in file.read_text("utf-8").splitlines()))
    if kind == "json":
        return json_columns(json.loads(file.read_text("utf-8")), feed.files.json_.records)
    if kind == "xml":
        root = ET.fromstring(file.read_bytes())
        above = {f"../{child.tag}" for advice in root for child in advice if child.tag != "Line"}
        lines = root.findall("Advice/Line")
        return (
            above | {child.tag for line in lines for child in line} | {f"@{a}" for line in lines for a in line.attrib}
        )
    sheet = load_workbook(file)[feed.files.xlsx.sheet or ""]
    return {str(cell.value) for cell in sheet[feed.files.xlsx.header_row]}


def json_names(record: dict[str, Any]) -> set[str]:
    nested = {f"{k}.{inner}" for k, v in record.items() if isinstance(v, dict) for inner in v}
    return nested | {k for k, v in record.items() if not isinstance(v, dict)}


def json_columns(document: dict[str, Any], records: str) -> set[str]:
    """`a[].b[]` or `a[]`, as the contracts here have them."""
    outer, _, inner = records.replace("[]", "").partition(".")
    if not inner:
        return {name for element in document[outer] for name in element}
    above = {f"../{name}" for element in document[outer] for name in element if name != inner}
    return above | {name for element in document[outer] for record in element[inner] for name in record}
