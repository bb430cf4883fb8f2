"""Each mistake in a contract is named once, with its line and what to write."""

import pytest

from etl_pipeline.contracts.loading import ContractError, check_folder, check_text, load_feeds
from etl_pipeline.contracts.model import Value
from etl_pipeline.core.errors import UsageError

pytestmark = pytest.mark.fast

GOOD = """\
feed: pos_sales
describes: Receipt lines of the tills.
source_system: pos
files:
  pattern: pos/*.csv
key:
  document: receipt
  line: line
revision: {number: version}
yields:
  - fact: sale
    columns:
      product_code: sku
      location_code: store
      event_time: sold_at
      quantity: qty
      net_amount: net
schedule: {every_hours: 24}
"""
RETAILER = "retailer: shop\ndescribes: A shop.\nzone: Europe/Berlin\ncurrency: EUR\n"
MASTERS = """\
feed: masters
describes: Products and places of the ERP.
source_system: erp
files: {pattern: erp/*.csv}
key: {document: id}
revision: {updated_at: changed}
yields:
  - fact: product
    columns: {product_code: id}
  - fact: location
    columns: {location_code: id}
  - fact: reference
    set: product_ids
    columns: {key: id, code: sku}
"""

HEADERLESS = "pos/*.csv\n  delimited: {header: false, columns: [receipt, version, sku, store, sold_at, qty, net]}"
REFERENCE = "  - fact: reference\n    set: {}\n    columns: {{key: a, code: b}}\n  - fact: sale"
SECRET = "extract: {kind: database, url_env: 'postgresql://u:p@h/d', table: a.b}\nschedule:"

