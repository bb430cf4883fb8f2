"""Sales whose every value says which column it belongs to, and the senders that write them, each in its own way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import yaml

from etl_pipeline.contracts.model import Contract
from etl_pipeline.contracts.values import References

ROWS = 14
STORES = ("ST01", "ST02", "ST03")
ARTICLES = ("A-1001", "A-1002", "A-1003", "A-1004", "A-1005")
NEEDED = ("receipt", "line", "store", "article", "note", "sold_at", "pieces", "price", "net")
START = datetime(2025, 3, 1, 8, 0, 5, tzinfo=UTC)
NOTES = (
    "plain words",
    "Müller, Söhne & Co",
    'said "yes" twice',
    'pipe 40" long',
    "two\nlines",
    "semi; colon | bar",
    "tab\there, and more",
    "ñandú for 5 €",
    "back\\slash",
    "O'Neil's",
    '"all of it in quotes"',
    "",
    "ends with a quote\"",
    "Çedille, à la carte",
)  # fmt: skip
Key = tuple[str, str]
Fact = tuple[object, ...]


@dataclass(frozen=True)
class Style:
    """How a sender writes a table."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    line_end: str = "\n"
    encoding: str = "utf-8"
    is_all_quoted: bool = False
    decimal: str = "."
    time_format: str = "%Y-%m-%d %H:%M:%S"
    has_header: bool = True
    has_trailer: bool = False


@dataclass(frozen=True)
class Feed:
    """A sender: its columns in order, its style, and what its contract says beside."""

    name: str
    columns: tuple[str, ...]
    style: Style = field(default_factory=Style)
    ends_lines: bool = False
    files: dict[str, Any] = field(default_factory=dict)

    def contract_text(self) -> str:
        """The contract of the feed as YAML."""
        style = self.style
        dialect: dict[str, Any] = {"delimiter": style.delimiter, "quote": style.quote}
        if style.escape:
            dialect |= {"escape": style.escape, "doubled_quote": False}
        if not style.has_header:
            dialect |= {"header": False, "columns": list(self.columns)}
        if style.has_trailer:
            dialect["trailer"] = {"starts_with": "TRL", "count_field": 2, "total_field": 3, "total_of": "net"}
        if self.ends_lines:
            dialect["last_line_end"] = "required"
        reading: dict[str, Any] = {"zone": "UTC", "decimal": style.decimal, "formats": [style.time_format]}
        if style.decimal == ",":
            reading["thousands"] = "."
        columns = {
            "product_code": "article", "location_code": "store", "event_time": "sold_at", "quantity": "pieces",
            "unit_price": "price", "net_amount": "net", "customer_code": "note", "order_document": "receipt",
            "order_line": "line",
        }  # fmt: skip
        contract = {
            "feed": self.name,
            "describes": "Sales of a sender of the damage corpus.",
            "source_system": "pos",
            "files": {
                "pattern": f"{self.name}/*", "encoding": style.encoding, "delimited": dialect,
                "aliases": {"article": ["item_no"]}, **self.files,
            },
            "reading": reading,
            "key": {"document": "receipt", "line": "line"},
            "yields": [{"fact": "sale", "columns": columns}],
        }  # fmt: skip
        return yaml.safe_dump(contract, sort_keys=False, allow_unicode=True)

    def contract(self) -> Contract:
        """The contract of the feed."""
        return Contract.model_validate(yaml.safe_load(self.contract_text()))


USUAL = (*NEEDED, "clerk")
FEEDS = {
    feed.name: feed
    for feed in (
        Feed("comma", USUAL, Style()),
        Feed(
            "german",
            ("clerk", *NEEDED),
            Style(";", encoding="cp1252", line_end="\r\n", decimal=",", time_format="%d.%m.%Y %H:%M:%S"),
        ),
        Feed("tabbed", USUAL, Style("\t", quote=None)),
        Feed("piped", ("receipt", "line", "clerk", *NEEDED[2:]), Style("|", line_end="\r\n", has_trailer=True)),
        Feed("headless", USUAL, Style(";", has_header=False, is_all_quoted=True)),
        Feed("wide", USUAL, Style(encoding="utf-16-le")),
        Feed("escaped", ("clerk", *NEEDED), Style(escape="\\"), ends_lines=True),
    )
}

