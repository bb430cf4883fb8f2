"""A draft proposes what a sample shows, marks what it does not, and loads once its marks are filled in."""

import gzip
import json
import re
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_pipeline.contracts.drafting import draft_contract
from etl_pipeline.contracts.drafting_columns import time_formats
from etl_pipeline.contracts.drafting_words import meanings
from etl_pipeline.contracts.loading import check_text
from etl_pipeline.contracts.yaml_lines import parse_yaml
from etl_pipeline.core.errors import UsageError

pytestmark = pytest.mark.fast
SHARED = Path(__file__).parents[4] / "shared/data"

TILL = """\
Ticket;Zeile;Filiale;Artikelnr;Menge;Preis;Betrag;Waehrung;Verkaufsdatum
R1;1;0042;A-100;2;1,50;3,00;EUR;25.03.2025 09:00:00
R1;2;0042;A-200;1;19,99;19,99;EUR;25.03.2025 09:00:00
R2;1;0043;A-100;-1;1,50;-1,50;EUR;26.03.2025 10:30:00
"""
SALE_COLUMNS = {
    "product_code": "Artikelnr",
    "location_code": "Filiale",
    "event_time": "Verkaufsdatum",
    "quantity": "Menge",
    "unit_price": "Preis",
    "net_amount": "Betrag",
    "currency": "Waehrung",
}