# what is changed in GOOD | line of the mistake | words of its sentence
ONE_MISTAKE = [
    ("feed: pos_sales", "feed: Pos-Sales", 1, "is no name"),
    ("source_system: pos", "source_system: till", 3, "'till' is not allowed; write one of pos, erp"),
    ("source_system: pos", "source_system: ??", 3, "is not allowed"),
    ("files:", "zone: UTC\nfiles:", 4, "it belongs under `reading`"),
    ("  pattern: pos/*.csv", "  delimiter: ';'\n  pattern: pos/*.csv", 5, "it belongs under `delimited`"),
    ("  pattern: pos/*.csv", "  patern: pos/*.csv\n  pattern: x", 5, "did you mean 'pattern'?"),
    ("pos/*.csv", "../*.csv", 5, "leaves the inbox"),
    ("pos/*.csv", "/etc/*.csv", 5, "leaves the inbox"),
    ("pos/*.csv", "pos/**.csv", 5, "** must stand alone"),
    ("pos/*.csv", "pos/*.csv\n  encoding: utf9", 6, "'utf9' is not known"),
    ("pos/*.csv", "pos/*.csv\n  json: {records: a}", 6, "the format is delimited"),
    ("pos/*.csv", "pos/*.csv\n  logical_time: {path: '(a+)+'}", 6, "can take for ever"),
    ("pos/*.csv", "pos/*.csv\n  logical_time: {path: '(a', format: '%Y-%m-%d'}", 6, "does not compile"),
    ("pos/*.csv", "pos/*.csv\n  logical_time: {path: '(a)', format: YYYY-MM}", 6, "write '%Y-%m'"),
    ("pos/*.csv", HEADERLESS, 9, "`line` is not among"),
    ("  document: receipt", "  document: 1", 7, "put a number, true, false or null in quotes"),
    ("  document: receipt", "  document: $ordinal", 7, "under key.line"),
    ("  document: receipt", "  document: $file.nam", 7, "did you mean '$file.name'?"),
    ("key:", "reading: {zone: Berlin}\nkey:", 6, "did you mean 'Europe/Berlin'?"),
    ("key:", "reading: {formats: ['%Y-%M-%d']}\nkey:", 6, "%m the month"),
    ("key:", "reading: {decimal: ',', thousands: ','}\nkey:", 6, "the same sign"),
    ("key:", "reading: {currency: euro}\nkey:", 6, "three capitals"),
    ("yields:", "void: [a]\nyields:", 10, "a condition is a mapping"),
    ("yields:", "void: {a: {equal: 1}}\nyields:", 10, "did you mean 'equals'?"),
    ("yields:", "void: {a: {matches: '(?=x)'}}\nyields:", 10, "RE2"),
    ("yields:", "void: {a: 'x '}\nyields:", 10, "values are trimmed; write 'x'"),
    ("yields:", "void: {any_of: [3]}\nyields:", 10, "is a list of conditions"),
    ("yields:", "void: {any_of: []}\nyields:", 10, "write at least one"),
    ("yields:", "void: {a: {less_than: many}}\nyields:", 10, "compares numbers"),
    ("- fact: sale", "- fact: sales", 11, "did you mean 'sale'?"),
    ("      net_amount: net\n", "", 11, "sale needs `net_amount`"),
    ("net_amount: net", "net_amount: net\n      sku: a", 11, "`sku` is no column of sale"),
    ("net_amount: net", "net_amount: {calc: qty / 2}", 17, "instead of dividing"),
    ("net_amount: net", "net_amount: {calc: 'qty * price.net'}", 17, "in backticks"),
    ("net_amount: net", "net_amount: {calc: \"__import__('os')\"}", 17, "may hold only column names"),
    ("net_amount: net", "net_amount: {from: a, const: 2}", 17, "exactly one of"),
    ("net_amount: net", "net_amount: {const: free}", 17, "'free' is no number"),
    ("net_amount: net", "net_amount: [a, b]", 17, "a list is no column"),
    ("net_amount: net", "net_amount: 3", 17, "put a number"),
    ("net_amount: net", "net_amount: {from: net, negat: true}", 17, "did you mean 'negate'?"),
    ("net_amount: net", 'net_amount: "???"', 17, "still to be filled in"),
    ("product_code: sku", "product_code: {from: sku, negate: true}", 13, "is for numbers"),
    ("product_code: sku", "product_code: {calc: a * 2}", 13, "makes numbers"),
    ("product_code: sku", "product_code: {from: sku, extract: abc}", 13, "exactly one group"),
    ("product_code: sku", "product_code: {from: sku, extract: '(a'}", 13, "does not compile"),
    ("product_code: sku", "product_code: {from: sku, lookup: nowhere}", 13, "has no attribute"),
    ("product_code: sku", "product_code: {from: sku, lookup: nowhere.code}", 13, "no feed fills the set 'nowhere'"),
    ("product_code: sku", "product_code: {from: sku, lookup: product_id.code}", 13, "did you mean 'product_ids'?"),
    ("product_code: sku", "product_code: {from: sku, lookup: product_ids.cod}", 13, "did you mean 'code'?"),
    ("product_code: sku", "product_code: {from: sku, map_else: x}", 13, "`map_else` needs `map`"),
    ("product_code: sku", "product_code: {from: sku, map: {'A ': b}}", 13, "'A ' never matches"),
    ("quantity: qty", "quantity: qty\n      kind: {const: refund}", 17, "'refund' is no kind"),
    ("quantity: qty", "quantity: qty\n      kind: {from: t, map: {R: returned}}", 17, "did you mean 'return'?"),
    ("quantity: qty", "quantity: {from: qty, formats: [iso]}", 16, "is for times"),
    ("event_time: sold_at", "event_time: $file.logical_time", 15, "needs `files.logical_time"),
    ("event_time: sold_at", "event_time: {from: a, zone: Mars/Base}", 15, "no IANA time zone"),
    ("schedule:", SECRET, 18, "never write the secret"),
    ("  - fact: sale", REFERENCE.format("product_ids"), 12, "also filled by"),
    ("  - fact: sale", REFERENCE.format("alias"), 12, "warehouse's own"),
]  # fmt: skip


def folder_of(tmp_path, contract, retailer=RETAILER):
    (tmp_path / "retailer.yml").write_text(retailer)
    (tmp_path / "masters.yml").write_text(MASTERS)
    (tmp_path / "pos.yml").write_text(contract)
    return tmp_path


