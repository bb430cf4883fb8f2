"""The report page: whole, of gold alone, the same for the same data, and closed to whatever the data say."""

import re
import shutil
import subprocess
from collections import Counter
from contextlib import ExitStack, closing
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import psycopg2
import pytest

from data_warehouse.deploy import deploy
from etl_pipeline.core.log import printable
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.settings import Settings
from load.postgres import connect
from pipeline_manager.morning.gold_reader import GoldReader, Listing
from pipeline_manager.morning.page import Section, Table, cell, render_page
from pipeline_manager.morning.plots import BAD, GOOD, columns_by_day, stacked_bars
from pipeline_manager.morning.report_page import SECTIONS, make_page, page_path, write_report
from test.data_warehouse.conftest import Warehouse
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.pipeline_manager.test_command_line import GOOD as GOOD_FILES
from test.pipeline_manager.test_command_line import Terminal
from test.run_warehouse import PROD
from test.security.payloads import PAYLOADS

OURS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav", "a", "b", "span",
    "section", "figure", "figcaption", "div", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre",
    "code", "footer", "svg", "g", "path", "line", "text",
}  # fmt: skip
VOID = {"meta"}
FETCHING = {"src", "srcset", "xlink:href", "action", "data", "poster", "background", "ping", "style"}
HOSTILE = "<script>alert('zqx')</script>\"><img src=x onerror=zqx>&amp;\u202e"