PRODUCTS = "sku,name\n" + "".join(f"{code},Article {code}\n" for code in ARTICLES)
PLACES = "code,kind\n" + "".join(f"{code},store\n" for code in STORES)
MASTERS = {
    "product": (PRODUCTS, {"product_code": "sku", "product_name": "name"}, "sku"),
    "location": (PLACES, {"location_code": "code", "location_kind": "kind"}, "code"),
}
RETAILER = """
retailer: damage
describes: A retailer made up for the damage corpus.
zone: UTC
currency: EUR
snapshot_days: 0
"""


def master_contract(kind: str) -> str:
    """The contract of a master that the sales need."""
    _, columns, key = MASTERS[kind]
    contract = {
        "feed": f"{kind}_master", "describes": "A master of the damage corpus.", "source_system": "erp",
        "files": {"pattern": f"{kind}.csv"}, "key": {"document": key}, "yields": [{"fact": kind, "columns": columns}],
    }  # fmt: skip
    return yaml.safe_dump(contract, sort_keys=False)


def references() -> References:
    """What the masters say, as the warehouse would answer."""
    place = {"zone": ["UTC"] * len(STORES), "location_kind": ["store"] * len(STORES)}
    place["day_close_minutes"] = ["0"] * len(STORES)
    product = {"base_unit": ["EA"] * len(ARTICLES), "is_created": ["false"] * len(ARTICLES)}
    return References(
        {"product": pd.DataFrame(product, index=list(ARTICLES)), "location": pd.DataFrame(place, index=list(STORES))}
    )


def note_of(feed: Feed, number: int, row: int) -> str:
    """Free text with all that is hard to write; a sender that cannot quote leaves out what it cannot write."""
    text = f"N{number:04d}{row:02d} {NOTES[row % len(NOTES)]}".rstrip()
    if NOTES[row % len(NOTES)].startswith('"'):
        text = NOTES[row % len(NOTES)].replace("all", f"N{number:04d}{row:02d} all")
    if feed.style.quote is None:
        text = " ".join(text.replace(feed.style.delimiter, " ").replace('"', "''").split())
    return text


def table(feed: Feed, number: int, rows: int = ROWS) -> list[dict[str, str]]:
    """The clean rows of file `number`; no value of one column could be a value of another one."""
    made = []
    for row in range(rows):
        values = {
            "receipt": f"R-{number:04d}{row:03d}",
            "line": str(7000 + row),
            "store": STORES[row % len(STORES)],
            "article": ARTICLES[row % len(ARTICLES)],
            "note": note_of(feed, number, row),
            "sold_at": (START + timedelta(minutes=17 * row + number)).strftime(feed.style.time_format),
            "pieces": str(1200 + row if row % 4 == 3 else 11 + row),
            "price": f"{500 + row}.{13 + row}".replace(".", feed.style.decimal),
            "net": f"{3000 + 10 * row}.{21 + row}".replace(".", feed.style.decimal),
            "clerk": f"C-{row:02d}",
        }
        made.append({name: values[name] for name in feed.columns})
    return made


def truth(feed: Feed, rows: list[dict[str, str]]) -> dict[Key, Fact]:
    """The facts that clean rows tell, from the rows themselves and not by reading a file."""
    return {
        (row["receipt"], row["line"]): (
            row["article"],
            row["store"],
            datetime.strptime(row["sold_at"], feed.style.time_format).replace(tzinfo=UTC),
            Decimal(row["pieces"]),
            Decimal(row["price"].replace(",", ".")),
            Decimal(row["net"].replace(",", ".")),
            row["note"],
        )
        for row in rows
    }
