"""S11: each role may do what its work needs; everything else is refused with 42501. The flow loads as the loader."""

from contextlib import closing

import psycopg2
import pytest

from data_warehouse.deploy import deploy
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings
from load.postgres import PostgresWarehouse, connect
from pipeline_manager.verifying import verify
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import PROD, RunWarehouse, administer

MOVE = "D1,1,1,A,W1,2025-02-01T09:00:00,5,EA,in,\n"
BEYOND_ANY_ROLE = [
    "select pg_catalog.pg_read_file('/etc/passwd')",
    "select pg_catalog.pg_ls_dir('/')",
    "select rolpassword from pg_catalog.pg_authid",
    "copy (select 1) to program 'id'",
    "copy (select 1) to '/tmp/systock_role_test'",
    "create temp table t (a text); copy t from '/etc/passwd'",
    "create role mine superuser",
    "alter role current_user superuser",
    "create schema mine",
    "create table public.mine (a integer)",
    "create function gold.mine() returns integer language sql as 'select 1'",
    "set session_replication_role = replica",
    "alter table bronze.block disable trigger all",
    "drop table bronze.file",
    "truncate silver.record",
]
FORBIDDEN = {
    "bi_reader": [
        "select * from silver.position", "select * from bronze.file", "select * from ops.batch",
        "select * from bronze.records(1)", "select ops.seal_batch(1)", "select gold.snapshot_stock('2025-01-01')",
        "insert into gold.snapshot_difference values (1, '{}')", "delete from gold.snapshot",
    ],
    "systock_auditor": [
        "update bronze.file set name = 'x'", "delete from bronze.block", "insert into ops.setting values ('a', 'b')",
        "update silver.quarantine set known_to = 1", "select ops.seal_batch(1)", "select * from ops.check_laws(1)",
        "select silver.apply_facts(1)", "select gold.snapshot_stock('2025-01-01')", "delete from gold.snapshot",
    ],
    "systock_loader": [
        "update bronze.block set content = ''", "delete from bronze.block", "truncate bronze.block",
        "update bronze.file set sha256 = 'x'", "update bronze.file set name = 'x'", "update bronze.file set known = 9",
        "update bronze.file set size_bytes = 9", "delete from bronze.file", "delete from bronze.file_name",
        "update bronze.file_name set name = 'x'", "delete from silver.record", "delete from silver.quarantine",
        "update silver.quarantine set raw = ''", "update silver.quarantine set byte_start = 9",
        "delete from silver.fact_movement", "update silver.fact_movement set quantity = 9",
        "update silver.fact_sale set net_amount = 9", "delete from silver.product_key",
        "update silver.product_key set product_code = 'x'", "delete from ops.batch", "delete from ops.law",
        "delete from ops.setting", "insert into gold.snapshot_difference values (1, '{}')",
        "update gold.snapshot set chain_hash = ''", "delete from gold.stock_snapshot",
        "create or replace view gold.stock_on_hand as select 1 as one", "select * from gold.stock_on_hand",
        "select gold.snapshot_stock('2025-01-01')",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(make_warehouse, tmp_path_factory):
    warehouse = make_warehouse()
    folder = tmp_path_factory.mktemp("small")
    # Whoever loads leaves its name.
    warehouse.run(write_feeds(folder / "feeds"), write_files(folder / "first", MASTERS))
    with closing(psycopg2.connect(warehouse.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("alter table bronze.block add column loaded_by text default current_user")
        cursor.execute("alter table silver.record add column loaded_by text default current_user")
    warehouse.run(folder / "feeds", write_files(folder / "second", {"move_2025-02-01.csv": MOVE}))
    return warehouse


def as_role(warehouse: RunWarehouse, role: str, statement: str) -> None:
    """Do something as a role; it is taken back."""
    with closing(psycopg2.connect(warehouse.url)) as connection, connection.cursor() as cursor:
        cursor.execute("select set_config('role', %s, false)", (role,))
        try:
            cursor.execute(statement)
        finally:
            connection.rollback()


@pytest.mark.parametrize(
    ("role", "statement"),
    [(role, statement) for role, own in FORBIDDEN.items() for statement in [*own, *BEYOND_ANY_ROLE]],
)
def test_s11_what_a_role_has_no_business_with_is_refused_with_42501(loaded, role, statement):
    with pytest.raises(psycopg2.Error) as caught:
        as_role(loaded, role, statement)
    assert caught.value.pgcode == "42501", caught.value


def test_s11_the_flow_loads_as_the_loader_and_not_as_who_logs_in(loaded):
    assert loaded.rows("select distinct loaded_by from bronze.block where file_id = (select max(file_id) from"
                       " bronze.file)") == [("systock_loader",)]  # fmt: skip
    assert ("systock_loader",) in loaded.rows("select distinct loaded_by from silver.record")
    assert loaded.value("select quantity from silver.position") == 5


def test_s11_no_role_is_more_than_a_role(loaded):
    roles = loaded.rows(
        "select rolname from pg_roles where rolname = any(%s) and (rolsuper or rolcreaterole or rolcreatedb or"
        " rolreplication or rolbypassrls or rolcanlogin)",
        (list(FORBIDDEN),),
    )
    assert roles == []
    members = "select count(*) from pg_auth_members as m inner join pg_roles as r on m.member = r.oid where r.rolname"
    assert loaded.value(f"{members} = any(%s)", (list(FORBIDDEN),)) == 0


def test_s11_the_auditor_can_verify_everything(loaded):
    with closing(connect(loaded.url)) as connection:
        connection.cursor().execute("set role systock_auditor")
        connection.commit()
        settings = Settings(home=loaded.home, database_url=loaded.url)
        verdict = verify(PostgresWarehouse(connection, PROD), settings, make_progress("silent"))
    assert verdict.is_whole
    assert verdict.checked["files"] == 4


@pytest.fixture
def owned(postgres_server, make_warehouse, tmp_path):
    """An empty database whose owner is no superuser."""
    owner = f"owner_{make_warehouse().name}"
    administer(postgres_server, f"create role {owner} login")
    administer(postgres_server, f"create database {owner} owner {owner}")
    yield RunWarehouse(owner, postgres_server.url(owner, user=owner), tmp_path / "home")
    administer(postgres_server, f"drop database {owner} with (force)")
    administer(postgres_server, f"drop role {owner}")


def test_s11_a_whole_run_needs_no_superuser(postgres_server, loaded, owned, tmp_path):
    """An owner that may create in its own database deploys, loads as the loader, publishes and seals."""
    administer(postgres_server, f"grant systock_loader to {owned.name}")
    contracts = write_feeds(tmp_path / "feeds")
    inbox = write_files(tmp_path / "inbox", MASTERS | {"move_2025-02-01.csv": MOVE})
    assert owned.value("select rolsuper from pg_roles where rolname = current_user") is False
    report = owned.run(contracts, inbox)
    assert report.quarantined == 0
    assert owned.value("select on_hand from gold.stock_on_hand") == 5
    assert owned.value("select ops.may_load_as('systock_loader')") is True


def test_s11_an_owner_that_is_not_in_the_loaders_role_loads_with_its_own_rights(loaded, owned):
    with closing(connect(owned.url)) as connection:
        assert deploy(connection, PROD)
    assert owned.value("select ops.may_load_as('systock_loader')") is False
    assert owned.value("select ops.may_load_as('no_such_role')") is False
