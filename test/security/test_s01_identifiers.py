"""S1: a name from outside never becomes a part of a statement; S2: a value from outside is kept as it came."""

import ast
import json
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml
from psycopg2 import sql

from etl_pipeline.contracts.checking import UNFILLED
from etl_pipeline.contracts.loading import check_folder, check_text
from etl_pipeline.contracts.model import Extract
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import Schemas, safe_name
from extract.extract_database import extract_database
from test.run_warehouse import REPO, administer
from test.security.payloads import PAYLOADS, outside_literals

PACKAGES = ("etl_pipeline", "extract", "load", "data_warehouse", "pipeline_manager")
SINKS = {"execute", "executemany", "copy_expert", "execute_values", "mogrify", "SQL", "_run", "_rows", "rows", "text"}
OWN_NAMES = {
    "load/batch.py": "table names from a tuple beside the statement",
    "data_warehouse/content_hash.py": "relations of _CODES, a constant of the module, with the environment's schemas",
    "load/postgres_serving.py": "relations and columns of the keeper's catalogue, each quoted",
    "load/snowflake/serving.py": "relations and columns of the keeper's catalogue, each quoted",
    "data_warehouse/ddl.py": "renders the constants of contracts/facts.py",
    "data_warehouse/ddl_masters.py": "renders the constants of contracts/facts.py",
}
"""Files that put text together for a statement, and why that text is ours."""

CONTRACT = """
feed: odd
describes: {describes}
source_system: wms
files: {{pattern: "**/*"}}
key: {{document: {document}}}
yields:
  - fact: product
    columns: {{product_code: {code}, product_name: {name}}}
"""


def contract(**names: str) -> str:
    usual = {"describes": "d", "document": "a", "code": "b", "name": "c"}
    return CONTRACT.format(**{key: json.dumps(text) for key, text in (usual | names).items()})


@pytest.mark.fast
def test_s01_the_corpus_has_500_different_payloads():
    assert len(PAYLOADS) == len(set(PAYLOADS)) == 500


@pytest.mark.fast
def test_s01_no_payload_becomes_the_name_of_an_environment_or_a_schema():
    for payload in PAYLOADS:
        with pytest.raises(UsageError):
            Schemas.of(payload)
        with pytest.raises(UsageError):
            safe_name(payload, "name")


@pytest.mark.fast
@pytest.mark.parametrize("place", ["feed", "retailer", "set", "exclude"])
def test_s01_no_payload_becomes_a_name_in_a_contract(tmp_path, place):
    """Names of feeds, retailers, sets and rules follow the allow-list, whatever is tried."""
    good = yaml.safe_load(contract())
    for payload in PAYLOADS[:: 1 if place == "feed" else 5]:
        document = dict(good)
        match place:
            case "feed":
                document["feed"] = payload
            case "retailer":
                (tmp_path / "x.yml").write_text(contract(), encoding="utf-8")
                text = json.dumps({"retailer": payload, "describes": "A shop.", "zone": "UTC", "currency": "EUR"})
                (tmp_path / "retailer.yml").write_text(text, encoding="utf-8")
                assert check_folder(tmp_path).feeds is None
                continue
            case "set":
                document["yields"] = [{"fact": "reference", "set": payload, "columns": {"key": "a"}}]
            case "exclude":
                document["exclude"] = [{"name": payload, "when": {"a": "x"}}]
        checked, mistakes, _ = check_text(json.dumps(document))
        assert checked is None, ascii(payload)
        assert mistakes
    assert UNFILLED  # a draft's open places are refused by the same check


def _is_built(node: ast.AST) -> bool:
    """Whether an expression puts text together out of parts that are not all constants."""
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr) and any(isinstance(value, ast.FormattedValue) for value in part.values):
            return True
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Mod):
            sides = (part.left, part.right)
            if any(isinstance(s, ast.Constant) and isinstance(s.value, str) for s in sides) and not all(
                isinstance(s, ast.Constant) or (isinstance(s, ast.Name) and s.id.isupper()) for s in sides
            ):
                return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "format":
            on = part.func.value
            if isinstance(on, ast.Constant) or (isinstance(on, ast.Name) and on.id.isupper()):
                return True
    return False


