"""S12: a function, operator, type or table of somebody else is never taken for the server's own."""

import re
from contextlib import closing

import psycopg2
import pytest

from data_warehouse.content_hash import content_hash
from data_warehouse.ddl import schema_files
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.publishing import rows
from pipeline_manager.verifying import verify
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import REPO, RunWarehouse, administer

ENV = Schemas.of("hijack")
MOVE = "D1,1,1,A,W1,2025-02-01T09:00:00,5,EA,in,\nD2,1,1,NO,W1,2025-02-01T09:00:00,5,EA,in,\n"
TRAP = """
create schema evil;
create function evil.trap() returns trigger language plpgsql as $$ begin raise exception 'hijacked'; end $$;
do $do$
declare
    one record;
begin
    for one in
        select
            p.proname, pg_get_function_identity_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.proname = any(%s)
            and not p.proretset and not p.provariadic <> 0
    loop
        begin
            execute format(
                'create function evil.%%I(%%s) returns %%s language plpgsql as '
                '$f$ begin raise exception ''hijacked: %%s''; end $f$', one.proname, one.arguments, one.result,
                one.proname
            );
        exception when others then
            null; -- pseudo types cannot be taken over this way
        end;
    end loop;
end
$do$;
create function evil.bad(text, text) returns boolean language plpgsql as $$ begin raise exception 'hijacked'; end $$;
create function evil.bad(bigint, bigint) returns boolean language plpgsql
as $$ begin raise exception 'hijacked'; end $$;
create operator evil.= (leftarg = text, rightarg = text, procedure = evil.bad);
create operator evil.<> (leftarg = text, rightarg = text, procedure = evil.bad);
create operator evil.= (leftarg = bigint, rightarg = bigint, procedure = evil.bad);
create operator evil.< (leftarg = bigint, rightarg = bigint, procedure = evil.bad);
create domain evil.text as pg_catalog.int4;
create domain evil.uuid as pg_catalog.int4;
create table evil.file (a integer);
create table evil.record (a integer);
create table evil.batch (a integer);
create table evil.stage_record (a integer);
create view evil.pg_database as select 'none'::name as datname;
create view evil.pg_roles as select 'none'::name as rolname;
create view evil.pg_class as select 0::oid as oid;
"""


def words_of_our_sql() -> list[str]:
    """Every word of our SQL: what is a function among them is taken over."""
    texts = [statement for _, statement in schema_files()]
    for package in ("load", "data_warehouse", "pipeline_manager"):
        texts += [path.read_text(encoding="utf-8") for path in (REPO / package).rglob("*.py")]
    texts += [path.read_text(encoding="utf-8") for path in (REPO / "data_warehouse" / "gold").rglob("*.sql")]
    return sorted(set(re.findall(r"[a-z_][a-z0-9_]+", " ".join(texts))))


@pytest.fixture(scope="module")
def trapped(postgres_server, make_warehouse, tmp_path_factory):
    """A database in which the trap is first on everybody's path, loaded from nothing."""
    name = f"{make_warehouse().name}_trap"
    administer(postgres_server, f"create database {name}")
    warehouse = RunWarehouse(name, postgres_server.url(name), tmp_path_factory.mktemp("home"))
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(TRAP, (words_of_our_sql(),))
    administer(postgres_server, f"alter database {name} set search_path = evil, public, pg_catalog")
    folder = tmp_path_factory.mktemp("small")
    contracts = write_feeds(folder / "feeds")
    retailer = contracts / "retailer.yml"
    retailer.write_text(retailer.read_text().replace("snapshot_days: 0", "snapshot_days: 400"))
    inbox = write_files(folder / "inbox", MASTERS | {"move_2025-02-01.csv": MOVE})
    warehouse.environment(ENV.env)
    warehouse.report = warehouse.run(contracts, inbox, env=ENV.env)  # type: ignore[attr-defined]
    yield warehouse
    administer(postgres_server, f"drop database {name} with (force)")


@pytest.mark.parametrize("query", ["select lower('A')", "select 'a'::pg_catalog.text = 'b'::pg_catalog.text"])
def test_s12_the_trap_itself_works(trapped, query):
    with pytest.raises(psycopg2.Error, match="hijacked"):
        trapped.rows(query)


def test_s12_a_run_in_a_hijacked_database_calls_nothing_of_the_hijacker(trapped):
    """Deployed, loaded, judged, published and sealed: every connection of ours has a path of its own."""
    assert trapped.report.batches >= 1
    assert [line["location_code"] for line in trapped.report.stock] == ["W1"]
    assert trapped.report.quarantined == 1


def test_s12_audit_verify_hash_and_the_views_call_nothing_of_the_hijacker(trapped):
    with closing(connect(trapped.url)) as connection:
        last = "select * from {{ ops }}.check_laws((select max(known) from {{ ops }}.batch))"
        assert [law["sentence"] for law in rows(connection, ENV, last) if not law["is_kept"]] == []
        assert content_hash(connection, ENV)["total"]
        settings = Settings(home=trapped.home, database_url=trapped.url, env=ENV.env)
        assert verify(PostgresWarehouse(connection, ENV), settings, make_progress("silent")).is_whole
    # What was bound when it was made stays bound, whatever the path of who asks.
    with closing(psycopg2.connect(trapped.url)) as connection, connection.cursor() as cursor:
        for view in ("stock_on_hand", "stock_movement", "quarantine", "feed_file"):
            cursor.execute(f"select * from {ENV.gold}.{view}")
            assert cursor.fetchall()


def test_s12_nothing_of_ours_depends_on_an_object_of_the_hijacker(trapped):
    with closing(connect(trapped.url)) as connection:
        found = rows(
            connection, ENV,
            "select pg_describe_object(d.classid, d.objid, d.objsubid) as what from pg_depend as d"
            " where d.deptype = 'n' and pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) like '%% evil.%%'"
            " and pg_describe_object(d.classid, d.objid, d.objsubid) not like '%%evil.%%'",
        )  # fmt: skip
    assert found == []


def test_s12_every_function_of_ours_has_a_fixed_path_and_none_is_open_to_everybody(trapped):
    with closing(connect(trapped.url)) as connection:
        ours = (
            "from pg_proc as p inner join pg_namespace as n on p.pronamespace = n.oid"
            " where n.nspname = any(array['hijack_bronze', 'hijack_silver', 'hijack_gold', 'hijack_ops'])"
        )
        # An aggregate has no path of its own; its steps are functions.
        loose = rows(connection, ENV, f"select p.proname {ours} and p.prokind <> 'a' and not"
                     " coalesce(p.proconfig, '{}') && array['search_path=pg_catalog, pg_temp']")  # fmt: skip
        assert loose == []
        open_ = rows(connection, ENV, f"select p.proname {ours} and has_function_privilege('public', p.oid, 'execute')")
        assert open_ == []
