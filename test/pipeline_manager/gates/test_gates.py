"""Each gate is broken once, and says where."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from etl_pipeline.core.errors import StopRunError, UsageError
from pipeline_manager.gates.findings import Finding
from pipeline_manager.gates.running import look_at_all, run_gates
from test.pipeline_manager.gates.small_repository import small_repository
from test.run_warehouse import REPO


@pytest.fixture
def root(tmp_path):
    return small_repository(tmp_path / "repository")


def places(findings: list[Finding]) -> set[tuple[str, str, int]]:
    return {(each.gate, each.path, each.line) for each in findings}


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_all_gates_are_open_where_nothing_is_wrong_and_each_looked_at_something(root):
    looked = look_at_all(root)
    assert {name: each.findings for name, each in looked.items()} == dict.fromkeys(looked, ())
    assert min(each.count for each in looked.values()) > 0


def test_sql_that_is_not_laid_out_or_does_not_parse_is_found_with_its_line(root):
    ugly, broken = (Path("data_warehouse/schema") / name for name in ("900_ugly.sql", "901_broken.sql"))
    (root / ugly).write_text("-- why\nSELECT a from {{ ops }}.run;\n", encoding="utf-8")
    (root / broken).write_text("select 1;\n\nselect from where (;\n", encoding="utf-8")
    found = {(each.path, each.line, each.rule) for each in run_gates(root, only=["sql"], changed=[ugly, broken])}
    assert (ugly.as_posix(), 2, "CP01") in found
    assert (broken.as_posix(), 3, "PRS") in found
    assert {path for path, _, _ in found} == {ugly.as_posix(), broken.as_posix()}


def test_a_model_of_gold_is_linted_as_dbt_would_render_it(root):
    model = next((root / "data_warehouse/gold/models/stock").glob("*.sql")).relative_to(root)
    assert run_gates(root, only=["sql"], changed=[model]) == []
    append(root / model, "\nselect 1 as  one from {{ ref('stock_on_hand') }}\n")
    assert {each.path for each in run_gates(root, only=["sql"], changed=[model])} == {model.as_posix()}


def test_a_model_of_gold_that_only_postgresql_takes_is_found(root):
    model = next((root / "data_warehouse/gold/models/stock").glob("*.sql")).relative_to(root)
    last = (root / model).read_text(encoding="utf-8").rindex("select * from")
    text = (root / model).read_text(encoding="utf-8")
    (root / model).write_text(f"{text[:last]}select distinct on (product_code) * {text[last + 9 :]}", encoding="utf-8")
    assert "PRS" in {each.rule for each in run_gates(root, only=["sql"], changed=[model])}


def test_sqlfluff_that_fails_opens_no_gate(root):
    shutil.rmtree(root / ".ci/sqlfluff_lib")
    (root / ".sqlfluff").write_text("[sqlfluff]\ndialect = no_such\ntemplater = jinja\n", encoding="utf-8")
    with pytest.raises(StopRunError, match="no SQL was judged"):
        run_gates(root, only=["sql"], changed=[Path("data_warehouse/schema/010_ops.sql")])


def test_yaml_is_judged_strictly_and_a_warning_counts(root):
    (root / "feeds/uci/more.yml").write_text("a: 1\n#b\nc:   1\n", encoding="utf-8")
    found = run_gates(root, only=["yaml"])
    assert ("yaml", "feeds/uci/more.yml", 3) in places(found)
    assert {"warning", "error"} == {each.level for each in found}


def test_yaml_in_another_encoding_is_a_finding_and_no_traceback(root):
    (root / "latin.yml").write_bytes(b"a: M\xfcller\n")
    assert places(run_gates(root, only=["yaml"])) == {("yaml", "latin.yml", 1)}


@pytest.mark.fast
def test_a_contract_that_does_not_load_is_found_with_its_line(root):
    path = root / "feeds/uci/till.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(place for place, line in enumerate(lines) if line.startswith("feed:"))
    lines[number] = "feed: {not: a name}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert ("contracts", "feeds/uci/till.yml", number + 1) in places(run_gates(root, only=["contracts"]))


@pytest.mark.fast
def test_a_folder_with_a_retailer_and_no_contract_is_a_finding(root):
    (root / "feeds/uci/till.yml").unlink()
    found = run_gates(root, only=["contracts"])
    assert [(each.path, each.line, each.rule) for each in found] == [("feeds/uci", 1, "folder")]


@pytest.mark.fast
def test_a_folder_of_contracts_elsewhere_is_judged_when_asked_for(root, tmp_path):
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "a.yml").write_text("feed: a\n", encoding="utf-8")
    assert run_gates(root, only=["contracts"]) == []
    found = run_gates(root, only=["contracts"], feeds=[elsewhere], changed=[])
    assert {each.path.rpartition("/")[2] for each in found} == {"a.yml", "retailer.yml"}


def test_models_that_were_not_compiled_again_keep_the_gate_of_gold_shut(root):
    append(next((root / "data_warehouse/gold/models/stock").glob("*.sql")), "\n")
    found = run_gates(root, only=["gold"])
    assert [(each.path, each.rule) for each in found] == [("data_warehouse/gold_compiled.json", "compiled")]
    assert "python -m data_warehouse.gold_compiled" in found[0].message


def test_what_dbt_finds_wrong_with_a_model_names_the_model(root):
    model = next((root / "data_warehouse/gold/models/stock").glob("*.sql"))
    append(model, "\nselect * from {{ ref('nothing_of_this_name') }}\n")
    found = run_gates(root, only=["gold"])
    assert [(each.path, each.rule) for each in found] == [(model.relative_to(root).as_posix(), "dbt")]
    assert "nothing_of_this_name" in found[0].message


@pytest.mark.fast
def test_only_what_changed_is_looked_at(root):
    (root / "a.yml").write_text("a:   1\n", encoding="utf-8")
    (root / "b.yml").write_text("b:   1\n", encoding="utf-8")
    found = run_gates(root, only=["yaml", "contracts"], changed=[root.joinpath("b.yml").relative_to(root)])
    assert {each.path for each in found} == {"b.yml"}
    assert run_gates(root, changed=[]) == []


@pytest.mark.fast
def test_settings_that_changed_are_a_reason_to_look_at_everything(root):
    (root / "a.yml").write_text("a:   1\n", encoding="utf-8")
    settings = (root / ".yamllint.yml").relative_to(root)
    assert {each.path for each in run_gates(root, only=["yaml"], changed=[settings])} == {"a.yml"}


@pytest.mark.fast
def test_a_link_is_not_followed(root, tmp_path):
    secret = tmp_path / "secret.yml"
    secret.write_text("password:   hidden\n", encoding="utf-8")
    (root / "linked.yml").symlink_to(secret)
    assert run_gates(root, only=["yaml"]) == []


@pytest.mark.fast
@pytest.mark.parametrize("gate, package", [("sql", "SQLFluff"), ("yaml", "yamllint")])
def test_a_package_that_is_missing_is_told_with_what_to_install(root, monkeypatch, gate, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=rf"{package}: pip install 'systock\[gates\]'"):
        run_gates(root, only=[gate])


@pytest.mark.fast
def test_a_gate_that_does_not_exist_is_refused(root):
    with pytest.raises(UsageError, match="no gate 'sqll'"):
        run_gates(root, only=["sqll"])
    with pytest.raises(UsageError, match="is no folder"):
        run_gates(root / "nothing")


@pytest.mark.slow
def test_the_gates_of_this_repository_are_open():
    assert run_gates(REPO) == []
