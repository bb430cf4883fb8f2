"""The dbt project of gold: described, linted by its own rules, deployed and tested."""

import os
import re
import shutil
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from data_warehouse import dbt_calls, gold_compiled, gold_project
from data_warehouse.dbt_runner import (
    PROJECT,
    build_gold,
    gold_is_deployed,
    gold_version,
    gold_views,
    run_gold_tests,
)
from data_warehouse.deploy import deploy
from data_warehouse.gold_reference import PAGE, described_models, gold_page
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.names import Schemas

PROD = Schemas.of(None)


@pytest.mark.fast
def test_the_page_of_gold_says_what_the_project_says():
    assert PAGE.read_text(encoding="utf-8") == gold_page(), "run: python -m data_warehouse.gold_reference"


@pytest.mark.fast
def test_every_view_is_described_with_a_grain_and_an_example():
    described = {model["name"]: model for model in described_models()}
    assert sorted(described) == gold_views()
    for model in described.values():
        assert model["grain"].startswith("One row per ")
        assert f"gold.{model['name']}" in model["example"]


@pytest.mark.fast
@pytest.mark.parametrize("path", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_view_has_a_header_and_ends_in_a_cte_of_its_name(path):
    text = path.read_text(encoding="utf-8")
    for mark in (rf"^-- {path.stem}: ", r"^-- Grain: ", r"^-- Reads: .*", r"Used by: "):
        assert re.search(mark, text, re.MULTILINE), mark
    assert text.endswith(f"\n)\n\nselect * from {path.stem}\n")
    assert f"\n{path.stem} as (\n" in text


ONE_ENGINE_ONLY = (
    r"\bgreatest\(|\bleast\(", r"\bfilter \(", r"\bdistinct on\b", r"\blateral\b", r"\bwindow\b\s+\w+ as", r"::",
    r"at time zone", r"\* interval|make_interval", r"extract\(epoch", r"'-?infinity'|isfinite", r"timestamptz",
    r"as numeric\)", r"trim_scale", r"(string|array)_agg|bool_(and|or)\(", r"concat_ws", r"collate",
    r"unnest|generate_series", r"\bencode\(", r" ~ [\w('\"]+ \|\|", r"\) <>? \(", r"\bstart as \(",
)  # fmt: skip
"""What PostgreSQL takes and Snowflake does not, or takes for something else."""


@pytest.mark.fast
@pytest.mark.parametrize("path", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_view_is_written_in_what_both_engines_have(path):
    text = re.sub(r"--.*|{{.*?}}", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [found[0] for words in ONE_ENGINE_ONLY for found in re.finditer(words, text)] == []


@pytest.mark.fast
def test_what_the_engines_spell_differently_has_a_spelling_for_each():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "macros").glob("*.sql")))
    asked = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", text))
    for engine in ("postgres", "snowflake"):
        assert set(re.findall(rf"macro {engine}__(\w+)\(", text)) == asked


@pytest.mark.fast
def test_no_password_is_written_in_the_project():
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    secrets = re.findall(r"(?:password|passphrase): (.*)", profile)
    assert len(secrets) == 3
    assert all(re.fullmatch(r"\"{{ env_var\('DBT_ENV_SECRET_\w+', ''\) }}\"", secret) for secret in secrets)
    assert "send_anonymous_usage_stats: false" in (PROJECT / "dbt_project.yml").read_text(encoding="utf-8")


def test_every_column_of_every_view_is_described_in_the_database_in_its_order(warehouse):
    for model in described_models():
        found = warehouse.rows(
            "select attname, col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 order by attnum",
            (f'gold."{model["name"]}"',),
        )
        assert dict(found) == model["columns"], model["name"]
        assert [name for name, _ in found] == list(model["columns"])


def test_every_table_and_function_of_ours_has_a_comment(warehouse):
    silent = warehouse.rows(
        "select oid::regprocedure::text from pg_proc where pronamespace in "
        "('gold'::regnamespace, 'ops'::regnamespace) and obj_description(oid, 'pg_proc') is null union "
        "select oid::regclass::text from pg_class where relnamespace = 'gold'::regnamespace "
        "and relkind in ('r', 'v') and obj_description(oid, 'pg_class') is null"
    )
    assert silent == []


