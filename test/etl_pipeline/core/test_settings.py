import io
import logging
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.log import RedactingFormatter, printable
from etl_pipeline.core.progress import make_progress
from etl_pipeline.core.settings import Settings, load_settings, redact

pytestmark = pytest.mark.fast
ROOT = Path(__file__).parents[3]


def test_nothing_set_means_the_embedded_server_below_the_working_directory(tmp_path):
    settings = load_settings({}, tmp_path)
    assert settings.database_url is None
    assert settings.home == tmp_path / ".systock"
    folders = [settings.bronze.own, settings.postgres_dir, settings.inbox_dir, settings.log_dir]
    assert [folder.name for folder in folders] == ["bronze", "postgres", "inbox", "logs"]
    assert {folder.parent for folder in folders} == {settings.home}


def test_an_environment_keeps_received_files_of_its_own_and_reads_those_of_prod(tmp_path):
    settings = Settings(home=tmp_path)
    assert settings.bronze == replace(settings, env="prod").bronze == BronzeStore(tmp_path / "bronze")
    own = replace(settings, env="lab").bronze
    assert own == BronzeStore(tmp_path / "env" / "lab" / "bronze", tmp_path / "bronze")


def test_the_environment_wins_over_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("SYSTOCK_HOME=from_file\nSYSTOCK_DATABASE_URL=postgresql://file/db\n")
    settings = load_settings({"SYSTOCK_DATABASE_URL": "postgresql://environment/db"}, tmp_path)
    assert settings.database_url == "postgresql://environment/db"
    assert settings.home == tmp_path / "from_file"


def test_contracts_and_senders_folder_may_be_settings(tmp_path):
    settings = load_settings({"SYSTOCK_FEEDS": "feeds/mine", "SYSTOCK_INBOX": "/senders"}, tmp_path)
    assert (settings.feeds, settings.senders) == (tmp_path / "feeds" / "mine", Path("/senders"))
    assert load_settings({}, tmp_path).feeds is None


def test_an_empty_value_counts_as_unset(tmp_path):
    (tmp_path / ".env").write_text("SYSTOCK_DATABASE_URL=\n")
    assert load_settings({"SYSTOCK_HOME": ""}, tmp_path) == load_settings({}, tmp_path)


def test_an_absolute_home_is_taken_as_it_is(tmp_path):
    assert load_settings({"SYSTOCK_HOME": str(tmp_path / "there")}, Path("/elsewhere")).home == tmp_path / "there"


def test_the_short_scheme_of_libpq_is_spelled_out_for_sqlalchemy(tmp_path):
    url = load_settings({"SYSTOCK_DATABASE_URL": "postgres://u@h/d"}, tmp_path).database_url
    assert url == "postgresql://u@h/d"


def test_a_database_url_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="SYSTOCK_DATABASE_URL"):
        load_settings({"SYSTOCK_DATABASE_URL": "localhost"}, tmp_path)


def test_settings_do_not_show_the_password(tmp_path):
    assert "hush" not in repr(load_settings({"SYSTOCK_DATABASE_URL": "postgresql://u:hush@h/d"}, tmp_path))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hush@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u:hu@sh/@h/d", "postgresql://u:***@h/d"),
        ("postgresql+psycopg2://:hush@h/d", "postgresql+psycopg2://:***@h/d"),
        ("two: a://b:hush@c d://e:hush@f", "two: a://b:***@c d://e:***@f"),
        ("host=h password='hu sh' user=u", "host=h password=*** user=u"),
        ("https://h/x?token=hush&y=1", "https://h/x?token=***&y=1"),
        ("POSTGRES_PASSWORD: hush", "POSTGRES_PASSWORD: ***"),
        ("https://hooks.slack.com/services/T0/B0/hush", "https://hooks.slack.com/services/***"),
        ("postgresql://u@/d?host=/run&port=5432", "postgresql://u@/d?host=/run&port=5432"),
    ],
)
def test_passwords_are_taken_out(text, shown):
    assert redact(text) == shown


def test_control_characters_are_spelled_out():
    assert printable("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb\\nc\\u202ed"
    assert printable("Åsa, 東京\tx", one_line=False) == "Åsa, 東京\tx"


def test_a_log_line_and_its_traceback_are_safe():
    try:
        raise ValueError("postgresql://u:hush@h/d \x1b[31m")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "p", 1, "read %s\nfake line", ("a://u:hush@h",), sys.exc_info())
    line = RedactingFormatter("%(message)s").format(record)
    assert "hush" not in line
    assert "\x1b" not in line
    assert line.startswith("read a://u:***@h\\nfake line\nTraceback")


def test_piped_progress_is_one_line_per_step():
    stream = io.StringIO()
    progress = make_progress("auto", stream)
    progress.step("read", 10)
    progress.advance(1200)
    progress.step("load\x1b")
    progress.done("3 files")
    progress.done()
    assert [line.split(" (")[0] for line in stream.getvalue().splitlines()] == ["read: 1,200", "load\\x1b: 3 files"]


def test_silent_progress_says_nothing(capfd):
    progress = make_progress("silent")
    progress.step("read", 10)
    progress.advance()
    progress.done("x")
    assert capfd.readouterr() == ("", "")


def test_requirements_name_what_pyproject_names_and_the_lock_pins_it():
    def name(line: str) -> str:
        return "".join(line.replace("[", " ").replace(">", " ").replace("=", " ").split()[:1]).lower().replace("_", "-")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {name(line) for line in project["dependencies"]}
    lines = (ROOT / "etl_pipeline" / "requirements.txt").read_text().splitlines()
    listed = {name(line) for line in lines if line and not line.startswith(("#", "-"))}
    locked = {name(line) for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert listed == needed | {"pytest", "hypothesis"}
    assert needed | {name(line) for line in project["optional-dependencies"]["dev"]} - {"systock"} <= locked
    assert not {each for each in needed if "snowflake" in each or "spark" in each}, "they are extras"