def draft(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return draft_contract(path)


def value_of(text):
    return parse_yaml(text).value


def loads(text):
    contract, mistakes, _ = check_text(text.replace('"???"', '"x"'))
    return contract is not None or all("is no " in mistake.text for mistake in mistakes)


def test_a_german_till_file_becomes_a_sale(tmp_path):
    text = draft(tmp_path, "kasse.csv", TILL)
    value = value_of(text)
    assert value["yields"][0]["fact"] == "sale"
    assert SALE_COLUMNS.items() <= value["yields"][0]["columns"].items()
    assert value["files"]["delimited"] == {"delimiter": ";"}
    assert value["reading"]["decimal"] == ","
    assert value["reading"]["formats"] == ["%d.%m.%Y %H:%M:%S"]
    assert value["key"] == {"document": "Ticket", "line": "Zeile"}
    assert check_text(text)[1] == []


def test_every_setting_that_a_draft_offers_as_a_comment_loads_once_its_mark_is_taken_away(tmp_path):
    text = draft(tmp_path, "kasse.csv", TILL)
    taken = re.sub(r"^( *)# ((?:records|zone|plausible|epoch|void|schedule): )", r"\1\2", text, flags=re.MULTILINE)
    value = value_of(taken)
    assert value["files"]["records"] == {"at_least": 1, "at_most": 30}
    assert value["reading"]["plausible"] == {"most": 20}
    assert value["key"]["epoch"] == "column"
    assert value["void"] == {"column": "value"}
    assert value["schedule"] == {"every_hours": 24}
    assert check_text(taken)[1] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_encoding_and_packing_are_seen(tmp_path, encoding, pack):
    text = draft(tmp_path, "kasse.csv", pack(TILL.replace("A-100", "Größe").encode(encoding)))
    assert value_of(text)["files"].get("encoding", "utf-8") in (encoding, encoding.removesuffix("-sig"))
    assert SALE_COLUMNS.items() <= value_of(text)["yields"][0]["columns"].items()
    assert check_text(text)[1] == []


def test_a_zip_archive_is_looked_into(tmp_path):
    with zipfile.ZipFile(tmp_path / "kasse.zip", "w") as archive:
        archive.writestr("kasse.csv", TILL)
    assert "feed: kasse" in draft_contract(tmp_path / "kasse.zip")


def test_a_file_without_header_asks_for_its_names(tmp_path):
    text = draft(tmp_path, "x.txt", "1\tA-1\t2.50\n2\tA-2\t3.50\n3\tA-1\t1.00\n")
    assert value_of(text)["files"]["delimited"] == {
        "delimiter": "\t",
        "header": False,
        "columns": ["c01", "c02", "c03"],
    }
    assert "put the real names here" in text


def test_a_preamble_is_skipped(tmp_path):
    text = draft(tmp_path, "x.csv", "Stock report\nprinted today\n\nsku,store,on_hand\nA,1,5\nB,1,6\nC,1,7\n")
    assert value_of(text)["files"]["delimited"]["skip_lines"] == 3
    assert value_of(text)["yields"][0]["fact"] == "count"


def test_lines_of_orders_in_json_are_the_records(tmp_path):
    lines = [{"line": n, "sku": f"A{n}", "quantity": n} for n in range(1, 4)]
    orders = [{"order_id": f"W{n}", "ordered_at": "2025-03-01T09:00:00Z", "lines": lines} for n in range(9)]
    value = value_of(draft(tmp_path, "web_orders.json", json.dumps({"orders": orders})))
    assert value["files"]["json"] == {"records": "orders[].lines[]"}
    assert value["key"] == {"document": "../order_id", "line": "line"}
    assert value["yields"][0]["fact"] == "demand"


def test_a_json_document_larger_than_the_sample_is_read_as_far_as_it_goes(tmp_path):
    rows = [{"sku": f"A{n}", "store": "1", "on_hand": n, "note": 'x"}]' * 20} for n in range(20_000)]
    value = value_of(draft(tmp_path, "stock.json", json.dumps({"date": "2025-03-01", "stock": rows})))
    assert value["files"]["json"] == {"records": "stock[]"}


def test_json_lines_are_told_from_json(tmp_path):
    content = "".join(json.dumps({"message_id": n, "sku": "A", "qty": 1}) + "\n" for n in range(5))
    value = value_of(draft(tmp_path, "wms_movements.jsonl", content))
    assert value["files"]["format"] == "jsonl"
    assert value["key"] == {"document": "message_id"}


def test_repeated_elements_of_xml_are_the_records(tmp_path):
    line = '<Line no="{n}"><Sku>A{n}</Sku><Qty>{n}</Qty></Line>'
    advice = "<Advice><OrderNo>P{n}</OrderNo>" + "".join(line.format(n=n) for n in range(3)) + "</Advice>"
    content = "<Feed>" + "".join(advice.format(n=n) for n in range(4)) + "</Feed>"
    value = value_of(draft(tmp_path, "notice.xml", content))
    assert value["files"]["xml"] == {"records": "Advice/Line"}
    assert value["yields"][0]["columns"]["quantity"] == "Qty"


def test_xml_with_entities_is_refused(tmp_path):
    with pytest.raises(UsageError, match="document type"):
        draft(tmp_path, "x.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a><r><x>&b;</x></r></a>')


def test_a_spreadsheet_names_its_sheet_and_header_row(tmp_path):
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Info"
    sheet = book.create_sheet("Stock")
    for row in (["Stock of March"], [], ["SKU", "Store", "On hand"], ["A", "1", 5], ["B", "1", 7]):
        sheet.append(row)
    book.save(tmp_path / "stock.xlsx")
    value = value_of(draft_contract(tmp_path / "stock.xlsx"))
    assert value["files"]["xlsx"] == {"sheet": "Stock", "header_row": 3}
    assert value["yields"][0]["columns"]["quantity"] == "On hand"


def test_parquet_is_read(tmp_path):
    pq.write_table(pa.table({"sku": ["A", "B"], "store": ["1", "1"], "on_hand": [1, 2]}), tmp_path / "stock.parquet")
    value = value_of(draft_contract(tmp_path / "stock.parquet"))
    assert (value["files"]["format"], value["yields"][0]["fact"]) == ("parquet", "count")


def test_a_type_column_becomes_a_map_to_be_filled_in(tmp_path):
    text = draft(tmp_path, "movements.csv", "id,sku,wh,type,qty,date\n1,A,W,V+,5,2025-03-01\n2,A,W,C-,-2,2025-03-02\n")
    assert value_of(text)["yields"][0]["columns"]["movement_class"] == {
        "from": "type",
        "map": {"C-": "???", "V+": "???"},
    }
    assert 'Fill in the 2 place(s) marked "???"' in text
    assert {"still to be filled in" in mistake.text for mistake in check_text(text)[1]} == {True}


def test_twins_without_line_numbers_get_an_ordinal(tmp_path):
    rows = "R1,A,1,2.00\n" * 2 + "R2,A,1,2.00\n"
    value = value_of(draft(tmp_path, "sales.csv", "receipt,sku,qty,price\n" + rows))
    assert value["key"] == {"document": "receipt", "line": "$ordinal"}


# header | its first meaning
HEADERS = [
    ("StockCode", "product"), ("MATNR", "product"), ("Artikel-Nr.", "product"), ("código artículo", "product"),
    ("WERKS", "location"), ("store_id", "location"), ("Filiale", "location"), ("almacén", "location"),
    ("LGORT", "bin"), ("CHARG", "lot"), ("MENGE", "on_hand"), ("qtyOrdered", "quantity"), ("Quantité", "quantity"),
    ("Cantidad", "quantity"), ("MEINS", "unit"), ("UoM", "unit"), ("EAN", "gtin"), ("GTIN-13", "gtin"),
    ("LIFNR", "supplier"), ("proveedor", "supplier"), ("EBELN", "order_document"), ("EBELP", "line"),
    ("Ticket", "document"), ("fecha_hora", "time"), ("InvoiceDate", "time"), ("EINDT", "due"),
    ("lead_time", "lead_time"),
    ("on_hand_qty", "on_hand"), ("safety_stock", "safety"), ("../order_id", "order_document"),
    ("Unit Price", "unit_price"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "meaning"), HEADERS, ids=[header for header, _ in HEADERS])
def test_a_header_is_understood(header, meaning):
    assert meaning in [name for name, _ in meanings(header)]


@pytest.mark.parametrize("header", ["_fivetran_synced", "hvr_change_time", "tax_amount", "", "///", "☃"])
def test_what_a_tool_added_means_nothing(header):
    assert meanings(header) == []


def test_a_day_and_a_month_that_could_be_either_are_both_told():
    assert time_formats(["01/02/2025", "03/04/2025"]) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert time_formats(["01/02/2025", "13/04/2025"]) == ["%d/%m/%Y"]
    assert time_formats(["20250301", "20251231"]) == ["%Y%m%d"]
    assert time_formats(["12345", "99999"]) == []


def test_hostile_names_and_values_stay_inside_their_comments(tmp_path):
    evil = 'sku,"a: [b","x\n# y",qty\nA,"\x1b[2J\nfeed: evil","\u202e",1\n'
    text = draft(tmp_path, "x.csv", evil)
    assert value_of(text)["feed"] == "x"
    assert "\x1b" not in text
    assert "\u202e" not in text


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_a_draft_or_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "x.csv"
    path.write_bytes(content)
    try:
        text = draft_contract(path)
    except UsageError:
        return
    assert value_of(text)["feed"] == "x"


def test_a_large_file_is_drafted_in_bounded_memory(tmp_path):
    path = tmp_path / "big.csv"
    path.write_bytes(b"sku,store,on_hand\n" + b"A-100,0042,17\n" * 3_000_000)
    tracemalloc.start()
    draft_contract(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 << 20


@pytest.mark.slow
def test_every_real_file_gives_a_draft_that_loads_when_filled_in():
    if not SHARED.is_dir():
        pytest.skip("no real data beside the repository")
    wrong = []
    for path in sorted(p for p in SHARED.rglob("*.csv") if p.stat().st_size):
        text = draft_contract(path)
        told = [mistake.text for mistake in check_text(text)[1]]
        if any("???" not in sentence for sentence in told) or bool(told) != ('"???"' in text):
            wrong.append((path.name, told[:3]))
    assert wrong == []