def test_every_example_of_the_page_runs(warehouse):
    for model in described_models():
        warehouse.rows(model["example"])
    for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8").split("## Views")[0], re.DOTALL):
        warehouse.tell(
            "movement", "product_code|location_code|event_time|quantity|movement_class\nA|S|2026-01-01|1|receipt"
        )
        warehouse.run(block)


STORY = """
    product_code | location_code | event_time           | quantity | movement_class
    A100         | S1            | 2025-01-01T09:00:00Z | 10       | receipt
"""


def test_the_tests_of_gold_pass_on_sound_data_and_name_what_fails(warehouse, tmp_path):
    warehouse.master("product", "A100")
    warehouse.master("location", "S1")
    warehouse.tell("movement", STORY)
    warehouse.settle()
    report = run_gold_tests(warehouse.url, PROD, target_dir=tmp_path)
    assert len(report.nodes) > 30
    assert {(node.kind, node.status) for node in report.nodes} == {("test", "pass")}
    warehouse.run("update silver.fact_movement set state = 'lost'")
    with pytest.raises(StopRunError, match="test accepted_values_stock_movement_state"):
        run_gold_tests(warehouse.url, PROD, target_dir=tmp_path)


def test_views_are_rebuilt_only_when_the_models_have_changed(warehouse, tmp_path):
    assert gold_is_deployed(warehouse.connection, PROD)
    report = build_gold(warehouse.url, PROD, target_dir=tmp_path, run_tests=False)
    assert (report.is_built, report.nodes) == (False, ())
    warehouse.run("update ops.setting set value = 'older' where name = 'gold_version'")
    assert not gold_is_deployed(warehouse.connection, PROD)
    warehouse.run("update ops.setting set value = %s where name = 'gold_version'", (gold_version(),))
    warehouse.run("drop view gold.sales_daily")
    assert not gold_is_deployed(warehouse.connection, PROD)


def test_an_environment_gets_views_of_its_own_that_read_its_own_silver(warehouse, tmp_path):
    lab = Schemas.of("lab")
    with closing(psycopg2.connect(warehouse.url)) as connection:
        deploy(connection, lab)
    assert not gold_is_deployed(warehouse.connection, lab)
    report = build_gold(warehouse.url, lab, target_dir=tmp_path, run_tests=False)
    assert report.is_built and len(report.nodes) == len(gold_views())
    warehouse.tell("movement", STORY)
    assert warehouse.value("select count(*) from lab_gold.stock_movement") == 0
    assert warehouse.value("select count(*) from gold.stock_movement") == 1
    warehouse.run("set role bi_reader")
    assert warehouse.rows("select * from lab_gold.stock_on_hand") == []


def test_a_model_that_does_not_build_is_named_and_what_was_there_stays(warehouse, tmp_path):
    warehouse.run("alter table silver.fact_offer rename column lead_time_days to days")
    warehouse.run("update ops.setting set value = 'older' where name = 'gold_version'")
    with pytest.raises(StopRunError, match=r"model offer failed.*lead_time_days"):
        build_gold(warehouse.url, PROD, target_dir=tmp_path, run_tests=False)
    assert warehouse.rows("select * from gold.offer") == []
    assert not gold_is_deployed(warehouse.connection, PROD)


def test_nothing_of_a_build_is_written_beside_the_project_or_left_in_the_environment(
    warehouse, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DBT_ENV_SECRET_SYSTOCK_PASSWORD", raising=False)
    monkeypatch.setattr(gold_compiled, "SHIPPED", tmp_path / "none.json")  # so that dbt is called
    before = sorted(PROJECT.rglob("*"))
    build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=False, full=True)
    assert sorted(PROJECT.rglob("*")) == before
    assert [path.name for path in Path.cwd().iterdir()] == ["target"]
    assert "DBT_ENV_SECRET_SYSTOCK_PASSWORD" not in os.environ
    assert capfd.readouterr() == ("", "")


