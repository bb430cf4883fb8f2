"""Environments are created over prod without a copy, worked in, and dropped without a trace."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from data_warehouse.content_hash import content_hash
from etl_pipeline.core.errors import RetryStepError, StopRunError, UsageError
from etl_pipeline.core.failpoints import NAMES_OF_ENVIRONMENTS, VARIABLE, _reached
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import SilentProgress
from etl_pipeline.core.settings import Settings
from pipeline_manager.environments.lifecycle import collect_garbage, create, drop, refresh
from pipeline_manager.verifying import verify
from pipeline_manager.warehouse import open_warehouse
from test.pipeline_manager.small_retailer import MASTERS
from test.run_warehouse import PROD

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MORE = {"move_2025-02-03.csv": "E1,1,1,A,W1,2025-02-03T09:00:00,7,EA,in,\n"}


def total(warehouse, schemas: Schemas) -> str:
    with closing(psycopg2.connect(warehouse.url)) as connection:
        return content_hash(connection, schemas)["total"]


def left_of(warehouse, name: str) -> dict[str, object]:
    """What there is of an environment: nothing, when it is gone."""
    return {
        "schemas": warehouse.rows(
            "select nspname from pg_namespace where nspname ~ %s", (f"^{name}_(bronze|silver|gold|ops)$",)
        ),
        "roles": warehouse.rows(
            "select rolname from pg_roles where rolname like %s and rolname like %s", ("env\\_%", f"%\\_{name}"),
        ),
        "entries": warehouse.rows("select name, state from ops.environment where name = %s", (name,)),
        "files": [path.name for path in (warehouse.home / "env").glob(name)],
    }  # fmt: skip


NOTHING: dict[str, object] = {"schemas": [], "roles": [], "entries": [], "files": []}


def test_a_new_environment_shows_all_of_prod_without_a_row_of_its_own(prod):
    made = prod.environment("lab", "prod")
    assert (made.state, made.detached_at, made.base_known > 0) == ("ready", None, True)
    assert total(prod, made.schemas) == prod.total
    assert prod.value("select count(*) from pg_tables where schemaname like 'lab\\_%%'", ()) == 0
    assert prod.rows("select * from lab_gold.stock_on_hand order by 1, 2") == prod.rows(
        "select * from gold.stock_on_hand order by 1, 2"
    )
    plan = str(prod.rows("explain select * from lab_silver.fact_movement where record_id = 1"))
    assert "fact_movement t" in plan and "Function Scan" not in plan


def test_it_takes_less_than_five_megabytes_and_seconds_however_large_prod_is(prod):
    def size() -> int:
        prod.rows("checkpoint; select 1")
        return int(prod.value("select pg_database_size(current_database())"))

    before, started = size(), time.monotonic()
    prod.environment("lab", "prod")
    seconds = time.monotonic() - started
    assert size() - before < 5_000_000
    assert seconds < 10  # 0.4 on a machine with nothing else to do


def test_what_prod_learns_later_shows_too_and_prod_may_be_made_anew_under_it(prod, feeds, write):
    made = prod.environment("lab", "prod")
    prod.run(feeds, write("second", MORE))
    assert total(prod, made.schemas) == prod.total
    before = prod.total
    prod.run(feeds, None, full_refresh=True)
    assert (prod.total, total(prod, made.schemas)) == (before, before)
    assert prod.rows("select name, state from ops.environment") == [("lab", "ready")]


def test_a_run_in_it_changes_it_and_nothing_of_prod(prod, feeds, write):
    made, before = prod.environment("lab", "prod"), prod.total
    prod.run(feeds, write("second", MORE), env="lab")
    assert prod.total == before
    assert prod.value("select contracts from ops.environment") == str(feeds)
    stock = "select on_hand from {}.stock_on_hand where product_code = 'A' and location_code = 'W1'"
    assert (prod.value(stock.format("gold")), prod.value(stock.format("lab_gold"))) == (5, 12)
    other = {row[0] for row in prod.rows("select distinct tableowner from pg_tables where schemaname like 'lab\\_%'")}
    assert other == {made.role}
    # It says the same as prod would, had it loaded the file.
    prod.run(feeds, write("second", MORE))
    assert prod.total == total(prod, made.schemas)
    assert prod.rows("select count(*) from bronze.file") == prod.rows("select count(*) from lab_bronze.file")


def test_its_own_tables_have_the_indexes_keys_and_numbers_of_prod_and_nothing_depends_on_prod(prod, feeds, write):
    prod.environment("lab", "prod")
    prod.run(feeds, write("second", MORE), env="lab")
    look = (
        "select replace(indexdef, '{0}', '') from pg_indexes where schemaname ~ '^{0}(bronze|silver|gold|ops)$'"
        " and tablename <> 'environment' order by 1"
    )
    assert prod.rows(look.format("lab_")) == prod.rows(look.format(""))
    keys = (
        "select replace(pg_get_constraintdef(k.oid), 'lab_', ''), contype from pg_constraint as k"
        " inner join pg_namespace as n on k.connamespace = n.oid"
        " where n.nspname ~ '^{}(bronze|silver|gold|ops)$' and contype <> 'n' order by 1, 2"
    )
    assert prod.rows(keys.format("lab_")) == prod.rows(keys.format(""))
    assert prod.rows(
        "select pg_describe_object(classid, objid, objsubid), pg_describe_object(refclassid, refobjid, refobjsubid)"
        " from pg_depend where pg_describe_object(classid, objid, objsubid) like '%%lab\\_%%'"
        " and pg_describe_object(refclassid, refobjid, refobjsubid) ~ ' (bronze|silver|gold|ops)\\.'", ()
    ) == []  # fmt: skip


@pytest.mark.parametrize("is_written", [False, True])
def test_its_role_writes_there_and_nowhere_else(prod, feeds, write, is_written):
    prod.environment("lab", "prod")
    if is_written:
        prod.run(feeds, write("second", MORE), env="lab")
    forbidden = [
        "delete from silver.record", "insert into ops.setting values ('a', 'b')", "create table gold.x (a int)",
        "create table public.x (a int)", "create schema x", "drop table silver.record cascade",
        "update ops.environment set expires_at = 'infinity'", "select silver.apply_facts(1)", "create role x",
        "create or replace view gold.alert as select 1 as one",
    ]  # fmt: skip
    with open_warehouse(prod.url, prod.settings, Schemas.of("lab")) as opened:
        connection = opened.warehouse.connection
        for statement in forbidden:
            with pytest.raises(psycopg2.Error) as caught, connection, connection.cursor() as cursor:
                cursor.execute("reset role")
                cursor.execute(statement)
            assert caught.value.pgcode == "42501", statement


def test_an_empty_environment_may_hold_another_retailer(prod, feeds, write):
    prod.environment("tea")
    retailer = feeds / "retailer.yml"
    retailer.write_text(retailer.read_text().replace("retailer: small", "retailer: tea"))
    prod.run(feeds, write("second", MORE), env="tea")
    assert prod.value("select value from tea_ops.setting where name = 'retailer'") == "tea"
    assert prod.value("select count(*) from tea_bronze.file") == 1


def test_a_full_refresh_in_it_makes_its_own_anew_by_its_own_contracts(prod, feeds):
    made, before = prod.environment("lab", "prod"), prod.total
    prod.run(feeds, None, env="lab", full_refresh=True)
    assert total(prod, made.schemas) == before == prod.total
    assert prod.value("select count(*) from pg_tables where schemaname = 'lab_silver'") > 5


def test_its_page_and_its_other_files_lie_in_a_folder_of_its_own(prod, feeds, write):
    prod.environment("lab", "prod")
    report = prod.run(feeds, write("second", MORE), env="lab", write_page=True)
    assert report.page == str(prod.home / "env" / "lab" / "report.html"), report.notes
    assert drop(prod.url, prod.settings, "lab") is True
    assert left_of(prod, "lab") == NOTHING


def test_what_only_it_received_lies_in_its_folder_and_what_prod_has_is_read_there(prod, feeds, write):
    before = set(prod.settings.bronze.files())
    made = prod.environment("lab", "prod")
    prod.run(feeds, write("second", MASTERS | MORE), env="lab")
    own = replace(prod.settings, env="lab").bronze
    assert set(own.files()) - before == set(own.own.rglob("[0-9a-f]*/*"))
    assert len(set(own.files()) - before) == len(MORE)
    assert set(prod.settings.bronze.files()) == before
    with open_warehouse(prod.url, prod.settings, Schemas.of("lab")) as opened:
        assert verify(opened.warehouse, opened.settings, SilentProgress()).findings == []
    held = total(prod, made.schemas)
    prod.run(feeds, None, env="lab", full_refresh=True)
    assert total(prod, made.schemas) == held
    prod.run(feeds, write("third", MORE))
    assert len(set(prod.settings.bronze.files()) - before) == len(MORE)


def test_files_that_cannot_be_removed_are_said_and_the_drop_is_ended_later(prod, tmp_path):
    prod.environment("lab", "prod")
    folder, elsewhere = prod.home / "env" / "lab", tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(elsewhere)
    with pytest.raises(StopRunError, match="cannot be removed"):
        drop(prod.url, prod.settings, "lab")
    assert prod.rows("select name, state from ops.environment") == [("lab", "dropping")]
    folder.unlink()
    assert drop(prod.url, prod.settings, "lab") is True
    assert elsewhere.exists()
    assert left_of(prod, "lab") == NOTHING


@pytest.mark.parametrize("origin", ["prod", "empty"])
def test_dropped_it_leaves_nothing_and_prod_as_it_was(prod, feeds, write, origin):
    before = prod.total
    prod.environment("lab", origin)
    prod.environment("lab_2", origin)
    prod.run(feeds, write("second", MORE), env="lab")
    assert drop(prod.url, prod.settings, "lab") is True
    assert left_of(prod, "lab") == NOTHING
    assert left_of(prod, "lab_2")["entries"] == [("lab_2", "ready")]
    assert drop(prod.url, prod.settings, "lab") is False
    assert prod.total == before


def test_an_unknown_an_expired_and_a_half_made_one_say_what_to_do(prod, feeds, write):
    with pytest.raises(UsageError, match=r"There is no environment 'lab'\. Create it: systock env create lab"):
        prod.run(feeds, write("second", MORE), env="lab")
    create(prod.url, prod.settings, "lab", origin="prod", lease_days=1, now=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match=r"'lab' expired on 2020-01-02 00:00 UTC\. Create it anew"):
        prod.run(feeds, write("second", MORE), env="lab")
    prod.rows("update ops.environment set state = 'dropping' returning 1")
    with pytest.raises(UsageError, match="It is dropping still"):
        prod.run(feeds, write("second", MORE), env="lab")


def test_created_again_it_stays_as_it_is_and_once_expired_it_is_made_anew(prod, feeds, write):
    prod.environment("lab", "prod")
    prod.run(feeds, write("second", MORE), env="lab")
    again = prod.environment("lab", "prod")
    assert again.detached_at is not None
    later = datetime.now(UTC) + timedelta(days=8)
    anew = create(prod.url, prod.settings, "lab", origin="prod", lease_days=7, now=later)
    assert (anew.detached_at, anew.created_at) == (None, later)


def test_gc_drops_what_is_expired_or_half_made_and_nothing_else(prod):
    for name, days in (("old", 1), ("young", 9)):
        create(prod.url, prod.settings, name, origin="prod", lease_days=days, now=NOW)
    prod.environment("half", "prod", 365_0)
    prod.rows("update ops.environment set state = 'creating' where name = 'half' returning 1")
    assert collect_garbage(prod.url, prod.settings, now=NOW + timedelta(days=2)) == ["half", "old"]
    assert prod.rows("select name from ops.environment") == [("young",)]
    assert left_of(prod, "old") == left_of(prod, "half") == NOTHING


def test_a_refresh_bases_it_on_prod_as_it_is_now(prod, feeds, write):
    made = prod.environment("lab", "prod")
    prod.run(feeds, write("second", MORE), env="lab")
    assert total(prod, made.schemas) != prod.total
    again = refresh(prod.url, prod.settings, "lab")
    assert (again.detached_at, again.expires_at) == (None, made.expires_at)
    assert total(prod, made.schemas) == prod.total


@pytest.mark.parametrize("point", [name for name in NAMES_OF_ENVIRONMENTS if name != "env.gone"])
def test_left_at_any_point_the_next_create_run_or_drop_finishes_it(prod, feeds, write, monkeypatch, point):
    before, second = prod.total, write("second", MORE)

    def whole_life(origin):
        prod.environment("lab", origin)
        prod.run(feeds, second, env="lab")
        drop(prod.url, prod.settings, "lab")

    for origin in ("prod", "empty"):
        if origin == "empty" and point in ("env.copied", "env.copy_deployed", "env.written_to"):
            continue
        _reached.clear()
        with monkeypatch.context() as broken, pytest.raises(RetryStepError):
            broken.setenv(VARIABLE, f"{point}=raise")
            whole_life(origin)
        whole_life(origin)
        assert left_of(prod, "lab") == NOTHING
        assert prod.total == before


def test_what_a_crash_left_is_cleared_by_gc(prod, monkeypatch):
    for point in ("env.entered", "env.made", "env.deployed"):
        _reached.clear()
        with monkeypatch.context() as broken, pytest.raises(RetryStepError):
            broken.setenv(VARIABLE, f"{point}=raise")
            prod.environment("lab", "prod")
        assert collect_garbage(prod.url, prod.settings, now=datetime.now(UTC)) == ["lab"]
        assert left_of(prod, "lab") == NOTHING


def test_many_at_once_make_one_environment_and_drop_it_once(prod):
    done: list[Any] = []

    def one(act):
        try:
            done.append(act())
        except Exception as error:  # told below
            done.append(error)

    def together(act):
        done.clear()
        threads = [threading.Thread(target=one, args=(act,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together(lambda: prod.environment("lab", "prod").created_at)
    assert len(set(done)) == 1, done
    together(lambda: drop(prod.url, prod.settings, "lab"))
    assert sorted(done) == [False] * 4 + [True]
    assert left_of(prod, "lab") == NOTHING


def test_an_environment_in_which_a_run_works_is_not_dropped_under_it(prod):
    prod.environment("lab", "prod")
    with open_warehouse(prod.url, prod.settings, Schemas.of("lab")) as opened, opened.warehouse.run_lock():
        with pytest.raises(StopRunError, match="A run works in environment 'lab'"):
            drop(prod.url, prod.settings, "lab", patience=0.2)
        assert collect_garbage(prod.url, prod.settings, now=datetime.now(UTC) + timedelta(days=99)) == []
    assert drop(prod.url, prod.settings, "lab") is True


def test_schemas_of_somebody_else_are_left_alone(prod):
    prod.rows("create schema lab_gold; create table lab_gold.theirs (a int); select 1")
    with pytest.raises(UsageError, match="belong to somebody else"):
        prod.environment("lab", "prod")
    collect_garbage(prod.url, prod.settings, now=datetime.now(UTC))
    assert prod.rows("select * from lab_gold.theirs") == []
    assert prod.rows("select name from ops.environment") == []


def test_an_older_prod_is_given_the_registry_and_an_empty_server_a_prod(prod, database_url, tmp_path):
    prod.rows("drop table ops.environment; select 1")
    assert prod.environment("lab", "prod").state == "ready"
    settings = Settings(home=tmp_path / "bare", database_url=database_url)
    made = create(None, settings, "lab", origin="prod", lease_days=1, now=datetime.now(UTC))
    assert made.base_known == 0
    assert drop(None, settings, "lab") is True


def test_settings_of_an_environment_have_a_folder_below_home(tmp_path):
    settings = Settings(home=tmp_path)
    assert settings.work_dir == replace(settings, env="prod").work_dir == tmp_path
    assert replace(settings, env="lab").work_dir == tmp_path / "env" / "lab"
    with pytest.raises(UsageError):
        _ = replace(settings, env="../etc").work_dir
    assert PROD.role is None