class Page(HTMLParser):
    """A page as a browser reads it: elements, attributes, and the text of each cell, heading and paragraph."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[tuple[str, int]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, len(self.texts)))
            self.texts.append((tag, ""))

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open:
            tag, number = self.open[-1]
            self.texts[number] = (tag, self.texts[number][1] + data)

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def assert_self_contained(page: Page) -> None:
    """No script, nothing fetched, nothing run, and no element that is not ours."""
    assert page.open == []
    assert set(page.tags) <= OURS
    assert not [found for found in page.attributes if found[1] in FETCHING or found[1].startswith("on")]
    assert all(value.startswith("#") for value in page.values("href"))
    assert not re.search(r"url\(|@import|https?:", "".join(page.of("style")))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert [value[1:] for value in page.values("href")] == ids


@pytest.fixture
def shop(warehouse):
    """A warehouse filled by hand with a little of everything that the page tells."""
    made = Warehouse(warehouse.url)
    made.load()
    for location in ("S1", "S2"):
        made.master("location", location)
    made.master("product", "A", product_name=HOSTILE, safety_stock=10, reorder_point=20)
    made.master("product", "B", reorder_point=5)
    made.file("latest.csv", "pos", logical_time="2025-01-10T00:00:00Z")
    head = "product_code | location_code | event_time | quantity"
    made.tell("count", f"{head} | scope | absence\nA | S1 | 2025-01-01T00:00:00Z | 4 | item | unknown")
    made.tell("movement", f"{head} | movement_class\nB | S2 | 2025-01-02T00:00:00Z | -3 | sale")
    for feed, role, quantity in (("pos", "authority", -2), ("erp", "shadow", -5)):
        made.tell(
            "movement",
            f"{head} | movement_class | role | feed\n"
            f"A | S2 | 2025-01-02T00:00:00Z | {quantity} | sale | {role} | {feed}",
        )
    orders = f"{head} | event | order_document | order_line | due_at\nA | S1 | 2025-01-01T00:00:00Z"
    made.tell("demand", f"{orders} | 6 | reserve | W1 | 1 | 2025-01-15T00:00:00Z")
    made.tell("supply", f"{orders} | 8 | order | P1 | 1 | 2025-01-08T00:00:00Z")
    sold = f"{head} | business_date | net_amount | currency | kind\nA | S1"
    for day, money, currency in ((2, "10.10", "EUR"), (9, "7.05", "EUR"), (9, "300.5", "GBP")):
        made.tell("sale", f"{sold} | 2025-01-0{day}T09:00:00Z | 1 | 2025-01-0{day} | {money} | {currency} | sale")
    made.run(
        "insert into silver.quarantine values (%s, 1, 9, 0, 1, 'x', 'unknown_product', %s, 'product', 'Z', 'c', %s, "
        "null)",
        (made.file("<b>sales.csv", "pos"), HOSTILE, made.known),
    )
    made.run("update ops.feed set every_hours = 24, grace_hours = 1")
    made.settle()
    yield made
    made.connection.close()


RULES = "select count(*)::int from ops.setting"


def page_of(url: str, schemas: Schemas = PROD) -> str:
    with closing(connect(url)) as connection:
        return make_page(GoldReader(connection, schemas))


def test_a_page_asked_for_over_several_connections_is_the_same_page(shop):
    with ExitStack() as stack:
        first, *others = (stack.enter_context(closing(connect(shop.url))) for _ in range(3))
        assert make_page(GoldReader(first, PROD), others) == page_of(shop.url)


def test_readers_beside_each_other_see_one_moment_whatever_is_loaded_between(shop):
    with closing(connect(shop.url)) as one, closing(connect(shop.url)) as other:
        first = GoldReader(one, PROD)
        before = first.value(RULES)
        shop.run("insert into ops.setting (name, value) values ('between', 'x')")
        second = first.beside(other)
        assert (first.value(RULES), second.value(RULES)) == (before, before)
        assert GoldReader(other, PROD).value(RULES) == before + 1


def test_the_page_has_every_section_with_a_sentence_a_plot_and_a_short_table(shop):
    page = Page(page_of(shop.url))

    assert_self_contained(page)
    assert "http:" not in page.html
    assert "https:" not in page.html
    assert page.of("h2") == [title for title, _ in SECTIONS.values()]
    assert page.values("name")[:1] == ["viewport"]
    assert "width=device-width, initial-scale=1" in page.values("content")
    assert "prefers-color-scheme: dark" in page.of("style")[0]
    assert any("default-src 'none'" in value for value in page.values("content"))
    assert page.of("p")[0] == "As of 2025-01-10 00:00 UTC, the latest instant that the files tell of."
    assert page.tags["svg"] == page.tags["figure"] >= 8
    assert all(value == "true" for _, name, value in page.attributes if name == "aria-hidden")
    for table in page.html.split("<tbody>")[1:]:
        assert 1 <= table.partition("</tbody>")[0].count("<tr>") <= 20
    assert page.html.count('<div class="table"') == page.tags["table"] == page.tags["details"]


def test_what_is_at_risk_short_late_and_set_aside_is_told(shop):
    page = Page(page_of(shop.url))
    told = "\n".join(page.of("p"))
    headlines = dict(zip(page.of("span"), page.of("b"), strict=True))

    assert headlines["Stock at risk"] == "3 at risk"
    assert headlines["Promises at risk"] == "none"
    assert headlines["Orders to look into"] == "1 lines"
    assert headlines["Source drift"] == "2 differ"
    assert headlines["Quarantine"] == "1 wait"
    assert "2 are below zero: find the missing record, or count" in told
    assert "7.05 EUR, 300.5 GBP net; currencies are not added" in told
    assert not [text for text in page.of("td") + page.of("p") if "307.55" in text or "317.65" in text]
    assert "Overdue: expected some days from now until it is too old to count on." in page.of("td")


def test_a_promise_that_cannot_be_kept_is_told_with_its_day(shop):
    shop.tell(
        "demand",
        "product_code | location_code | event_time | quantity | event | order_document | order_line | due_at\n"
        "A | S1 | 2025-01-01T00:00:00Z | 9 | reserve | W2 | 1 | 2025-01-20T00:00:00Z",
    )
    shop.settle()
    page = Page(page_of(shop.url))

    assert dict(zip(page.of("span"), page.of("b"), strict=True))["Promises at risk"] == "1 short"
    row = page.html.split("Short soonest")[1].split("<tbody>")[1].split("</tr>")[0]
    expected = shop.rows(
        "select min(day)::text, max(shortage)::text from gold.atp where shortage > 0 and product_code = 'A' "
        "and location_code = 'S1'"
    )[0]
    assert re.findall(r">([^<>]*)</td>", row)[2:4] == list(expected)


def test_the_same_data_give_the_same_bytes_and_a_reader_of_gold_alone_gets_them_too(shop):
    before = page_of(shop.url)
    assert page_of(shop.url) == before
    name = f"reader_{shop.value('select current_database()')}"
    shop.run(f"create role {name} login in role bi_reader")
    try:
        assert page_of(re.sub(r"//[^@/]*@", f"//{name}@", shop.url)) == before
    finally:
        shop.run(f"drop role {name}")


def test_the_sql_below_each_table_gives_its_rows_to_a_reader(shop):
    page = Page(page_of(shop.url))
    shop.run("set role bi_reader")
    bodies = [part.partition("</tbody>")[0] for part in page.html.split("<tbody>")[1:]]
    queries = page.of("code")[: len(bodies)]
    assert len(bodies) == 9
    for query, body in zip(queries, bodies, strict=True):
        rows = shop.rows(query)
        assert len(rows) == body.count("<tr>"), query
        first = [printable(cell(value)) for value in rows[0]]
        shown = Page(f"<table>{body}</table>").of("td")[: len(first)]
        is_time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
        assert [text for text in shown if not is_time.match(text)] == [t for t in first if not is_time.match(t)], query


def test_text_of_the_data_stays_text(shop):
    page = Page(page_of(shop.url))
    assert_self_contained(page)
    assert page.of("td").count(printable(HOSTILE)) >= 2
    assert "\u202e" not in page.html


def test_no_hostile_text_becomes_markup_anywhere_on_the_page():
    noncharacters = [f"{chr(0xFFFE)}{chr(0xFFFF)}{n}" for n in range(20)]
    hostile, drawn_ones = [*PAYLOADS, *noncharacters], [*PAYLOADS[::10], *noncharacters]
    sections = []
    for start in range(0, len(hostile), 20):
        texts = hostile[start : start + 20]
        rows = [{"sentence": text, "plain": text, "number": 1} for text in texts]
        tables = [Table(texts[3], Listing(rows, 30, {}, texts[4]))]
        sections.append(Section(f"s{start}", texts[5], texts[6], False, texts[7], (), tables))
    for start in range(0, len(drawn_ones), 12):
        texts = drawn_ones[start : start + 12]
        plot = stacked_bars([(text, "a", 1.0) for text in texts], {"a": BAD, "b": GOOD}, texts[0])
        sections.append(Section(f"d{start}", "", "", True, "", [(texts[0], plot)]))
    column = columns_by_day(["2025-01-01", "2025-01-02"], {"2025-01-01": 2.5}, drawn_ones[-1])
    sections.append(Section("column", "", "", True, "", [("", column)]))
    html = render_page(PAYLOADS[0], PAYLOADS[1], sections)
    html.encode()
    page = Page(html)

    assert_self_contained(page)
    assert page.of("td")[0::3] == [printable(text) for text in hostile]


def test_an_empty_warehouse_gives_a_page_that_says_what_to_do(warehouse):
    for schemas in (PROD, Schemas.of("fresh")):
        page = Page(page_of(warehouse.url, schemas))
        assert_self_contained(page)
        assert page.of("h2") == ["Nothing has been loaded yet"]
        assert "systock run" in page.of("code")
    with closing(psycopg2.connect(warehouse.url)) as connection:
        deploy(connection, Schemas.of("fresh"))  # silver is there, gold was never published
    assert Page(page_of(warehouse.url, Schemas.of("fresh"))).of("h2") == ["Nothing has been loaded yet"]


def test_a_warehouse_of_which_only_a_broken_file_came_has_a_page(warehouse):
    made = Warehouse(warehouse.url)
    made.file("broken.zip", "pos", status="set_aside", reason="corrupt_archive", sentence="Send it again.")
    page = Page(page_of(warehouse.url))
    made.connection.close()
    assert_self_contained(page)
    assert dict(zip(page.of("span"), page.of("b"), strict=True))["Quarantine"] == "1 wait"
    assert "broken.zip" in page.of("td")


def test_a_view_that_gold_does_not_have_yet_costs_its_section_only(shop):
    shop.run("drop view gold.safety_stock cascade")
    page = Page(page_of(shop.url))
    headlines = dict(zip(page.of("span"), page.of("b"), strict=True))
    assert (headlines["Safety stock"], headlines["Stock at risk"]) == ("not there", "3 at risk")


def test_numbers_are_shown_as_they_are():
    assert [cell(Decimal(text)) for text in ("1234567.8900", "100", "-0.50", "1E+3", "0.000")] == [
        "1,234,567.89", "100", "-0.5", "1,000", "0",
    ]  # fmt: skip
    assert [cell(None), cell(True), cell(1200)] == ["-", "yes", "1,200"]


def test_a_run_writes_the_page_and_tells_where_it_lies(warehouse, tmp_path):
    contracts = write_feeds(tmp_path / "contracts")
    inbox = write_files(tmp_path / "inbox", MASTERS | GOOD_FILES)

    report = warehouse.run(contracts, inbox, write_page=True)

    assert report.page == str(page_path(Settings(home=warehouse.home)))
    assert_self_contained(Page(Path(report.page).read_text(encoding="utf-8")))
    assert report.notes == []
    assert sorted(path.name for path in warehouse.home.glob("*report*")) == [".report.state", "report.html"]
    assert warehouse.run(contracts, inbox).page == ""


def test_a_run_that_changes_nothing_leaves_the_page_as_it_is_and_any_change_writes_it_anew(warehouse, tmp_path):
    contracts = write_feeds(tmp_path / "contracts")
    inbox = write_files(tmp_path / "inbox", MASTERS | GOOD_FILES)
    page = Path(warehouse.run(contracts, inbox, write_page=True).page)
    page.write_text("as it was", encoding="utf-8")

    assert warehouse.run(contracts, inbox, write_page=True).page == str(page)
    assert page.read_text(encoding="utf-8") == "as it was"

    name, text = next(iter(GOOD_FILES.items()))
    write_files(inbox, {name.replace("2025-", "2026-"): text})  # the same bytes, for another day
    warehouse.run(contracts, inbox, write_page=True)
    assert page.read_text(encoding="utf-8") != "as it was"

    page.unlink()
    warehouse.run(contracts, inbox, write_page=True)
    assert page.exists()


def test_a_page_that_cannot_be_written_does_not_fail_the_run_but_is_told(warehouse, tmp_path):
    page_path(Settings(home=warehouse.home)).mkdir()
    inbox = write_files(tmp_path / "inbox", MASTERS | GOOD_FILES)

    report = warehouse.run(write_feeds(tmp_path / "contracts"), inbox, write_page=True)

    assert report.page == ""
    assert "The report page was not written" in report.notes[0]
    assert warehouse.value("select on_hand from gold.stock_on_hand") == 3


def test_the_command_writes_where_it_is_told_to_and_says_why_it_cannot(tmp_path, warehouse):
    (tmp_path / "person").mkdir()
    systock = Terminal(tmp_path / "person").systock

    code, out, _ = systock("report", "--out", "pages/today.html", "--database-url", warehouse.url)
    assert (code, out.strip()) == (0, "pages/today.html")
    assert "Nothing has been loaded yet" in (tmp_path / "person" / "pages" / "today.html").read_text(encoding="utf-8")

    assert systock("env", "create", "tea", "--database-url", warehouse.url)[0] == 0
    code, out, _ = systock("report", "--env", "tea", "--database-url", warehouse.url)
    assert (code, out.strip()) == (0, str(tmp_path / "person" / "systock" / "env" / "tea" / "report.html"))
    code, _, err = systock("report", "--out", "pages", "--database-url", warehouse.url)
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here; apt-get install chromium")
def test_a_browser_as_narrow_as_a_phone_shows_it_without_sideways_scrolling(shop, tmp_path):
    target = tmp_path / "page.html"
    write_report(shop.url, PROD, target)
    html = target.read_text(encoding="utf-8")
    # The page itself lets no script run; this copy measures.
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    frame = (
        f'<iframe width="390" height="800" srcdoc="{html.replace("&", "&amp;").replace(chr(34), "&quot;")}"></iframe>'
    )
    measure = "onload=\"document.title = 'wide ' + frames[0].document.documentElement.scrollWidth\""
    target.write_text(f"<!doctype html><meta charset=utf-8><body {measure}>{frame}", encoding="utf-8")
    dumped = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", target.as_uri()], capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    width = re.search(r"<title>wide (\d+)", dumped)
    assert width is not None
    assert int(width[1]) <= 390