@pytest.mark.fast
def test_what_is_shipped_compiled_was_made_of_this_project():
    shipped = gold_compiled.read_compiled(gold_compiled.SHIPPED)
    assert shipped and shipped.version == gold_version(), "run: python -m data_warehouse.gold_compiled"
    assert sorted(view.name for view in shipped.views) == gold_views()


def test_what_is_shipped_compiled_is_what_dbt_makes_of_this_project(tmp_path):
    made = gold_compiled.compile_gold(tmp_path)
    assert made is not None
    assert gold_compiled.SHIPPED.read_text(encoding="utf-8") == gold_compiled.as_text(made)


def test_the_shipped_project_is_deployed_and_tested_without_dbt(warehouse, tmp_path):
    report = build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=True, full=True)
    assert {(node.kind, node.status) for node in report.nodes} == {("model", "success"), ("test", "pass")}
    assert not (tmp_path / "target").exists()


def test_a_changed_project_is_compiled_once_and_kept(warehouse, changed_project, tmp_path):
    model = changed_project / "models" / "masters" / "channel.sql"
    model.write_text(model.read_text(encoding="utf-8") + "-- of another kind\n", encoding="utf-8")
    assert build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=False).is_built
    (tmp_path / "target" / "manifest.json").unlink()
    build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=True, full=True)
    assert not (tmp_path / "target" / "manifest.json").exists()
    assert gold_is_deployed(warehouse.connection, PROD)


def test_a_project_with_hooks_or_grants_is_left_to_dbt(warehouse, changed_project, tmp_path):
    model = changed_project / "models" / "masters" / "channel.sql"
    settings = (
        """{{ config(post_hook="comment on view {{ this }} is 'hooked'", grants={'insert': ['bi_reader']}) }}\n"""
    )
    model.write_text(settings + model.read_text(encoding="utf-8"), encoding="utf-8")
    assert gold_compiled.compile_gold(tmp_path / "compiled") is None
    assert build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=False).is_built
    assert warehouse.value("select obj_description('gold.channel'::regclass)") == "hooked"
    assert warehouse.value("select has_table_privilege('bi_reader', 'gold.channel', 'insert')")
    assert gold_is_deployed(warehouse.connection, PROD)


def test_no_view_is_touched_when_one_does_not_build(warehouse, tmp_path):
    warehouse.run("create view public.theirs as select * from gold.sales_daily")
    views = "select relname, oid from pg_class where relkind = 'v' and relname !~ '^pg_' order by relname"
    before = warehouse.rows(views)
    warehouse.run("alter table silver.fact_offer rename column lead_time_days to days")
    with pytest.raises(StopRunError, match="model offer failed"):
        build_gold(warehouse.url, PROD, target_dir=tmp_path, run_tests=False, full=True)
    assert warehouse.rows(views) == before


def test_words_for_a_column_that_is_not_there_stop_nothing(warehouse, changed_project, tmp_path):
    words = changed_project / "models" / "masters" / "masters.yml"
    text = words.read_text(encoding="utf-8").replace("    columns:\n", "    columns:\n      - name: nowhere\n", 1)
    words.write_text(text, encoding="utf-8")
    assert build_gold(warehouse.url, PROD, target_dir=tmp_path / "target", run_tests=False).is_built


def test_what_dbt_left_amid_its_work_goes_with_the_next_deployment(warehouse, tmp_path):
    warehouse.run("create view gold.offer__dbt_backup as select 1 as a; drop view gold.channel cascade")
    warehouse.run("create table gold.channel (a int)")
    build_gold(warehouse.url, PROD, target_dir=tmp_path, run_tests=False, full=True)
    assert warehouse.value("select to_regclass('gold.offer__dbt_backup')") is None
    assert warehouse.value("select relkind from pg_class where oid = 'gold.channel'::regclass") == "v"


@pytest.fixture
def changed_project(tmp_path, monkeypatch) -> Path:
    """A copy of the project to change."""
    copy: Path = tmp_path / "gold"
    shutil.copytree(PROJECT, copy)
    monkeypatch.setattr(gold_project, "PROJECT", copy)
    monkeypatch.setattr(dbt_calls, "PROJECT", copy)
    return copy