def test_a_right_folder_has_neither_mistakes_nor_warnings(tmp_path):
    result = check_folder(folder_of(tmp_path, GOOD))
    assert (result.mistakes, result.warnings) == ([], [])
    assert result.feeds is not None
    assert set(result.feeds.contracts) == {"masters", "pos_sales"}


@pytest.mark.parametrize(("old", "new", "line", "words"), ONE_MISTAKE, ids=[words for *_, words in ONE_MISTAKE])
def test_a_mistake_is_told_once_with_its_line_and_what_to_write(tmp_path, old, new, line, words):
    assert old in GOOD
    result = check_folder(folder_of(tmp_path, GOOD.replace(old, new, 1)))
    told = [mistake for mistake in result.mistakes if words in mistake.text]
    assert [(mistake.file, mistake.line) for mistake in told] == [("pos.yml", line)], result.mistakes
    assert result.feeds is None
    assert len(result.mistakes) <= 2, result.mistakes


# what is changed in RETAILER | words of the mistake
WRONG_RETAILERS = [
    ("Europe/Berlin", "Europe/Berln", "did you mean 'Europe/Berlin'?"),
    ("EUR", "eur", "is no currency"),
    ("currency: EUR", "units: {CS: 1/0}", "is not above zero"),
    ("currency: EUR", "units: {CS: dozen}", "is no ratio"),
    ("currency: EUR", "authority: [{facts: [sales], from: pos}]", "did you mean 'sale'?"),
    ("currency: EUR", "authority: [{facts: [sale], at: [shops], from: pos}]", "did you mean 'shop'?"),
    ("currency: EUR", "authority: [{facts: [sale], from: pos_sale}]", "did you mean 'pos_sales'?"),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG_RETAILERS, ids=[words for *_, words in WRONG_RETAILERS])
def test_a_mistake_in_the_retailer_is_told(tmp_path, old, new, words):
    result = check_folder(folder_of(tmp_path, GOOD, RETAILER.replace(old, new)))
    assert [m.file for m in result.mistakes if words in m.text] == ["retailer.yml"], result.mistakes


# what is changed in GOOD | words of the warning
WARNINGS = [
    ("revision: {number: version}\n", "", "newer"),
    ("schedule: {every_hours: 24}\n", "", "nobody is told"),
    ("      product_code: sku\n", "", "counts no goods"),
    ("quantity: qty", "quantity: qty\n      kind: type", "read without a `map`"),
    ("quantity: qty", "quantity: qty\n      kind: {from: t, clean: [upper], map: {s: sale}}", "never matches after"),
    ("yields:", "fixes:\n  - where: {a: b}\n    set: {a: c}\n    reason: known since 2025\nyields:", "only_while"),
]


@pytest.mark.parametrize(("old", "new", "words"), WARNINGS, ids=[words for *_, words in WARNINGS])
def test_a_warning_does_not_stop_a_load(tmp_path, old, new, words):
    assert old in GOOD
    result = check_folder(folder_of(tmp_path, GOOD.replace(old, new, 1)))
    assert [words in warning.text for warning in result.warnings] == [True]
    assert result.feeds is not None


def test_a_folder_without_masters_is_warned_that_everything_would_wait(tmp_path):
    (folder_of(tmp_path, GOOD) / "masters.yml").unlink()
    texts = [warning.text for warning in check_folder(tmp_path).warnings]
    assert ["no feed yields `location`" in texts[0], "no feed yields `product`" in texts[1]] == [True, True]


def test_two_systems_that_move_the_same_goods_are_warned_of(tmp_path):
    movement = "fact: movement\n    columns:\n      movement_class: {const: adjustment}\n      quantity: qty\n"
    movement += "      product_code: sku\n      location_code: store\n      event_time: at\n"
    erp = MASTERS + "  - " + movement
    pos = GOOD.replace("yields:\n", "yields:\n  - " + movement)
    folder = folder_of(tmp_path, pos)
    (folder / "masters.yml").write_text(erp + "schedule: {every_hours: 1}\n")
    assert ["both counted" in w.text for w in check_folder(folder).warnings] == [True]
    (folder / "masters.yml").write_text(erp + "schedule: {every_hours: 1}\nreading: {role: shadow}\n")
    assert check_folder(folder).warnings == []