def built_statements(tree: ast.AST) -> list[int]:
    """Lines of statements that are put together as text and then handed to a database."""
    found = []
    functions: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions or [tree]:
        built = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _is_built(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name not in SINKS:
                continue
            for given in call.args:
                is_built = isinstance(given, ast.JoinedStr | ast.BinOp | ast.Call) and _is_built(given)
                if is_built or (isinstance(given, ast.Name) and given.id in built):
                    found.append(call.lineno)
    return sorted(set(found))


@pytest.mark.fast
def test_s01_no_statement_is_put_together_as_text():
    """Names go through the driver's quoting or the schema marks; the few files that render text render their own."""
    found: dict[str, list[int]] = {}
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            lines = built_statements(ast.parse(path.read_text(encoding="utf-8")))
            if lines:
                found[path.relative_to(REPO).as_posix()] = lines
    assert {name: lines for name, lines in found.items() if name not in OWN_NAMES} == {}


@pytest.mark.fast
@pytest.mark.parametrize(
    "code",
    [
        "def f(c, t):\n    c.execute(f'select * from {t}')",
        "def f(c, t):\n    c.execute('select * from ' + t)",
        "def f(c, t):\n    c.execute('select * from %s' % t)",
        "def f(c, t):\n    c.execute('select * from {}'.format(t))",
        "def f(c, t):\n    q = f'drop table {t}'\n    c.execute(q)",
        "def f(c, t):\n    c.execute(sql.SQL('select {}'.format(t)))",
    ],
)
def test_s01_the_check_itself_finds_each_way_to_build_a_statement(code):
    assert built_statements(ast.parse(code))


@pytest.mark.fast
def test_s01_what_is_quoted_is_told_from_what_is_not():
    assert outside_literals("select 'a''zq', E'b\\'zq', $x$zq$x$ from t") == "select , E,  from t"
    assert "zq" in outside_literals("select 'a' zq")
    assert "zq" in outside_literals('select "zq"')


# -- the whole flow, with the server writing down every statement --------------------------------------------------


def csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def storable(text: str) -> bool:
    """What a record may hold: no NUL, and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


CELLS = [payload for payload in PAYLOADS if storable(payload)]
HEADERS = [p for p in CELLS if p.strip() == p and p and "\r" not in p and "\n" not in p and len(p) < 200]
NAMES = [p for p in CELLS if p.isprintable() and "/" not in p and "\\" not in p and len(p.encode()) < 200][:40]


@pytest.fixture(scope="module")
def flown(make_warehouse, postgres_server, tmp_path_factory):
    """Load every payload as a cell and as a header, under hostile names; return what the server was told."""
    warehouse = make_warehouse()
    folder, inbox = tmp_path_factory.mktemp("contracts"), tmp_path_factory.mktemp("inbox")
    used = HEADERS[:4]
    text = contract(describes=HEADERS[5], document=used[0], code=used[1], name=used[2])
    (folder / "odd.yml").write_text(text, encoding="utf-8")
    (folder / "retailer.yml").write_text(
        "retailer: small\ndescribes: d\nzone: UTC\ncurrency: EUR\nsnapshot_days: 0\n", encoding="utf-8"
    )
    rows = [[f"P{number}", f"P{number}", cell, cell] for number, cell in enumerate(CELLS)]
    header = [*used[:3], HEADERS[3]]
    lines = [",".join(map(csv_cell, line)) for line in (header, *rows)]
    (inbox / f"big{NAMES[0]}").write_bytes(("\n".join(lines) + "\n").encode())
    for number, name in enumerate(NAMES[1:]):
        more = [*used[:3], *HEADERS[3 + number * 8 : 11 + number * 8]]
        line = [f"Q{number}", f"Q{number}", "plain", *["x"] * (len(more) - 3)]
        (inbox / name).write_bytes(("\n".join(",".join(map(csv_cell, r)) for r in (more, line)) + "\n").encode())
    log = Path(postgres_server.home) / "server.log"
    offset = log.stat().st_size
    administer(postgres_server, f"alter database {warehouse.name} set log_statement = 'all'")
    report = warehouse.run(folder, inbox)
    with log.open("rb") as stream:
        stream.seek(offset)
        told = stream.read().decode("utf-8", "replace")
    return warehouse, report, told


def test_s01_no_payload_stands_in_a_statement_outside_a_quoted_value(flown):
    warehouse, report, told = flown
    assert "statement: " in told, "the server must have written down what it was told"
    assert report.refused == {}
    entries = told.split("LOG:  ")
    ours = [entry for entry in entries if any(mark in entry for mark in ("zqx", "ZQX"))]
    for entry in ours:
        rest = outside_literals(entry)
        assert "zqx" not in rest.lower(), ascii(rest[:500])
    assert warehouse.value("select count(*) from bronze.file") == len(NAMES)


def test_s02_every_value_is_kept_verbatim_in_bronze_and_as_clean_text_in_silver(flown):
    warehouse, _, _ = flown
    big = warehouse.value("select file_id from bronze.file order by size_bytes desc limit 1")
    kept = warehouse.bytes_of(big).decode()
    for cell in CELLS:
        assert csv_cell(cell) in kept
    told = dict(warehouse.rows("select product_code, product_name from silver.fact_product"))
    aside = {int(n) for (n,) in warehouse.rows("select record_no from silver.quarantine")}
    assert len(told) + len(aside) == len(CELLS) + len(NAMES) - 1
    compared = 0
    for number, cell in enumerate(CELLS):
        if f"P{number}" in told and cell.isascii():
            assert told[f"P{number}"] == (cell.strip(" \t\n\r\f\v") or None), ascii(cell)
            compared += 1
    assert compared > 300
    assert warehouse.books() == []
    tables = warehouse.value("select count(*) from pg_tables where schemaname in ('bronze', 'silver', 'ops')")
    assert tables > 20, "nothing was dropped"


def test_s01_a_source_table_with_a_hostile_name_is_quoted_by_the_driver(tmp_path, database_url):
    name = 'x"; drop table keep; --zqx'
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create table keep (a integer)")
        cursor.execute(sql.SQL("create table {} as select 1 as a").format(sql.Identifier(name)))
    extract = Extract(kind="database", url_env="X", table=name, order_by=["a"])
    written = extract_database("feed", extract, database_url, tmp_path)
    assert written.read_text() == 'a\n"1"\n'
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("select 1 from (select count(*) from keep) as still_there")
        found = cursor.fetchall()
    assert found == [(1,)]