def test_times_that_would_be_read_as_utc_are_warned_of(tmp_path):
    result = check_folder(folder_of(tmp_path, GOOD, RETAILER.replace("zone: Europe/Berlin\n", "")))
    assert ["read as UTC" in w.text for w in result.warnings] == [True]


def test_every_mistake_of_every_file_is_told_at_once(tmp_path):
    folder = folder_of(tmp_path, GOOD.replace("source_system: pos", "source_system: x").replace("qty", "[a]"))
    (folder / "masters.yml").write_text(MASTERS.replace("erp/*.csv", "../x"))
    with pytest.raises(ContractError) as caught:
        load_feeds(folder)
    assert [mistake.file for mistake in caught.value.mistakes] == ["masters.yml", "pos.yml", "pos.yml"]
    assert "3 mistakes in the contracts; nothing was loaded." in str(caught.value)


def test_two_feeds_of_one_name_are_a_mistake(tmp_path):
    (folder_of(tmp_path, GOOD) / "again.yml").write_text(GOOD)
    assert ["is also in again.yml" in m.text for m in check_folder(tmp_path).mistakes] == [True]


def test_what_an_unreadable_contract_could_define_is_not_missed(tmp_path):
    folder = folder_of(
        tmp_path, GOOD.replace("product_code: sku", "product_code: {from: sku, lookup: product_ids.code}")
    )
    (folder / "masters.yml").write_text("feed: [")
    assert {mistake.file for mistake in check_folder(folder).mistakes} == {"masters.yml"}


def test_a_set_may_be_filled_by_two_rules_of_one_feed(tmp_path):
    more = "  - fact: reference\n    set: product_ids\n    columns: {key: old_id, name: label}\n"
    look = GOOD.replace("product_code: sku", "product_code: {from: sku, lookup: product_ids.name}")
    folder = folder_of(tmp_path, look)
    (folder / "masters.yml").write_text(MASTERS + more)
    assert check_folder(folder).mistakes == []


@pytest.mark.parametrize(
    ("path", "words"), [("nowhere", "is no folder"), ("", "has no contract")], ids=["no folder", "empty folder"]
)
def test_a_folder_that_is_none_is_a_wrong_command(tmp_path, path, words):
    with pytest.raises(UsageError, match=words):
        check_folder(tmp_path / path)


def test_a_missing_retailer_is_a_mistake(tmp_path):
    (tmp_path / "pos.yml").write_text(GOOD)
    assert [m.file for m in check_folder(tmp_path).mistakes] == ["retailer.yml"]


def test_a_retailer_under_another_ending_is_told_to_be_renamed(tmp_path):
    (folder_of(tmp_path, GOOD) / "retailer.yml").rename(tmp_path / "retailer.yaml")
    assert "rename this file" in check_folder(tmp_path).mistakes[0].text


def test_codes_are_read_as_they_are_written():
    text = GOOD.replace("yields:", "void: {a: [01, NO, 12:30, 2024-01-01, 1.50, NULL, null]}\nyields:")
    contract, mistakes, _ = check_text(text)
    assert mistakes == []
    assert contract is not None
    assert contract.void == {"a": ["01", "NO", "12:30", "2024-01-01", "1.50", "NULL", None]}


def test_keys_of_a_map_are_text_whatever_they_look_like():
    text = GOOD.replace("quantity: qty", "quantity: qty\n      kind: {from: t, map: {1: sale, 02: return, NO: charge}}")
    contract, mistakes, _ = check_text(text)
    assert mistakes == []
    assert contract is not None
    kind = contract.yields[0].columns["kind"]
    assert isinstance(kind, Value)
    assert kind.map == {"1": "sale", "02": "return", "NO": "charge"}
